import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readMessageHeader } from '../../collector/ipfix/index.ts';
import { batchesOf } from '../bench/batches.ts';
import { type CorpusCounts, makeCorpus, writeCorpus } from './corpus.ts';

const tiny = { days: 1, clients: 20, scale: 0.2 };
const small = { seed: 3, days: 2, clients: 40, scale: 0.3 };

describe('a corpus', () => {
  it('has the same octets for the same seed, each time its messages are made', () => {
    const corpus = makeCorpus({ ...tiny, seed: 1 });
    const first = digest(corpus.messages());
    expect(digest(corpus.messages())).toBe(first);
    expect(digest(makeCorpus({ ...tiny, seed: 1 }).messages())).toBe(first);
    const other = makeCorpus({ ...tiny, seed: 2 });
    expect(other.messages().next().value).not.toEqual(corpus.messages().next().value);
  });

  it('is exported at most 30 seconds after the end of each flow, in order', () => {
    const corpus = makeCorpus({ ...tiny, seed: 4 });
    const ends = Array.from(corpus.flows(), ({ end }) => end / 1e6);
    expect(ends).toEqual(ends.toSorted((a, b) => a - b));
    let done = 0;
    for (const message of corpus.messages()) {
      const { exportTime } = readMessageHeader(message, 0, 0);
      // the sequence number counts the records before the message
      const before = message.readUInt32BE(8);
      if (before > 0) expect(ends[before - 1]).toBeLessThanOrEqual(exportTime);
      expect(ends[before]).toBeGreaterThan(exportTime - 30);
      done = before;
    }
    expect(done).toBeGreaterThan(1000);
  });
});

describe('a corpus in files', () => {
  let directory: string;
  let written: Awaited<ReturnType<typeof writeCorpus>>;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'dnstrail-corpus-'));
    written = await writeCorpus(directory, small);
  });
  afterAll(() => rm(directory, { recursive: true }));

  it('has one for each day', () => {
    const names = written.paths.map(path => basename(path));
    expect(names.slice(0, 2)).toEqual(['corpus-20260302.ipfix', 'corpus-20260303.ipfix']);
  });

  it('is decoded whole, with as many flows and RRs as were written', async () => {
    const total = { flows: 0, rrs: 0, other: 0 };
    for (const path of written.paths)
      for await (const { counts, notes, quarantine, recycle: _, ...batch } of batchesOf(path)) {
        total.flows += counts.flows;
        total.rrs += counts.rrs;
        total.other += counts.flow_packets + counts.option_records + counts.other_records + counts.fillers;
        expect([...notes], batch.from.toString()).toEqual([]);
        expect(quarantine).toEqual([]);
      }
    expect(total).toEqual({ flows: written.flows, rrs: written.rrs, other: 0 });
    expect(total.flows).toBeGreaterThan(10_000);
  });

  it('knows when each registered domain was asked for first', () => {
    const { domains, corpus } = written;
    const after = corpus.from.getTime() + corpus.operator.burn_in_days * 86_400_000;
    for (const { kind, subject, from, to } of corpus.labels.filter(label => label.kind === 'first_seen')) {
      const asked = domains.get(subject)?.asked;
      expect(asked, `${kind} ${subject}`).toBeDefined();
      expect(asked!.getTime()).toBeGreaterThan(after); // defined
      expect(asked! >= from && asked! < to).toBe(true);
    }
  });
});

function digest(messages: Generator<Buffer, CorpusCounts>): string {
  const hash = createHash('sha256');
  for (const message of messages) hash.update(message);
  return hash.digest('hex');
}
