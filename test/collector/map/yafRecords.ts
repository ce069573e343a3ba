/** Hand-built records in the layouts of YAF's DNS templates, 2.x and 3.x. */
import {
  type Field,
  field,
  multiListEntry,
  type Octets,
  octets,
  subTemplateList,
  subTemplateMultiList,
  template,
  u8,
  u16,
  u32,
  VARIABLE,
  variable,
  variableLong,
} from '../../support/ipfixBuilder.ts';
import { CERT, type Cell } from './mapStream.ts';

/** Template ids; YAF's own unless said otherwise. */
export interface Ids {
  /** 2.x: record of one list of RRs, in the multi list. */
  readonly dns: number;
  readonly rr: number;
  /** Record of one rdata. */
  readonly rdata: number;
}

export const yafIds: Ids = { dns: 0xce00, rr: 0xcf00, rdata: 0xce01 };

/** One entry of the DNS list; what is not given is zero or empty. */
export interface Rr {
  readonly name?: Octets;
  readonly ttl?: number;
  readonly type?: number;
  readonly qr?: 0 | 1;
  readonly authoritative?: 0 | 1;
  readonly rcode?: number;
  readonly section?: number;
  readonly id?: number;
  /** Record of the rdata template; none: an empty list. */
  readonly rdata?: Octets;
}

const cert = (id: number, length: number): Field => field(id, length, CERT);

const rrFields: readonly Field[] = [
  cert(179, VARIABLE),
  cert(199, 4),
  cert(175, 2),
  cert(174, 1),
  cert(176, 1),
  cert(177, 1),
  cert(178, 1),
  cert(226, 2),
];

function rrValues(rr: Rr): Octets {
  const { name = '', ttl = 0, type = 0, qr = 0, authoritative = 0, rcode = 0, section = 0, id = 0 } = rr;
  const flags = [qr, authoritative, rcode, section];
  return octets(variable(name), u32(ttl), u16(type), flags, u16(id));
}

const rdataList = ({ rdata }: Rr, ids: Ids): Octets =>
  variableLong(subTemplateList(ids.rdata, rdata === undefined ? [] : [rdata]));

/** The templates of 2.x: list record, RR record, and rdata of these fields. */
export function templates2(rdata: readonly Field[] = [field(8, 4)], ids: Ids = yafIds): Buffer[] {
  return [
    template(ids.dns, [field(292, VARIABLE)]),
    template(ids.rr, [field(292, VARIABLE), ...rrFields, field(210, 4)]),
    template(ids.rdata, rdata),
  ];
}

/** Entry of the multi list of 2.x that holds the RRs. */
export function dnsEntry2(rrs: readonly Rr[], ids: Ids = yafIds): Buffer {
  const records = rrs.map(rr => octets(rdataList(rr, ids), rrValues(rr), u32(0)));
  return multiListEntry(ids.dns, [variableLong(subTemplateList(ids.rr, records))]);
}

/** The multi list, last field of 2.x flow records. */
export const multiList = (...entries: readonly Octets[]): Cell => [
  field(293, VARIABLE),
  variableLong(subTemplateMultiList(entries)),
];

/** The RRs of a 2.x flow record. */
export const dns2 = (...rrs: readonly Rr[]): Cell => multiList(dnsEntry2(rrs));

/** The templates of 3.x: RR record, and rdata of these fields. */
export function templates3(rdata: readonly Field[] = [cert(302, 4)], ids: Ids = yafIds): Buffer[] {
  return [template(ids.rr, [cert(431, VARIABLE), ...rrFields]), template(ids.rdata, rdata)];
}

/** yafDPIList, in the midst of 3.x flow records. */
export function dns3(rrs: readonly Rr[], ids: Ids = yafIds): Cell {
  const records = rrs.map(rr => octets(rdataList(rr, ids), rrValues(rr)));
  return [cert(432, VARIABLE), variableLong(subTemplateList(ids.rr, records))];
}

/** The entry of the multi list with TCP flags: first and later ones, then those of the reverse direction. */
export const tcpTemplate = template(0xc013, [
  field(184, 4),
  cert(14, 1),
  cert(15, 1),
  cert(14 | 0x4000, 1),
  cert(15 | 0x4000, 1),
]);
export const tcpEntry = (first: number, later: number, reverseFirst: number, reverseLater: number): Buffer =>
  multiListEntry(0xc013, [octets(u32(7), u8(first), u8(later), u8(reverseFirst), u8(reverseLater))]);

/** The entry of the multi list with captured payload, both directions. */
export const payloadTemplate = template(0xc018, [cert(18, VARIABLE), cert(18 | 0x4000, VARIABLE)]);
export const payloadEntry = (payload: Octets, reversePayload: Octets): Buffer =>
  multiListEntry(0xc018, [octets(variable(payload), variable(reversePayload))]);
