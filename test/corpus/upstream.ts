import type { DnsResponse, YafFlow } from '../bench/yafWriter.ts';
import { publicAddress } from './addresses.ts';
import { exponential, hashOf, type Random, randomOf } from './chance.ts';
import { ask, opaque, type Question } from './dns.ts';
import { OWN_SUFFIX, RESOLVERS, RESOLVERS_V6 } from './network.ts';
import { MINUTE, SECOND } from './time.ts';
import type { World } from './world.ts';

const DOT = 853;
const TLS = 443;
const OVER_TCP = 0.02;
const NEGATIVE_TTL = 900;
/** What a client waits for at most, when its resolver has to ask: connections begin later. */
export const MOST_WAIT = 60_000;

interface Cached {
  readonly response: DnsResponse;
  readonly fetchedAt: number;
  readonly expiresAt: number;
}

/**
 * The caches of the two approved resolvers: what a client gets is as old as in the cache, and what is not there the first
 * resolver asks an authoritative server for, in the clear; the second forwards everything over one TLS connection a minute.
 */
export class Upstream {
  readonly #caches = RESOLVERS.map(() => new Map<string, Cached>());
  readonly #nameServers: readonly number[];
  readonly #random: Random;
  readonly #forwarder: number;
  #nextConnection = 0;

  constructor({ seed, nameServers }: World) {
    this.#nameServers = nameServers;
    this.#random = randomOf(seed, 'upstream');
    this.#forwarder = publicAddress(this.#random);
  }

  /** What becomes of a flow, and what a resolver sends because of it. @param flow flows come in order of their start */
  through(flow: YafFlow): readonly YafFlow[] {
    const resolver = resolverOf(flow);
    const { dns } = flow;
    if (resolver < 0 || dns?.question === undefined || dns.response === undefined) return [flow];
    const { question, response } = dns;
    if (question.name.endsWith(OWN_SUFFIX)) return [flow];
    const cache = this.#caches[resolver]!; // one for each
    const key = `${question.type} ${question.name}`;
    const cached = cache.get(key);
    if (cached !== undefined && cached.expiresAt > flow.start) {
      const age = Math.max(0, Math.floor((flow.start - cached.fetchedAt) / SECOND));
      return [{ ...flow, dns: { ...dns, response: cached.response, age } }];
    }
    const ttl = shortestTtl(response);
    cache.set(key, { response, fetchedAt: flow.start, expiresAt: flow.start + ttl * SECOND });
    return this.#fetch(flow, resolver, question, response);
  }

  /** Forgets what has expired. */
  clean(now: number): void {
    for (const cache of this.#caches)
      for (const [key, { expiresAt }] of cache) if (expiresAt <= now) cache.delete(key);
  }

  #fetch(flow: YafFlow, resolver: number, { name, type }: Question, response: DnsResponse): YafFlow[] {
    const random = this.#random;
    const waitUs = Math.min(MOST_WAIT, 4000 + Math.floor(exponential(random, 20_000)));
    const waited: YafFlow = {
      ...flow,
      end: flow.end + waitUs,
      reverse: flow.reverse && { ...flow.reverse, delayUs: flow.reverse.delayUs + waitUs },
    };
    const at = flow.start + 200;
    if (resolver === 1) return [waited, ...this.#forward(at)];
    const transport = random.next() < OVER_TCP ? 'tcp' : 'udp';
    const asker = { address: RESOLVERS[0], resolver: this.#nameServerOf(name) };
    const answer = { ...response, isAuthoritative: true };
    const upstream = ask(asker, at, { name, type }, answer, random, transport);
    return [waited, { ...upstream, end: at + waitUs - 300 }];
  }

  #forward(at: number): YafFlow[] {
    if (at < this.#nextConnection) return [];
    this.#nextConnection = at + MINUTE;
    return [opaque(RESOLVERS[1], this.#forwarder, DOT, at, this.#random, 'tcp', TLS)];
  }

  #nameServerOf(name: string): number {
    const zone = name.split('.').slice(-3).join('.');
    return this.#nameServers[hashOf(zone) % this.#nameServers.length]!; // not empty
  }
}

function resolverOf({ destination }: YafFlow): number {
  if (typeof destination === 'number') return RESOLVERS.indexOf(destination);
  return RESOLVERS_V6.findIndex(each => each.equals(destination));
}

function shortestTtl({ rcode, rrs }: DnsResponse): number {
  if (rcode !== 0) return rrs.length === 0 ? 1 : NEGATIVE_TTL;
  return rrs.reduce((least, { ttl }) => Math.min(least, ttl), 86_400);
}
