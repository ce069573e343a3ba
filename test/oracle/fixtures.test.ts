/** Every pair NAME.ipfix[.gz] and NAME.expected.json.gz in test/fixtures: a new case is two files. */
import { existsSync, readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadFiles } from '../../collector/load/load.ts';
import type { FileReport } from '../../collector/load/loadFile.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { readText } from './ipfix2json.ts';
import { loadedDifferences } from './loaded.ts';
import type { ExpectedRows } from './rows.ts';

const directory = new URL('../fixtures/', import.meta.url).pathname;
const cases = readdirSync(directory)
  .filter(file => /\.ipfix(\.gz)?$/.test(file))
  .map(file => ({ file, name: file.replace(/\.ipfix(\.gz)?$/, '') }))
  .filter(({ name }) => existsSync(`${directory}${name}.expected.json.gz`));

describe('a shipped file, loaded into an empty database', () => {
  let database: TestDatabase;
  let reports: FileReport[];
  beforeAll(async () => {
    database = await createTestDatabase();
    reports = await loadFiles(
      database.url,
      cases.map(({ file }) => `${directory}${file}`),
    );
  });
  afterAll(() => database.drop());

  it('is one of more than thirty', () => expect(cases.length).toBeGreaterThan(30));

  it.each(cases)('gives the rows that other programs read in $file', async ({ file, name }) => {
    const expected = JSON.parse(readText(`${directory}${name}.expected.json.gz`)) as ExpectedRows;
    const report = reports.find(({ path }) => path.endsWith(`/${file}`));
    expect(await loadedDifferences(database.pool, report, expected)).toEqual([]);
  });
});
