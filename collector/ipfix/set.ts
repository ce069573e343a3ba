import { DecodeErrorCode } from './errors.ts';
import { MESSAGE_HEADER_LENGTH, type MessageHeader } from './message.ts';

/** Set ids (RFC 7011 section 3.3.2). */
export const SetId = { template: 2, optionsTemplate: 3, firstData: 256 } as const;
const SET_HEADER_LENGTH = 4;

/** One set of a message (RFC 7011 section 3.3). */
export interface MessageSet {
  readonly id: number;
  readonly buffer: Buffer;
  /** Its records and padding are the octets [start, end) of `buffer`. */
  readonly start: number;
  readonly end: number;
  /** Where `buffer` begins in the stream or file. */
  readonly bufferOffset: number;
  /** Why its records cannot be read; then they begin with what should be the set header. */
  readonly problem?: { readonly code: DecodeErrorCode; readonly message: string };
}

/** Cuts a message into its sets. Behind a length that cannot be true nothing is found any more. */
export function readSets(buffer: Buffer, header: MessageHeader, bufferOffset: number): MessageSet[] {
  const sets: MessageSet[] = [];
  for (let at = MESSAGE_HEADER_LENGTH; at < header.length; ) {
    const left = header.length - at;
    const id = left < SET_HEADER_LENGTH ? 0 : buffer.readUInt16BE(at);
    const length = left < SET_HEADER_LENGTH ? 0 : buffer.readUInt16BE(at + 2);
    if (length < SET_HEADER_LENGTH || length > left) {
      const message =
        left < SET_HEADER_LENGTH
          ? `${left} octets at the end of a message, too few for a set`
          : `set ${id} says ${length} octets where ${left} are left in its message`;
      const problem = { code: DecodeErrorCode.setLength, message };
      sets.push({ id, buffer, start: at, end: header.length, bufferOffset, problem });
      return sets;
    }
    const end = at + length;
    if (id < SetId.template || (id > SetId.optionsTemplate && id < SetId.firstData)) {
      const problem = { code: DecodeErrorCode.setId, message: `set id ${id} is not assigned` };
      sets.push({ id, buffer, start: at, end, bufferOffset, problem });
    } else sets.push({ id, buffer, start: at + SET_HEADER_LENGTH, end, bufferOffset });
    at = end;
  }
  return sets;
}

/** Header and records of a set as octets. */
export function writeSet(id: number, records: Buffer): Buffer {
  const header = Buffer.alloc(SET_HEADER_LENGTH);
  header.writeUInt16BE(id, 0);
  header.writeUInt16BE(SET_HEADER_LENGTH + records.length, 2);
  return Buffer.concat([header, records]);
}
