import { DecodeError, DecodeErrorCode } from './errors.ts';

/** Octets of a message header (RFC 7011 section 3.1). */
export const MESSAGE_HEADER_LENGTH = 16;
const IPFIX_VERSION = 10;

/** Message header (RFC 7011 section 3.1). */
export interface MessageHeader {
  readonly version: number;
  /** Octets of the whole message, header included: 16 to 65535. */
  readonly length: number;
  /** Seconds since the Unix epoch. */
  readonly exportTime: number;
  /** Data records sent in this session and observation domain before this message, modulo 2^32. */
  readonly sequenceNumber: number;
  readonly observationDomainId: number;
}

/**
 * Reads the header of the message at `at`.
 * @param streamOffset where that message begins in the stream or file, for the error
 * @throws DecodeError `version` | `message_length`: the stream cannot be followed from here
 */
export function readMessageHeader(buffer: Buffer, at: number, streamOffset: number): MessageHeader {
  const version = buffer.readUInt16BE(at);
  if (version !== IPFIX_VERSION)
    throw new DecodeError(DecodeErrorCode.version, streamOffset, `version ${version} where an IPFIX message should begin with 10`);
  const length = buffer.readUInt16BE(at + 2);
  if (length < MESSAGE_HEADER_LENGTH)
    throw new DecodeError(DecodeErrorCode.messageLength, streamOffset, `message length ${length} is less than its header of 16`);
  return {
    version,
    length,
    exportTime: buffer.readUInt32BE(at + 4),
    sequenceNumber: buffer.readUInt32BE(at + 8),
    observationDomainId: buffer.readUInt32BE(at + 12),
  };
}

/**
 * Cuts a byte stream into whole messages by the Length field (RFC 7011 section 10.4.2.1), whatever the split of
 * the stream. After a throw the stream cannot be followed any more: close the session.
 */
export class MessageSplitter {
  #tail: Buffer = Buffer.alloc(0);
  #offset = 0;

  /** Octets of the incomplete message that waits for more. */
  get pending(): number {
    return this.#tail.length;
  }

  /** Octets of the stream that were returned as whole messages. */
  get offset(): number {
    return this.#offset;
  }

  /**
   * @returns the messages that `chunk` completes, views on it where possible
   * @throws DecodeError after the whole messages before the bad spot were returned by this or an earlier call;
   * messages of the same chunk are returned first, the error comes with the next call (which may be empty)
   */
  push(chunk: Buffer): Buffer[] {
    const data = this.#tail.length === 0 ? chunk : Buffer.concat([this.#tail, chunk]);
    const messages: Buffer[] = [];
    let at = 0;
    while (data.length - at >= 4) {
      let length: number;
      try {
        length = messageLength(data, at, this.#offset);
      } catch (error) {
        if (messages.length === 0) throw error;
        break;
      }
      if (data.length - at < length) break;
      messages.push(data.subarray(at, at + length));
      at += length;
      this.#offset += length;
    }
    this.#tail = at === data.length ? Buffer.alloc(0) : Buffer.from(data.subarray(at));
    return messages;
  }
}

function messageLength(data: Buffer, at: number, streamOffset: number): number {
  const version = data.readUInt16BE(at);
  const length = data.readUInt16BE(at + 2);
  if (version === IPFIX_VERSION && length >= MESSAGE_HEADER_LENGTH) return length;
  // the header reader words the error; the rest of the header may not have come yet
  const header = Buffer.alloc(MESSAGE_HEADER_LENGTH);
  data.copy(header, 0, at, Math.min(data.length, at + MESSAGE_HEADER_LENGTH));
  return readMessageHeader(header, 0, streamOffset).length;
}
