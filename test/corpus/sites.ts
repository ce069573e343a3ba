import { type Rr, RrType } from '../bench/yafWriter.ts';
import { addressIn, addressPool, publicNetwork } from './addresses.ts';
import { HEX, hashOf, letters, mix, type Random, sample, weighted } from './chance.ts';
import { addressRrs, answered, authority, fixedHost, type Host, rr } from './dns.ts';
import { type DomainNames, inventLabel, inventWord, ordinaryTld } from './names.ts';
import { SECOND } from './time.ts';

/** A site and what a page of it makes a browser look up. */
export interface Site {
  readonly domain: string;
  readonly page: Host;
  /** Its own other hosts and those of others that it includes. */
  readonly parts: readonly Host[];
}

/** Content delivery: any of its names answers with a few of hundreds of addresses in few networks, others every minute. */
export interface Cdn {
  readonly domain: string;
  readonly ttl: number;
  readonly addresses: readonly number[];
}

export function makeCdn(random: Random, names: DomainNames, ttl: number, addresses: number): Cdn {
  return { domain: names.domain('net'), ttl, addresses: addressPool(random, addresses, 4) };
}

/** A name that is a CNAME into a CDN. */
export function cdnHost(cdn: Cdn, name: string, inAnswer = 2): Host {
  const edge = `${name.slice(0, -1)}.edge.${cdn.domain}`;
  const hash = hashOf(edge);
  const alias = rr(name, RrType.CNAME, 1800, { kind: 'cname', text: edge });
  return {
    name,
    answer: (type, at) => {
      if (type !== RrType.A && type !== RrType.AAAA) return answered([alias], cdn.domain);
      const epoch = Math.floor(at / (cdn.ttl * SECOND));
      const chosen = Array.from({ length: inAnswer }, (_, i) => {
        const drawn = mix(hash ^ Math.imul(epoch + 1, 31 + i));
        return cdn.addresses[drawn % cdn.addresses.length]!; // not empty
      });
      return answered([alias, ...addressRrs(edge, type, cdn.ttl, [...new Set(chosen)])], cdn.domain);
    },
  };
}

/** What sites share. */
export interface Surroundings {
  readonly cdns: readonly Cdn[];
  /** Advertisers, statistics, fonts. */
  readonly thirdParties: readonly Host[];
  /** /16 networks of hosting companies. */
  readonly hosting: readonly number[];
}

export function makeSurroundings(random: Random, names: DomainNames): Surroundings {
  const cdns = [makeCdn(random, names, 60, 600), makeCdn(random, names, 20, 240)];
  const hosting = Array.from({ length: 40 }, () => publicNetwork(random));
  const thirdParties = Array.from({ length: 80 }, (_, i) => {
    const name = `${random.pick(['cdn', 'ads', 'stats', 'fonts', 'tag', 'px', 'lib'])}.${names.domain()}`;
    if (i % 3 === 0) return cdnHost(random.pick(cdns), name);
    return i % 11 === 5 ? blockedHost(name) : ownHost(random, hosting, name);
  });
  return { cdns, thirdParties, hosting };
}

/** The resolvers block some advertisers. */
function blockedHost(name: string): Host {
  return fixedHost(name, 3600, [0]);
}

/** @param domain default: a new one */
export function makeSite(
  random: Random,
  names: DomainNames,
  { cdns, thirdParties, hosting }: Surroundings,
  domain = names.domain(),
): Site {
  const isOnCdn = random.next() < 0.3;
  const host = (label: string) =>
    isOnCdn ? cdnHost(random.pick(cdns), label + domain) : ownHost(random, hosting, label + domain);
  const labels = sample(random, ['img.', 'api.', 'static.', 'm.', 'login.', 'assets.', 'v2.', 'www2.'], 3);
  const own = labels.slice(0, random.between(0, 3)).map(host);
  const others = Array.from(
    { length: random.between(1, 5) },
    () => thirdParties[Math.floor(random.next() ** 2 * thirdParties.length)]!, // random() < 1
  );
  return { domain, page: host(random.next() < 0.7 ? 'www.' : ''), parts: [...new Set([...own, ...others])] };
}

/** A name with one to three addresses of one hosting company. */
function ownHost(random: Random, hosting: readonly number[], name: string): Host {
  const network = random.pick(hosting);
  const addresses = Array.from({ length: random.pick([1, 1, 1, 2, 3]) }, () => addressIn(random, network));
  const ttl = random.pick([60, 300, 300, 600, 3600, 3600, 14_400, 86_400]);
  const nameServers = [`ns1.dns.${name.slice(name.indexOf('.') + 1)}`, `ns2.dns.${name}`];
  const isChatty = random.next() < 0.15 && name.split('.').length > 3;
  const extra: Rr[] = isChatty ? authority(name.slice(name.indexOf('.') + 1), nameServers) : [];
  return fixedHost(name, ttl, addresses, { hasV6: random.next() < 0.4, zone: name, authority: extra });
}

/**
 * The n-th site that a client's person discovers: made up on the spot, the same each time it is asked for.
 * @param taken domains that it must not have
 */
export function discoveredSite(random: Random, taken: ReadonlySet<string>, around: Surroundings): Site {
  for (;;) {
    const domain = `${inventLabel(random)}.${ordinaryTld(random)}.`;
    if (taken.has(domain)) continue;
    const page = ownHost(random, around.hosting, random.next() < 0.7 ? `www.${domain}` : domain);
    return { domain, page, parts: sample(random, around.thirdParties, random.between(1, 3)) };
  }
}

/**
 * A domain as people mistype it: two letters swapped, one left out or one too many.
 * @param taken domains that it must not have
 */
export function mistype(random: Random, domain: string, taken: ReadonlySet<string>): string {
  const at = random.between(0, Math.max(1, domain.indexOf('.') - 2));
  const [a = '', b = ''] = [domain[at], domain[at + 1]];
  const edited = weighted(random, [
    [b + a, 4],
    [a, 3],
    [a + a + b, 3],
    [a + letters(random, 1, HEX) + b, 1],
  ]);
  const typed = domain.slice(0, at) + edited + domain.slice(at + 2);
  const isName = !typed.startsWith('.') && !typed.includes('..') && !taken.has(typed);
  return isName ? typed : `${inventWord(random, 4)}.com.`;
}
