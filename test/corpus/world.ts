import { zipf } from '../bench/zipf.ts';
import { addressIn, addressPool } from './addresses.ts';
import { type Random, randomOf, sample } from './chance.ts';
import { authority, fixedHost, type Host } from './dns.ts';
import { DomainNames, inventWord } from './names.ts';
import { type Client, makeClients, OWN_SUFFIX, START } from './network.ts';
import { cdnHost, makeSite, makeSurroundings, type Site, type Surroundings } from './sites.ts';
import { DAY, type Period } from './time.ts';

/** A word that somebody might imitate, and the domains that may have it. Domains without trailing dot. */
export interface WatchedWord {
  readonly word: string;
  readonly legitimate: readonly string[];
}

/** Sites under a TLD that few people use, and who does. */
export interface Community {
  readonly members: readonly Client[];
  readonly sites: readonly Site[];
}

/** Services that programs use, not people. Domains with trailing dot. */
export interface Services {
  readonly antivirus: string;
  readonly mobileApp: string;
  readonly updates: readonly Host[];
  readonly timePools: readonly Host[];
  readonly chat: Host;
  readonly mediaServer: string;
  readonly blockList: string;
  readonly reputation: string;
  /** Of appliances, one client each. */
  readonly appliances: readonly Host[];
  /** Only the monitoring machine asks for them. */
  readonly monitored: readonly Host[];
  /** Few addresses in two networks, another every half minute, used by one client each. */
  readonly balanced: readonly Host[];
  /** Changes its name servers once, in the middle of the time. */
  readonly moved: Host;
  /** Where names have underscores. */
  readonly underscored: readonly Host[];
}

/** The network and all that its users know, before time begins. */
export interface World extends Period {
  readonly seed: number;
  readonly days: number;
  /** Days of history after which something can be new. */
  readonly burnInDays: number;
  readonly clients: readonly Client[];
  readonly sites: readonly Site[];
  readonly surroundings: Surroundings;
  readonly communities: readonly Community[];
  readonly services: Services;
  readonly watched: readonly WatchedWord[];
  /** Opens in the morning of day 5. */
  readonly newSite: Site & Period;
  readonly own: readonly Host[];
  /** Authoritative name servers of the rest of the world. */
  readonly nameServers: readonly number[];
  readonly names: DomainNames;
}

const SITES_PER_CLIENT = 8;
const BRANDS = 6;
const OPENING_DAY = 5;
const OPENING_HOUR = 9;
const COMMUNITY_TLDS = ['fi', 'pt', 'gr', 'hr', 'lv'];
const LONE_READERS_TLD = 'is';
const NEW_TLD = 'social';

export function makeWorld(seed: number, days: number, clientCount: number): World {
  const random = randomOf(seed, 'world');
  const names = new DomainNames(randomOf(seed, 'names'));
  const surroundings = makeSurroundings(random, names);
  const watched = makeWatched(random, names);
  const siteCount = Math.max(300, clientCount * SITES_PER_CLIENT);
  const clients = makeClients(seed, clientCount, siteCount);
  const sites = Array.from({ length: siteCount }, () => makeSite(random, names, surroundings));
  placeBrands(sites, watched, random, names, surroundings);
  const openingDay = Math.min(OPENING_DAY, days);
  return {
    seed,
    days,
    burnInDays: Math.min(3, Math.floor(days / 2)),
    from: START,
    to: START + days * DAY,
    clients,
    sites,
    surroundings,
    communities: makeCommunities(random, names, surroundings, clients),
    services: makeServices(random, names, surroundings, days),
    watched,
    newSite: {
      ...makeSite(random, names, surroundings, names.domain(NEW_TLD)),
      from: START + (openingDay - 1 + OPENING_HOUR / 24) * DAY,
      to: START + days * DAY,
    },
    own: ['intranet', 'mail', 'wiki', 'files', 'hp_printer-2', 'calendar'].map((label, i) =>
      fixedHost(`${label}.${OWN_SUFFIX}`, 1200, [0x0a000320 + i], { zone: OWN_SUFFIX }),
    ),
    nameServers: addressPool(random, 400, 120),
    names,
  };
}

/** Pages by popularity (Zipf). */
export function popularSite({ sites }: World, random: Random): () => Site {
  const rank = zipf(sites.length, random.next);
  return () => sites[rank()]!; // rank < sites.length
}

/** The last word is short, and part of another that has nothing to do with it. */
function makeWatched(random: Random, names: DomainNames): WatchedWord[] {
  return Array.from({ length: BRANDS }, (_, i) => {
    for (;;) {
      const word = i === BRANDS - 1 ? inventWord(random, 2).slice(0, 5) : inventWord(random, 3);
      const isFit = i === BRANDS - 1 ? word.length === 5 : word.length >= 7 && word.length <= 9;
      // transposing two letters and writing one for its twin, ASCII or Cyrillic, must make another word
      if (
        !isFit ||
        !/[ol]/.test(word) ||
        !/[aceiop]/.test(word) ||
        /(.)\1/.test(word) ||
        !names.take(`${word}.com.`)
      )
        continue;
      names.take(`${word}.net.`);
      names.take(`${word}cdn.net.`);
      return { word, legitimate: [`${word}.com`, `${word}.net`, `${word}cdn.net`] };
    }
  });
}

/** The brands' own sites are popular; so is a word that holds the shortest brand by chance, and one two letters away from another. */
function placeBrands(
  sites: Site[],
  watched: readonly WatchedWord[],
  random: Random,
  names: DomainNames,
  around: Surroundings,
): void {
  const [first, last] = [watched[0]!.word, watched[BRANDS - 1]!.word]; // BRANDS of them
  // two other letters, else it would be one of the imitations that are planted
  const ending = ['al', 'ix', 'en', 'ur', 'os'].find(([a, b]) => a !== first.at(-2) && b !== first.at(-1));
  const chance = [`a${last}dis.com.`, `${first.slice(0, -2)}${ending}.org.`];
  const domains = [...watched.flatMap(({ legitimate }) => legitimate.map(each => `${each}.`)), ...chance];
  for (const [i, domain] of domains.entries()) {
    names.take(domain);
    sites[3 + 4 * i] = makeSite(random, names, around, domain);
  }
}

function makeCommunities(
  random: Random,
  names: DomainNames,
  around: Surroundings,
  clients: readonly Client[],
): Community[] {
  const community = (tld: string, members: number, sites: number): Community => ({
    members: sample(random, clients, members),
    sites: Array.from({ length: sites }, () => makeSite(random, names, around, names.domain(tld))),
  });
  const members = Math.max(4, Math.floor(clients.length / 45));
  return [...COMMUNITY_TLDS.map(tld => community(tld, members, 6)), community(LONE_READERS_TLD, 1, 1)];
}

function makeServices(
  random: Random,
  names: DomainNames,
  { cdns, hosting }: Surroundings,
  days: number,
): Services {
  const host = (name: string, ttl: number) =>
    fixedHost(name, ttl, [addressIn(random, random.pick(hosting))], { hasV6: true });
  const system = names.domain('com');
  const pool = names.domain('org');
  return {
    antivirus: names.domain('com'),
    mobileApp: names.domain('io'),
    updates: [
      cdnHost(cdns[0]!, `download.update.${system}`, 4), // two CDNs
      cdnHost(cdns[1]!, `ctl.update.${system}`),
      host(`sls.update.${system}`, 3600),
      host(`telemetry.${system}`, 300),
      cdnHost(cdns[0]!, `packages.${names.domain('org')}`),
    ],
    timePools: [0, 1, 2, 3].map(number => timePool(random, `${number}.pool.${pool}`, pool)),
    chat: host(`push.${names.domain('com')}`, 120),
    mediaServer: names.domain('tv'),
    blockList: names.domain('org'),
    reputation: names.domain('net'),
    appliances: [1, 2, 3].map(() => host(`api.${names.domain('com')}`, 60)),
    monitored: [1, 2, 3].map(() => host(`status.${names.domain('net')}`, 60)),
    balanced: [1, 2, 3].map(() => balancedHost(random, `app.${names.domain('com')}`)),
    moved: movedHost(random, `www.${names.domain('com')}`, START + (days / 2) * DAY),
    underscored: ['api_v2', 'cdn_eu', 'img_a1', 'img_b2'].map(label => host(`${label}.${system}`, 600)),
  };
}

/** Four at a time of 80 addresses all over the world: volunteers who serve the time. */
function timePool(random: Random, name: string, zone: string): Host {
  return rotatingHost(name, zone, 150, addressPool(random, 80, 60), 4);
}

function movedHost(random: Random, name: string, movesAt: number): Host {
  const zone = name.slice('www.'.length);
  const [before, after] = ['old', 'new'].map((label, i) =>
    fixedHost(name, 3600, addressPool(random, 1, 1), {
      zone,
      authority: authority(zone, [`ns1.${label}-dns${i}.${zone}`, `ns2.${label}-dns${i}.${zone}`]),
    }),
  );
  return { name, answer: (type, at) => (at < movesAt ? before! : after!).answer(type, at) }; // two labels
}

function balancedHost(random: Random, name: string): Host {
  return rotatingHost(name, name, 30, addressPool(random, 8, 2), 2);
}

function rotatingHost(
  name: string,
  zone: string,
  ttl: number,
  pool: readonly number[],
  inAnswer: number,
): Host {
  return {
    name,
    answer: (type, at) => {
      const random = randomOf(Math.floor(at / 1e6 / ttl), name);
      return fixedHost(name, ttl, sample(random, pool, inAnswer), { zone }).answer(type, at);
    },
  };
}
