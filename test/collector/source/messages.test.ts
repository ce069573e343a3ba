import { chmodSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import {
  type BadRegion,
  type MessageRun,
  type ReadOptions,
  readMessages,
} from '../../../collector/source/messages.ts';

const directory = mkdtempSync(join(tmpdir(), 'dnstrail-messages-'));
afterAll(() => rmSync(directory, { recursive: true }));

let files = 0;
function fileOf(...parts: Buffer[]): string {
  const path = join(directory, `file${files++}`);
  writeFileSync(path, Buffer.concat(parts));
  return path;
}

/** A message of one data set, exported at `time`; its sequence number tells it from others. */
function message(sequence: number, bodyLength = 12, time = 1_790_000_000 + sequence): Buffer {
  const octets = Buffer.alloc(20 + bodyLength, 0x55);
  octets.writeUInt16BE(10, 0); // version
  octets.writeUInt16BE(octets.length, 2); // length
  octets.writeUInt32BE(time, 4); // export time
  octets.writeUInt32BE(sequence, 8); // sequence number
  octets.writeUInt32BE(0, 12); // observation domain id
  octets.writeUInt16BE(256, 16); // set id
  octets.writeUInt16BE(octets.length - 16, 18); // set length
  return octets;
}

function patched(octets: Buffer, at: number, ...values: number[]): Buffer {
  const copy = Buffer.from(octets);
  copy.set(values, at);
  return copy;
}

/** Permissions do not bind root, so it is given up for a while. */
async function withoutPrivileges<T>(act: () => Promise<T>): Promise<T> {
  if (process.geteuid?.() !== 0) return act();
  process.seteuid?.(65_534);
  try {
    return await act();
  } finally {
    process.seteuid?.(0);
  }
}

interface Outcome {
  /** `[offset, sequence number]` of each message. */
  readonly messages: [number, number][];
  readonly bad: BadRegion[];
}

function* messagesOf(run: MessageRun): Generator<[number, Buffer]> {
  for (let at = run.start; at < run.end; at += run.buffer.readUInt16BE(at + 2))
    yield [run.streamOffset + at - run.start, run.buffer.subarray(at, at + run.buffer.readUInt16BE(at + 2))];
}

async function outcomeOf(path: string, options?: ReadOptions): Promise<Outcome> {
  const outcome: Outcome = { messages: [], bad: [] };
  for await (const block of readMessages(path, options)) {
    if (block.bad) outcome.bad.push(block.bad);
    else
      for (const [offset, octets] of messagesOf(block))
        outcome.messages.push([offset, octets.readUInt32BE(8)]);
  }
  return outcome;
}

const summary = ({ bad }: Outcome): [string, number, number][] => bad.map(b => [b.code, b.offset, b.length]);
const sequences = ({ messages }: Outcome): number[] => messages.map(([, sequence]) => sequence);

describe('whole messages', () => {
  const stream = Buffer.concat([1, 2, 3, 4, 5, 6].map(n => message(n, n * 37)));

  it.each([1, 2, 7, 16, 17, 100, 4096])(
    'gives the same messages when it reads %i octets at once',
    async chunkBytes => {
      const outcome = await outcomeOf(fileOf(stream), { chunkBytes });
      expect(outcome.messages).toEqual([1, 2, 3, 4, 5, 6].map((n, i) => [i * 20 + 37 * ((n * i) / 2), n]));
      expect(outcome.bad).toEqual([]);
    },
  );

  it('gives messages of the greatest length, whole, across reads', async () => {
    const sizes = [65_515, 0, 65_515, 65_515];
    const outcome = await outcomeOf(fileOf(...sizes.map((size, n) => message(n, size))), {
      chunkBytes: 50_000,
    });
    expect(sequences(outcome)).toEqual([0, 1, 2, 3]);
    expect(outcome.bad).toEqual([]);
  });

  it('gives nothing for an empty file', async () => {
    expect(await outcomeOf(fileOf())).toEqual({ messages: [], bad: [] });
  });

  it('gives a message that is a header only', async () => {
    const empty = patched(message(1).subarray(0, 16), 2, 0, 16);
    expect(sequences(await outcomeOf(fileOf(empty, empty)))).toEqual([1, 1]);
  });

  it('never writes again to octets it has given out', async () => {
    const kept: Buffer[] = [];
    for await (const block of readMessages(fileOf(stream), { chunkBytes: 64 }))
      if (!block.bad) for (const [, octets] of messagesOf(block)) kept.push(octets);
    expect(Buffer.concat(kept).equals(stream)).toBe(true);
  });

  it('reads any split into the same messages and bad regions', async () => {
    const part = fc.oneof(
      fc
        .record({ size: fc.integer({ min: 0, max: 300 }), sequence: fc.integer({ min: 0, max: 9 }) })
        .map(m => message(m.sequence, m.size)),
      fc.uint8Array({ maxLength: 40 }).map(octets => Buffer.from(octets)),
      fc.constantFrom(
        Buffer.from([0, 10]),
        Buffer.from([0, 10, 0, 0]),
        Buffer.alloc(5),
        message(1).subarray(0, 25),
      ),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(part, { maxLength: 8 }),
        fc.integer({ min: 1, max: 400 }),
        async (parts, chunkBytes) => {
          const path = fileOf(...parts);
          const size = Buffer.concat(parts).length;
          const whole = await outcomeOf(path);
          expect(await outcomeOf(path, { chunkBytes })).toEqual(whole);
          let covered = 0;
          for await (const block of readMessages(path, { chunkBytes })) {
            expect(block.bad ? block.bad.offset : block.streamOffset).toBe(covered);
            covered += block.bad ? block.bad.length : block.end - block.start;
          }
          expect(covered).toBe(size);
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe('bad framing', () => {
  const [a, b, c, d] = [message(1), message(2), message(3), message(4)]; // 32 octets each
  const garbage = Buffer.from('this is not IPFIX, although it has\0\n\0\x20some of it');
  const truncated = message(9, 500).subarray(0, 100);

  it.each<[string, Buffer[], number[], [string, number, number][]]>([
    ['garbage in the middle', [a, b, garbage, c, d], [1, 2, 3, 4], [['version', 64, garbage.length]]],
    ['garbage at the start', [garbage, c, d], [3, 4], [['version', 0, garbage.length]]],
    ['garbage at the end', [a, b, garbage], [1, 2], [['version', 64, garbage.length]]],
    ['nothing but garbage', [garbage], [], [['version', 0, garbage.length]]],
    [
      'a message between two pieces of garbage',
      [a, garbage, b, garbage],
      [1, 2],
      [
        ['version', 32, garbage.length],
        ['version', 64 + garbage.length, garbage.length],
      ],
    ],
    ['garbage before one last message', [garbage, b], [2], [['version', 0, garbage.length]]],
    [
      'garbage, a message, and a cut one',
      [garbage, b, truncated],
      [2],
      [
        ['version', 0, garbage.length],
        ['truncated', garbage.length + 32, 100],
      ],
    ],
    ['a wrong version', [a, patched(b, 0, 0, 9), c], [1, 3], [['version', 32, 32]]],
    ['length 0', [a, patched(b, 2, 0, 0), c], [1, 3], [['message_length', 32, 32]]],
    ['length 15', [a, patched(b, 2, 0, 15), c, d], [1, 3, 4], [['message_length', 32, 32]]],
    [
      'a length that swallows the next message and more',
      [a, patched(b, 2, 0, 70), c, d],
      [1, 3, 4],
      [['message_length', 32, 32]],
    ],
    [
      'a length that swallows the rest but three octets',
      [a, patched(b, 2, 0, 93), c, d],
      [1, 3, 4],
      [['message_length', 32, 32]],
    ],
    ['a length beyond the end', [a, patched(b, 2, 0xff, 0), c, d], [1, 3, 4], [['message_length', 32, 32]]],
    ['a message cut at the end', [a, b, truncated], [1, 2], [['truncated', 64, 100]]],
    ['a header cut at the end', [a, b, c.subarray(0, 11)], [1, 2], [['truncated', 64, 11]]],
    [
      'fewer octets of garbage than a header at the end',
      [a, b, garbage.subarray(0, 15)],
      [1, 2],
      [['version', 64, 15]],
    ],
    ['one octet too many', [a, b, Buffer.from([0])], [1, 2], [['truncated', 64, 1]]],
    ['zeros at the end', [a, b, Buffer.alloc(4096)], [1, 2], [['version', 64, 4096]]],
    [
      'files of different years joined by garbage',
      [a, garbage, message(5, 9, 1_400_000_000), message(6, 9, 1_400_000_100)],
      [1, 5, 6],
      [['version', 32, garbage.length]],
    ],
  ])('keeps the good messages around %s', async (_, parts, good, bad) => {
    for (const chunkBytes of [1 << 20, 1, 33]) {
      const outcome = await outcomeOf(fileOf(...parts), { chunkBytes });
      expect(sequences(outcome)).toEqual(good);
      expect(summary(outcome)).toEqual(bad);
    }
  });

  it('keeps the octets of a bad region and says where and what', async () => {
    const [bad] = (await outcomeOf(fileOf(a, garbage, b))).bad;
    expect(bad?.bytes.equals(garbage)).toBe(true);
    expect(bad?.message).toBe(
      `octet 32: version 29800, where an IPFIX message begins with 10; a message begins ${garbage.length} octets further on`,
    );
    const [cut] = (await outcomeOf(fileOf(a, truncated))).bad;
    expect(cut?.bytes.equals(truncated)).toBe(true);
    expect(cut?.message).toBe('octet 32: message of 520 octets; the stream ends 100 octets further on');
  });

  it('lets a message whose sets do not add up pass, that is for the decoder', async () => {
    const outcome = await outcomeOf(fileOf(a, patched(b, 18, 0, 40), c));
    expect(sequences(outcome)).toEqual([1, 2, 3]);
    expect(outcome.bad).toEqual([]);
  });

  it('skips hundreds of megabytes of zeros fast, in flat memory, and keeps 64 KiB of them', async () => {
    const zeros = 256 * 1024 * 1024;
    const path = fileOf(a, b);
    truncateSync(path, 64 + zeros);
    await appendFile(path, Buffer.concat([c, d]));
    const before = process.memoryUsage().rss;
    let peak = before;
    const sampling = setInterval(() => (peak = Math.max(peak, process.memoryUsage().rss)), 5);
    const outcome = await outcomeOf(path);
    clearInterval(sampling);
    expect(sequences(outcome)).toEqual([1, 2, 3, 4]);
    expect(summary(outcome)).toEqual([['version', 64, zeros]]);
    expect(outcome.bad[0]?.bytes.length).toBe(65_536);
    expect(peak - before).toBeLessThan(64 * 1024 * 1024);
  });
});

describe('gzip', () => {
  const parts = Array.from({ length: 400 }, (_, n) =>
    patched(message(n, 1000), 30, n & 255, n >> 3, (n * 7919) & 255),
  );
  const stream = Buffer.concat(parts);
  const all = parts.map((_, n) => n);

  it('is told by the first octets and gives offsets in the uncompressed stream', async () => {
    const outcome = await outcomeOf(fileOf(gzipSync(stream)));
    expect(outcome.messages).toEqual(all.map(n => [n * 1020, n]));
    expect(outcome.bad).toEqual([]);
  });

  it('may be several members, cut anywhere, and padded with zeros', async () => {
    const members = [stream.subarray(0, 5000), stream.subarray(5000)].map(octets => gzipSync(octets));
    const outcome = await outcomeOf(fileOf(...members, Buffer.alloc(50_000)));
    expect(sequences(outcome)).toEqual(all);
    expect(outcome.bad).toEqual([]);
  });

  it('gives what comes before the cut of a file, and the incomplete message as bad', async () => {
    const gz = gzipSync(stream);
    const outcome = await outcomeOf(fileOf(gz.subarray(0, gz.length >> 1)));
    const count = outcome.messages.length;
    expect(count).toBeGreaterThan(50);
    expect(sequences(outcome)).toEqual(all.slice(0, count));
    expect(summary(outcome)).toEqual([['gzip', count * 1020, outcome.bad[0]?.length]]);
    expect(outcome.bad[0]?.message).toMatch(/cut short/);
  });

  it('reports the damage also where what comes before it is garbage', async () => {
    const file = patched(gzipSync('x'.repeat(5000)), gzipSync('x'.repeat(5000)).length - 6, 1, 2, 3);
    expect(summary(await outcomeOf(fileOf(file)))).toEqual([
      ['version', 0, 5000],
      ['gzip', 5000, 0],
    ]);
  });

  it.each<[string, Buffer]>([
    ['the checksum is wrong', patched(gzipSync(stream), gzipSync(stream).length - 6, 1, 2, 3)],
    ['other octets follow', Buffer.concat([gzipSync(stream), Buffer.from('rubbish')])],
    [
      'other octets follow padding',
      Buffer.concat([gzipSync(stream), Buffer.alloc(40_000), Buffer.from('x')]),
    ],
  ])('gives every message although %s', async (_, file) => {
    const outcome = await outcomeOf(fileOf(file));
    expect(sequences(outcome)).toEqual(all);
    expect(summary(outcome)).toEqual([['gzip', stream.length, 0]]);
  });

  it('gives every octet that can be inflated before damage', async () => {
    // A stored block, then a block of the reserved type 3 (RFC 1951 section 3.2.3): all of the first is good.
    const stored = deflateRawSync(stream.subarray(0, 40_000), { level: 0, finishFlush: 2 });
    const gz = Buffer.concat([gzipSync('').subarray(0, 10), stored, Buffer.from([0x07, 0, 0, 0])]);
    const outcome = await outcomeOf(fileOf(gz));
    expect(sequences(outcome)).toEqual(all.slice(0, 39));
    expect(summary(outcome)).toEqual([['gzip', 39 * 1020, 40_000 - 39 * 1020]]);
    expect(outcome.bad[0]?.bytes.equals(stream.subarray(39 * 1020, 40_000))).toBe(true);
  });

  it('reads a bomb in bounded memory', async () => {
    const bomb = gzipSync(Buffer.alloc(128 * 1024 * 1024), { level: 9 });
    expect(bomb.length).toBeLessThan(150_000);
    const path = fileOf(gzipSync(Buffer.concat([message(1), message(2)])), bomb, gzipSync(message(3)));
    const before = process.memoryUsage().rss;
    let peak = before;
    const outcome: number[] = [];
    for await (const block of readMessages(path)) {
      if (!block.bad) outcome.push(block.end - block.start);
      else expect(block.bad.length).toBe(128 * 1024 * 1024);
      peak = Math.max(peak, process.memoryUsage().rss);
    }
    expect(outcome).toEqual([64, 32]);
    expect(peak - before).toBeLessThan(100 * 1024 * 1024);
  });
});

describe('a file that is still being written', () => {
  it('gives each message as soon as it is there, and calls the rest truncated once the file is closed', async () => {
    const path = fileOf(message(1).subarray(0, 20));
    const steps = [
      Buffer.concat([message(1).subarray(20), message(2).subarray(0, 5)]),
      message(2).subarray(5),
      Buffer.concat([message(3), message(4).subarray(0, 10)]),
    ];
    const seen: [number, number][] = [];
    let given = 0;
    const follow = {
      async waitForGrowth(size: number): Promise<boolean> {
        seen.push([size, given]);
        const next = steps.shift();
        if (next) await appendFile(path, next);
        return steps.length > 0;
      },
    };
    const bad: BadRegion[] = [];
    for await (const block of readMessages(path, { follow })) {
      if (block.bad) bad.push(block.bad);
      else given += [...messagesOf(block)].length;
    }
    expect(seen).toEqual([
      [20, 0],
      [37, 1],
      [64, 2],
    ]);
    expect(given).toBe(3);
    expect(bad.map(b => [b.code, b.offset, b.length])).toEqual([['truncated', 96, 10]]);
  });
});

describe('a path that cannot be read', () => {
  it.each<[string, () => Promise<string>, string, RegExp]>([
    ['a file that is not there', async () => join(directory, 'missing'), 'ENOENT', /there is no such file/],
    ['a directory', async () => directory, 'EISDIR', /it is a directory/],
  ])('names %s', async (_, make, code, words) => {
    const path = await make();
    const failed = outcomeOf(path);
    await expect(failed).rejects.toMatchObject({ name: 'SourceError', code, path });
    await expect(failed).rejects.toThrow(words);
  });

  it('names a file without permission', async () => {
    const path = fileOf(message(1));
    chmodSync(path, 0);
    chmodSync(directory, 0o755);
    const failed = withoutPrivileges(() => outcomeOf(path));
    await expect(failed).rejects.toMatchObject({ code: 'EACCES', path });
    await expect(failed).rejects.toThrow(/permission denied; make it readable/);
  });
});
