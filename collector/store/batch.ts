import type { MappedFlow, StatisticsRow, TombstoneRow } from '../map/rows.ts';
import { CopyBuffer } from './copyBuffer.ts';
import type { Groups } from './groups.ts';
import { writeFlow, writeRr } from './tables.ts';

/** Of the years 1 to 9999, in hours since the Unix epoch. */
const FIRST_HOUR = -17_259_888;
const HOUR_OF_10000 = 70_389_528;
const HOUR_US = 3_600_000_000;

/** Counters of `ipfix_file` that a batch adds to. */
export interface Counts {
  messages: number;
  data_records: number;
  flows: number;
  flow_packets: number;
  option_records: number;
  other_records: number;
  rrs_received: number;
  rrs: number;
  payload_rrs: number;
  fillers: number;
  quarantined: number;
}

/** State of one observation domain at the end of a batch: row of `ledger`. */
export interface DomainState {
  readonly observationDomainId: number;
  readonly exporterId: number;
  readonly messages: number;
  readonly dataRecords: number;
  readonly nextSequence: number | null;
  readonly sequenceGaps: number;
  readonly recordsLost: number;
  readonly sequenceResets: number;
}

/** Row of `quarantine`. */
export interface QuarantineRow {
  readonly offset: number;
  readonly length: number;
  readonly observationDomainId: number | null;
  readonly setId: number | null;
  readonly reason: string;
  readonly detail: string;
  readonly octets: Buffer | null;
}

interface OptionRow<Row> {
  readonly offset: number;
  readonly exporterId: number;
  readonly row: Row;
}

/** Rows of consecutive messages of one file, encoded for COPY, with all that is committed along with them. */
export class Batch {
  readonly counts: Counts = {
    messages: 0,
    data_records: 0,
    flows: 0,
    flow_packets: 0,
    option_records: 0,
    other_records: 0,
    rrs_received: 0,
    rrs: 0,
    payload_rrs: 0,
    fillers: 0,
    quarantined: 0,
  };
  readonly notes = new Map<string, number>();
  readonly statistics: OptionRow<StatisticsRow>[] = [];
  readonly tombstones: OptionRow<TombstoneRow>[] = [];
  readonly quarantine: QuarantineRow[] = [];
  /** UTC days of the rows, in days since the Unix epoch. */
  readonly days = new Set<number>();
  /** Hours of the rows, in hours since the Unix epoch; not those of impossible clocks. */
  readonly hours = new Set<number>();
  /** Positions in the file: rows of octets [from, to). */
  readonly from: number;
  to: number;
  /** Where its first message begins; octets before it are no message. */
  firstMessage: number | null = null;
  firstExportTime: number | null = null;
  lastExportTime: number | null = null;
  domains: readonly DomainState[] = [];
  /** Of the last batch of a file: how loading ended; committed with it, so that no end is reached twice. */
  outcome: { readonly status: 'loaded' | 'partial' | 'failed'; readonly error: string | null } | undefined;
  /** All observations since the last batch that had any, up to `to`. */
  groups: Groups | undefined;
  #flows: CopyBuffer | undefined;
  #packets: CopyBuffer | undefined;
  #rrs: CopyBuffer | undefined;
  #lastHour = Number.NaN;

  constructor(from: number) {
    this.from = from;
    this.to = from;
  }

  get flows(): CopyBuffer | undefined {
    return this.#flows;
  }

  get packets(): CopyBuffer | undefined {
    return this.#packets;
  }

  get rrs(): CopyBuffer | undefined {
    return this.#rrs;
  }

  /** Octets held. */
  get length(): number {
    return (this.#flows?.length ?? 0) + (this.#packets?.length ?? 0) + (this.#rrs?.length ?? 0);
  }

  /** Whether committing it would change anything. */
  get isEmpty(): boolean {
    return this.to === this.from && this.groups === undefined;
  }

  addFlow(mapped: MappedFlow, fileId: number, ordinal: number, exporterId: number): void {
    const { flow, rrs, client, resolver } = mapped;
    const id = { fileId, ordinal };
    const hour = Math.floor(flow.start_time / HOUR_US);
    if (hour !== this.#lastHour) {
      if (hour >= FIRST_HOUR && hour < HOUR_OF_10000) this.hours.add(hour);
      this.days.add(Math.floor(hour / 24));
      this.#lastHour = hour;
    }
    if (mapped.isPacketRecord) {
      this.#packets ??= new CopyBuffer();
      writeFlow(this.#packets, flow, id, exporterId);
      this.counts.flow_packets++;
    } else {
      this.#flows ??= new CopyBuffer();
      writeFlow(this.#flows, flow, id, exporterId);
      this.counts.flows++;
    }
    if (rrs.length === 0) return;
    this.#rrs ??= new CopyBuffer();
    const context = { time: flow.start_time, exporterId, client, resolver };
    let received = 0;
    for (const row of rrs) {
      writeRr(this.#rrs, row, id, context);
      if (row.origin === 0) received++;
    }
    this.counts.rrs_received += received;
    this.counts.rrs += received;
    this.counts.payload_rrs += rrs.length - received;
  }

  /** Gives the memory of the rows to later batches: the database has them. */
  recycle(): void {
    for (const rows of [this.#flows, this.#packets, this.#rrs]) rows?.recycle();
    this.groups?.recycle();
  }

  note(name: string, by: number): void {
    this.notes.set(name, (this.notes.get(name) ?? 0) + by);
  }

  sawExportTime(seconds: number): void {
    this.firstExportTime ??= seconds;
    this.lastExportTime = Math.max(this.lastExportTime ?? seconds, seconds);
  }
}
