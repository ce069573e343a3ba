import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { MessageSplitter, Session } from '../../../collector/ipfix/index.ts';
import { Mapper } from '../../../collector/map/mapper.ts';
import type {
  Address,
  FlowRow,
  Mapped,
  MappedFlow,
  NoteName,
  RrRow,
  StatisticsRow,
  TombstoneRow,
} from '../../../collector/map/rows.ts';
import {
  dataSet,
  type Field,
  field,
  ipv4,
  message,
  type Octets,
  octets,
  template,
  templateSet,
  u8,
  u16,
  u32,
  u64,
} from '../../support/ipfixBuilder.ts';

/** What one transport session became, without a database. */
export interface MappedStream {
  readonly flows: MappedFlow[];
  readonly statistics: StatisticsRow[];
  readonly tombstones: TombstoneRow[];
  /** Data records by what they turned out to be. */
  readonly kinds: Partial<Record<Mapped['kind'], number>>;
  readonly notes: Partial<Record<NoteName, number>>;
}

/** Decodes and maps the messages of one session; fails where a record does not decode. */
export function mapStream(stream: Buffer): MappedStream {
  const mapped: MappedStream = { flows: [], statistics: [], tombstones: [], kinds: {}, notes: {} };
  const { flows, statistics, tombstones, kinds, notes } = mapped;
  const mapper = new Mapper({
    count: (name, by = 1) => {
      notes[name] = (notes[name] ?? 0) + by;
    },
  });
  const session = new Session();
  for (const octets of new MessageSplitter().push(stream)) {
    session.decodeMessage(octets, 0, {
      dataRecord: (record, header) => {
        const result = mapper.map(record, header);
        kinds[result.kind] = (kinds[result.kind] ?? 0) + 1;
        if (result.kind === 'flow') flows.push(result.value);
        if (result.kind === 'statistics') statistics.push(result.value);
        if (result.kind === 'tombstone') tombstones.push(result.value);
      },
      undecodable: ({ message }) => {
        throw new Error(message);
      },
    });
  }
  return mapped;
}

/** The rows of a file of test/fixtures. @param name without `.ipfix` */
export function mapFixture(name: string): MappedStream {
  const path = new URL(`../../fixtures/${name}.ipfix`, import.meta.url);
  return mapStream(existsSync(path) ? readFileSync(path) : gunzipSync(readFileSync(`${path.pathname}.gz`)));
}

/** All DNS rows, in the order of the stream. */
export const rrsOf = ({ flows }: MappedStream): RrRow[] => flows.flatMap(({ rrs }) => rrs);

/** IPv4 dotted, IPv6 as 32 hexadecimal digits. */
export function addressText(address: Address | null): string | null {
  if (address === null || typeof address !== 'number') return address?.toString('hex') ?? null;
  return [24, 16, 8, 0].map(shift => (address >>> shift) & 255).join('.');
}

/** A field of a hand-built record, and its value. */
export type Cell = readonly [Field, Octets];

/** Enterprise number of YAF's elements. */
export const CERT = 6871;
/** Where reverse IANA elements are (RFC 5103). */
export const REVERSE = 29305;

export const START_MS = 1_718_000_000_123;

/** A UDP flow from 192.0.2.1:40000 to 198.51.100.53:53. */
export const udpFlow: readonly Cell[] = [
  [field(152, 8), u64(START_MS)],
  [field(153, 8), u64(START_MS + 2)],
  [field(8, 4), ipv4('192.0.2.1')],
  [field(12, 4), ipv4('198.51.100.53')],
  [field(7, 2), u16(40000)],
  [field(11, 2), u16(53)],
  [field(4, 1), u8(17)],
];

/** The cells with those of `others` in place of the same element, or after them. */
export function withCells(cells: readonly Cell[], ...others: readonly Cell[]): Cell[] {
  const isSame = ([a]: Cell, [b]: Cell) => a.id === b.id && a.pen === b.pen;
  const replaced = cells.map(cell => others.find(other => isSame(cell, other)) ?? cell);
  return [...replaced, ...others.filter(other => !cells.some(cell => isSame(cell, other)))];
}

/** The cells but for IANA elements of these numbers. */
export const without = (cells: readonly Cell[], ...ids: readonly number[]): Cell[] =>
  cells.filter(([{ id, pen }]) => pen !== 0 || !ids.includes(id));

/** A message with one record, and the templates it needs. */
export function streamOf(
  cells: readonly Cell[],
  templates: readonly Octets[] = [],
  templateId = 0xb004,
): Buffer {
  const fields = cells.map(([specifier]) => specifier);
  const values = cells.map(([, value]) => value);
  return message([templateSet(...templates, template(templateId, fields)), dataSet(templateId, ...values)], {
    exportTime: Math.floor(START_MS / 1000) + 60,
  });
}

/** The row of a flow record with these fields. */
export function flowRow(cells: readonly Cell[]): FlowRow {
  const [mapped] = mapStream(streamOf(cells)).flows;
  if (mapped === undefined) throw new Error('not a flow');
  return mapped.flow;
}

/** IPv6 address from its 32 hexadecimal digits. */
export const ipv6 = (hex: string): Buffer => Buffer.from(hex, 'hex');

/** NTP time stamp (RFC 7011 section 6.1.9) of seconds since the Unix epoch and a 32-bit fraction. */
export const ntp = (seconds: number, fraction: number): Buffer =>
  octets(u32(seconds + 2_208_988_800), u32(fraction));
