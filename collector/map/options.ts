import { CERT_PEN, type DataRecord, type Template, type Value } from '../ipfix/index.ts';
import { addressOf } from './address.ts';
import type { Mapped, StatisticsRow, TombstoneRow } from './rows.ts';
import { SYSTEM_INIT_TIME } from './time.ts';
import { integer } from './value.ts';

/** Reads the records of one options template. */
export interface OptionsReader {
  readonly read: (record: DataRecord) => Mapped;
  /** Position of systemInitTimeMilliseconds, -1 when absent: softflowd sends it beside its sampling parameters. */
  readonly systemInitTime: number;
}

const OBSERVATION_TIME_SECONDS = 322;
const option: Mapped = { kind: 'option' };

/** Makes the reader of an options template's records: statistics and tombstones have rows, others are only counted. Null for other templates. */
export function optionsReader(template: Template): OptionsReader | null {
  if (!template.isOptions) return null;
  return { read: recordReader(template), systemInitTime: template.indexOf(0, SYSTEM_INIT_TIME) };
}

function recordReader(template: Template): OptionsReader['read'] {
  if (template.has(CERT_PEN, 550)) return record => ({ kind: 'tombstone', value: tombstone(record) });
  // exported octets, messages or flows, dropped packets
  const isStatistics = [40, 41, 42, 135].some(id => template.has(0, id));
  return isStatistics ? record => ({ kind: 'statistics', value: statistics(record) }) : () => option;
}

/** Exporting process statistics (RFC 7011 section 4.2 and 4.3, and YAF's own counters). */
function statistics({ template, values }: DataRecord): StatisticsRow {
  const at = (id: number, pen = 0) => values[template.indexOf(pen, id)];
  const counter = (id: number, pen = 0) => wide(at(id, pen));
  return {
    time: microseconds(at(OBSERVATION_TIME_SECONDS), 1_000_000),
    system_init_time: microseconds(at(SYSTEM_INIT_TIME), 1000),
    exporting_process: wide(at(144)),
    exporter_address: addressOf(at(130)) ?? addressOf(at(131)),
    exported_flows: counter(42),
    packets: counter(86),
    dropped_packets: counter(135),
    ignored_packets: counter(164),
    not_sent_packets: counter(167),
    expired_fragments: counter(100, CERT_PEN),
    assembled_fragments: counter(101, CERT_PEN),
    flow_table_flushes: counter(104, CERT_PEN),
    flow_table_peak: counter(105, CERT_PEN),
    mean_flow_rate: counter(102, CERT_PEN),
    mean_packet_rate: counter(103, CERT_PEN),
  };
}

/** YAF tombstone: its number, and which tools passed it on when. */
function tombstone({ template, values }: DataRecord): TombstoneRow {
  const at = (id: number, pen = 0) => values[template.indexOf(pen, id)];
  const list = at(554, CERT_PEN);
  const records = list !== null && typeof list === 'object' && 'records' in list ? list.records : [];
  return {
    tombstone_id: integer(at(550, CERT_PEN)) ?? 0,
    configured_id: integer(at(551, CERT_PEN)) ?? integer(at(552, CERT_PEN)),
    time: microseconds(at(OBSERVATION_TIME_SECONDS), 1_000_000),
    tools: records.map(record => ({
      tool: integer(record.values[record.template.indexOf(CERT_PEN, 553)]) ?? 0,
      time: new Date(
        (integer(record.values[record.template.indexOf(0, OBSERVATION_TIME_SECONDS)]) ?? 0) * 1000,
      ).toISOString(),
    })),
  };
}

function wide(value: Value | undefined): number | bigint | null {
  return typeof value === 'number' || typeof value === 'bigint' ? value : null;
}

function microseconds(value: Value | undefined, factor: number): number | null {
  return typeof value === 'number' ? value * factor : null;
}
