import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readLines } from '../../../collector/cof/lines.ts';
import { contentOf } from './content.ts';

interface Seen {
  readonly text: string;
  readonly end: number;
  readonly isTooLong: boolean;
  readonly isUnfinished: boolean;
}

async function linesOf(octets: Buffer, sizes?: readonly number[], position = 0, longest = 1000) {
  const seen: Seen[] = [];
  for await (const lines of readLines(contentOf(octets, sizes), position, longest))
    for (const { octets: text, ...line } of lines) seen.push({ text: text.toString('latin1'), ...line });
  return seen;
}

const texts = async (text: string) => (await linesOf(Buffer.from(text))).map(line => line.text);
const octets = fc
  .array(fc.constantFrom(0x0a, 0x0d, 0x61, 0x62, 0xff), { maxLength: 300 })
  .map(values => Buffer.from(values));

describe('readLines', () => {
  it('ends lines at LF and CRLF, and takes the last one without either', async () => {
    expect(await texts('a\nb\r\n\r\n\nc')).toEqual(['a', 'b', '', '', 'c']);
    expect(await texts('')).toEqual([]);
    expect(await texts('a\n')).toEqual(['a']);
  });

  it('leaves out a byte order mark at the beginning, and only there', async () => {
    expect(await texts('\ufeffa\n\ufeffb\n')).toEqual(['a', Buffer.from('\ufeffb').toString('latin1')]);
  });

  it('says that the last line has no end', async () => {
    const lines = await linesOf(Buffer.from('a\nb'));
    expect(lines.map(line => line.isUnfinished)).toEqual([false, true]);
    expect(lines.map(line => line.end)).toEqual([2, 3]);
  });

  it('gives the same lines however the content comes', async () => {
    await fc.assert(
      fc.asyncProperty(
        octets,
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
        async (content, sizes) => {
          const expected = content.toString('latin1').split('\n');
          const last = expected.pop() ?? '';
          const lines = await linesOf(content, sizes);
          const finished = lines.filter(line => !line.isUnfinished);
          expect(finished.map(line => line.text)).toEqual(expected.map(text => text.replace(/\r$/, '')));
          expect(lines.slice(finished.length).map(line => line.text)).toEqual(
            last === '' ? [] : [last.replace(/\r$/, '')],
          );
          expect(lines.at(-1)?.end ?? 0).toBe(content.length);
        },
      ),
    );
  });

  it('goes on at the end of any line as if it had read from the beginning', async () => {
    await fc.assert(
      fc.asyncProperty(octets, fc.integer({ min: 1, max: 40 }), async (content, size) => {
        const lines = await linesOf(content, [size]);
        for (const [i, { end }] of lines.entries())
          expect(await linesOf(content, [size], end)).toEqual(lines.slice(i + 1));
      }),
      { numRuns: 30 },
    );
  });

  it('gives only the beginning of a line that is too long, and the lines around it whole', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 200 }),
        fc.integer({ min: 1, max: 70 }),
        async (length, size) => {
          const long = 'x'.repeat(length);
          const lines = await linesOf(Buffer.from(`before\n${long}\nafter\n`), [size], 0, 50);
          expect(lines.map(line => line.isTooLong)).toEqual([false, length > 50, false]);
          expect(lines.map(line => line.text).filter((_, i) => i !== 1)).toEqual(['before', 'after']);
          expect(long.startsWith(lines[1]?.text ?? '?')).toBe(true);
          expect(lines.map(line => line.end)).toEqual([7, 8 + length, 14 + length]);
        },
      ),
    );
  });

  it('needs no more memory for a line without end than for the longest it gives', async () => {
    const piece = Buffer.alloc(1 << 20, 'x');
    let largest = 0;
    let left = 200;
    const endless = {
      portion: piece.length,
      async read(buffer: Buffer, at: number) {
        largest = Math.max(largest, buffer.buffer.byteLength);
        return left-- > 0 ? piece.copy(buffer, at) : 0;
      },
      close: async () => {},
    };
    const lines: number[] = [];
    for await (const found of readLines(endless, 0, 2 << 20)) lines.push(...found.map(line => line.end));
    expect(lines).toEqual([200 << 20]);
    expect(largest).toBeLessThan(12 << 20);
  });
});
