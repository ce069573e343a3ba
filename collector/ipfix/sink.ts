import type { DecodeErrorCode } from './errors.ts';
import type { MessageHeader } from './message.ts';
import type { DataRecord } from './template.ts';

/** Octets that could not be decoded, and why. */
export interface Undecodable {
  readonly code: DecodeErrorCode;
  readonly message: string;
  /** Where the octets begin in the stream or file. */
  readonly offset: number;
  /** A view on the message: copy what outlives the call. */
  readonly octets: Buffer;
  readonly observationDomainId: number;
  readonly setId: number;
}

/** Receives what a session decodes, in the order of the stream; data sets that waited for a template come after it. */
export interface Sink {
  /**
   * One data record. It holds views on the message: copy what outlives the call.
   * @param streamOffset where the record's message begins
   */
  dataRecord(record: DataRecord, header: MessageHeader, streamOffset: number): void;
  undecodable(problem: Undecodable): void;
}

/** Wants nothing of it. */
export const silent: Sink = { dataRecord: () => {}, undecodable: () => {} };
