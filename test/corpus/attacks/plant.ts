import { type DnsResponse, RrType, type YafFlow } from '../../bench/yafWriter.ts';
import { type Random, randomOf } from '../chance.ts';
import { addressIn, ask, connect, type Host } from '../dns.ts';
import type { Kind, Label, Strength } from '../labels.ts';
import type { Activity, Source } from '../lookUp.ts';
import type { DomainNames } from '../names.ts';
import { type Client, infectable } from '../network.ts';
import { DAY, HOUR, type Period, scattered } from '../time.ts';
import { MOST_WAIT } from '../upstream.ts';
import type { World } from '../world.ts';

/** An attack as it is planned. */
export interface Attack {
  readonly subject: string;
  readonly clients: readonly Client[];
  readonly period: Period;
  readonly also?: Label['also'];
  /** What happens in the period; the same each time it is called with the same chance. */
  activities(random: Random): Source;
}

/** Plans one attack of a kind. @param variant one of those that the strength has */
export type Plan = (planner: Planner, strength: Strength, variant: string) => Attack;

/** Attacks begin an hour after new things can be told, and end before the corpus does. */
const MARGIN = HOUR;

/** Hands out what attacks need, so that they do not get into each other's way. */
export class Planner {
  readonly world: World;
  readonly names: DomainNames;
  readonly random: Random;
  readonly #clients: readonly Client[];
  #dealt = 0;

  constructor(world: World) {
    this.world = world;
    this.names = world.names;
    this.random = randomOf(world.seed, 'attacks');
    this.#clients = infectable(world.clients, this.random);
  }

  /** Clients that no attack has yet, as long as there are some. */
  deal(count: number): Client[] {
    const most = Math.min(count, this.#clients.length);
    return Array.from({ length: most }, () => this.#clients[this.#dealt++ % this.#clients.length]!); // not empty
  }

  /** So many hours after the burn-in. */
  period(hours: number): Period {
    const { world } = this;
    const earliest = world.from + world.burnInDays * DAY + MARGIN;
    const length = Math.min(hours * HOUR, world.to - MARGIN - earliest);
    const from = earliest + Math.floor(this.random.next() * (world.to - MARGIN - length - earliest));
    return { from, to: from + length };
  }
}

/** So many activities in a period, each of one of the clients. */
export function* spread(
  random: Random,
  { period, clients }: Pick<Attack, 'period' | 'clients'>,
  count: number,
  act: (client: Client, at: number, i: number) => Activity,
): Generator<Activity, void> {
  for (const [i, at] of scattered(random, period, count).entries()) {
    // each takes part
    const client = i < clients.length ? clients[i]! : random.pick(clients);
    yield act(client, at, i);
  }
}

/** A question for an address, and perhaps a connection to it. */
export function fetch(client: Client, host: Host, at: number, random: Random, connects: number): YafFlow[] {
  const response = host.answer(RrType.A, at);
  const flow = question(client, at, host.name, RrType.A, response, random);
  const address = addressIn(response, RrType.A);
  if (typeof address !== 'number' || random.next() >= connects) return [flow];
  const start = flow.end + MOST_WAIT + Math.floor(random.next() * 100_000);
  return [flow, connect(client.ipv4, address, 443, start, random)];
}

export function question(
  client: Client,
  at: number,
  name: string,
  type: number,
  response: DnsResponse,
  random: Random,
): YafFlow {
  return ask(client, at, { name, type }, response, random);
}

export type Plans = Readonly<Record<Kind, Plan>>;
