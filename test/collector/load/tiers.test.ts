import { readdirSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { closeRuns } from '../../../analytics/tasks/closeRuns.ts';
import { loadFiles } from '../../../collector/load/load.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { tierProblems } from '../../support/tiers.ts';

const FIXTURES = path.join(import.meta.dirname, '../../fixtures');
let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

it('the deduplicated tiers hold what the records of all fixtures say, also once their runs are closed', async () => {
  const files = readdirSync(FIXTURES)
    .filter(name => /\.ipfix(\.gz)?$/.test(name))
    .map(name => path.join(FIXTURES, name));
  await loadFiles(database.url, files);
  expect(await tierProblems(database.pool)).toEqual([]);
  expect(await closeRuns(database.pool, { isFinal: true })).toBe(4);
  expect(await tierProblems(database.pool)).toEqual([]);
});
