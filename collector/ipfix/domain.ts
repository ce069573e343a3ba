import type { MessageHeader } from './message.ts';
import type { Template } from './template.ts';
import { isTypeInformation } from './typeInformation.ts';

/** Data set that came before its template. */
export interface HeldSet {
  readonly setId: number;
  /** Its records, without the set header. */
  readonly octets: Buffer;
  readonly header: MessageHeader;
  readonly streamOffset: number;
}

const SEQUENCE_MODULUS = 2 ** 32;

/** What a session knows of one observation domain: templates, sequence numbers, held sets. */
export class Domain {
  readonly observationDomainId: number;
  readonly templates = new Map<number, Template>();
  messages = 0;
  dataRecords = 0;
  /** Jumps ahead of the sequence number, and the data records that they say are missing. */
  sequenceGaps = 0;
  recordsLost = 0;
  /** Sequence numbers that went back: a restarted exporter, or messages out of order. */
  sequenceResets = 0;
  /** Templates that replaced one of the same id without a withdrawal. */
  redefinitions = 0;
  /** Sequence number of the last message. */
  lastSequenceNumber = 0;
  readonly typeInformation: { readonly templateId: number; readonly octets: Buffer }[] = [];
  #nextSequence: number | undefined;
  readonly #describing = new Set<number>();
  #held: HeldSet[] = [];

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
    const ahead = this.#nextSequence === undefined || !this.#isSettled ? 0 : (sequenceNumber - this.#nextSequence + SEQUENCE_MODULUS) % SEQUENCE_MODULUS;
    if (ahead >= SEQUENCE_MODULUS / 2) this.sequenceResets++;
    else if (ahead > 0) {
      this.sequenceGaps++;
      this.recordsLost += ahead;
    }
    this.#nextSequence = sequenceNumber;
  }

  /** @param countsForSequence false for a record of a held set: its message has passed */
  countRecord(templateId: number, countsForSequence: boolean): void {
    this.dataRecords++;
    this.#isSettled ||= !this.#describing.has(templateId);
    if (countsForSequence && this.#nextSequence !== undefined) this.#nextSequence = (this.#nextSequence + 1) % SEQUENCE_MODULUS;
  }

  forgetSequence(): void {
    this.#nextSequence = undefined;
  }

  /** @returns whether the template is new or differs from the one of the same id, which it then replaces */
  define(template: Template): boolean {
    const old = this.templates.get(template.id);
    if (old?.octets.equals(template.octets) && old.scopeCount === template.scopeCount) return false;
    if (old !== undefined) this.redefinitions++;
    this.templates.set(template.id, template);
    if (isTypeInformation(template)) this.#describing.add(template.id);
    else this.#describing.delete(template.id);
    return true;
  }

  /** @returns how many templates went */
  withdraw(templateId: number): number {
    this.#describing.delete(templateId);
    return this.templates.delete(templateId) ? 1 : 0;
  }

  /** @param options withdraw the options templates instead of the others (RFC 7011 section 8.1) */
  withdrawAll(options: boolean): number {
    const ids = [...this.templates.values()].filter(template => template.isOptions === options).map(({ id }) => id);
    for (const id of ids) this.withdraw(id);
    return ids.length;
  }

  /** Whether records of this template describe elements (RFC 5610). */
  describesTypes(templateId: number): boolean {
    return this.#describing.has(templateId);
  }

  keepTypeInformation(templateId: number, octets: Buffer): void {
    this.typeInformation.push({ templateId, octets: Buffer.from(octets) });
  }

  hold(set: HeldSet): void {
    this.#held.push(set);
  }

  /** Takes the held sets of one template, or all. */
  takeHeld(templateId?: number): HeldSet[] {
    const taken = this.#held.filter(({ setId }) => templateId === undefined || setId === templateId);
    if (taken.length > 0) this.#held = this.#held.filter(set => !taken.includes(set));
    return taken;
  }
}
