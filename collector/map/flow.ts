import { CERT_PEN, CERT_REVERSE_BIT, type DataRecord, type MessageHeader, REVERSE_PEN, type Template, type Value } from '../ipfix/index.ts';
import { addressOf } from './address.ts';
import type { Address, FlowRow, Notes } from './rows.ts';
import { flowEnd, flowStart, timeReader } from './time.ts';

/** YAF's end reason of a one-packet record (--udp-uniflow). */
export const PACKET_RECORD = 31;
/** flowEndReason without the continuation bit that --silk sets. */
const END_REASON_MASK = 0x7f;
const DURATION_MS = 161;
const LARGEST_BIGINT = 2n ** 63n - 1n;

/** Reads the flow columns of the records of one template. */
export type FlowReader = (record: DataRecord, header: MessageHeader, systemInitTimeMs: number | undefined, notes: Notes) => FlowRow | null;

/**
 * Makes the reader for a template, or says that its records are no flows: a flow has a source and a destination
 * address. Elements are found by (enterprise number, number), whatever the template's id and their order.
 */
export function flowReader(template: Template): FlowReader | null {
  const at = (id: number, pen = 0) => template.indexOf(pen, id);
  const [src4, src6, dst4, dst6] = [at(8), at(27), at(12), at(28)];
  if (template.isOptions || (src4 < 0 && src6 < 0) || (dst4 < 0 && dst6 < 0)) return null;

  const start = timeReader(template, flowStart);
  const end = timeReader(template, flowEnd);
  const duration = at(DURATION_MS);
  // delta counters first: where an exporter sends both, the total counts earlier records of the same flow again
  const either = (delta: number, total: number, pen = 0) => (at(delta, pen) >= 0 ? at(delta, pen) : at(total, pen));
  const [octets, packets] = [either(1, 85), either(2, 86)];
  const [reverseOctets, reversePackets] = [either(1, 85, REVERSE_PEN), either(2, 86, REVERSE_PEN)];
  const [srcPort, dstPort, icmp] = [at(7), at(11), at(32) >= 0 ? at(32) : at(139)];
  const [vlan, ingress, egress, protocol, endReason, tos] = [at(58), at(10), at(14), at(4), at(136), at(5)];
  const [application, rtt, attributes] = [at(33, CERT_PEN), at(21, CERT_PEN), at(40, CERT_PEN)];
  const reverseAttributes = at(40 | CERT_REVERSE_BIT, CERT_PEN);
  const flags = tcpFlagsOf(template);
  const [srcMac, dstMac] = [at(56), at(80)];

  return (record, header, systemInitTimeMs, notes) => {
    const { values } = record;
    const src = endpoint(values, src4, src6);
    const dst = endpoint(values, dst4, dst6);
    if (src === null || dst === null) return null;
    let startTime = start(record, header, systemInitTimeMs);
    let endTime = end(record, header, systemInitTimeMs);
    const lasted = integer(values[duration]);
    if (startTime === null && endTime !== null && lasted !== null) startTime = endTime - lasted * 1000;
    if (endTime === null && startTime !== null && lasted !== null) endTime = startTime + lasted * 1000;
    if (startTime === null) {
      notes.count('clock_missing');
      startTime = endTime ?? header.exportTime * 1_000_000;
    }
    const reason = integer(values[endReason]);
    return {
      start_time: startTime,
      end_time: endTime,
      octets: counter(values[octets], notes),
      packets: counter(values[packets], notes),
      reverse_octets: counter(values[reverseOctets], notes),
      reverse_packets: counter(values[reversePackets], notes),
      src_port: integer(values[srcPort]),
      dst_port: integer(values[dstPort]) ?? integer(values[icmp]),
      vlan: integer(values[vlan]),
      application: integer(values[application]),
      rtt_ms: signed32(values[rtt]),
      ingress: integer(values[ingress]),
      egress: integer(values[egress]),
      protocol: integer(values[protocol]),
      end_reason: reason === null ? null : reason & END_REASON_MASK,
      attributes: integer(values[attributes]),
      reverse_attributes: integer(values[reverseAttributes]),
      tcp_flags: flags.forward(values),
      reverse_tcp_flags: flags.reverse(values),
      tos: integer(values[tos]),
      src,
      dst,
      src_mac: mac(values[srcMac]),
      dst_mac: mac(values[dstMac]),
    };
  };
}

/** Reads the TCP flags of a template: YAF's first and later packets' flags, or tcpControlBits. */
export function tcpFlagsOf(template: Template): Record<'forward' | 'reverse', (values: readonly Value[]) => number | null> {
  const union = (positions: readonly number[]) => {
    const there = positions.filter(position => position >= 0);
    if (there.length === 0) return () => null;
    return (values: readonly Value[]) => there.reduce((flags, position) => flags | (integer(values[position]) ?? 0), 0) & 0x1ff;
  };
  const at = (id: number, pen = 0) => template.indexOf(pen, id);
  return {
    forward: union([at(14, CERT_PEN), at(15, CERT_PEN), at(6)]),
    reverse: union([at(14 | CERT_REVERSE_BIT, CERT_PEN), at(15 | CERT_REVERSE_BIT, CERT_PEN), at(6, REVERSE_PEN)]),
  };
}

/** MAC address of an element value. */
export function mac(value: Value | undefined): Buffer | null {
  return Buffer.isBuffer(value) && value.length === 6 ? value : null;
}

/** Integer element value that fits a number. */
export function integer(value: Value | undefined): number | null {
  return typeof value === 'number' ? value : null;
}

/** A template may carry both families; the IPv4 address counts unless it is zero and there is an IPv6 one. */
function endpoint(values: readonly Value[], position4: number, position6: number): Address | null {
  const v4 = addressOf(values[position4]);
  if (position6 < 0 || (v4 !== null && v4 !== 0)) return v4;
  return addressOf(values[position6]) ?? v4;
}

/** 64-bit unsigned counter; PostgreSQL's bigint is signed, and no real counter reaches 2^63. */
function counter(value: Value | undefined, notes: Notes): number | bigint | null {
  if (typeof value === 'number') return value;
  if (typeof value !== 'bigint') return null;
  if (value <= LARGEST_BIGINT) return value;
  notes.count('counter_out_of_range');
  return null;
}

function signed32(value: Value | undefined): number | null {
  return typeof value === 'number' && value <= 0x7fffffff ? value : null;
}
