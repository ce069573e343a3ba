import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { loadFiles } from '../../../collector/load/load.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { messagesOf } from '../../support/exporter.ts';
import { eventually, runDnstrail, withDirectory } from '../../support/processes.ts';
import { writeBigFile } from '../../torture/bigFile.ts';
import { contentsOf, ledgerProblems } from '../../torture/contents.ts';

const original = path.join(import.meta.dirname, '../../fixtures/yaf2164-small.ipfix');
const stream = readFileSync(original);

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(() => database.drop());

const statuses = async (...paths: string[]) =>
  (await loadFiles(database.url, paths)).map(({ status }) => status);

it('knows the same content again, under another name and gzipped too', async () => {
  await withDirectory(async directory => {
    const [copy, zipped] = [path.join(directory, 'copy.yaf'), path.join(directory, 'zipped.ipfix.gz')];
    copyFileSync(original, copy);
    writeFileSync(zipped, gzipSync(stream));
    expect(await statuses(original)).toEqual(['loaded']);
    const before = await contentsOf(database.pool);
    expect(await statuses(original, copy, zipped)).toEqual(['duplicate', 'duplicate', 'duplicate']);
    expect(await contentsOf(database.pool)).toEqual(before);
  });
});

it('goes on with a file that has grown, where it was cut in a message before', async () => {
  await withDirectory(async directory => {
    const file = path.join(directory, 'growing.ipfix');
    const whole = messagesOf(stream);
    const cut = Buffer.concat(whole.slice(0, 3)).length + 100;
    writeFileSync(file, stream.subarray(0, cut));
    expect(await statuses(file)).toEqual(['partial']);
    writeFileSync(file, stream);
    expect(await statuses(file)).toEqual(['loaded']);
    expect(await ledgerProblems(database.pool)).toEqual([]);
    const grown = await contentsOf(database.pool);
    const other = await createTestDatabase();
    await loadFiles(other.url, [original]);
    const expected = await contentsOf(other.pool);
    await other.drop();
    expect(grown).toEqual(expected);
  });
});

it('stores a file once that two processes load at the same time', async () => {
  await withDirectory(async directory => {
    const file = path.join(directory, 'big.ipfix');
    writeBigFile(file, 6 << 20);
    const loads = [1, 2].map(() => runDnstrail(['load', '--json', file], { DATABASE_URL: database.url }));
    for (const load of loads) expect((await load.exited).code, load.stderr()).toBe(0);
    const found = loads.map(
      load => JSON.parse(load.stdout()) as { files: [{ status: string; flows: number }] },
    );
    expect(found.map(({ files }) => files[0].status).sort()).toEqual(['duplicate', 'loaded']);
    expect(await ledgerProblems(database.pool)).toEqual([]);
    const { rows } = await database.pool.query<{ flows: number }>(
      'select count(*)::integer as flows from public.flow',
    );
    expect(found.reduce((sum, { files }) => sum + files[0].flows, 0)).toBe(rows[0]?.flows);
  });
});

it('loads fifty files at once, the same content in pairs', async () => {
  await withDirectory(async directory => {
    for (let i = 0; i < 50; i++) {
      const copy = Buffer.from(stream);
      copy.writeUInt32BE(copy.readUInt32BE(4) + Math.floor(i / 2), 4); // the first export time
      writeFileSync(path.join(directory, `${i}.ipfix`), copy);
    }
    const found = await loadFiles(database.url, [directory], { loaders: 3 });
    const count = (status: string) => found.filter(report => report.status === status).length;
    expect([count('loaded'), count('duplicate')]).toEqual([25, 25]);
    expect(await ledgerProblems(database.pool)).toEqual([]);
  });
});

it('goes on after Ctrl-C', async () => {
  await withDirectory(async directory => {
    const file = path.join(directory, 'big.ipfix');
    writeBigFile(file, 16 << 20);
    const env = { DATABASE_URL: database.url };
    const first = runDnstrail(['load', '--json', file], env);
    await eventually('some rows', async () => {
      const { rows } = await database.pool.query('select from public.ipfix_file where position > 0');
      return rows.length > 0 || undefined;
    });
    expect((await first.end('SIGINT')).code).not.toBe(0);
    const second = runDnstrail(['load', '--json', file], env);
    expect((await second.exited).code, second.stderr()).toBe(0);
    expect(await ledgerProblems(database.pool)).toEqual([]);
  });
});

it('puts a message in quarantine that the database refuses, and stores the others', async () => {
  const { refused, days } = await withReference(async pool => {
    const { rows } = await pool.query<{ refused: number; days: string[] }>(
      `select max(src_port) as refused, array_agg(distinct start_time::date::text) as days
       from public.flow where src_port in (select src_port from public.flow group by 1 having count(*) = 1)`,
    );
    return rows[0]!; // an aggregate has one row
  });
  await database.pool.query('select public.ensure_partitions($1::date[])', [days]);
  await database.pool.query(
    `alter table public.flow add constraint flow_refused check (src_port <> ${refused})`,
  );
  const [report] = await loadFiles(database.url, [original]);
  expect(report?.status).toBe('partial');
  expect(report?.error).toMatch(/store_rejected: the database refused the records: .*flow_refused/);
  const { rows } = await database.pool.query<{ byte_offset: string; bytes: Buffer; reason: string }>(
    'select byte_offset, bytes, reason from public.quarantine',
  );
  expect(rows).toHaveLength(1);
  const message = messagesOf(stream).find(
    each => each.byteOffset - stream.byteOffset === Number(rows[0]?.byte_offset),
  );
  expect(message?.equals(rows[0]!.bytes)).toBe(true);
  expect(report?.quarantined).toBeGreaterThan(0);
  expect((report?.flows ?? 0) + (report?.quarantined ?? 0)).toBeGreaterThanOrEqual(208);
  expect(await ledgerProblems(database.pool)).toEqual([]);

  // also when it begins before the octet where loading goes on: what was loaded first ended in its middle
  await withDirectory(async directory => {
    const file = path.join(directory, 'grows.ipfix');
    const copy = Buffer.from(stream);
    copy.writeUInt32BE(copy.readUInt32BE(4) + 1, 4); // the first export time: other content
    writeFileSync(file, copy.subarray(0, Number(rows[0]?.byte_offset) + 40));
    await loadFiles(database.url, [file]);
    writeFileSync(file, copy);
    const [grown] = await loadFiles(database.url, [file]);
    expect(grown?.status).toBe('partial');
    expect(grown?.quarantined).toBe(report?.quarantined);
  });
  expect(await ledgerProblems(database.pool)).toEqual([]);
});

async function withReference<T>(run: (pool: TestDatabase['pool']) => Promise<T>): Promise<T> {
  const reference = await createTestDatabase();
  try {
    await loadFiles(reference.url, [original]);
    return await run(reference.pool);
  } finally {
    await reference.drop();
  }
}
