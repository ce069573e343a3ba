import { RrType, type YafFlow } from '../bench/yafWriter.ts';
import { ipv4, publicAddress } from './addresses.ts';
import { HEX, letters, type Random, randomOf } from './chance.ts';
import {
  type Asker,
  addressRrs,
  answered,
  ask,
  askGroup,
  fixedHost,
  type Host,
  nxdomain,
  opaque,
  responseOnly,
  rr,
} from './dns.ts';
import { type Activity, lookUp, reply, type Source } from './lookUp.ts';
import { inventWord } from './names.ts';
import {
  ADMIN,
  type Client,
  isOn,
  MAIL_SERVER,
  MONITOR,
  NAME_SERVER,
  OWN_SUFFIX,
  presence,
  RESOLVERS,
} from './network.ts';
import { DAY, HOUR, MINUTE, moments, SECOND, ticks } from './time.ts';
import { popularSite, type World } from './world.ts';

const MULTICAST = ipv4(224, 0, 0, 251);
const LINK_LOCAL_MULTICAST = ipv4(224, 0, 0, 252);
const MAILS_PER_CLIENT = 2.5;
/** Share of mails whose sender cannot exist. */
const FORGED = 0.12;

/** What machines do by themselves, in sources of their own. */
export function* programs(world: World, scale: number): Generator<Source, void> {
  const { clients, services } = world;
  for (const client of clients) {
    const { habits, kind } = client;
    if (habits.antivirus) yield antivirus(world, client, scale);
    if (habits.mobileApp) yield mobileApp(world, client, scale);
    if (habits.chat) yield periodic(world, client, services.chat, 15 * MINUTE, 0.1, presence);
    if (habits.multicast) yield multicast(world, client, scale);
    if (habits.mediaServer) yield mediaServer(world, client);
    if (kind === 'linux' || client.index % 5 === 0) yield timekeeping(world, client);
    if (kind !== 'phone') yield officeNetwork(world, client, scale);
    yield updates(world, client);
  }
  for (const [i, appliance] of services.appliances.entries())
    yield periodic(world, clients[(7 * i + 3) % clients.length]!, appliance, 10 * MINUTE, 0.01, () => 1);
  for (const [i, host] of services.balanced.entries())
    yield visited(world, clients[(11 * i + 5) % clients.length]!, host, 120);
  yield visited(world, clients[1 % clients.length]!, services.moved, 30);
  yield underscored(world, scale);
  yield mail(world);
  yield monitoring(world);
  yield addressSweep(world);
  yield strangersQuestions(world, scale);
  yield scans(world);
  yield lateResponses(world);
}

/** Every file that is opened is asked about: its hash under one domain. The answers are codes in 127.0.0.0/8. */
function* antivirus(world: World, client: Client, scale: number): Generator<Activity, void> {
  const random = randomOf(world.seed, 'antivirus', client.index);
  const zone = world.services.antivirus;
  for (const at of moments(random, world, 80 * scale, time => presence(client, time))) {
    const name = `${letters(random, 32, HEX)}.${random.between(0, 15)}.avq.${zone}`;
    const isKnown = random.next() < 0.6;
    const codes = [ipv4(127, 0, 0, random.between(2, 30))];
    const response = isKnown ? answered(addressRrs(name, RrType.A, 300, codes), zone) : nxdomain(zone);
    yield [ask(client, at, { name, type: RrType.A }, reply(response, random), random)];
  }
}

/** Generated host names, each for one session, of an application on many phones and desktops. */
function* mobileApp(world: World, client: Client, scale: number): Generator<Activity, void> {
  const random = randomOf(world.seed, 'mobileApp', client.index);
  const { mobileApp: zone } = world.services;
  const network = world.surroundings.hosting[0]!; // forty
  for (const at of moments(random, world, 45 * scale, time => presence(client, time))) {
    const name = `${letters(random, 12, HEX)}.${random.pick(['eu', 'us', 'ap'])}-${random.between(1, 3)}.${zone}`;
    yield lookUp(
      client,
      fixedHost(name, 60, [network + random.between(256, 2000)], { zone }),
      at,
      random,
      0.9,
    );
  }
}

/** One name again and again. @param weight whether the machine asks at a time */
function* periodic(
  world: World,
  client: Client,
  host: Host,
  period: number,
  jitter: number,
  weight: (client: Client, at: number) => number,
): Generator<Activity, void> {
  const random = randomOf(world.seed, 'periodic', host.name, client.index);
  for (const at of ticks(random, world, period, jitter))
    if (random.next() < weight(client, at)) yield lookUp(client, host, at, random, 0.8);
}

function* visited(world: World, client: Client, host: Host, perDay: number): Generator<Activity, void> {
  const random = randomOf(world.seed, 'visited', host.name, client.index);
  for (const at of moments(random, world, perDay, time => presence(client, time)))
    yield lookUp(client, host, at, random, 0.9);
}

/** NTP: the pool's names in turn, without connection on TCP. */
function* timekeeping(world: World, client: Client): Generator<Activity, void> {
  const random = randomOf(world.seed, 'time', client.index);
  const { timePools } = world.services;
  let turn = random.between(0, timePools.length - 1);
  for (const at of ticks(random, world, 2048 * SECOND, 0.02)) {
    if (random.next() >= isOn(client, at)) continue;
    const host = timePools[turn++ % timePools.length]!; // four
    const response = reply(host.answer(RrType.A, at), random);
    yield [ask(client, at, { name: host.name, type: RrType.A }, response, random)];
  }
}

/** Every six hours or so, and on Tuesday all at once. */
function* updates(world: World, client: Client): Generator<Activity, void> {
  const random = randomOf(world.seed, 'updates', client.index);
  const hosts = world.services.updates;
  for (const at of ticks(random, world, 4 * HOUR, 0.3)) {
    if (random.next() >= isOn(client, at)) continue;
    const isPatchDay = new Date(at / 1000).getUTCDay() === 2;
    const count = isPatchDay ? hosts.length : 2;
    for (let i = 0; i < count; i++)
      yield lookUp(client, hosts[(i + client.index) % hosts.length]!, at + i * 30 * SECOND, random, 0.8);
  }
}

/** Devices that announce and seek each other, in the clear, in a TLD that the DNS does not have (RFC 6762). */
function* multicast(world: World, client: Client, scale: number): Generator<Activity, void> {
  const random = randomOf(world.seed, 'multicast', client.index);
  const wanted = [
    '_ipps._tcp.local.',
    '_castaway._tcp.local.',
    '_sleep-proxy._udp.local.',
    'printer-4.local.',
  ];
  for (const at of moments(random, world, 60 * scale, time => presence(client, time))) {
    const isLlmnr = random.next() < 0.2;
    const group = isLlmnr ? LINK_LOCAL_MULTICAST : MULTICAST;
    const name = isLlmnr ? 'fileserver.' : random.pick(wanted);
    yield [askGroup(client.ipv4, group, isLlmnr ? 5355 : 5353, at, name, RrType.PTR, random)];
  }
}

/** A home server that its vendor gives a public name with a private address, so that it can have a certificate. */
function* mediaServer(world: World, client: Client): Generator<Activity, void> {
  const random = randomOf(world.seed, 'mediaServer', client.index);
  const name = `192-168-1-${client.index % 200}.${letters(random, 32, HEX)}.${world.services.mediaServer}`;
  const host = fixedHost(name, 3600, [ipv4(192, 168, 1, client.index % 200)]);
  for (const at of moments(random, world, 30, time => presence(client, time)))
    yield lookUp(client, host, at, random, 0);
}

/** Directory, printers, own web servers: private addresses and names with underscores, as they should be. */
function* officeNetwork(world: World, client: Client, scale: number): Generator<Activity, void> {
  const random = randomOf(world.seed, 'office', client.index);
  const services = ['_ldap._tcp.dc._msdcs', '_kerberos._tcp', '_ldap._tcp.site-1._sites'];
  for (const at of moments(random, world, 40 * scale, time => presence(client, time))) {
    const draw = random.next();
    if (draw < 0.25) {
      const name = `${random.pick(services)}.${OWN_SUFFIX}`;
      const target = `dc${random.between(1, 2)}.${OWN_SUFFIX}`;
      const srv = rr(name, RrType.SRV, 600, { kind: 'srv', port: 389, target });
      yield [ask(client, at, { name, type: RrType.SRV }, answered([srv], OWN_SUFFIX), random)];
    } else if (draw < 0.35) {
      const question = { name: `wpad.${OWN_SUFFIX}`, type: RrType.A };
      yield [ask(client, at, question, nxdomain(OWN_SUFFIX), random)];
    } else if (draw < 0.45) {
      yield [ask(client, at, ...reverseLookup(ipv4(10, 0, 3, random.between(32, 38)), 0.8, random), random)];
    } else yield lookUp(client, random.pick(world.own), at, random, 0.8);
  }
}

/** The question for the name of an address, and what comes back: one of our own suffix, or none. */
function reverseLookup(address: number, known: number, random: Random) {
  const octets = [0, 8, 16, 24].map(shift => (address >>> shift) & 255);
  const name = `${octets.join('.')}.in-addr.arpa.`;
  const zone = `${octets[3]}.in-addr.arpa.`;
  const isOwn = octets[3] === 10;
  const text = isOwn ? `host-${octets[0]}.${OWN_SUFFIX}` : `${octets.join('-')}.static.${zone}`;
  const response =
    random.next() < known
      ? answered([rr(name, RrType.PTR, 3600, { kind: 'ptr', text })], zone)
      : nxdomain(zone);
  return [{ name, type: RrType.PTR }, response] as const;
}

function* underscored(world: World, scale: number): Generator<Activity, void> {
  const random = randomOf(world.seed, 'underscored');
  for (const at of moments(random, world, world.clients.length * 3 * scale)) {
    const client = random.pick(world.clients);
    if (random.next() < presence(client, at))
      yield lookUp(client, random.pick(world.services.underscored), at, random);
  }
}

/** Junk mail claims to be from domains that do not exist. */
function forged(asker: Asker, at: number, random: Random): YafFlow {
  const tld = random.pick(['com', 'net', 'org', 'info']);
  const name = `${inventWord(random, 4)}.${tld}.`;
  return ask(asker, at, { name, type: RrType.MX }, nxdomain(`${tld}.`), random);
}

/** For each mail that arrives: who sends it, may he, is he on a block list. */
function* mail(world: World): Generator<Activity, void> {
  const random = randomOf(world.seed, 'mail');
  const popular = popularSite(world, random);
  const asker = { address: MAIL_SERVER, resolver: RESOLVERS[0] };
  const { blockList, reputation } = world.services;
  for (const at of moments(random, world, world.clients.length * MAILS_PER_CLIENT)) {
    if (random.next() < FORGED) {
      yield [forged(asker, at, random)];
      continue;
    }
    const { domain } = popular();
    const sender = publicAddress(random);
    const reversed = [0, 8, 16, 24].map(shift => (sender >>> shift) & 255).join('.');
    const txt = (name: string, text: string) => ({
      question: { name, type: RrType.TXT },
      response: answered([rr(name, RrType.TXT, 3600, { kind: 'txt', text })], domain),
    });
    const listed = (zone: string) => {
      const name = `${reversed}.${zone}`;
      const codes = [ipv4(127, 0, 0, random.between(2, 11))];
      const response =
        random.next() < 0.3 ? answered(addressRrs(name, RrType.A, 300, codes), zone) : nxdomain(zone);
      return { question: { name, type: RrType.A }, response };
    };
    const [question, response] = reverseLookup(sender, 0.7, random);
    const selector = `s${random.between(1, 3)}`;
    const exchange = { kind: 'mx', preference: 10, exchange: `mx1.${domain}` } as const;
    const asked = [
      { question, response },
      {
        question: { name: domain, type: RrType.MX },
        response: answered([rr(domain, RrType.MX, 3600, exchange)], domain),
      },
      txt(
        domain,
        `v=spf1 include:_spf.${domain} ip4:${[24, 16, 8, 0].map(s => (sender >>> s) & 255).join('.')} -all`,
      ),
      txt(`_dmarc.${domain}`, `v=DMARC1; p=reject; rua=mailto:dmarc@${domain.slice(0, -1)}`),
      // the same key each time, as a zone has it
      txt(
        `${selector}._domainkey.${domain}`,
        `v=DKIM1; k=rsa; p=${letters(randomOf(world.seed, selector, domain), 216, 'ABCDEFGHabcdefgh0123456789+/')}`,
      ),
      listed(`zen.${blockList}`),
      listed(`score.${reputation}`),
    ];
    yield asked.map((each, i) =>
      ask(asker, at + i * 3000, each.question, reply(each.response, random), random, i === 4 ? 'tcp' : 'udp'),
    );
  }
}

/** The same names every five minutes; three of them nobody else asks for. */
function* monitoring(world: World): Generator<Activity, void> {
  const random = randomOf(world.seed, 'monitoring');
  const asker = { address: MONITOR, resolver: RESOLVERS[0] };
  const hosts = [
    ...world.services.monitored,
    ...world.own.slice(0, 3),
    ...world.sites.slice(0, 6).map(({ page }) => page),
  ];
  const gone = `old-app.${world.services.reputation}`; // nobody took it out of the configuration
  for (const at of ticks(random, world, 5 * MINUTE, 0.002))
    yield [
      ...hosts.map((host, i) => {
        const response = reply(host.answer(RrType.A, at), random);
        return ask(asker, at + i * 20_000, { name: host.name, type: RrType.A }, response, random);
      }),
      ask(asker, at + SECOND, { name: gone, type: RrType.A }, nxdomain(world.services.reputation), random),
    ];
}

/** The administrator lists the network on days 2 and 5: names of 508 addresses, most without. */
function* addressSweep(world: World): Generator<Activity, void> {
  const random = randomOf(world.seed, 'sweep');
  const asker = { address: ADMIN, resolver: RESOLVERS[1] };
  for (const day of [2, 5]) {
    if (day > world.days) return;
    const begins = world.from + (day - 1) * DAY + 10 * HOUR;
    for (let i = 0; i < 508; i++) {
      const address = ipv4(10, 20, 1 + Math.floor(i / 254), 1 + (i % 254));
      yield [ask(asker, begins + i * 200_000, ...reverseLookup(address, 0.4, random), random)];
    }
  }
}

/** The world asks our own name server, on port 53. */
function* strangersQuestions(world: World, scale: number): Generator<Activity, void> {
  const random = randomOf(world.seed, 'strangers');
  const addresses = addressRrs(`www.${OWN_SUFFIX}`, RrType.A, 3600, [ipv4(185, 7, 3, 80)]);
  const response = { ...answered(addresses, OWN_SUFFIX), isAuthoritative: true };
  for (const at of moments(random, world, world.clients.length * 4 * scale)) {
    const asker = { address: publicAddress(random), resolver: NAME_SERVER };
    yield [ask(asker, at, { name: `www.${OWN_SUFFIX}`, type: RrType.A }, response, random)];
  }
}

/** Somebody looks for open resolvers among us. */
function* scans(world: World): Generator<Activity, void> {
  const random = randomOf(world.seed, 'scans');
  for (const at of moments(random, world, 60)) {
    const flow = opaque(publicAddress(random), random.pick(world.clients).ipv4, 53, at, random, 'udp');
    yield [{ ...flow, end: at, forward: { octets: 68, packets: 1 }, reverse: undefined }];
  }
}

/** Responses whose question the exporter had forgotten: uniflows from a resolver's port 53. */
function* lateResponses(world: World): Generator<Activity, void> {
  const random = randomOf(world.seed, 'late');
  const popular = popularSite(world, random);
  for (const at of moments(random, world, 80)) {
    const { address } = random.pick(world.clients);
    if (typeof address !== 'number') continue;
    const { page } = popular();
    const question = { name: page.name, type: RrType.A };
    const flow = ask({ address, resolver: RESOLVERS[0] }, at, question, page.answer(RrType.A, at), random);
    yield [responseOnly(flow)];
  }
}
