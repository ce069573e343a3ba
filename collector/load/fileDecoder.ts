import { type DataRecord, type MessageHeader, Session, type Sink, type Undecodable } from '../ipfix/index.ts';
import { Mapper } from '../map/mapper.ts';
import type { NoteName } from '../map/rows.ts';
import { Batch, type DomainState } from '../store/batch.ts';
import { Groups } from '../store/groups.ts';
import { isSaneDay } from '../store/partitions.ts';
import type { LedgerEntry } from './ledger.ts';

/** Quarantined octets kept of one finding, and findings kept of one reason in one file; the counts are always complete. */
const OCTETS_KEPT = 65536;
const FINDINGS_KEPT = 100;
const DAY_US = 86_400_000_000;
/** flow_id has 32 bits for the number of the record in its file. */
const MOST_RECORDS = 2 ** 32;

/** Something wrong in a file, for its report. */
export interface Finding {
  readonly reason: string;
  readonly detail: string;
}

/**
 * Decodes the messages of one file into batches. Messages whose rows are committed already are decoded too, because they
 * hold the templates and give every record its number, but bring no rows.
 */
export class FileDecoder {
  batch: Batch;
  /** First thing that was wrong, and how many things were. */
  firstFinding: Finding | undefined;
  findings = 0;
  messages = 0;
  readonly #session: Session;
  readonly #fileId: number;
  readonly #exporterIds = new Map<number, number>();
  readonly #kept = new Map<string, number>();
  readonly #committed: number;
  readonly #grouped: number;
  #groups = Groups.take();
  readonly #rejected: ReadonlyMap<number, string>;
  readonly #mapper: Mapper;
  readonly #sink: Sink;
  #ordinal = 0;
  #nowMs = 0;
  #isCommitted = false;
  #isGrouped = false;
  #isRejected = false;

  /**
   * @param committed octets whose rows are in the database
   * @param grouped octets whose observations are in the deduplicated tiers too
   * @param rejected messages (by offset) that the database refused, and why: they are put in quarantine
   * @param startsMidSession the file goes on where another of the same session ended
   */
  constructor(
    fileId: number,
    { position: committed, groupedPosition: grouped }: Pick<LedgerEntry, 'position' | 'groupedPosition'>,
    rejected: ReadonlyMap<number, string>,
    startsMidSession: boolean,
  ) {
    this.#session = new Session({}, startsMidSession);
    this.#fileId = fileId;
    this.#committed = committed;
    this.#grouped = grouped;
    this.#rejected = rejected;
    this.batch = new Batch(committed);
    this.#mapper = new Mapper({ count: (name: NoteName, by = 1) => this.#note(name, by) });
    this.#sink = {
      dataRecord: (record, header, offset) => this.#store(record, header, offset),
      undecodable: problem => this.#quarantine(problem),
    };
  }

  /** Whether rows of this observation domain can be written: their exporter is known. */
  knowsExporter(observationDomainId: number): boolean {
    return this.#exporterIds.has(observationDomainId);
  }

  /** Observation domains seen; a file of damaged headers could have any number. */
  get exporterCount(): number {
    return this.#exporterIds.size;
  }

  setExporter(observationDomainId: number, exporterId: number): void {
    this.#exporterIds.set(observationDomainId, exporterId);
  }

  /** Decodes one whole message at `offset` of the file into the batch. */
  decode(message: Buffer, offset: number): void {
    const end = offset + message.length;
    this.#isCommitted = end <= this.#committed;
    this.#isGrouped = end <= this.#grouped;
    const rejection = this.#rejected.get(offset);
    this.#isRejected = rejection !== undefined;
    this.messages++;
    this.#nowMs = Date.now();
    const header = this.#session.decodeMessage(message, offset, this.#sink);
    if (rejection !== undefined)
      this.#find({
        reason: 'store_rejected',
        detail: rejection,
        offset,
        length: message.length,
        octets: message,
        setId: null,
        observationDomainId: header.observationDomainId,
      });
    if (this.#isCommitted) return;
    this.batch.counts.messages++;
    this.batch.firstMessage ??= offset;
    this.batch.sawExportTime(header.exportTime);
    this.batch.to = end;
  }

  /** Takes octets that are no message. */
  skip(offset: number, length: number, reason: string, detail: string, octets: Buffer): void {
    this.#isCommitted = offset + length <= this.#committed && length > 0;
    this.#find({ reason, detail, offset, length, octets, observationDomainId: null, setId: null });
    if (!this.#isCommitted) this.batch.to = Math.max(this.batch.to, offset + length);
  }

  /** Ends the session: what waits for a template that never came goes to quarantine. */
  finish(): void {
    this.#isCommitted = false;
    this.#session.finish(this.#sink);
    for (const { redefinitions, strayWithdrawals } of this.#session.domains.values()) {
      if (redefinitions > 0) this.#note('template_redefined', redefinitions);
      if (strayWithdrawals > 0) this.#note('stray_withdrawal', strayWithdrawals);
    }
  }

  /** Observations that no batch has taken yet. */
  get groups(): Groups {
    return this.#groups;
  }

  /**
   * The batch so far, with the state of the domains; goes on with a new one.
   * @param withGroups it takes the observations too, those of earlier batches that did not included
   */
  takeBatch(withGroups: boolean): Batch {
    const { batch } = this;
    batch.domains = this.#domainStates();
    if (withGroups) {
      batch.groups = this.#groups;
      this.#groups = Groups.take();
    }
    this.batch = new Batch(batch.to);
    return batch;
  }

  #store(record: DataRecord, header: MessageHeader, offset: number): void {
    const ordinal = this.#ordinal++;
    if (ordinal >= MOST_RECORDS)
      throw new RangeError(`more than ${MOST_RECORDS} data records in one file: split it`);
    if (this.#isCommitted) {
      this.#remember(record, header);
      return;
    }
    const { batch } = this;
    const { counts } = batch;
    counts.data_records++;
    if (this.#isRejected) {
      counts.quarantined++;
      return;
    }
    const exporterId = this.#exporterIds.get(header.observationDomainId);
    if (exporterId === undefined)
      throw new Error(`no exporter for observation domain ${header.observationDomainId}`);
    const mapped = this.#mapper.map(record, header);
    switch (mapped.kind) {
      case 'flow':
        if (!isSaneDay(Math.floor(mapped.value.flow.start_time / DAY_US), this.#nowMs))
          this.#note('clock_out_of_range', 1);
        batch.addFlow(mapped.value, this.#fileId, ordinal, exporterId);
        this.#groups.add(mapped.value);
        break;
      case 'statistics':
        counts.option_records++;
        batch.statistics.push({ offset, exporterId, row: mapped.value });
        break;
      case 'tombstone':
        counts.option_records++;
        batch.tombstones.push({ offset, exporterId, row: mapped.value });
        break;
      case 'option':
        counts.option_records++;
        break;
      case 'other': {
        counts.other_records++;
        const detail = `template ${record.template.id} has no source and destination address: ${record.template.fields.map(f => f.element.name).join(', ')}`;
        this.#note('not_a_flow', 1);
        this.#keep('not_a_flow', detail, offset, 0, null, header.observationDomainId, record.template.id);
      }
    }
  }

  /** What a record whose rows are committed still means: when its exporter was started, observations not grouped yet. */
  #remember(record: DataRecord, header: MessageHeader): void {
    if (this.#isGrouped && !record.template.isOptions) return;
    const mapped = this.#mapper.map(record, header);
    if (mapped.kind === 'flow' && !this.#isGrouped && !this.#isRejected) this.#groups.add(mapped.value);
  }

  #quarantine({ code, message, offset, octets, observationDomainId, setId }: Undecodable): void {
    this.#find({
      reason: code,
      detail: message,
      offset,
      length: octets.length,
      octets,
      observationDomainId,
      setId,
    });
  }

  #find(found: {
    reason: string;
    detail: string;
    offset: number;
    length: number;
    octets: Buffer;
    observationDomainId: number | null;
    setId: number | null;
  }): void {
    const { reason, detail, offset, length, octets, observationDomainId, setId } = found;
    this.firstFinding ??= { reason, detail };
    this.findings++;
    this.#note(reason, 1);
    this.#keep(reason, detail, offset, length, octets, observationDomainId, setId);
  }

  #keep(
    reason: string,
    detail: string,
    offset: number,
    length: number,
    octets: Buffer | null,
    observationDomainId: number | null,
    setId: number | null,
  ): void {
    const kept = this.#kept.get(reason) ?? 0;
    this.#kept.set(reason, kept + 1);
    if (this.#isCommitted || kept >= FINDINGS_KEPT) return;
    const copy = octets === null ? null : Buffer.from(octets.subarray(0, OCTETS_KEPT));
    // PostgreSQL's text cannot hold NUL, and names of unknown elements are the only foreign text in here
    this.batch.quarantine.push({
      offset,
      length,
      observationDomainId,
      setId,
      reason,
      detail: detail.replaceAll('\0', ''),
      octets: copy,
    });
  }

  #note(name: string, by: number): void {
    if (this.#isCommitted) return;
    this.batch.note(name, by);
    if (name !== 'filler_rr') return;
    this.batch.counts.fillers += by;
    this.batch.counts.rrs_received += by;
  }

  #domainStates(): DomainState[] {
    return [...this.#session.domains.values()].flatMap(domain => {
      const exporterId = this.#exporterIds.get(domain.observationDomainId);
      if (exporterId === undefined) return [];
      return [
        {
          observationDomainId: domain.observationDomainId,
          exporterId,
          messages: domain.messages,
          dataRecords: domain.dataRecords,
          nextSequence: domain.nextSequence ?? null,
          sequenceGaps: domain.sequenceGaps,
          recordsLost: domain.recordsLost,
          sequenceResets: domain.sequenceResets,
        },
      ];
    });
  }
}
