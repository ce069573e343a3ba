import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { archivesAt } from '../../../analytics/archive.ts';
import { restoreArchive } from '../../../analytics/restore.ts';
import { retain } from '../../../analytics/tasks/retain.ts';
import { seal } from '../../../analytics/tasks/seal.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { eventually, withDirectory } from '../../support/processes.ts';
import { clearOfMidnight, daysAgo, insertDay, rowsOf } from '../rows.ts';

const main = new URL('../../../analytics/main.ts', import.meta.url).href;

let database: TestDatabase;

beforeEach(async () => {
  await clearOfMidnight();
  database = await createTestDatabase();
  await database.pool.query(
    `insert into public.exporter (name, observation_domain_id) values ('sensor1', 7), ('sensor2', 0)`,
  );
});

afterEach(() => database.drop());

async function days(): Promise<string[]> {
  const { rows } = await database.pool.query<{ day: string }>(
    'select distinct day::text from public.partition order by 1',
  );
  return rows.map(({ day }) => day);
}

test('days that are too old are dropped, those within the limit and today are kept', async () => {
  for (const age of [40, 31, 30, 1, 0]) await insertDay(database.pool, daysAgo(age), 10);
  const { drop, dropped, freedBytes } = await retain(database.pool, { retainDays: 30 });
  expect(drop.map(({ day, because }) => [day, because])).toEqual([
    [daysAgo(40), 'age'],
    [daysAgo(31), 'age'],
  ]);
  expect(dropped).toEqual([
    { day: daysAgo(40), archive: null },
    { day: daysAgo(31), archive: null },
  ]);
  expect(freedBytes).toBeGreaterThan(0);
  expect(await days()).toEqual([daysAgo(30), daysAgo(1), daysAgo(0)]);
});

test('the oldest days are dropped until the rest fits, but never today', async () => {
  for (const age of [3, 2, 1, 0]) await insertDay(database.pool, daysAgo(age), 2000);
  const all = await retain(database.pool, { retainBytes: 1, dryRun: true });
  expect(all.drop.map(({ day }) => day)).toEqual([daysAgo(3), daysAgo(2), daysAgo(1)]);
  const perDay = all.usedBytes / 4;
  const { dropped } = await retain(database.pool, { retainBytes: perDay * 2.5 });
  expect(dropped.map(({ day }) => day)).toEqual([daysAgo(3), daysAgo(2)]);
  expect(await days()).toEqual([daysAgo(1), daysAgo(0)]);
});

test('a dry run tells what would go, how fast it grows and when it is full, and changes nothing', async () => {
  for (const age of [3, 2, 1]) await insertDay(database.pool, daysAgo(age), 2000);
  await seal(database.pool, { sealAfterSeconds: 0 });
  const plan = await retain(database.pool, { retainDays: 2, freeBytes: 1e9, retainBytes: 1e9, dryRun: true });
  expect(plan.drop.map(({ day }) => day)).toEqual([daysAgo(3)]);
  expect(plan.dropped).toEqual([]);
  const { usedBytes, freedBytes, growthPerDay } = plan;
  expect(growthPerDay).toBe(Math.round(usedBytes / 3));
  expect(plan.daysUntilLimit).toBe(Math.floor((1e9 - usedBytes + freedBytes) / (growthPerDay ?? 0)));
  expect(plan.daysUntilDiskFull).toBe(Math.floor((1e9 + freedBytes) / (growthPerDay ?? 0)));
  expect(await days()).toEqual([daysAgo(3), daysAgo(2), daysAgo(1)]);
});

test('a day that was archived and dropped comes back with the same rows, once', async () => {
  const day = daysAgo(9);
  await insertDay(database.pool, day, 1000);
  const before = await rowsOf(database.pool, day);
  await withDirectory(async archiveDirectory => {
    const { dropped } = await retain(database.pool, { retainDays: 5, archiveDirectory });
    const archive = dropped[0]?.archive ?? '';
    expect(path.dirname(archive)).toBe(archiveDirectory);
    expect([archivesAt(archive), archivesAt(archiveDirectory), archivesAt('/dev/null')]).toEqual([
      [archive],
      [archive],
      [],
    ]);
    expect(await rowsOf(database.pool, day)).toEqual([]);
    expect(readdirSync(archive).sort()).toEqual([
      'dns_rr.copy.gz',
      'flow.copy.gz',
      'flow_packet.copy.gz',
      'manifest.json',
    ]);

    expect(await restoreArchive(database.pool, archive)).toEqual({
      path: archive,
      day,
      status: 'restored',
      flows: 1000,
      rrs: 3000,
    });
    expect(await rowsOf(database.pool, day)).toEqual(before);
    expect((await restoreArchive(database.pool, archive)).status).toBe('duplicate');
    expect(await rowsOf(database.pool, day)).toEqual(before);

    // the day is left alone for a week although it is old
    expect((await retain(database.pool, { retainDays: 5 })).dropped).toEqual([]);
  });
});

test('an empty database takes an archive of another with its exporters', async () => {
  const day = daysAgo(9);
  await insertDay(database.pool, day, 10);
  const before = await rowsOf(database.pool, day);
  const other = await createTestDatabase();
  try {
    await withDirectory(async archiveDirectory => {
      const { dropped } = await retain(database.pool, { retainDays: 5, archiveDirectory });
      const archive = dropped[0]?.archive ?? '';
      await restoreArchive(other.pool, archive);
      expect(await rowsOf(other.pool, day)).toEqual(before);
      const { rows } = await other.pool.query('select exporter_id, name from public.exporter order by 1');
      expect(rows).toEqual([
        { exporter_id: 1, name: 'sensor1' },
        { exporter_id: 2, name: 'sensor2' },
      ]);
    });
  } finally {
    await other.drop();
  }
});

test('an archive whose exporter ids mean others here is refused', async () => {
  const day = daysAgo(9);
  await insertDay(database.pool, day, 10);
  const other = await createTestDatabase();
  try {
    await other.pool.query(
      `insert into public.exporter (name, observation_domain_id) values ('stranger', 1)`,
    );
    await withDirectory(async archiveDirectory => {
      const { dropped } = await retain(database.pool, { retainDays: 5, archiveDirectory });
      await expect(restoreArchive(other.pool, dropped[0]?.archive ?? '')).rejects.toThrow(
        'exporter 1 is "sensor1" in the archive and another one in this database',
      );
      expect(await rowsOf(other.pool, day)).toEqual([]);
    });
  } finally {
    await other.drop();
  }
});

test('a damaged archive brings no row back', async () => {
  const day = daysAgo(9);
  await insertDay(database.pool, day, 100);
  await withDirectory(async archiveDirectory => {
    const { dropped } = await retain(database.pool, { retainDays: 5, archiveDirectory });
    const archive = dropped[0]?.archive ?? '';
    const file = path.join(archive, 'dns_rr.copy.gz');
    const whole = readFileSync(file);
    writeFileSync(file, whole.subarray(0, whole.length - 100));
    await expect(restoreArchive(database.pool, archive)).rejects.toThrow();
    writeFileSync(path.join(archive, 'dns_rr.copy.gz'), readFileSync(path.join(archive, 'flow.copy.gz')));
    await expect(restoreArchive(database.pool, archive)).rejects.toThrow();
    expect(await rowsOf(database.pool, day)).toEqual([]);
    writeFileSync(file, whole);
    expect((await restoreArchive(database.pool, archive)).status).toBe('restored');
    appendFileSync(path.join(archive, 'manifest.json'), 'x');
    await expect(restoreArchive(database.pool, archive)).rejects.toThrow('is not an archive');
  });
});

test('an archive whose drop was not committed is none: restoring it adds nothing', async () => {
  const day = daysAgo(9);
  await insertDay(database.pool, day, 100);
  const before = await rowsOf(database.pool, day);
  await withDirectory(async archiveDirectory => {
    await database.pool.query(
      `create function public.fail() returns trigger language plpgsql as $$ begin raise 'not now'; end $$;
       create trigger fail before delete on public.partition_life for each statement execute function public.fail()`,
    );
    await expect(retain(database.pool, { retainDays: 5, archiveDirectory })).rejects.toThrow('not now');
    expect(await rowsOf(database.pool, day)).toEqual(before);
    const [name = ''] = readdirSync(archiveDirectory);
    expect((await restoreArchive(database.pool, path.join(archiveDirectory, name))).status).toBe('duplicate');
    expect(await rowsOf(database.pool, day)).toEqual(before);
  });
});

test('a process that is killed while it archives loses no row, and the next one leaves one archive', async () => {
  const day = daysAgo(9);
  await insertDay(database.pool, day, 40_000);
  const before = await rowsOf(database.pool, day);
  await withDirectory(async archiveDirectory => {
    const child = spawn(process.execPath, [
      '--input-type=module',
      '-e',
      `const { runDue } = await import(${JSON.stringify(main)}); await runDue(process.argv[1], { retainDays: 5, archiveDirectory: process.argv[2] });`,
      database.url,
      archiveDirectory,
    ]);
    await eventually('an archive being written', () =>
      readdirSync(archiveDirectory).some(name => name.endsWith('.partial')) ? true : undefined,
    );
    child.kill('SIGKILL');
    await once(child, 'close');
    expect(await rowsOf(database.pool, day)).toEqual(before);
    expect(readdirSync(archiveDirectory)).toHaveLength(1);

    const [dropped] = await eventually('the dead process to let go', async () => {
      const done = await retain(database.pool, { retainDays: 5, archiveDirectory });
      return done.dropped.length > 0 ? done.dropped : undefined;
    });
    expect(archivesAt(archiveDirectory)).toEqual([dropped?.archive]);
    expect(readdirSync(archiveDirectory)).toHaveLength(1);
    expect(await rowsOf(database.pool, day)).toEqual([]);
    await restoreArchive(database.pool, dropped?.archive ?? '');
    expect(await rowsOf(database.pool, day)).toEqual(before);
  });
});

test('a directory that cannot be written keeps the day', async () => {
  const day = daysAgo(9);
  await insertDay(database.pool, day, 10);
  await withDirectory(async directory => {
    writeFileSync(path.join(directory, 'file'), '');
    const archiveDirectory = path.join(directory, 'file', 'below');
    await expect(retain(database.pool, { retainDays: 5, archiveDirectory })).rejects.toThrow();
    expect(existsSync(archiveDirectory)).toBe(false);
  });
  expect((await rowsOf(database.pool, day)).length).toBe(40);
});

test('a query that reads all the time delays the drop, and is not disturbed', async () => {
  await insertDay(database.pool, daysAgo(9), 10);
  const reader = await database.pool.connect();
  await reader.query('begin; select count(*) from public.dns_rr');
  const retaining = retain(database.pool, { retainDays: 5 });
  await new Promise(resolve => setTimeout(resolve, 900));
  // others read and write between our attempts
  await database.pool.query('select count(*) from public.dns_rr');
  await reader.query('commit');
  reader.release();
  expect((await retaining).dropped).toEqual([{ day: daysAgo(9), archive: null }]);
});
