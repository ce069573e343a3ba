import { RrType, type YafFlow } from '../bench/yafWriter.ts';
import { publicAddress } from './addresses.ts';
import { ALPHABET, letters, type Random, randomOf, weighted } from './chance.ts';
import { ask, connect, type Host, nxdomain, ROOT } from './dns.ts';
import { type Activity, lookUp, type Source } from './lookUp.ts';
import { inventWord } from './names.ts';
import { type Client, presence } from './network.ts';
import { discoveredSite, makeSite, mistype, type Site } from './sites.ts';
import { MINUTE, moments, SECOND, ticks } from './time.ts';
import { popularSite, type World } from './world.ts';

const VISITS_PER_DAY = 48;
const DISCOVERIES = 0.012;
const CACHE_NAMES = 2000;
const MOST_CACHED = 10 * MINUTE;
/** Of names that end in a TLD that does not exist. */
const TLD_TYPOS = ['con', 'cmo', 'ocm', 'comm', 'nte', 'rog', 'ogr', 'ded', 'ent', 'vom', 'xom', 'coom'];
/** Of TLDs where hardly anybody goes, once. */
const CURIOUS_TLDS = [
  'museum',
  'coop',
  'aero',
  'fo',
  'sm',
  'cat',
  'nu',
  'bz',
  'ag',
  'vc',
  'mu',
  'gl',
  'ax',
  'je',
];
const CURIOUS_PER_DAY = 1.2;

/** What people do, in sources of their own. @param scale of how much they do */
export function* people(world: World, scale: number): Generator<Source, void> {
  for (const client of world.clients) {
    yield browse(world, client, scale);
    yield blunders(world, client);
    yield directConnections(world, client, scale);
    if (client.habits.probesNames) yield probe(world, client);
    if (client.habits.newSite) yield joinNewSite(world, client);
  }
  for (const [i, { members, sites }] of world.communities.entries())
    for (const member of members) yield visitsOfMember(world, member, sites, i);
  yield curiousVisits(world);
}

/** Mostly favourites, some of what everybody visits, now and then something never seen. */
function* browse(world: World, client: Client, scale: number): Generator<Activity, void> {
  const random = randomOf(world.seed, 'browse', client.index);
  const popular = popularSite(world, random);
  const cache = new Map<string, number>();
  const perDay = VISITS_PER_DAY * client.activity * scale;
  for (const at of moments(random, world, perDay, time => presence(client, time))) {
    const draw = random.next();
    const site =
      draw < DISCOVERIES
        ? discoveredSite(random, world.names.taken, world.surroundings)
        : draw < 0.3
          ? popular()
          : world.sites[client.favourites[Math.floor(random.next() ** 2 * client.favourites.length)]!]!; // random() < 1
    const flows = visit(client, site, at, random, cache);
    if (flows.length > 0) yield flows;
  }
}

/** A page: its host, and some of what it includes, in the second after. Names still known are not asked for. */
function visit(
  client: Client,
  { page, parts }: Site,
  at: number,
  random: Random,
  cache?: Map<string, number>,
): YafFlow[] {
  const flows: YafFlow[] = [];
  const hosts: Host[] = [page, ...parts.filter(() => random.next() < 0.7)];
  if (cache !== undefined && cache.size > CACHE_NAMES) cache.clear();
  let time = at;
  for (const host of hosts) {
    if ((cache?.get(host.name) ?? 0) <= time) {
      flows.push(...lookUp(client, host, time, random));
      const ttl = host.answer(RrType.A, time).rrs.at(-1)?.ttl ?? 0;
      cache?.set(host.name, time + Math.min(MOST_CACHED, ttl * SECOND * random.next()));
    }
    time += Math.floor(random.next() * 300_000);
  }
  return flows;
}

/** Names mistyped, names without a domain, names with what does not belong into one. */
function* blunders(world: World, client: Client): Generator<Activity, void> {
  const random = randomOf(world.seed, 'blunders', client.index);
  const popular = popularSite(world, random);
  for (const at of moments(random, world, 4, time => presence(client, time))) {
    const { domain, page } = popular();
    const bare = page.name.slice(0, -1);
    const withoutTld = bare.slice(0, bare.lastIndexOf('.'));
    const wrong = weighted(random, [
      [mistype(random, domain, world.names.taken), 70],
      [`${withoutTld}.${random.pick(TLD_TYPOS)}.`, 2],
      [`${inventWord(random)}.`, 16],
      [`${bare} .`, 0.3],
      [`${withoutTld},com.`, 0.3],
    ]);
    const tld = wrong.slice(wrong.lastIndexOf('.', wrong.length - 2) + 1);
    const zone = /^(?:[a-z]{2}|com|net|org|info|biz|dev|app)\.$/.test(tld) && tld !== wrong ? tld : ROOT;
    yield [ask(client, at, { name: wrong, type: RrType.A }, nxdomain(zone), random)];
  }
}

/** A browser finds out whether names that do not exist are answered. */
function* probe(world: World, client: Client): Generator<Activity, void> {
  const random = randomOf(world.seed, 'probe', client.index);
  for (const at of moments(random, world, 3, time => presence(client, time)))
    yield [0, 1, 2].map(i => {
      const name = `${letters(random, random.between(7, 15), ALPHABET)}.`;
      return ask(client, at + i * 900, { name, type: RrType.A }, nxdomain(ROOT), random);
    });
}

/** Peers and what was looked up long ago: connections without a name. */
function* directConnections(world: World, client: Client, scale: number): Generator<Activity, void> {
  const random = randomOf(world.seed, 'direct', client.index);
  for (const at of moments(random, world, 30 * scale, time => presence(client, time)))
    yield [connect(client.ipv4, publicAddress(random), 443, at, random)];
}

/** Visits, and the open page asks for news every ten minutes. */
function* joinNewSite(world: World, client: Client): Generator<Activity, void> {
  const random = randomOf(world.seed, 'newSite', client.index);
  const { newSite } = world;
  for (const at of ticks(random, newSite, 10 * MINUTE, 0.05)) {
    if (random.next() >= presence(client, at)) continue;
    yield random.next() < 0.3 ? visit(client, newSite, at, random) : lookUp(client, newSite.page, at, random);
  }
}

function* visitsOfMember(
  world: World,
  member: Client,
  sites: readonly Site[],
  community: number,
): Generator<Activity, void> {
  const random = randomOf(world.seed, 'community', community, member.index);
  for (const at of moments(random, world, 14, time => presence(member, time)))
    yield visit(member, random.pick(sites), at, random);
}

function* curiousVisits(world: World): Generator<Activity, void> {
  const random = randomOf(world.seed, 'curious');
  for (const at of moments(random, world, CURIOUS_PER_DAY)) {
    const domain = `${inventWord(random, 3)}.${random.pick(CURIOUS_TLDS)}.`;
    const site = makeSite(random, world.names, world.surroundings, domain);
    yield visit(random.pick(world.clients), { ...site, parts: site.parts.slice(0, 1) }, at, random);
  }
}
