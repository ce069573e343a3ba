import type { Template } from './template.ts';

const SEQUENCE_MODULUS = 2 ** 32;

/** What a session knows of one observation domain: its templates and sequence numbers. */
export class Domain {
  readonly observationDomainId: number;
  readonly templates = new Map<number, Template>();
  /** Data records (RFC 5610) from which the session learned elements, and the templates they were read with. */
  readonly typeRecords: { readonly template: Template; readonly octets: Buffer }[] = [];
  messages = 0;
  dataRecords = 0;
  /** Jumps ahead of the sequence number, and the data records that they say are missing. */
  sequenceGaps = 0;
  recordsLost = 0;
  /** Sequence numbers that went back: a restarted exporter, or messages out of order. */
  sequenceResets = 0;
  /** Templates that replaced a different one of the same id without a withdrawal (RFC 7011 section 8.1: an error). */
  redefinitions = 0;
  /** Withdrawals of templates that were not there (section 8.1: ignored). */
  strayWithdrawals = 0;
  /** Sequence number of the last message. */
  lastSequenceNumber = 0;
  #nextSequence: number | undefined;
  /** False while the messages may be the head that a journal puts before a segment: their numbers say nothing. */
  #isSettled: boolean;

  constructor(observationDomainId: number, startsMidSession: boolean) {
    this.observationDomainId = observationDomainId;
    this.#isSettled = !startsMidSession;
  }

  /** Sequence number the next message should carry; undefined at the start and after an undecodable set. */
  get nextSequence(): number | undefined {
    return this.#nextSequence;
  }

  /** Checks the sequence number of a message (RFC 7011 section 3.1) against the records counted so far. */
  countMessage(sequenceNumber: number): void {
    this.messages++;
    this.lastSequenceNumber = sequenceNumber;
    const expected = this.#isSettled ? (this.#nextSequence ?? sequenceNumber) : sequenceNumber;
    const ahead = (sequenceNumber - expected + SEQUENCE_MODULUS) % SEQUENCE_MODULUS;
    if (ahead >= SEQUENCE_MODULUS / 2) this.sequenceResets++;
    else if (ahead > 0) {
      this.sequenceGaps++;
      this.recordsLost += ahead;
    }
    this.#nextSequence = sequenceNumber;
  }

  /** Counts a record of the message that was counted last. */
  countRecord(isTypeRecord: boolean): void {
    this.dataRecords++;
    this.#isSettled ||= !isTypeRecord;
    if (this.#nextSequence !== undefined) this.#nextSequence = (this.#nextSequence + 1) % SEQUENCE_MODULUS;
  }

  /** Counts a record of a message that is long past: its set waited for the template. */
  countHeldRecord(): void {
    this.dataRecords++;
  }

  /** A set whose records could not be counted: the next sequence number is taken as it comes. */
  forgetSequence(): void {
    this.#nextSequence = undefined;
  }

  define(template: Template): void {
    if (this.templates.has(template.id)) this.redefinitions++;
    this.templates.set(template.id, template);
  }
}
