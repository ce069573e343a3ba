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
  const left = buffer.length - at;
  if (left < MESSAGE_HEADER_LENGTH)
    throw new DecodeError(
      DecodeErrorCode.messageLength,
      streamOffset,
      `${left} octets where a message header has ${MESSAGE_HEADER_LENGTH}`,
    );
  return {
    version: IPFIX_VERSION,
    length: readMessageLength(buffer, at, streamOffset),
    exportTime: buffer.readUInt32BE(at + 4),
    sequenceNumber: buffer.readUInt32BE(at + 8),
    observationDomainId: buffer.readUInt32BE(at + 12),
  };
}

/** Reads what the first 4 octets of a message say. Errors as `readMessageHeader`. */
function readMessageLength(buffer: Buffer, at: number, streamOffset: number): number {
  const version = buffer.readUInt16BE(at);
  if (version !== IPFIX_VERSION)
    throw new DecodeError(
      DecodeErrorCode.version,
      streamOffset,
      `version ${version} where an IPFIX message should begin with ${IPFIX_VERSION}`,
    );
  const length = buffer.readUInt16BE(at + 2);
  if (length < MESSAGE_HEADER_LENGTH)
    throw new DecodeError(
      DecodeErrorCode.messageLength,
      streamOffset,
      `message length ${length} is less than its header of ${MESSAGE_HEADER_LENGTH}`,
    );
  return length;
}

/** Octets from which the length of a message is known. */
const LENGTH_KNOWN = 4;
const nothing = Buffer.alloc(0);

/**
 * Cuts a byte stream into whole messages by the Length field (RFC 7011 section 3.1), whatever the split of the
 * stream. After a throw the stream cannot be followed any more: close the session.
 */
export class MessageSplitter {
  /** Begin of a message, with room for all of it once its length is known. */
  #tail = nothing;
  #pending = 0;
  #offset = 0;

  /** Octets of the incomplete message that waits for more. */
  get pending(): number {
    return this.#pending;
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
    const messages: Buffer[] = [];
    let at = 0;
    if (this.#pending > 0) {
      at += this.#keep(chunk, at, LENGTH_KNOWN);
      if (this.#pending < LENGTH_KNOWN) return messages;
      const length = readMessageLength(this.#tail, 0, this.#offset);
      at += this.#keep(chunk, at, length);
      if (this.#pending < length) return messages;
      messages.push(this.#tail);
      this.#offset += length;
    }
    at = this.#cut(chunk, at, messages);
    this.#tail = nothing;
    this.#pending = 0;
    this.#keep(chunk, at, chunk.length - at);
    return messages;
  }

  /** Cuts whole messages off `chunk`. @returns where the first that is not whole, or not a message, begins */
  #cut(chunk: Buffer, start: number, messages: Buffer[]): number {
    let at = start;
    while (chunk.length - at >= LENGTH_KNOWN) {
      let length: number;
      try {
        length = readMessageLength(chunk, at, this.#offset);
      } catch (error) {
        if (messages.length === 0) throw error;
        return at;
      }
      if (chunk.length - at < length) return at;
      messages.push(chunk.subarray(at, at + length));
      at += length;
      this.#offset += length;
    }
    return at;
  }

  /** Copies from `chunk` until the tail has `size` octets. @returns how many it took */
  #keep(chunk: Buffer, at: number, size: number): number {
    if (this.#tail.length < size) {
      const larger = Buffer.allocUnsafeSlow(size);
      this.#tail.copy(larger, 0, 0, this.#pending);
      this.#tail = larger;
    }
    const taken = Math.max(0, Math.min(size - this.#pending, chunk.length - at));
    chunk.copy(this.#tail, this.#pending, at, at + taken);
    this.#pending += taken;
    return taken;
  }
}
