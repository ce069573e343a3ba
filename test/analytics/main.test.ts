import { readFileSync } from 'node:fs';
import path from 'node:path';
import type pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runDue, startWorker } from '../../analytics/main.ts';
import { openDatabase } from '../../common/database.ts';
import { migrate } from '../../migrations/migrate.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { eventually, withDirectory } from '../support/processes.ts';
import { clearOfMidnight, daysAgo, insertDay, rowsOf } from './rows.ts';

const OLD_DAY = '2024-06-11';

let database: TestDatabase;

beforeEach(async () => {
  await clearOfMidnight();
  database = await createTestDatabase();
});

afterEach(() => database.drop());

/** What the crontab does at the full minute. */
async function queueSeal(pool: pg.Pool): Promise<void> {
  await pool.query(`select graphile_worker.add_job('seal', job_key => 'seal')`);
}

async function isSealed(pool: pg.Pool): Promise<true | undefined> {
  const { rowCount } = await pool.query(
    `select from public.partition where name = 'dns_rr_20240611' and state = 'sealed'`,
  );
  return rowCount === 1 || undefined;
}

async function madeAhead(pool: pg.Pool): Promise<true | undefined> {
  const { rowCount } = await pool.query('select from public.partition where day > $1', [daysAgo(0)]);
  return rowCount === 6 || undefined;
}

test('whatever is due is done at once: partitions made ahead, days sealed, old ones dropped', async () => {
  await insertDay(database.pool, OLD_DAY, 10);
  await insertDay(database.pool, daysAgo(3), 10);
  const { made, sealed, retained } = await runDue(database.url, { sealAfterSeconds: 0, retainDays: 10 });
  expect(made).toBe(9);
  expect(retained.dropped).toEqual([{ day: OLD_DAY, archive: null }]);
  expect(sealed).toHaveLength(2);
  const again = await runDue(database.url, { sealAfterSeconds: 0, retainDays: 10 });
  expect([again.made, again.sealed, again.retained.dropped]).toEqual([0, [], []]);
});

test('two workers make partitions ahead and seal each partition once, and stop', async () => {
  await insertDay(database.pool, OLD_DAY, 1000);
  const before = await rowsOf(database.pool, OLD_DAY);
  const options = { databaseUrl: database.url, sealAfterSeconds: 0 };
  const workers = [startWorker(options), startWorker(options)];
  try {
    await eventually('partitions made ahead', () => madeAhead(database.pool));
    await queueSeal(database.pool);
    await eventually('the seal', () => isSealed(database.pool));
  } finally {
    await Promise.all(workers.map(worker => worker.close()));
  }
  expect(await rowsOf(database.pool, OLD_DAY)).toEqual(before);
  const { rows } = await database.pool.query(
    'select task_identifier, last_error from graphile_worker.jobs where last_error is not null',
  );
  expect(rows).toEqual([]);
});

test('a worker that is told to stop cancels what it is building', async () => {
  await insertDay(database.pool, OLD_DAY, 150_000);
  const worker = startWorker({ databaseUrl: database.url, sealAfterSeconds: 0 });
  await eventually('partitions made ahead', () => madeAhead(database.pool));
  await queueSeal(database.pool);
  await eventually('an index being built', async () => {
    const { rowCount } = await database.pool.query(
      `select from pg_stat_activity where state = 'active' and datname = current_database() and query like 'create index%dns_rr%'`,
    );
    return rowCount === 1 || undefined;
  });
  const block = await database.pool.connect(); // however fast it builds, it does not come to its end
  await block.query('begin');
  await block.query(`select from public.partition_life where name = 'dns_rr_20240611' for update`);
  await worker.close();
  await eventually('its connections to end', async () => {
    const { rowCount } = await database.pool.query(
      `select from pg_stat_activity where application_name = 'dnstrail work' and datname = current_database()`,
    );
    return rowCount === 0 || undefined;
  });
  await block.query('rollback');
  block.release();
  expect(await isSealed(database.pool)).toBe(undefined);
  await runDue(database.url, { sealAfterSeconds: 0 });
  expect(await isSealed(database.pool)).toBe(true);
});

test('a worker goes on when the database comes back', async () => {
  await withDirectory(async home => {
    const own = await openDatabase({ home });
    const pool = own.pool();
    try {
      await migrate(pool);
      await insertDay(pool, OLD_DAY, 100);
      const worker = startWorker({ databaseUrl: own.url, sealAfterSeconds: 0 });
      try {
        await eventually('partitions made ahead', () => madeAhead(pool));
        const pidFile = path.join(own.embedded!.dataDirectory, 'postmaster.pid'); // it is the embedded one
        process.kill(Number(readFileSync(pidFile, 'utf8').split('\n')[0]), 'SIGQUIT');
        await eventually('the server to be gone', () =>
          pool.query('select').then(
            () => undefined,
            () => true,
          ),
        );
        await own.embedded!.ensureRunning();
        await queueSeal(pool);
        await eventually('the seal', () => isSealed(pool));
      } finally {
        await worker.close();
      }
    } finally {
      await own.close();
    }
  });
});
