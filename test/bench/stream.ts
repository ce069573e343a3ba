import { type Field, IpfixWriter } from './ipfixWriter.ts';

/** What decides a stream; the same options give the same octets. */
export interface StreamOptions {
  readonly flows: number;
  readonly seed?: number;
}

/** What a stream holds. */
export interface StreamCounts {
  readonly flows: number;
  readonly rrs: number;
}

/** The make of the stream in words, for the recipe of a result. */
export const STREAM_MAKE =
  'generated (test/bench/stream.ts): YAF 2.16 layout, DNS biflows over 7 days; 600 clients, 4 resolvers, 20 000 zones ' +
  'with 5 hosts each by Zipf popularity (s = 1), answers of 1 to 8 addresses, CNAME chains of 0 to 3; ' +
  'A 58 %, AAAA 27 %, NS 5 %, TXT 4 %, MX 3 %, PTR 3 %; NXDOMAIN 5 %, unanswered 1.5 %; IPv6 flows 10 %';

const DAYS = 7;
const START_US = Date.UTC(2026, 2, 2) * 1000;
const DAY_US = 86_400e6;
const CLIENTS = 600;
const RESOLVERS = 4;
const ZONES = 20_000;
const HOSTS = ['www.', '', 'img.', 'api.', 'm.'];

const CERT = 6871;
const REVERSE = 29305;
const REVERSE_BIT = 0x4000;
const V = 65535;
const Template = {
  list: 0xce00,
  dns: 0xcf00,
  a: 0xce01,
  aaaa: 0xce02,
  cname: 0xce03,
  mx: 0xce04,
  ns: 0xce05,
  ptr: 0xce06,
  txt: 0xce07,
  soa: 0xce09,
} as const;
const Type = { A: 1, NS: 2, CNAME: 5, SOA: 6, PTR: 12, MX: 15, TXT: 16, AAAA: 28 } as const;
const Section = { question: 0, answer: 1, authority: 2 } as const;
const NXDOMAIN = 3;

/** Field lists as YAF 2.16.4 sends them. */
// biome-ignore format: a table reads better in few lines
const dnsTemplates: readonly (readonly [id: number, fields: readonly Field[]])[] = [
  [Template.list, [[0, 292, V]]],
  [Template.dns, [[0, 292, V], [CERT, 179, V], [CERT, 199, 4], [CERT, 175, 2], [CERT, 174, 1], [CERT, 176, 1], [CERT, 177, 1], [CERT, 178, 1], [CERT, 226, 2], [0, 210, 4]]],
  [Template.a, [[0, 8, 4]]],
  [Template.aaaa, [[0, 27, 16]]],
  [Template.cname, [[CERT, 180, V]]],
  [Template.mx, [[CERT, 182, V], [CERT, 181, 2], [0, 210, 6]]],
  [Template.ns, [[CERT, 183, V]]],
  [Template.ptr, [[CERT, 184, V]]],
  [Template.txt, [[CERT, 208, V]]],
  [Template.soa, [[CERT, 214, V], [CERT, 215, V], [CERT, 209, 4], [CERT, 210, 4], [CERT, 211, 4], [CERT, 212, 4], [CERT, 213, 4], [0, 210, 4]]],
];

/** The flow template of a family: 0xB004 and 0xB014 for IPv4, 0xB404 and 0xB414 for IPv6. */
function flowTemplate(isV6: boolean, isBiflow: boolean): readonly [id: number, fields: readonly Field[]] {
  const id = 0xb004 | (isV6 ? 0x400 : 0) | (isBiflow ? 0x10 : 0);
  const addresses: Field[] = isV6
    ? [
        [0, 27, 16],
        [0, 28, 16],
      ]
    : [
        [0, 8, 4],
        [0, 12, 4],
      ];
  // biome-ignore format: a table reads better in few lines
  const fields: Field[] = [
    [0, 152, 8], [0, 153, 8], [0, 154, 8], [0, 155, 8],
    [0, 85, 4], [REVERSE, 85, 4], [0, 86, 4], [REVERSE, 86, 4], ...addresses,
    [0, 7, 2], [0, 11, 2], [CERT, 40, 2], [CERT, 40 | REVERSE_BIT, 2], [0, 4, 1], [0, 136, 1], [CERT, 33, 2],
    [CERT, 21, 4], [CERT, 41, 8], [0, 58, 2], [REVERSE, 58, 2], [0, 5, 1], [REVERSE, 5, 1], [0, 70, 3], [0, 71, 3], [0, 72, 3],
    [0, 293, V],
  ];
  const isReverse = ([pen, element]: Field) =>
    pen === REVERSE || (pen === CERT && ((element & REVERSE_BIT) !== 0 || element === 21 || element === 41));
  return [id, isBiflow ? fields : fields.filter(field => !isReverse(field))];
}

/** Value of a resource record, by its template. */
type Rdata =
  | { readonly kind: 'a'; readonly address: number }
  | { readonly kind: 'aaaa'; readonly address: Buffer }
  | { readonly kind: 'cname' | 'ns' | 'ptr' | 'txt'; readonly text: string }
  | { readonly kind: 'mx'; readonly preference: number; readonly exchange: string }
  | { readonly kind: 'soa'; readonly zone: string };

interface Rr {
  readonly name: string;
  readonly type: number;
  readonly ttl: number;
  readonly section: number;
  readonly rdata?: Rdata;
}

interface Flow {
  readonly start: number;
  readonly rttUs: number;
  readonly client: number;
  readonly resolver: number;
  readonly isV6: boolean;
  readonly port: number;
  readonly dnsId: number;
  readonly question: Rr;
  /** What the response held; undefined when there was none. */
  readonly response: { readonly rcode: number; readonly rrs: readonly Rr[] } | undefined;
}

/** Messages of one IPFIX file, in their order; returns what they hold. */
export function* yafStream({ flows, seed = 1 }: StreamOptions): Generator<Buffer, StreamCounts> {
  const random = mulberry32(seed);
  const pickZone = zipf(ZONES, random);
  const writer = new IpfixWriter();
  const defined = new Set<number>();
  for (const [id, fields] of dnsTemplates) writer.template(id, fields);
  let start = START_US;
  let rrs = 0;
  for (let i = 0; i < flows; i++) {
    start += (-Math.log(1 - random()) * DAYS * DAY_US) / flows;
    const flow = makeFlow(Math.floor(start), pickZone(), random);
    const exportTime = Math.floor(start / 1e6) + 30;
    const [id, fields] = flowTemplate(flow.isV6, flow.response !== undefined);
    if (!defined.has(id)) writer.template(id, fields); // as YAF does, before its first record
    defined.add(id);
    const full = writer.record(id, exportTime, () => writeFlow(writer, flow));
    if (full !== undefined) yield full;
    rrs += rrsOf(flow);
  }
  yield writer.message(Math.floor(start / 1e6) + 30);
  return { flows, rrs };
}

function rrsOf({ response }: Flow): number {
  if (response === undefined) return 1;
  return 1 + response.rrs.length + (response.rcode === 0 ? 0 : 1); // a response repeats the question unless NOERROR
}

function makeFlow(start: number, zone: number, random: () => number): Flow {
  const host = HOSTS[Math.floor(random() ** 2 * HOSTS.length)]!; // random() < 1
  const draw = random();
  const isAnswered = random() >= 0.015;
  const isNegative = random() < 0.05;
  const type = questionType(draw);
  const prefix = isNegative ? `${Math.floor(random() * 1e9).toString(36)}.` : host;
  const name = questionName(zone, type, prefix);
  const question: Rr = { name, type, ttl: 0, section: Section.question };
  const response = isNegative ? negative(zone) : { rcode: 0, rrs: answers(question, zone) };
  return {
    start,
    rttUs: 300 + Math.floor(-Math.log(1 - random()) * 12_000),
    client: Math.floor(random() ** 1.5 * CLIENTS),
    resolver: random() < 0.97 ? Math.floor(random() * 2) : 2 + Math.floor(random() * (RESOLVERS - 2)),
    isV6: random() < 0.1,
    port: 1024 + Math.floor(random() * 64_000),
    dnsId: Math.floor(random() * 65_536),
    question,
    response: isAnswered ? response : undefined,
  };
}

function questionType(draw: number): number {
  if (draw < 0.58) return Type.A;
  if (draw < 0.85) return Type.AAAA;
  if (draw < 0.9) return Type.NS;
  if (draw < 0.94) return Type.TXT;
  return draw < 0.97 ? Type.MX : Type.PTR;
}

function questionName(zone: number, type: number, prefix: string): string {
  if (type === Type.A || type === Type.AAAA) return prefix + zoneName(zone);
  return type === Type.PTR ? `${zone & 255}.${zone >> 8}.18.198.in-addr.arpa.` : zoneName(zone);
}

function negative(zone: number): { rcode: number; rrs: Rr[] } {
  const name = zoneName(zone);
  return {
    rcode: NXDOMAIN,
    rrs: [{ name, type: Type.SOA, ttl: 900, section: Section.authority, rdata: { kind: 'soa', zone: name } }],
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
    case Type.NS:
      return Array.from({ length: 1 + count(4) }, (_, i) =>
        answer(name, type, { kind: 'ns', text: `ns${i + 1}.${name}` }),
      );
    case Type.MX:
      return Array.from({ length: count(3) }, (_, i) =>
        answer(name, type, { kind: 'mx', preference: 10 * (i + 1), exchange: `mx${i + 1}.${name}` }),
      );
    case Type.TXT:
      return [
        answer(name, type, {
          kind: 'txt',
          text: `v=spf1 include:_spf.${name} ip4:198.18.${zone & 255}.0/24 -all`,
        }),
      ];
    case Type.PTR:
      return [answer(name, type, { kind: 'ptr', text: `host${zone & 255}.${zoneName(zone)}` })];
  }
  const rrs: Rr[] = [];
  let owner = name;
  for (let links = Math.floor(fixed() ** 4 * 4); links > 0; links--) {
    const target = `${name.split('.')[0]}-${zone.toString(36)}.edge${links}.cdn.example.`;
    rrs.push(answer(owner, Type.CNAME, { kind: 'cname', text: target }));
    owner = target;
  }
  for (let i = count(8); i > 0; i--) {
    const number = Math.floor(fixed() * 2 ** 17);
    const rdata: Rdata =
      type === Type.A
        ? { kind: 'a', address: 0xc6120000 + number }
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

function writeFlow(w: IpfixWriter, flow: Flow): void {
  const { start, rttUs, response, isV6 } = flow;
  const isBiflow = response !== undefined;
  const end = start + (isBiflow ? rttUs : 0);
  w.u64(Math.floor(start / 1000));
  w.u64(Math.floor(end / 1000));
  w.microseconds(start);
  w.microseconds(end);
  w.u32(45 + flow.question.name.length);
  if (isBiflow) w.u32(45 + flow.question.name.length + response.rrs.length * 28);
  w.u32(1);
  if (isBiflow) w.u32(1);
  writeAddress(w, isV6, 0x0a140000 + flow.client);
  writeAddress(w, isV6, 0x0a000135 + flow.resolver);
  w.u16(flow.port);
  w.u16(53);
  w.zeros(isBiflow ? 4 : 2); // attributes
  w.u8(17);
  w.u8(1); // idle
  w.u16(53);
  if (isBiflow) {
    w.u32(Math.floor(rttUs / 1000));
    w.u64(rttUs);
  }
  w.zeros(isBiflow ? 6 : 3); // VLAN, class of service
  w.zeros(9); // MPLS
  w.subTemplateMultiList(Template.list, () =>
    w.subTemplateList(Template.dns, () => {
      writeRr(w, flow.question, flow, 0, 0);
      if (response === undefined) return;
      if (response.rcode !== 0) writeRr(w, flow.question, flow, 1, response.rcode);
      for (const rr of response.rrs) writeRr(w, rr, flow, 1, response.rcode);
    }),
  );
}

function writeAddress(w: IpfixWriter, isV6: boolean, address: number): void {
  if (isV6) w.octets(ipv6(address, 0));
  else w.u32(address);
}

function writeRr(w: IpfixWriter, rr: Rr, { dnsId }: Flow, qr: number, rcode: number): void {
  const { rdata } = rr;
  // the template that an empty list names means nothing; YAF names that of A
  if (rdata === undefined) w.subTemplateList(Template.a);
  else w.subTemplateList(Template[rdata.kind], () => writeRdata(w, rdata));
  w.string(rr.name);
  w.u32(rr.ttl);
  w.u16(rr.type);
  w.u8(qr);
  w.u8(0); // not authoritative
  w.u8(rcode);
  w.u8(rr.section);
  w.u16(dnsId);
  w.zeros(4);
}

function writeRdata(w: IpfixWriter, rdata: Rdata): void {
  switch (rdata.kind) {
    case 'a':
      w.u32(rdata.address);
      break;
    case 'aaaa':
      w.octets(rdata.address);
      break;
    case 'mx':
      w.string(rdata.exchange);
      w.u16(rdata.preference);
      w.zeros(6);
      break;
    case 'soa':
      w.string(`ns1.${rdata.zone}`);
      w.string(`hostmaster.${rdata.zone}`);
      for (const number of [2026030201, 7200, 900, 1_209_600, 900]) w.u32(number);
      w.zeros(4);
      break;
    default:
      w.string(rdata.text);
  }
}

/** Ranks 0 to n - 1, rank r with a probability of 1 / (r + 1). */
function zipf(n: number, random: () => number): () => number {
  const cumulative = new Float64Array(n);
  let sum = 0;
  for (let rank = 0; rank < n; rank++) cumulative[rank] = sum += 1 / (rank + 1);
  return () => {
    const wanted = random() * sum;
    let [low, high] = [0, n - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (cumulative[middle]! < wanted)
        low = middle + 1; // middle < n
      else high = middle;
    }
    return low;
  };
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
