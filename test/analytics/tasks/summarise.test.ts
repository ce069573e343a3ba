import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { seal } from '../../../analytics/tasks/seal.ts';
import { summarise } from '../../../analytics/tasks/summarise.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { insertDay } from '../rows.ts';

const DAY = '2024-06-11';
const RANGE = 32;

let database: TestDatabase;

beforeEach(async () => {
  database = await createTestDatabase();
});

afterEach(() => database.drop());

async function pages(): Promise<number> {
  const { rows } = await database.pool.query<{ pages: number }>(
    `select (pg_relation_size('partitions.dns_rr_20240611') / 8192)::integer as pages`,
  );
  return rows[0]!.pages;
}

/** Pages that a search for a time which no row has reads. */
async function pagesReadForNothing(): Promise<number> {
  const client = await database.pool.connect();
  await client.query('begin; set local enable_seqscan = off; set local max_parallel_workers_per_gather = 0');
  const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: { 'Lossy Heap Blocks': number } }] }>(
    `explain (analyze, format json) select from partitions.dns_rr_20240611 where time = 'infinity'`,
  );
  await client.query('rollback');
  client.release();
  return rows[0]!['QUERY PLAN'][0].Plan['Lossy Heap Blocks'];
}

test('pages that were there at the last look are taken into the index, once', async () => {
  await insertDay(database.pool, DAY, 10_000);
  const first = await pages();
  expect(await summarise(database.pool)).toBe(0);
  await insertDay(database.pool, DAY, 10_000, 100_000);
  // the first range is in the index of an empty table
  expect(await pagesReadForNothing()).toBe((await pages()) - RANGE);
  expect(await summarise(database.pool)).toBeGreaterThanOrEqual(Math.floor(first / RANGE) - 1);
  const left = (await pages()) - Math.floor(first / RANGE) * RANGE;
  expect(await pagesReadForNothing()).toBe(left);
  expect(await summarise(database.pool)).toBeGreaterThan(0);
  expect(await pagesReadForNothing()).toBe((await pages()) % RANGE);
  expect(await summarise(database.pool)).toBe(0);
});

test('the last look of all takes in what is there, of a partition that was made anew too', async () => {
  await insertDay(database.pool, DAY, 10_000);
  await summarise(database.pool, { isFinal: true });
  expect(await pagesReadForNothing()).toBe((await pages()) % RANGE);
  await database.pool.query('drop table partitions.dns_rr_20240611');
  await insertDay(database.pool, DAY, 5000);
  await summarise(database.pool, { isFinal: true });
  expect(await pagesReadForNothing()).toBe((await pages()) % RANGE);
});

test('being stopped leaves no range half done', async () => {
  await insertDay(database.pool, DAY, 40_000);
  for (let milliseconds = 1; milliseconds <= 20; milliseconds++) {
    const stopping = new AbortController();
    const summarising = summarise(database.pool, { isFinal: true, signal: stopping.signal });
    await delay(milliseconds);
    stopping.abort();
    await summarising;
  }
  await summarise(database.pool, { isFinal: true });
  expect(await pagesReadForNothing()).toBe((await pages()) % RANGE);
});

test('an index that was left half done is built anew when the day is sealed', async () => {
  await insertDay(database.pool, DAY, 40_000);
  const client = await database.pool.connect();
  await client.query('set statement_timeout = 2');
  await expect(
    client.query(`select brin_summarize_new_values('partitions.dns_rr_20240611_time_idx')`),
  ).rejects.toThrow('statement timeout');
  client.release(true);
  await database.pool.query(`select brin_summarize_new_values('partitions.dns_rr_20240611_time_idx')`);
  expect(await pagesReadForNothing()).toBeGreaterThan(RANGE);

  await seal(database.pool, { sealAfterSeconds: 0 });
  expect(await pagesReadForNothing()).toBe(0);
});
