import { type Content, type Follow, openContent, SourceError } from './content.ts';

/** Path of a file of IPFIX messages, one after the other (RFC 5655 section 4), plain or gzip. */
export type ByteSource = string;

export interface ReadOptions {
  /** Octets read at once, default 1 MiB or what a smaller file has; also what one block pins in memory. */
  readonly chunkBytes?: number;
  /** For a file that is still being written: wait at its end instead of calling its last message truncated. */
  readonly follow?: Follow;
}

/**
 * `buffer[start, end)` holds whole messages, back to back and at least one. The octets are never written again: views
 * may be kept, but each pins the buffer it came from (`chunkBytes`).
 */
export interface MessageRun {
  readonly buffer: Buffer;
  readonly start: number;
  readonly end: number;
  /** Where `buffer[start]` stands in the uncompressed stream. */
  readonly streamOffset: number;
  readonly bad?: undefined;
}

/** Octets that are not whole messages. */
export interface BadRegion {
  /**
   * `version`, `message_length`: no message header here; the next one, if any, begins after the region. `truncated`: the
   * stream ends inside a message. `gzip`: what follows could not be inflated.
   */
  readonly code: 'version' | 'message_length' | 'truncated' | 'gzip';
  /** Where it begins in the uncompressed stream. */
  readonly offset: number;
  /** Octets of the region; 0 for compressed data that breaks exactly between two messages. */
  readonly length: number;
  readonly message: string;
  /** Its octets, cut at 64 KiB. */
  readonly bytes: Buffer;
}

export type MessageBlock = MessageRun | { readonly bad: BadRegion };

const HEADER_LENGTH = 16;
const SET_HEADER_LENGTH = 4;
const VERSION = 10;
const BYTES_KEPT = 64 * 1024;
/** Neighbouring messages are exported within this many seconds of each other; else what looks like one is chance. */
const EXPORT_TIME_SPAN = 366 * 86_400;

/** What is in memory of the stream: `buffer[begin, end)` is not dealt with yet. */
interface Window {
  buffer: Buffer;
  begin: number;
  end: number;
  /** Where `buffer[0]` stands in the stream. */
  offset: number;
  /** No octets come after `end`. */
  final: boolean;
  /** Somebody waits for the latest message, so none is held back until its successor shows. */
  readonly live: boolean;
  /** Export time of the last message given out. */
  exportTime: number | undefined;
}

interface Trouble {
  readonly code: BadRegion['code'];
  readonly message: string;
}

/** A bad region that has begun; `kept` is the copy of its first octets. */
interface OpenRegion extends Trouble {
  readonly offset: number;
  length: number;
  kept: Buffer;
}

/**
 * Reads a file as blocks of whole IPFIX messages (RFC 7011 section 3.1), and of what is not one; together they cover it
 * without a gap. After bad framing it scans for the next message that its neighbours vouch for. A message whose length
 * field swallows those behind it is found out the same way. Messages are not looked into otherwise.
 * Memory: two chunks and 128 KiB, whatever the file; for gzip also what 16 KiB inflate to, 16 MiB at most.
 * @throws SourceError the path cannot be read (damaged gzip data is a bad region, not an error)
 */
export async function* readMessages(
  source: ByteSource,
  options: ReadOptions = {},
): AsyncGenerator<MessageBlock, void> {
  const content = await openContent(source, options.follow);
  try {
    yield* cutMessages(content, options.chunkBytes ?? content.portion, options.follow !== undefined);
  } finally {
    await content.close();
  }
}

async function* cutMessages(
  content: Content,
  chunkBytes: number,
  live: boolean,
): AsyncGenerator<MessageBlock, void> {
  const buffer = Buffer.allocUnsafe(chunkBytes);
  const window: Window = { buffer, begin: 0, end: 0, offset: 0, final: false, live, exportTime: undefined };
  let handedOut = false;
  let region: OpenRegion | undefined;
  let gzipError: SourceError | undefined;
  for (;;) {
    if (!region) {
      const { end, last, trouble } = walk(window);
      if (end > window.begin) {
        const { buffer, begin: start, offset } = window;
        window.begin = end;
        window.exportTime = buffer.readUInt32BE(last + 4);
        handedOut = true;
        yield { buffer, start, end, streamOffset: offset + start };
      }
      if (trouble)
        region = { ...trouble, offset: window.offset + window.begin, length: 0, kept: Buffer.alloc(0) };
    }
    if (region) {
      const { at, decided } = findMessage(window, region.length === 0 ? window.begin + 1 : window.begin);
      extend(region, window.buffer.subarray(window.begin, at));
      window.begin = at;
      if (decided) {
        const bad = closeRegion(region, window.final && at === window.end, gzipError);
        if (bad.code === 'gzip') gzipError = undefined;
        region = undefined;
        yield { bad };
        continue;
      }
    }
    if (window.final) break;
    if (window.end === window.buffer.length) handedOut = makeRoom(window, chunkBytes, handedOut);
    try {
      const count = await content.read(window.buffer, window.end);
      window.end += count;
      window.final = count === 0;
    } catch (error) {
      if (!(error instanceof SourceError) || error.code !== 'GZIP') throw error;
      gzipError = error;
      window.final = true;
    }
  }
  if (gzipError) {
    const offset = window.offset + window.end;
    yield { bad: { code: 'gzip', offset, length: 0, message: gzipError.message, bytes: Buffer.alloc(0) } };
  }
}

/** Moves what is left to the front, in a new buffer when views of this one may be about. Returns whether they may be. */
function makeRoom(window: Window, chunkBytes: number, handedOut: boolean): false {
  const { buffer, begin, end } = window;
  const left = end - begin;
  if (handedOut || buffer.length < left + chunkBytes) window.buffer = Buffer.allocUnsafe(left + chunkBytes);
  buffer.copy(window.buffer, 0, begin, end);
  window.offset += begin;
  window.begin = 0;
  window.end = left;
  return false;
}

/** Steps from header to header. `end` is behind the last whole message, `last` where that message begins. */
function walk(window: Window): { end: number; last: number; trouble?: Trouble } {
  const { buffer, begin, end } = window;
  // A message is held back until its successor's header has been seen: only that vouches for its length.
  const ahead = window.final || window.live ? 0 : HEADER_LENGTH;
  let at = begin;
  let last = begin;
  let beforeLast = begin;
  while (at + HEADER_LENGTH <= end && buffer.readUInt16BE(at) === VERSION) {
    const length = buffer.readUInt16BE(at + 2);
    if (length < HEADER_LENGTH || at + length + ahead > end) break;
    beforeLast = last;
    last = at;
    at += length;
  }
  const trouble = troubleAt(window, at);
  if (!trouble) return { end: at, last };
  const swallowed = at > begin ? swallowsMessage(window, last, at) : 'no';
  if (swallowed === 'no') return { end: at, last, trouble };
  if (swallowed === 'unknown') return { end: last, last: beforeLast };
  const message = `${describe(window, last)}: that is too long, other messages begin inside`;
  return { end: last, last: beforeLast, trouble: { code: 'message_length', message } };
}

/** What keeps the octets at `at` from being a message; undefined when nothing does, or more octets have to come first. */
function troubleAt(window: Window, at: number): Trouble | undefined {
  const { buffer, end, final } = window;
  const whole = at + HEADER_LENGTH <= end;
  if (whole || (final && at + 2 <= end)) {
    const version = buffer.readUInt16BE(at);
    if (version !== VERSION) {
      const message = `octet ${window.offset + at}: version ${version}, where an IPFIX message begins with 10`;
      return { code: 'version', message };
    }
  }
  const tooShort = whole && buffer.readUInt16BE(at + 2) < HEADER_LENGTH;
  if (tooShort) return { code: 'message_length', message: describe(window, at) };
  return final && at < end ? { code: 'truncated', message: describe(window, at) } : undefined;
}

function describe(window: Window, at: number): string {
  const { buffer, end } = window;
  const place = `octet ${window.offset + at}`;
  if (at + HEADER_LENGTH > end) return `${place}: ${end - at} octets, less than a message header`;
  const length = buffer.readUInt16BE(at + 2);
  if (length < HEADER_LENGTH) return `${place}: message length ${length}, less than its header of 16`;
  return `${place}: message of ${length} octets`;
}

type Verdict = 'yes' | 'no' | 'unknown';

/** Whether the sets of the message in `[at, stop)` do not fill it and another message begins among them. */
function swallowsMessage(window: Window, at: number, stop: number): Verdict {
  if (setsFill(window.buffer, at, stop)) return 'no';
  const found = findMessage(window, at + 1);
  if (found.at >= stop) return 'no';
  return found.decided ? 'yes' : 'unknown';
}

/**
 * The first place at or after `from` where a message seems to begin. Not `decided`: more octets are needed to tell, and
 * nothing before `at` can be one. Decided at the window's end: there is none in the rest of the stream.
 */
function findMessage(window: Window, from: number): { at: number; decided: boolean } {
  const octets = window.buffer.subarray(0, window.end);
  for (let at = indexOfVersion(octets, from); at >= 0; at = indexOfVersion(octets, at + 1)) {
    const verdict = isMessage(window, at);
    if (verdict !== 'no') return { at, decided: verdict === 'yes' };
  }
  if (window.final) return { at: window.end, decided: true };
  const splitVersion = window.end > from && octets[window.end - 1] === 0;
  return { at: splitVersion ? window.end - 1 : window.end, decided: false };
}

/**
 * Index of the octets 00 0a at or after `from`, else -1. Leaps from 0a to 00 to 0a by single octets: in a region of
 * zeros `indexOf('\0\n')` does 186 MB/s, this runs at the speed of memory; it also holds where every octet is 0a.
 */
function indexOfVersion(octets: Buffer, from: number): number {
  let at = octets.indexOf(VERSION, from + 1);
  while (at > 0 && octets[at - 1] !== 0) {
    const zero = octets.indexOf(0, at + 1);
    at = zero < 0 ? -1 : octets.indexOf(VERSION, zero + 1);
  }
  return at < 0 ? -1 : at - 1;
}

/**
 * Whether a message begins at `at`, where the version is right. Its sets must fit, and a neighbour vouch for it: either
 * a header near in export time, or the end of the stream, follows it; or its sets fill it exactly and the message before
 * is near in export time.
 */
function isMessage(window: Window, at: number): Verdict {
  const { buffer, end, final } = window;
  const beyond: Verdict = final ? 'no' : 'unknown';
  if (at + HEADER_LENGTH > end) return beyond;
  const length = buffer.readUInt16BE(at + 2);
  const exportTime = buffer.readUInt32BE(at + 4);
  const stop = at + length;
  if (length < HEADER_LENGTH || (length > HEADER_LENGTH && length < HEADER_LENGTH + SET_HEADER_LENGTH))
    return 'no';
  if (length > HEADER_LENGTH) {
    if (at + HEADER_LENGTH + SET_HEADER_LENGTH > end) return beyond;
    if (setEnd(buffer, at + HEADER_LENGTH, stop) < 0) return 'no';
  }
  if (stop > end) return beyond;
  const fills = setsFill(buffer, at, stop);
  if (fills && window.exportTime !== undefined && near(exportTime, window.exportTime)) return 'yes';
  if (stop === end && final) return 'yes';
  if (stop + HEADER_LENGTH > end) return final && fills ? 'yes' : beyond;
  const follows = buffer.readUInt16BE(stop) === VERSION && buffer.readUInt16BE(stop + 2) >= HEADER_LENGTH;
  return follows && near(exportTime, buffer.readUInt32BE(stop + 4)) ? 'yes' : 'no';
}

function near(exportTime: number, other: number): boolean {
  return Math.abs(exportTime - other) <= EXPORT_TIME_SPAN;
}

/** Whether the sets (RFC 7011 section 3.3) of the message in `[at, stop)` end exactly where it ends. */
function setsFill(buffer: Buffer, at: number, stop: number): boolean {
  let set = at + HEADER_LENGTH;
  while (set >= 0 && set < stop) set = setEnd(buffer, set, stop);
  return set === stop;
}

/** Where the set at `at` ends; -1 when it has no valid set id (section 3.3.2) or does not fit before `stop`. */
function setEnd(buffer: Buffer, at: number, stop: number): number {
  if (at + SET_HEADER_LENGTH > stop) return -1;
  const id = buffer.readUInt16BE(at);
  const length = buffer.readUInt16BE(at + 2);
  const valid = (id === 2 || id === 3 || id >= 256) && length >= SET_HEADER_LENGTH && at + length <= stop;
  return valid ? at + length : -1;
}

/** Adds octets to the region; the copy lets go of the buffer they are in. */
function extend(region: OpenRegion, octets: Buffer): void {
  region.length += octets.length;
  const room = BYTES_KEPT - region.kept.length;
  if (room > 0) region.kept = Buffer.concat([region.kept, octets.subarray(0, room)]);
}

function closeRegion(region: OpenRegion, atEnd: boolean, gzipError: SourceError | undefined): BadRegion {
  const { offset, length, kept: bytes } = region;
  if (atEnd && gzipError && region.code === 'truncated')
    return { code: 'gzip', offset, length, message: gzipError.message, bytes };
  // A length beyond the end of the stream was wrong, not cut short, when messages still follow.
  const code = region.code === 'truncated' && !atEnd ? 'message_length' : region.code;
  const next = atEnd ? 'the stream ends' : 'a message begins';
  return { code, offset, length, message: `${region.message}; ${next} ${length} octets further on`, bytes };
}
