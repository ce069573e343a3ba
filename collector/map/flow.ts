import {
  CERT_PEN,
  CERT_REVERSE_BIT,
  type DataRecord,
  type MessageHeader,
  REVERSE_PEN,
  type Template,
  type Value,
} from '../ipfix/index.ts';
import { addressOf } from './address.ts';
import type { FlowRow, Notes } from './rows.ts';
import { flowEnd, flowStart, timeReader } from './time.ts';
import { integerAt, macAt } from './value.ts';

/** YAF's end reason of a one-packet record (--udp-uniflow). */
export const PACKET_RECORD = 31;
/** flowEndReason without the continuation bit that --silk sets. */
const END_REASON_MASK = 0x7f;
const DURATION_MS = 161;
const LARGEST_BIGINT = 2n ** 63n - 1n;
const ICMP = 1;
const ICMP_V6 = 58;
/** The nine flags of the TCP header: the element has 16 bits, the column is a smallint. */
const TCP_FLAGS_MASK = 0x1ff;

/** Reads the flow columns of the records of one template. */
export type FlowReader = (
  record: DataRecord,
  header: MessageHeader,
  systemInitTimeMs: number | undefined,
  notes: Notes,
) => FlowRow | null;

/**
 * Makes the reader for a template, or says that its records are no flows: a flow has a source and a destination
 * address. Elements are found by (enterprise number, number), whatever the template's id and their order.
 */
export function flowReader(template: Template): FlowReader | null {
  const at = (id: number, pen = 0) => template.indexOf(pen, id);
  const hasV4 = at(8) >= 0 && at(12) >= 0;
  const hasV6 = at(27) >= 0 && at(28) >= 0;
  if (template.isOptions || !(hasV4 || hasV6)) return null;
  const [src4, src6, dst4, dst6] = [at(8), at(27), at(12), at(28)];
  /** A template may carry both families: the IPv6 addresses count where both IPv4 ones are zero. */
  const isV6 = (values: readonly Value[]) => hasV6 && (!hasV4 || (values[src4] === 0 && values[dst4] === 0));

  const start = timeReader(template, flowStart);
  const end = timeReader(template, flowEnd);
  const duration = at(DURATION_MS);
  // delta counters first: where an exporter sends both, the total counts earlier records of the same flow again
  const either = (delta: number, total: number, pen = 0) =>
    at(delta, pen) >= 0 ? at(delta, pen) : at(total, pen);
  const [octets, packets] = [either(1, 85), either(2, 86)];
  const [reverseOctets, reversePackets] = [either(1, 85, REVERSE_PEN), either(2, 86, REVERSE_PEN)];
  const [srcPort, dstPort, icmp] = [at(7), at(11), at(32) >= 0 ? at(32) : at(139)];
  const [vlan, ingress, egress, protocol, endReason, tos] = [at(58), at(10), at(14), at(4), at(136), at(5)];
  const [application, rtt, attributes] = [at(33, CERT_PEN), at(21, CERT_PEN), at(40, CERT_PEN)];
  const reverseAttributes = at(40 | CERT_REVERSE_BIT, CERT_PEN);
  const flags = tcpFlagsPositions(template);
  const [srcMac, dstMac] = [at(56), at(80)];

  return (record, header, systemInitTimeMs, notes) => {
    const { values } = record;
    const v6 = isV6(values);
    const src = addressOf(values[v6 ? src6 : src4]);
    const dst = addressOf(values[v6 ? dst6 : dst4]);
    if (src === null || dst === null) return null;
    let startTime = start(record, header, systemInitTimeMs);
    let endTime = end(record, header, systemInitTimeMs);
    const lasted = integerAt(values, duration);
    if (startTime === null && endTime !== null && lasted !== null) startTime = endTime - lasted * 1000;
    if (endTime === null && startTime !== null && lasted !== null) endTime = startTime + lasted * 1000;
    if (startTime === null) {
      notes.count('clock_missing');
      startTime = endTime ?? header.exportTime * 1_000_000;
    }
    const protocolNumber = integerAt(values, protocol);
    const port = integerAt(values, dstPort);
    const isIcmp = protocolNumber === ICMP || protocolNumber === ICMP_V6;
    const reason = integerAt(values, endReason);
    return {
      start_time: startTime,
      end_time: endTime,
      octets: counterAt(values, octets, notes),
      packets: counterAt(values, packets, notes),
      reverse_octets: counterAt(values, reverseOctets, notes),
      reverse_packets: counterAt(values, reversePackets, notes),
      src_port: integerAt(values, srcPort),
      dst_port: isIcmp ? port || (integerAt(values, icmp) ?? port) : port,
      vlan: integerAt(values, vlan),
      application: integerAt(values, application),
      rtt_ms: signed32(integerAt(values, rtt)),
      ingress: integerAt(values, ingress),
      egress: integerAt(values, egress),
      protocol: protocolNumber,
      end_reason: reason === null ? null : reason & END_REASON_MASK,
      attributes: integerAt(values, attributes),
      reverse_attributes: integerAt(values, reverseAttributes),
      tcp_flags: tcpFlagsAt(values, flags.forward),
      reverse_tcp_flags: tcpFlagsAt(values, flags.reverse),
      tos: integerAt(values, tos),
      src,
      dst,
      src_mac: macAt(values, srcMac),
      dst_mac: macAt(values, dstMac),
    };
  };
}

/** Where a template has TCP flags: YAF's of the first and of the later packets, or tcpControlBits. */
export function tcpFlagsPositions(template: Template): Record<'forward' | 'reverse', readonly number[]> {
  const find = (...elements: (readonly [pen: number, id: number])[]) =>
    elements.map(([pen, id]) => template.indexOf(pen, id)).filter(position => position >= 0);
  return {
    forward: find([CERT_PEN, 14], [CERT_PEN, 15], [0, 6]),
    reverse: find([CERT_PEN, 14 | CERT_REVERSE_BIT], [CERT_PEN, 15 | CERT_REVERSE_BIT], [REVERSE_PEN, 6]),
  };
}

/** Union of the TCP flags at these positions; null for no position. */
export function tcpFlagsAt(values: readonly Value[], positions: readonly number[]): number | null {
  if (positions.length === 0) return null;
  let flags = 0;
  for (const position of positions) flags |= integerAt(values, position) ?? 0;
  return flags & TCP_FLAGS_MASK;
}

/** 64-bit unsigned counter; PostgreSQL's bigint is signed, and no real counter reaches 2^63. */
function counterAt(values: readonly Value[], at: number, notes: Notes): number | bigint | null {
  if (at < 0) return null;
  const value = values[at];
  if (typeof value === 'number') return value;
  if (typeof value !== 'bigint') return null;
  if (value <= LARGEST_BIGINT) return value;
  notes.count('counter_out_of_range');
  return null;
}

function signed32(value: number | null): number | null {
  return value !== null && value <= 0x7fffffff ? value : null;
}
