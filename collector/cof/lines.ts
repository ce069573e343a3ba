import type { Content } from '../source/content.ts';

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const BYTE_ORDER_MARK = Buffer.from('\ufeff');
/** Longer ones hold nothing that is needed, and would have to fit in memory. */
const LONGEST_LINE = 16 * 1024 * 1024;
/** Octets that are kept of a line that is too long, to show it. */
const SHOWN = 4096;

/** A line of a text file. */
export interface Line {
  /** Without its end (LF or CRLF); valid until the next lines are asked for. */
  readonly octets: Buffer;
  /** Offset in the content of what follows the line. */
  readonly end: number;
  /** It is longer than allowed: `octets` are only its beginning. */
  readonly isTooLong: boolean;
  /** The content ends without a line feed: this may be a part of a line. */
  readonly isUnfinished: boolean;
}

/**
 * Reads the lines of a content from `position` on, where one begins. Memory is bounded whatever comes.
 * @param longest octets of a line that is given whole
 * @yields the lines that the next portion of the content completes
 * @throws SourceError what the content throws, after the last complete line before
 */
export async function* readLines(
  content: Content,
  position = 0,
  longest = LONGEST_LINE,
): AsyncGenerator<readonly Line[], void> {
  const { portion } = content;
  let buffer = Buffer.allocUnsafe(2 * portion);
  for (let left = position; left > 0; ) {
    const count = await content.read(buffer.subarray(0, Math.min(left, portion)), 0);
    if (count === 0) return;
    left -= count;
  }
  /** Offset in the content of the buffer's first octet. */
  let base = position;
  /** Octets of an unfinished line at the beginning of the buffer. */
  let pending = 0;
  /** The beginning of a line that is too long, while its end is looked for. */
  let tooLong: Buffer | undefined;
  for (;;) {
    if (pending + portion > buffer.length) buffer = Buffer.concat([buffer], 2 * (pending + portion));
    const count = await content.read(buffer.subarray(0, pending + portion), pending);
    const filled = buffer.subarray(0, pending + count);
    const lines: Line[] = [];
    let from = 0;
    const take = (to: number, end: number): void => {
      let octets = tooLong ?? filled.subarray(from, to);
      const isTooLong = tooLong !== undefined || octets.length > longest;
      if (isTooLong) octets = octets.subarray(0, SHOWN);
      else if (octets.at(-1) === CARRIAGE_RETURN) octets = octets.subarray(0, -1);
      if (base + from === 0 && octets.subarray(0, 3).equals(BYTE_ORDER_MARK)) octets = octets.subarray(3);
      lines.push({ octets, end: base + end, isTooLong, isUnfinished: to === end });
      tooLong = undefined;
      from = end;
    };
    for (let lineFeed = filled.indexOf(LINE_FEED, pending); lineFeed >= 0; ) {
      take(lineFeed, lineFeed + 1);
      lineFeed = filled.indexOf(LINE_FEED, from);
    }
    if (count === 0 && (pending > 0 || tooLong !== undefined)) take(pending, pending);
    if (lines.length > 0) yield lines;
    if (count === 0) return;
    pending = filled.copy(buffer, 0, from);
    base += from;
    if (pending > longest) {
      tooLong ??= Buffer.from(filled.subarray(0, SHOWN));
      base += pending;
      pending = 0;
    }
  }
}
