import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { addressText } from '../../collector/map/address.ts';
import { canonicalName } from '../../common/dnsName.ts';
import { registeredDomainLength } from '../../common/registeredDomain.ts';
import {
  dnsTemplates,
  rrsOf,
  Section,
  tcpAndSrvTemplates,
  type YafFlow,
  YafWriter,
} from '../bench/yafWriter.ts';
import { type Plant, plantAttacks } from './attacks/plants.ts';
import type { Label } from './labels.ts';
import { OWN_SUFFIX, RESOLVERS, RESOLVERS_V6 } from './network.ts';
import { people } from './people.ts';
import { programs } from './programs.ts';
import { DAY, HOUR } from './time.ts';
import { flowsInOrder } from './timeline.ts';
import { makeWorld, type WatchedWord, type World } from './world.ts';

/** What decides a corpus; the same options give the same octets. */
export interface CorpusOptions {
  readonly seed: number;
  /** Default 7, the first a Monday (2026-03-02, UTC). */
  readonly days?: number;
  /** Default 500. */
  readonly clients?: number;
  /** How much the people and their programs do, default 1. Attacks stay as they are. */
  readonly scale?: number;
  /** Attacks of each kind and strength, default 3, with less than 250 clients 1; see `strengths`. */
  readonly copies?: number;
}

/** What the operator of this network tells the detections. Domains without trailing dot. */
export interface Operator {
  readonly own_networks: readonly string[];
  readonly approved_resolvers: readonly string[];
  readonly own_suffixes: readonly string[];
  readonly watch_list: readonly WatchedWord[];
  /** Registered domains. */
  readonly allow: readonly string[];
  readonly burn_in_days: number;
}

/** When flows asked for a name of a registered domain first, and when one got an answer with records. */
export interface FirstSeen {
  readonly asked: Date;
  answered?: Date;
}

/** What a corpus holds. */
export interface CorpusCounts {
  readonly flows: number;
  readonly rrs: number;
  /** By registered domain, the ordinary ones too: what detections of kind first_seen are true for. */
  readonly domains: ReadonlyMap<string, FirstSeen>;
}

export interface Corpus {
  readonly labels: readonly Label[];
  readonly operator: Operator;
  /** Data times are in [from, to); some of the last flows end later. */
  readonly from: Date;
  readonly to: Date;
  /** All flows in the order of their end; the same each time it is called. */
  flows(): Generator<YafFlow, void>;
  /** IPFIX messages of one transport session; the same octets each time. Returns what they hold. */
  messages(): Generator<Buffer, CorpusCounts>;
}

/** A message is sent when its first flow ended so long ago, or when it is full. */
const LONGEST_WAIT = 25e6;
/** Seconds from the end of the last flow of a message to its export. */
const EXPORT_DELAY = 3;

/**
 * A network for some days: people, programs and servers whose ordinary ways look suspicious at first sight, and attacks of
 * every kind in three strengths that are labelled. All names are invented but those of DoH endpoints. Memory does not depend
 * on the number of days.
 */
export function makeCorpus(options: CorpusOptions): Corpus {
  const { seed, days = 7, clients = 500, scale = 1 } = options;
  const copies = options.copies ?? (clients < 250 ? 1 : 3);
  const world = makeWorld(seed, days, clients);
  const plants = plantAttacks(world, copies);
  const flows = () => flowsInOrder(world, sources(world, plants, scale));
  return {
    labels: [...plants.map(({ label }) => label), wrongSearchList(world)],
    operator: operatorOf(world),
    from: new Date(world.from / 1000),
    to: new Date(world.to / 1000),
    flows,
    messages: () => messagesOf(flows(), new Tally()),
  };
}

/**
 * Writes a corpus as one file a UTC day, by the end of the flows, each a transport session of its own.
 * @returns the paths in order, and what all hold
 */
export async function writeCorpus(
  directory: string,
  options: CorpusOptions,
): Promise<CorpusCounts & { readonly corpus: Corpus; readonly paths: readonly string[] }> {
  const corpus = makeCorpus(options);
  await mkdir(directory, { recursive: true });
  const paths: string[] = [];
  const tally = new Tally();
  for (const { day, flows } of byDay(corpus.flows())) {
    const path = join(directory, `corpus-${day}.ipfix`);
    paths.push(path);
    await pipeline(Readable.from(messagesOf(flows, tally)), createWriteStream(path));
  }
  return { ...tally.counts, corpus, paths };
}

function* sources(world: World, plants: readonly Plant[], scale: number) {
  yield* people(world, scale);
  yield* programs(world, scale);
  for (const plant of plants) yield plant.activities();
}

/** Counts flows as they pass. */
class Tally {
  #flows = 0;
  #rrs = 0;
  readonly #domains = new Map<string, FirstSeen>();

  add({ start, dns }: YafFlow): void {
    this.#flows++;
    if (dns === undefined) return;
    this.#rrs += rrsOf(dns);
    const name = canonicalName(dns.question?.name ?? '');
    if (name === null) return;
    const domain = name.slice(-registeredDomainLength(name));
    let seen = this.#domains.get(domain);
    if (seen === undefined) {
      seen = { asked: new Date(start / 1000) };
      this.#domains.set(domain, seen);
    }
    const isAnswered = dns.response?.rrs.some(({ section }) => section === Section.answer) === true;
    if (isAnswered) seen.answered ??= new Date(start / 1000);
  }

  get counts(): CorpusCounts {
    return { flows: this.#flows, rrs: this.#rrs, domains: this.#domains };
  }
}

function* messagesOf(flows: Iterable<YafFlow>, tally: Tally): Generator<Buffer, CorpusCounts> {
  const writer = new YafWriter([...dnsTemplates, ...tcpAndSrvTemplates]);
  let oldest = Number.POSITIVE_INFINITY;
  let latest = 0;
  const exportTime = () => Math.floor(latest / 1e6) + EXPORT_DELAY;
  for (const flow of flows) {
    if (flow.end - oldest > LONGEST_WAIT) {
      yield writer.message(exportTime());
      oldest = flow.end;
    }
    const full = writer.flow(flow, exportTime());
    if (full !== undefined) {
      yield full;
      oldest = flow.end;
    }
    oldest = Math.min(oldest, flow.end);
    latest = Math.max(latest, flow.end);
    tally.add(flow);
  }
  if (latest > 0) yield writer.message(exportTime());
  return tally.counts;
}

/** The flows of one day after the other; each day's must be taken before the next is asked for. */
function* byDay(flows: Iterator<YafFlow>): Generator<{ day: string; flows: Iterable<YafFlow> }, void> {
  let next = flows.next();
  while (!next.done) {
    const day = Math.floor(next.value.end / DAY);
    yield {
      day: new Date((day * DAY) / 1000).toISOString().slice(0, 10).replaceAll('-', ''),
      flows: (function* () {
        for (; !next.done && Math.floor(next.value.end / DAY) === day; next = flows.next()) yield next.value;
      })(),
    };
  }
}

function operatorOf({ watched, services, burnInDays }: World): Operator {
  return {
    own_networks: ['10.0.0.0/8', 'fd12:3456:789a::/48'],
    approved_resolvers: [...RESOLVERS, ...RESOLVERS_V6].map(addressText),
    own_suffixes: [OWN_SUFFIX.slice(0, -1)],
    watch_list: watched,
    allow: [services.mediaServer.slice(0, -1)],
    burn_in_days: burnInDays,
  };
}

/** Nobody planted it: names that a mis-set search list makes are under a TLD that does not exist all the same. */
function wrongSearchList({ clients, from, to }: World): Label {
  return {
    kind: 'nonexistent_tld',
    strength: 'strong',
    variant: 'search_list',
    subject: 'lan.',
    clients: clients.filter(({ habits }) => habits.wrongSuffix).map(({ address }) => addressText(address)),
    from: new Date(from / 1000),
    to: new Date((to + HOUR) / 1000),
    also: [],
  };
}
