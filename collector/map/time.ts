import type { DataRecord, MessageHeader, Template, Value } from '../ipfix/index.ts';

/** Reads a time of a record as microseconds since the Unix epoch; null when the exporter did not set it. */
export type TimeReader = (
  record: DataRecord,
  header: MessageHeader,
  systemInitTimeMs: number | undefined,
) => number | null;

/** Elements that carry the same time, best precision first. */
export interface TimeElements {
  readonly microseconds: number;
  readonly nanoseconds: number;
  readonly milliseconds: number;
  readonly seconds: number;
  /** Microseconds before the export time (RFC 5102 section 5.9.8). */
  readonly deltaMicroseconds: number;
  /** Milliseconds since the exporter started, element 160 says when that was. */
  readonly sysUpTime: number;
}

export const flowStart: TimeElements = {
  microseconds: 154,
  nanoseconds: 156,
  milliseconds: 152,
  seconds: 150,
  deltaMicroseconds: 158,
  sysUpTime: 22,
};
export const flowEnd: TimeElements = {
  microseconds: 155,
  nanoseconds: 157,
  milliseconds: 153,
  seconds: 151,
  deltaMicroseconds: 159,
  sysUpTime: 21,
};
export const SYSTEM_INIT_TIME = 160;

/** Chooses the best time element that a template has. */
export function timeReader(template: Template, elements: TimeElements): TimeReader {
  const at = (id: number) => template.indexOf(0, id);
  const [micro, nano, milli, second] = [
    at(elements.microseconds),
    at(elements.nanoseconds),
    at(elements.milliseconds),
    at(elements.seconds),
  ];
  if (micro >= 0) return record => numberOf(record.values[micro], 1);
  if (nano >= 0)
    return record =>
      typeof record.values[nano] === 'bigint' ? Number((record.values[nano] + 500n) / 1000n) : null;
  if (milli >= 0) return record => numberOf(record.values[milli], 1000);
  if (second >= 0) return record => numberOf(record.values[second], 1_000_000);
  const delta = at(elements.deltaMicroseconds);
  if (delta >= 0)
    return (record, header) => {
      const before = numberOf(record.values[delta], 1);
      return before === null ? null : header.exportTime * 1_000_000 - before;
    };
  const upTime = at(elements.sysUpTime);
  const ownInit = at(SYSTEM_INIT_TIME);
  if (upTime >= 0)
    return (record, _header, systemInitTimeMs) => {
      const init = numberOf(record.values[ownInit], 1) ?? systemInitTimeMs;
      const since = numberOf(record.values[upTime], 1);
      return init === undefined || since === null ? null : (init + since) * 1000;
    };
  return () => null;
}

function numberOf(value: Value | undefined, factor: number): number | null {
  if (typeof value === 'number') return value * factor;
  return typeof value === 'bigint' ? Number(value) * factor : null;
}
