import {
  type Address,
  dnsTemplates,
  type Rdata,
  type Rr,
  RrType,
  rrsOf,
  Section,
  type YafFlow,
  YafWriter,
} from './yafWriter.ts';
import { zipf } from './zipf.ts';

/** What decides a stream; the same options give the same octets. */
export interface StreamOptions {
  readonly flows: number;
  readonly seed?: number;
  /** What the flows are spread over; default 1. */
  readonly days?: number;
  /** Milliseconds since the Unix epoch; default 2026-03-02. */
  readonly start?: number;
  /** Flows of the same traffic that came earlier. When given, it meets new zones as it goes on. */
  readonly before?: number;
}

/** What a stream holds. */
export interface StreamCounts {
  readonly flows: number;
  readonly rrs: number;
}

const TRAFFIC =
  'generated (test/bench/stream.ts): YAF 2.16 layout, DNS biflows; 600 clients, 4 resolvers, 20 000 zones ' +
  'with 5 hosts each by Zipf popularity (s = 1), answers of 1 to 8 addresses, CNAME chains of 0 to 3; ' +
  'A 58 %, AAAA 27 %, NS 5 %, TXT 4 %, MX 3 %, PTR 3 %; NXDOMAIN 5 %, each for a name of its own; unanswered 1.5 %; IPv6 flows 10 %';

/** The make of the stream in words, for the recipe of a result. */
export const STREAM_MAKE = `${TRAFFIC}; over 1 day`;

/** Of every so many flows one asks for a zone that was never asked for before. */
const FLOWS_PER_NEW_ZONE = 200;

/** The make of a stream that is given `before`, in words. */
export const GROWING_STREAM_MAKE = `${TRAFFIC}; and a new zone every ${FLOWS_PER_NEW_ZONE} flows, from then on the least popular one`;

/** Matches the name of a zone at the end of a name; of PostgreSQL's regular expressions. */
export const ZONE_PATTERN = '[a-z]+-[a-z]+[0-9]*\\.(?:co\\.example|net\\.test|example|test)\\.$';

const START_MS = Date.UTC(2026, 2, 2);
const DAY_US = 86_400e6;
const CLIENTS = 600;
const RESOLVERS = 4;
const ZONES = 20_000;
const HOSTS = ['www.', '', 'img.', 'api.', 'm.'];

const NXDOMAIN = 3;

/** Messages of one IPFIX file, in their order; returns what they hold. */
export function* yafStream(options: StreamOptions): Generator<Buffer, StreamCounts> {
  const { flows, seed = 1, days = 1, before } = options;
  const random = mulberry32(seed);
  const pickZone = zipf(ZONES + Math.floor((before ?? 0) / FLOWS_PER_NEW_ZONE), random);
  const writer = new YafWriter(dnsTemplates);
  let start = (options.start ?? START_MS) * 1000;
  let rrs = 0;
  for (let i = 0; i < flows; i++) {
    start += (-Math.log(1 - random()) * days * DAY_US) / flows;
    const zone = before === undefined ? undefined : newZone(before + i);
    const flow = makeFlow(Math.floor(start), zone ?? pickZone(), random);
    const full = writer.flow(flow, Math.floor(start / 1e6) + 30);
    if (full !== undefined) yield full;
    if (flow.dns !== undefined) rrs += rrsOf(flow.dns);
  }
  yield writer.message(Math.floor(start / 1e6) + 30);
  return { flows, rrs };
}

/** The zone that is met for the first time by this flow of growing traffic. */
function newZone(flow: number): number | undefined {
  return flow % FLOWS_PER_NEW_ZONE === 0 ? ZONES + flow / FLOWS_PER_NEW_ZONE : undefined;
}

function makeFlow(start: number, zone: number, random: () => number): YafFlow {
  const host = HOSTS[Math.floor(random() ** 2 * HOSTS.length)]!; // random() < 1
  const draw = random();
  const isAnswered = random() >= 0.015;
  const isNegative = random() < 0.05;
  const type = questionType(draw);
  const prefix = isNegative ? `${Math.floor(random() * 1e9).toString(36)}.` : host;
  const name = questionName(zone, type, prefix);
  const question: Rr = { name, type, ttl: 0, section: Section.question };
  const response = isNegative ? negative(zone) : { rcode: 0, rrs: answers(question, zone) };
  const rttUs = 300 + Math.floor(-Math.log(1 - random()) * 12_000);
  const client = Math.floor(random() ** 1.5 * CLIENTS);
  const resolver = random() < 0.97 ? Math.floor(random() * 2) : 2 + Math.floor(random() * (RESOLVERS - 2));
  const isV6 = random() < 0.1;
  const octets = 45 + name.length;
  return {
    start,
    end: start + (isAnswered ? rttUs : 0),
    source: addressOf(0x0a140000 + client, isV6),
    destination: addressOf(0x0a000135 + resolver, isV6),
    sourcePort: 1024 + Math.floor(random() * 64_000),
    destinationPort: 53,
    protocol: 17,
    application: 53,
    endReason: 1,
    forward: { octets, packets: 1 },
    reverse: isAnswered
      ? { octets: octets + response.rrs.length * 28, packets: 1, delayUs: rttUs }
      : undefined,
    dns: {
      id: Math.floor(random() * 65_536),
      question,
      response: isAnswered ? response : undefined,
    },
  };
}

function addressOf(number: number, isV6: boolean): Address {
  return isV6 ? ipv6(number, 0) : number;
}

function questionType(draw: number): number {
  if (draw < 0.58) return RrType.A;
  if (draw < 0.85) return RrType.AAAA;
  if (draw < 0.9) return RrType.NS;
  if (draw < 0.94) return RrType.TXT;
  return draw < 0.97 ? RrType.MX : RrType.PTR;
}

function questionName(zone: number, type: number, prefix: string): string {
  if (type === RrType.A || type === RrType.AAAA) return prefix + zoneName(zone);
  return type === RrType.PTR
    ? `${zone & 255}.${(zone >> 8) & 255}.${18 + (zone >> 16)}.198.in-addr.arpa.`
    : zoneName(zone);
}

function negative(zone: number): { rcode: number; rrs: Rr[] } {
  const name = zoneName(zone);
  return {
    rcode: NXDOMAIN,
    rrs: [
      { name, type: RrType.SOA, ttl: 900, section: Section.authority, rdata: { kind: 'soa', zone: name } },
    ],
  };
}

/** The answer to a question is always the same, as in a real zone; the order of addresses turns. */
function answers({ name, type }: Rr, zone: number): Rr[] {
  const fixed = mulberry32(zone * 8191 + name.length * 31 + type);
  const ttl = [20, 60, 300, 3600, 86_400][Math.floor(fixed() * 5)]!; // fixed() < 1
  const answer = (owner: string, rrtype: number, rdata: Rdata): Rr => ({
    name: owner,
    type: rrtype,
    ttl,
    section: Section.answer,
    rdata,
  });
  const count = (most: number) => 1 + Math.floor(fixed() ** 4 * most);
  switch (type) {
    case RrType.NS:
      return Array.from({ length: 1 + count(4) }, (_, i) =>
        answer(name, type, { kind: 'ns', text: `ns${i + 1}.${name}` }),
      );
    case RrType.MX:
      return Array.from({ length: count(3) }, (_, i) =>
        answer(name, type, { kind: 'mx', preference: 10 * (i + 1), exchange: `mx${i + 1}.${name}` }),
      );
    case RrType.TXT:
      return [
        answer(name, type, {
          kind: 'txt',
          text: `v=spf1 include:_spf.${name} ip4:198.18.${zone & 255}.0/24 -all`,
        }),
      ];
    case RrType.PTR:
      return [answer(name, type, { kind: 'ptr', text: `host${zone & 255}.${zoneName(zone)}` })];
  }
  const rrs: Rr[] = [];
  let owner = name;
  for (let links = Math.floor(fixed() ** 4 * 4); links > 0; links--) {
    const target = `${name.split('.')[0]}-${zone.toString(36)}.edge${links}.cdn.example.`;
    rrs.push(answer(owner, RrType.CNAME, { kind: 'cname', text: target }));
    owner = target;
  }
  const [network, size] = zone < ZONES ? [0xc6120000, 2 ** 17] : [0x64400000, 2 ** 22]; // 198.18/15, 100.64/10
  for (let i = count(8); i > 0; i--) {
    const number = Math.floor(fixed() * size);
    const rdata: Rdata =
      type === RrType.A
        ? { kind: 'a', address: network + number }
        : { kind: 'aaaa', address: ipv6(number, zone) };
    rrs.push(answer(owner, type, rdata));
  }
  return rrs;
}

const WORDS = [
  'amber',
  'birch',
  'coral',
  'delta',
  'ember',
  'flint',
  'garnet',
  'harbor',
  'ivory',
  'juniper',
  'kelp',
  'lunar',
  'marsh',
  'nova',
  'onyx',
  'prairie',
];
const SUFFIXES = ['example.', 'test.', 'co.example.', 'net.test.'];

function zoneName(zone: number): string {
  const [first, second] = [WORDS[zone & 15]!, WORDS[(zone >> 4) & 15]!]; // 16 words
  const number = zone >> 8;
  return `${first}-${second}${number === 0 ? '' : number}.${SUFFIXES[zone % SUFFIXES.length]}`;
}

function ipv6(low: number, high: number): Buffer {
  const octets = Buffer.alloc(16);
  octets.writeUInt32BE(0x20010db8, 0);
  octets.writeUInt32BE(high, 4);
  octets.writeUInt32BE(low, 12);
  return octets;
}

/** A small generator of random numbers in [0, 1) that everybody can repeat (mulberry32, public domain). */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
