import { zipf } from '../bench/zipf.ts';
import { ipv4, ownIpv6 } from './addresses.ts';
import { logNormal, type Random, randomOf, sample, weighted } from './chance.ts';
import type { Asker } from './dns.ts';
import { DAY, HOUR } from './time.ts';

/** The two approved resolvers: the first asks authoritative servers, the second forwards over TLS. */
export const RESOLVERS = [ipv4(10, 0, 0, 53), ipv4(10, 0, 1, 53)] as const;
export const RESOLVERS_V6 = RESOLVERS.map(ownIpv6);
/** Serves the organisation's zone to the world. */
export const NAME_SERVER = ipv4(10, 0, 2, 53);
export const MAIL_SERVER = ipv4(10, 0, 3, 25);
export const MONITOR = ipv4(10, 0, 3, 99);
export const ADMIN = ipv4(10, 0, 3, 7);
export const OWN_SUFFIX = 'corp.example.';
/** What the mis-set search list appends. */
export const WRONG_SUFFIX = 'corp.lan.';

/** Monday; weekends are days 6 and 7. */
export const START = Date.UTC(2026, 2, 2) * 1000;
const CLIENTS_PER_SUBNET = 200;
const FAVOURITES = 25;

/** A person's machine. */
export interface Client extends Asker {
  readonly index: number;
  /** Its IPv4 address; `address` is what it asks from. */
  readonly ipv4: number;
  readonly kind: 'desktop' | 'laptop' | 'phone' | 'linux';
  /** 1 is a usual person's. */
  readonly activity: number;
  /** Hours of the day. */
  readonly begins: number;
  readonly ends: number;
  /** Ranks of the sites that its person likes. */
  readonly favourites: readonly number[];
  readonly habits: Readonly<Record<Habit, boolean>>;
}

const HABITS = {
  /** Asks for AAAA beside A. */
  ipv6: 0.5,
  /** Asks for HTTPS records, which YAF cannot decode. */
  httpsRecords: 0.25,
  antivirus: 0.7,
  mobileApp: 0.3,
  probesNames: 0.4,
  wrongSuffix: 0.06,
  chat: 0.4,
  multicast: 0.3,
  mediaServer: 0.02,
  /** Changes to the site that becomes popular. */
  newSite: 0.35,
} as const;
type Habit = keyof typeof HABITS;

/** Everybody on the network. @param sites how many there are to like */
export function makeClients(seed: number, count: number, sites: number): Client[] {
  const random = randomOf(seed, 'clients');
  const popular = zipf(sites, random.next);
  return Array.from({ length: count }, (_, index) => {
    const address = ipv4(
      10,
      20,
      1 + Math.floor(index / CLIENTS_PER_SUBNET),
      20 + (index % CLIENTS_PER_SUBNET),
    );
    const isV6 = random.next() < 0.08;
    const resolver = random.next() < 0.85 ? 0 : 1;
    const begins = 6.5 + 3 * random.next();
    return {
      index,
      ipv4: address,
      address: isV6 ? ownIpv6(address) : address,
      resolver: (isV6 ? RESOLVERS_V6 : RESOLVERS)[resolver]!, // there are two
      kind: weighted(random, [
        ['desktop', 60],
        ['laptop', 20],
        ['phone', 12],
        ['linux', 8],
      ]),
      activity: Math.min(4, logNormal(random, 0.9, 1.7)),
      begins,
      ends: begins + 7.5 + 2 * random.next(),
      favourites: Array.from({ length: FAVOURITES }, () =>
        random.next() < 0.4 ? popular() : random.between(0, sites - 1),
      ),
      habits: Object.fromEntries(
        Object.entries(HABITS).map(([habit, share]) => [habit, random.next() < share]),
      ) as Record<Habit, boolean>, // the same keys
    };
  });
}

/** How present a client's person is, 0 to 1. */
export function presence(client: Client, at: number): number {
  const hour = (at % DAY) / HOUR;
  const isWeekend = Math.floor((at - START) / DAY) % 7 >= 5;
  if (client.kind === 'phone') return hour > 7 && hour < 23 ? (isWeekend ? 0.4 : 0.6) : 0.05;
  const isWorking = hour >= client.begins && hour < client.ends;
  const isLunch = hour >= 12 && hour < 13;
  const weekday = isWorking ? (isLunch ? 0.5 : 1) : hour > 7 && hour < 23 ? 0.06 : 0.015;
  return isWeekend ? weekday * 0.15 : weekday;
}

/** Machines that are on day and night. */
export function isOn(client: Client, at: number): number {
  return client.kind === 'linux' || presence(client, at) >= 0.06 ? 1 : 0.25;
}

/** Clients with IPv4, for the attacks. */
export function infectable(clients: readonly Client[], random: Random): Client[] {
  const hosts = clients.filter(({ address, kind }) => typeof address === 'number' && kind !== 'phone');
  return sample(random, hosts, hosts.length);
}
