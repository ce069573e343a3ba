import { createWriteStream, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ExportFilter, exportCof } from '../../../collector/cof/exportCof.ts';
import { importCof } from '../../../collector/cof/importCof.ts';
import { loadFiles } from '../../../collector/load/load.ts';
import { readTime } from '../../../common/readTime.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';

const FIXTURES = path.join(import.meta.dirname, '../../fixtures');
let observed: TestDatabase;
let taken: TestDatabase;
let folder: string;
let file: string;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'dnstrail-cof-'));
  file = path.join(folder, 'export.ndjson');
  [observed, taken] = await Promise.all([createTestDatabase(), createTestDatabase()]);
  const fixtures = readdirSync(FIXTURES).filter(name => /\.ipfix(\.gz)?$/.test(name));
  await loadFiles(
    observed.url,
    fixtures.map(name => path.join(FIXTURES, name)),
  );
  const out = createWriteStream(file);
  await exportCof(observed.pool, {}, out);
  await finished(out.end());
});
afterAll(async () => {
  await Promise.all([observed.drop(), taken.drop()]);
  rmSync(folder, { recursive: true });
});

async function exported(
  database: TestDatabase,
  filter: ExportFilter = {},
): Promise<Record<string, unknown>[]> {
  let text = '';
  const out = new Writable({
    decodeStrings: false,
    write(chunk: string, _encoding, done) {
      text += chunk;
      done();
    },
  });
  await exportCof(database.pool, filter, out);
  return text
    .split('\n')
    .slice(0, -1)
    .map(line => JSON.parse(line));
}

const contents = {
  rrset: 'select rrname, rrtype, bailiwick, rdata, count, time_first, time_last from rrset',
  rdata: 'select rdata, rdata_ip, rdata_name, rrname, rrtype, count, time_first, time_last from rdata',
  dns_name: `select rrname, registered_domain, time_first, time_last from dns_name where rrname in (select rrname from rrset)`,
};

async function contentOf(database: TestDatabase, tier: keyof typeof contents) {
  const { rows } = await database.pool.query<{ row: string }>(
    `select row::text from (${contents[tier]}) as row order by 1`,
  );
  return rows.map(({ row }) => row);
}

describe('what was exported and imported into another database', () => {
  it('is the same there but for its source', async () => {
    const report = await importCof(taken.pool, file, { source: 'elsewhere' });
    expect(report).toMatchObject({ status: 'imported', rejected: 0, skipped: 0 });
    expect(report.imported).toBeGreaterThan(500);
    for (const tier of ['rrset', 'rdata'] as const) {
      const there = await contentOf(observed, tier);
      expect(there.length).toBeGreaterThan(100);
      expect(await contentOf(taken, tier)).toEqual(there);
    }
    const { rows } = await taken.pool.query('select distinct source_id from rrset');
    expect(rows).toEqual([{ source_id: 1 }]);
  });

  it('is exported again with its origin, otherwise as it came', async () => {
    const before = readFileSync(file, 'utf8').split('\n').slice(0, -1);
    const again = await exported(taken);
    expect(again.map(({ origin }) => origin)).toEqual(before.map(() => 'elsewhere'));
    expect(again.map(({ origin: _, ...object }) => JSON.stringify(object))).toEqual(before);
  });
});

describe('exportCof', () => {
  it('writes the fields of the draft: numbers are numbers, the set is an array, a type without name is its number', async () => {
    const objects = await exported(observed);
    for (const object of objects)
      expect(object).toEqual({
        count: expect.any(Number),
        time_first: expect.any(Number),
        time_last: expect.any(Number),
        ...('time_first_ms' in object
          ? { time_first_ms: expect.any(Number), time_last_ms: expect.any(Number) }
          : {}),
        rrname: expect.stringMatching(/\.$/),
        rrtype: expect.anything(),
        bailiwick: expect.stringMatching(/\.$/),
        rdata: expect.any(Array),
      });
    expect(objects.every(({ time_first }) => Number.isInteger(time_first))).toBe(true);
    expect([...new Set(objects.map(({ rrtype }) => typeof rrtype))].sort()).toEqual(['number', 'string']);
  });

  it('is in the order of names, and the same again', async () => {
    const names = (await exported(observed)).map(({ rrname }) => String(rrname));
    expect(names).toEqual([...names].sort());
    expect(await exported(observed)).toEqual(await exported(observed));
  });

  it('takes one name, or all below one', async () => {
    const all = await exported(observed);
    const name = 'www.example.com.';
    const one = all.filter(({ rrname }) => rrname === name);
    expect(one.length).toBeGreaterThan(0);
    expect(await exported(observed, { name: 'WWW.example.com' })).toEqual(one);
    const below = all.filter(({ rrname }) => String(rrname).endsWith('.example.com.'));
    expect(below.length).toBeGreaterThan(one.length);
    expect(await exported(observed, { name: '*.example.com' })).toEqual(below);
    expect(await exported(observed, { name: 'nothing.invalid' })).toEqual([]);
  });

  it('takes a type, and times by what they are after merging', async () => {
    const all = await exported(observed);
    expect(await exported(observed, { type: 'aaaa' })).toEqual(all.filter(({ rrtype }) => rrtype === 'AAAA'));
    const times = all.map(({ time_last }) => Number(time_last)).sort((a, b) => a - b);
    const middle = times[Math.floor(times.length / 2)] ?? 0;
    const since = await exported(observed, { since: String(middle + 1) });
    expect(since).toEqual(all.filter(({ time_last }) => Number(time_last) > middle));
    expect(since.length).toBeGreaterThan(0);
    expect(await exported(observed, { until: String(middle) })).toEqual(
      all.filter(
        ({ time_first, time_first_ms }) =>
          Number(time_first_ms ?? Number(time_first) * 1000) <= middle * 1000,
      ),
    );
  });

  it('takes a source, with what that found in zone files', async () => {
    expect(await exported(observed, { source: 'observed' })).toEqual(await exported(observed));
    await expect(exported(observed, { source: 'nobody' })).rejects.toThrow('there are: observed');
  });

  it.each([
    [{ name: 'a..b' }, '--name "a..b" is no domain name'],
    [{ type: 'NOPE' }, '--type "NOPE" is no RR type'],
    [{ since: 'yesterday' }, '--since "yesterday" is no time'],
  ])('refuses %o', async (filter, message) => {
    await expect(exported(observed, filter)).rejects.toThrow(message);
  });
});

it('readTime reads dates, RFC 3339, Unix seconds and how long ago', () => {
  const now = Date.parse('2026-06-01T00:00:00Z');
  const read = (text: string) => readTime(text, now)?.toISOString() ?? null;
  expect(read('2026-01-31')).toBe('2026-01-31T00:00:00.000Z');
  expect(read('2026-01-31T12:30:00+02:00')).toBe('2026-01-31T10:30:00.000Z');
  expect(read('2026-01-31 12:30')).toBe('2026-01-31T12:30:00.000Z');
  expect(read('1700000000')).toBe('2023-11-14T22:13:20.000Z');
  expect(read('7d')).toBe('2026-05-25T00:00:00.000Z');
  for (const wrong of ['', 'now', '2026-13-01', '7y', '2026-01-31T', '-1']) expect(read(wrong)).toBeNull();
});
