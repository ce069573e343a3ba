import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { loadFiles } from '../../../collector/load/load.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';

const file = path.join(import.meta.dirname, '../../fixtures/yaf2164-small.ipfix');

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(() => database.drop());

it('notes the hours that got rows, for the jobs that look at what is new', async () => {
  await loadFiles(database.url, [file]);
  const hours = (sql: string) =>
    database.pool.query(`select distinct ${sql} order by 1`).then(({ rows }) => rows);
  const landed = await hours('hour from public.landed_hour');
  expect(landed.length).toBeGreaterThan(0);
  expect(landed).toEqual(await hours(`date_trunc('hour', start_time, 'UTC') as hour from public.flow`));
  await database.pool.query('delete from public.landed_hour');
  await loadFiles(database.url, [file]); // a duplicate brings nothing
  expect(await hours('hour from public.landed_hour')).toEqual([]);
});
