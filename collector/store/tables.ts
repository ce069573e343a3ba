import { type TierName, tierColumns } from '../../common/tiers.ts';
import type { Address, FlowRow, RrRow } from '../map/rows.ts';
import type { CopyBuffer } from './copyBuffer.ts';

/** Identity of a data record: `file_id * 2^32 + ordinal` without the bigint. */
export interface RecordId {
  readonly fileId: number;
  readonly ordinal: number;
}

const flowColumns = `start_time, end_time, flow_id, octets, packets, reverse_octets, reverse_packets, exporter_id, src_port, dst_port,
  vlan, application, rtt_ms, ingress, egress, protocol, end_reason, attributes, reverse_attributes, tcp_flags, reverse_tcp_flags,
  tos, src, dst, src_mac, dst_mac`;
const rrColumns = `time, flow_id, ttl, dns_id, rrtype, exporter_id, section, rcode, origin, qr, authoritative, client, resolver,
  rrname, rdata, rdata_ip`;

export const copyFlowSql = `copy public.flow (${flowColumns}) from stdin (format binary)`;
export const copyPacketSql = `copy public.flow_packet (${flowColumns}) from stdin (format binary)`;
export const copyRrSql = `copy public.dns_rr (${rrColumns}) from stdin (format binary)`;

/** Appends a row of `flow` or `flow_packet`; the order is that of `flowColumns`. */
export function writeFlow(out: CopyBuffer, row: FlowRow, id: RecordId, exporterId: number): void {
  out.row(26, 0);
  out.time(row.start_time);
  out.time(row.end_time);
  out.int64Halves(id.fileId, id.ordinal);
  out.int64(row.octets);
  out.int64(row.packets);
  out.int64(row.reverse_octets);
  out.int64(row.reverse_packets);
  out.int32(exporterId);
  out.int32(row.src_port);
  out.int32(row.dst_port);
  out.int32(row.vlan);
  out.int32(row.application);
  out.int32(row.rtt_ms);
  out.int64(row.ingress);
  out.int64(row.egress);
  out.int16(row.protocol);
  out.int16(row.end_reason);
  out.int32(row.attributes);
  out.int32(row.reverse_attributes);
  out.int16(row.tcp_flags);
  out.int16(row.reverse_tcp_flags);
  out.int16(row.tos);
  out.inet(row.src);
  out.inet(row.dst);
  out.macaddr(row.src_mac);
  out.macaddr(row.dst_mac);
}

/** What the rows of one flow share in `dns_rr`. */
export interface RrContext {
  readonly time: number;
  readonly exporterId: number;
  readonly client: Address;
  readonly resolver: Address;
}

/** Appends a row of `dns_rr`; the order is that of `rrColumns`. */
export function writeRr(out: CopyBuffer, row: RrRow, id: RecordId, context: RrContext): void {
  out.row(16, (row.rrname?.length ?? 0) + (row.rdata?.length ?? 0));
  out.time(context.time);
  out.int64Halves(id.fileId, id.ordinal);
  out.int64(row.ttl);
  out.int32(row.dns_id);
  out.int32(row.rrtype);
  out.int32(context.exporterId);
  out.int16(row.section);
  out.int16(row.rcode);
  out.int16(row.origin);
  out.bool(row.qr);
  out.bool(row.authoritative);
  out.inet(context.client);
  out.inet(context.resolver);
  out.ascii(row.rrname);
  out.ascii(row.rdata);
  out.inet(row.rdata_ip);
}

/** COPY into one run of a tier. */
export function copyTierSql(tier: TierName, runId: number): string {
  return `copy runs.${tier}_${runId} (${tierColumns[tier].join(', ')}) from stdin (format binary)`;
}
