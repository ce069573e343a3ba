import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { importCof } from '../../../collector/cof/importCof.ts';
import { withSpooled } from '../../../collector/cof/spool.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';

let database: TestDatabase;
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'dnstrail-cof-'));
});
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(async () => {
  database = await createTestDatabase();
  return () => database.drop();
});

const row = (rrname: string, fields: object = {}) => ({
  count: 2,
  time_first: 1_700_000_000,
  time_last: 1_710_000_000,
  rrname,
  rrtype: 'A',
  rdata: ['192.0.2.1'],
  ...fields,
});

function fileOf(name: string, lines: readonly unknown[], end = '\n'): string {
  const file = path.join(folder, name);
  const text = lines.map(line => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n') + end;
  writeFileSync(file, name.endsWith('.gz') ? gzipSync(text) : text);
  return file;
}

async function rows<Row extends object>(query: string): Promise<Row[]> {
  return (await database.pool.query<Row>(query)).rows;
}

const rrsets = () =>
  rows(
    `select rrname, rrtype, bailiwick, rdata, count::integer, extract(epoch from time_first)::float8 as first,
       extract(epoch from time_last)::float8 as last, name as source
     from rrset join rrset_source using (source_id) order by 1, 2, 3, 4, source_id`,
  );
const counted = () =>
  rows(
    'select lines::integer, imported::integer, skipped::integer, rejected::integer, status from cof_import',
  );

describe('importCof', () => {
  it('stores RRsets, their values and their names, marked with their source', async () => {
    const file = fileOf('pdns.json', [
      { cond: 'begin' },
      { obj: row('WWW.Example.com', { rdata: ['198.51.100.2', '192.0.2.10'], bailiwick: 'com' }) },
      { obj: row('mail.example.com.', { rrtype: 'MX', rdata: '10 MX.example.net', count: 1 }) },
      { obj: row('txt.example.com.', { rrtype: 'TXT', rdata: ['"x"'] }) },
      { cond: 'succeeded' },
    ]);
    const report = await importCof(database.pool, file);
    expect(report).toEqual({
      path: file,
      importId: expect.any(Number),
      source: 'pdns',
      status: 'imported',
      lines: 5,
      imported: 3,
      skipped: 2,
      rejected: 0,
      error: null,
    });
    const times = { first: 1_700_000_000, last: 1_710_000_000, source: 'pdns' };
    const domain = { bailiwick: 'example.com.', ...times };
    expect(await rrsets()).toEqual([
      { rrname: 'mail.example.com.', rrtype: 15, rdata: ['10 mx.example.net.'], count: 1, ...domain },
      { rrname: 'txt.example.com.', rrtype: 16, rdata: ['"x"'], count: 2, ...domain },
      {
        rrname: 'www.example.com.',
        rrtype: 1,
        rdata: ['192.0.2.10', '198.51.100.2'],
        count: 2,
        ...domain,
        bailiwick: 'com.',
      },
    ]);
    expect(await rows('select rdata, rdata_ip, rdata_name, rrname from rdata order by rdata')).toEqual([
      {
        rdata: '10 mx.example.net.',
        rdata_ip: null,
        rdata_name: 'mx.example.net.',
        rrname: 'mail.example.com.',
      },
      { rdata: '192.0.2.10', rdata_ip: '192.0.2.10', rdata_name: null, rrname: 'www.example.com.' },
      { rdata: '198.51.100.2', rdata_ip: '198.51.100.2', rdata_name: null, rrname: 'www.example.com.' },
    ]);
    expect(await rows('select rrname, registered_domain from dns_name order by rrname')).toEqual(
      ['mail', 'txt', 'www'].map(label => ({
        rrname: `${label}.example.com.`,
        registered_domain: 'example.com.',
      })),
    );
    expect(await rows('select * from asked')).toEqual([]);
  });

  it('recognises content that was imported before, under any name and source, and changes nothing', async () => {
    const lines = [row('a.example.'), row('b.example.')];
    await importCof(database.pool, fileOf('one.json', lines), { source: 'first' });
    const before = await rrsets();
    for (const name of ['one.json', 'other.ndjson', 'packed.json.gz']) {
      const report = await importCof(database.pool, fileOf(name, lines), { source: 'second' });
      expect(report).toMatchObject({ status: 'duplicate', source: 'first', lines: 0, imported: 0 });
    }
    expect(await rrsets()).toEqual(before);
    expect(await rows('select name from rrset_source where source_id > 0')).toEqual([{ name: 'first' }]);
  });

  it('stores a file once, however many import it at the same time', async () => {
    const file = fileOf(
      'race.json',
      Array.from({ length: 500 }, (_, i) => row(`n${i}.example.`)),
    );
    const reports = await Promise.all([1, 2, 3, 4].map(() => importCof(database.pool, file)));
    expect(reports.map(({ status }) => status).sort()).toEqual([
      'duplicate',
      'duplicate',
      'duplicate',
      'imported',
    ]);
    expect(await rows('select count(*)::integer, sum(count)::integer from rrset')).toEqual([
      { count: 500, sum: 1000 },
    ]);
  });

  it('goes on with a file that has grown, or is complete now', async () => {
    const all = [row('a.example.'), row('b.example.'), row('c.example.'), row('d.example.')];
    const whole = all.map(line => JSON.stringify(line)).join('\n');
    const cut = path.join(folder, 'cut.json');
    writeFileSync(cut, whole.slice(0, whole.indexOf('c.example') + 4));
    const partial = await importCof(database.pool, cut);
    expect(partial).toMatchObject({ status: 'partial', imported: 2, rejected: 0 });
    expect(partial.error).toMatch(/line 3, the last, is cut: the line is no JSON/);
    expect(await importCof(database.pool, cut)).toMatchObject({ status: 'partial', imported: 0 });
    const rest = await importCof(database.pool, fileOf('whole.json', [whole]));
    expect(rest).toMatchObject({
      status: 'imported',
      imported: 2,
      importId: partial.importId,
      source: 'cut',
    });
    expect(await rows('select count(*)::integer, sum(count)::integer from rrset')).toEqual([
      { count: 4, sum: 8 },
    ]);
    expect(await counted()).toEqual([{ lines: 4, imported: 4, skipped: 0, rejected: 0, status: 'imported' }]);
  });

  it('stores what can be read of damaged gzip, and the rest once it is whole', async () => {
    const lines = Array.from({ length: 20_000 }, (_, i) => row(`n${(i * 7919) % 20_011}.example.`));
    const file = fileOf('big.json.gz', lines);
    const cut = path.join(folder, 'big-cut.json.gz');
    const octets = readFileSync(file);
    writeFileSync(cut, octets.subarray(0, octets.length / 2));
    const partial = await importCof(database.pool, cut);
    expect(partial).toMatchObject({ status: 'partial', rejected: 0 });
    expect(partial.error).toMatch(/the compressed data is cut short, after line \d+$/);
    expect(partial.imported).toBeGreaterThan(1000);
    const rest = await importCof(database.pool, file);
    expect(rest).toMatchObject({ status: 'imported', imported: 20_000 - partial.imported });
    expect(await rows('select sum(count)::integer from rrset')).toEqual([{ sum: 40_000 }]);
  });

  it('keeps the first hundred bad lines with number, reason and text, and stores their neighbours', async () => {
    const lines = Array.from({ length: 300 }, (_, i) =>
      i % 2 === 0 ? row(`n${i}.example.`) : `{"n":${i},"\u00fc":1}`,
    );
    const report = await importCof(database.pool, fileOf('bad.json', lines));
    expect(report).toMatchObject({ status: 'imported', lines: 300, imported: 150, rejected: 150 });
    const rejects = await rows<{ line: string; reason: string; text: string }>(
      'select line, reason, text from cof_import_reject order by line',
    );
    expect(rejects).toHaveLength(100);
    expect(rejects[0]).toEqual({ line: '2', reason: 'rrname is missing', text: '{"n":1,"\\195\\188":1}' });
    expect(rejects[99]?.line).toBe('200');
  });

  it('bounds what it keeps of a bad line', async () => {
    const report = await importCof(
      database.pool,
      fileOf('long.json', [row('a.example.'), `"${'x'.repeat(17 << 20)}"`, row('b.example.')]),
    );
    expect(report).toMatchObject({ status: 'imported', imported: 2, rejected: 1 });
    const [reject] = await rows<{ line: string; reason: string; length: number }>(
      'select line, reason, length(text) as length from cof_import_reject',
    );
    expect(reject).toEqual({ line: '2', reason: 'the line is longer than 16 MiB', length: 1000 });
  });

  it.each([
    [
      'a web page',
      '<html>\n<body></body>',
      /line 1 begins "<html>": the line is no JSON\. Expected is one JSON object a line/i,
    ],
    ['an array', JSON.stringify([row('a.example.')]), /jq -c/],
    ['other JSON', '{"a":1}\n{"b":2}\n', /rrname is missing/],
  ])('refuses %s, says what it expects, and leaves no trace', async (_what, text, message) => {
    const report = await importCof(database.pool, fileOf('wrong.json', [text], ''));
    expect(report).toMatchObject({ status: 'failed', importId: null, lines: 0 });
    expect(report.error).toMatch(message);
    expect(
      await rows('select 1 from cof_import union all select 1 from rrset_source where source_id > 0'),
    ).toEqual([]);
  });

  it('reports a lost database, and goes on the next time', async () => {
    const lines = Array.from({ length: 60_000 }, (_, i) => row(`n${i}.example.`));
    const file = fileOf('lost.json', lines);
    const lost = await importCof(database.pool, file, {
      progress: () => {
        // from another connection, while the second batch is on its way
        void database.pool.query(
          'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
        );
      },
    });
    expect(lost.error).toMatch(/import it again to go on where it stopped$/);
    expect(lost).toMatchObject({ status: 'failed', importId: expect.any(Number) });
    const rest = await importCof(database.pool, file);
    expect(rest).toMatchObject({ status: 'imported', imported: 60_000 - lost.imported });
    expect(await rows('select sum(count)::integer from rrset')).toEqual([{ sum: 120_000 }]);
  });

  it('says what is wrong with a file that cannot be read', async () => {
    const report = await importCof(database.pool, path.join(folder, 'nowhere.json'));
    expect(report).toMatchObject({
      status: 'failed',
      error: expect.stringContaining('there is no such file'),
    });
  });

  it('takes an answer without records', async () => {
    const report = await importCof(
      database.pool,
      fileOf('none.json', [{ cond: 'begin' }, { cond: 'succeeded' }]),
    );
    expect(report).toMatchObject({ status: 'imported', imported: 0, skipped: 2 });
  });

  it('keeps what is of zone files apart from what was observed', async () => {
    const zone = {
      time_first: undefined,
      time_last: undefined,
      zone_time_first: 1_650_000_000,
      zone_time_last: 1_660_000_000,
    };
    await importCof(
      database.pool,
      fileOf('both.json', [row('a.example.'), row('a.example.', { ...zone, count: 9 })]),
    );
    expect(await rrsets()).toMatchObject([
      { count: 2, first: 1_700_000_000, source: 'both' },
      { count: 9, first: 1_650_000_000, source: 'both (zone files)' },
    ]);
    expect(await rows('select name, kind from rrset_source order by source_id')).toEqual([
      { name: 'observed', kind: 'sensor' },
      { name: 'both', kind: 'import' },
      { name: 'both (zone files)', kind: 'zone' },
    ]);
  });

  it('does not pass off imported rows as observed here', async () => {
    const report = await importCof(database.pool, fileOf('x.json', [row('a.example.')]), {
      source: 'observed',
    });
    expect(report).toMatchObject({ status: 'failed', error: expect.stringContaining('of kind sensor') });
    expect(await rrsets()).toEqual([]);
  });

  it('takes standard input through a temporary file, which is the same content', async () => {
    const file = fileOf('piped.json.gz', [row('a.example.')]);
    const spooled = (content: Buffer) =>
      withSpooled(Readable.from([content]), spool =>
        importCof(database.pool, spool, { source: 'pipe', shownPath: '-' }),
      );
    expect(await spooled(readFileSync(file))).toMatchObject({
      path: '-',
      source: 'pipe',
      status: 'imported',
    });
    expect(await importCof(database.pool, file)).toMatchObject({ status: 'duplicate' });
  });
});
