import { type Field, IpfixWriter } from './ipfixWriter.ts';

/** IPv4 as 32 bit number, IPv6 as its 16 octets. */
export type Address = number | Buffer;

export const RrType = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  NULL: 10,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
} as const;

export const Section = { question: 0, answer: 1, authority: 2, additional: 3 } as const;

/** Value of a resource record, by its template. Names and texts as YAF escapes them. */
export type Rdata =
  | { readonly kind: 'a'; readonly address: number }
  | { readonly kind: 'aaaa'; readonly address: Buffer }
  | { readonly kind: 'cname' | 'ns' | 'ptr' | 'txt'; readonly text: string }
  | { readonly kind: 'mx'; readonly preference: number; readonly exchange: string }
  | { readonly kind: 'srv'; readonly port: number; readonly target: string }
  | { readonly kind: 'soa'; readonly zone: string };

/** Entry of the question section (TTL 0, no value) or resource record. */
export interface Rr {
  readonly name: string;
  readonly type: number;
  readonly ttl: number;
  readonly section: number;
  readonly rdata?: Rdata;
}

export interface DnsResponse {
  readonly rcode: number;
  readonly rrs: readonly Rr[];
  readonly isAuthoritative?: boolean;
}

/** The DNS messages of a flow. */
export interface DnsExchange {
  readonly id: number;
  /** Undefined when only the response was seen. */
  readonly question: Rr | undefined;
  /** Undefined when there was none. */
  readonly response: DnsResponse | undefined;
  /** Seconds that the response was in a cache: how much lower its TTLs are. */
  readonly age?: number;
}

/** Packets and octets (IP headers included) of one direction of a flow. */
export interface Volume {
  readonly octets: number;
  readonly packets: number;
}

/** A flow record. Times in microseconds, the start since the Unix epoch. */
export interface YafFlow {
  readonly start: number;
  readonly end: number;
  readonly source: Address;
  readonly destination: Address;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly protocol: number;
  /** silkAppLabel: 53 for what was decoded as DNS, 0 for what was not recognised. */
  readonly application: number;
  /** flowEndReason: 1 idle timeout, 3 end of flow. */
  readonly endReason: number;
  readonly forward: Volume;
  /** Undefined for a uniflow. `delayUs`: from the first packet to the first one back. */
  readonly reverse: (Volume & { readonly delayUs: number }) | undefined;
  /** Undefined when the flow is not DNS or could not be decoded. */
  readonly dns: DnsExchange | undefined;
}

const CERT = 6871;
const REVERSE = 29305;
const REVERSE_BIT = 0x4000;
const V = 65535;
const TCP = 6;
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
  srv: 0xce08,
  soa: 0xce09,
  tcpUniflow: 0xc003,
  tcpBiflow: 0xc013,
} as const;

type Definition = readonly [id: number, fields: readonly Field[]];

/** DNS templates as YAF 2.16.4 sends them, but for SRV. */
// biome-ignore format: a table reads better in few lines
export const dnsTemplates: readonly Definition[] = [
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

/** Those of YAF 2.16.4 that TCP flows and SRV records need beside. */
// biome-ignore format: a table reads better in few lines
export const tcpAndSrvTemplates: readonly Definition[] = [
  [Template.tcpUniflow, [[0, 184, 4], [CERT, 14, 1], [CERT, 15, 1]]],
  [Template.tcpBiflow, [[0, 184, 4], [CERT, 14, 1], [CERT, 15, 1], [CERT, 14 | REVERSE_BIT, 1], [CERT, 15 | REVERSE_BIT, 1], [REVERSE, 184, 4]]],
  [Template.srv, [[CERT, 219, V], [CERT, 216, 2], [CERT, 217, 2], [CERT, 218, 2], [0, 210, 2]]],
];

/** The flow template of a family: 0xB004 and 0xB014 for IPv4, 0xB404 and 0xB414 for IPv6. */
function flowTemplate(isV6: boolean, isBiflow: boolean): Definition {
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

const flowTemplates = [false, true].map(isV6 => [false, true].map(isBiflow => flowTemplate(isV6, isBiflow)));

/** Writes the IPFIX messages of one run of YAF 2.16. */
export class YafWriter {
  readonly #writer = new IpfixWriter();
  readonly #defined = new Set<number>();

  constructor(templates: readonly Definition[]) {
    for (const [id, fields] of templates) this.#writer.template(id, fields);
  }

  /** @param exportTime seconds since the Unix epoch @returns the message that was full before the flow */
  flow(flow: YafFlow, exportTime: number): Buffer | undefined {
    const isV6 = typeof flow.source !== 'number';
    const [id, fields] = flowTemplates[Number(isV6)]![Number(flow.reverse !== undefined)]!; // two of two
    if (!this.#defined.has(id)) this.#writer.template(id, fields); // as YAF does, before its first record
    this.#defined.add(id);
    return this.#writer.record(id, exportTime, () => writeFlow(this.#writer, flow));
  }

  /** Ends the message. @param exportTime seconds since the Unix epoch @returns a copy */
  message(exportTime: number): Buffer {
    return this.#writer.message(exportTime);
  }
}

/** Entries of the response's sections as YAF sends them: it repeats the question unless NOERROR. */
export function rrsOf({ question, response }: DnsExchange): number {
  const questions = question === undefined ? 0 : 1;
  if (response === undefined) return questions;
  return questions + response.rrs.length + (response.rcode === 0 ? 0 : questions);
}

function writeFlow(w: IpfixWriter, flow: YafFlow): void {
  const { start, end, forward, reverse } = flow;
  w.u64(Math.floor(start / 1000));
  w.u64(Math.floor(end / 1000));
  w.microseconds(start);
  w.microseconds(end);
  w.u32(forward.octets);
  if (reverse !== undefined) w.u32(reverse.octets);
  w.u32(forward.packets);
  if (reverse !== undefined) w.u32(reverse.packets);
  writeAddress(w, flow.source);
  writeAddress(w, flow.destination);
  w.u16(flow.sourcePort);
  w.u16(flow.destinationPort);
  w.zeros(reverse === undefined ? 2 : 4); // attributes
  w.u8(flow.protocol);
  w.u8(flow.endReason);
  w.u16(flow.application);
  if (reverse !== undefined) {
    w.u32(Math.floor(reverse.delayUs / 1000));
    w.u64(reverse.delayUs);
  }
  w.zeros(reverse === undefined ? 3 : 6); // VLAN, class of service
  w.zeros(9); // MPLS
  writeDetails(w, flow);
}

/** DNS, or the TCP flags; YAF sends both for DNS over TCP, one is enough here. */
function writeDetails(w: IpfixWriter, { dns, protocol, reverse, sourcePort }: YafFlow): void {
  if (dns !== undefined)
    w.subTemplateMultiList(Template.list, () => w.subTemplateList(Template.dns, () => writeDns(w, dns)));
  else if (protocol === TCP)
    w.subTemplateMultiList(reverse === undefined ? Template.tcpUniflow : Template.tcpBiflow, () => {
      w.u32(sourcePort * 65_521); // sequence numbers mean nothing here
      w.u8(0x02);
      w.u8(reverse === undefined ? 0x02 : 0x1b);
      if (reverse === undefined) return;
      w.u8(0x12);
      w.u8(0x1b);
      w.u32(sourcePort * 65_519);
    });
  else w.emptyMultiList();
}

function writeDns(w: IpfixWriter, { id, question, response, age = 0 }: DnsExchange): void {
  if (question !== undefined) writeRr(w, question, id, 0);
  if (response === undefined) return;
  if (response.rcode !== 0 && question !== undefined) writeRr(w, question, id, 0, response);
  for (const rr of response.rrs) writeRr(w, rr, id, age, response);
}

function writeAddress(w: IpfixWriter, address: Address): void {
  if (typeof address === 'number') w.u32(address);
  else w.octets(address);
}

/** @param response undefined in a query */
function writeRr(w: IpfixWriter, rr: Rr, id: number, age: number, response?: DnsResponse): void {
  const { rdata } = rr;
  // the template that an empty list names means nothing; YAF names that of A
  if (rdata === undefined) w.subTemplateList(Template.a);
  else w.subTemplateList(Template[rdata.kind], () => writeRdata(w, rdata));
  w.string(rr.name);
  w.u32(Math.max(0, rr.ttl - age));
  w.u16(rr.type);
  w.u8(response === undefined ? 0 : 1);
  w.u8(response?.isAuthoritative === true ? 1 : 0);
  w.u8(response?.rcode ?? 0);
  w.u8(rr.section);
  w.u16(id);
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
    case 'srv':
      w.string(rdata.target);
      for (const number of [0, 100, rdata.port, 0]) w.u16(number);
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
