/**
 * Every file with an oracle in the shared fixtures directory, its public part too; the biggest only with
 * DNSTRAIL_TEST_LARGE=1.
 */
import { existsSync, readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadFiles } from '../../collector/load/load.ts';
import type { FileReport } from '../../collector/load/loadFile.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { expectedRows, sharedFixtures } from './expected.ts';
import { findFile } from './ipfix2json.ts';
import { loadedDifferences } from './loaded.ts';
import { differences, hitsOf, readDedup } from './superMediator.ts';

const present = existsSync(sharedFixtures);
if (!present) console.warn(`skipped: no fixtures in ${sharedFixtures}`);
const withLarge = process.env.DNSTRAIL_TEST_LARGE === '1';

const cases = ['', 'public/'].flatMap(folder => {
  const directory = `${sharedFixtures}${folder}`;
  const files = existsSync(directory)
    ? readdirSync(directory).filter(file => /\.ipfix(\.gz)?$/.test(file))
    : [];
  return files
    .map(file => ({ file: `${folder}${file}`, directory, name: file.replace(/\.ipfix(\.gz)?$/, '') }))
    .filter(({ name }) => findFile(`${directory}${name}.oracle.ndjson`) !== undefined)
    .filter(({ name }) => withLarge || !name.endsWith('-medium'));
});

const groups = `
  select section, rrtype, rrname, rdata, count(*)::integer as count
  from public.dns_rr where section > 0 group by section, rrtype, rrname, rdata`;

describe.skipIf(!present)('a file of the shared fixtures, loaded into an empty database', () => {
  let database: TestDatabase;
  let reports: FileReport[];
  beforeAll(async () => {
    database = await createTestDatabase();
    reports = await loadFiles(
      database.url,
      cases.map(({ file }) => `${sharedFixtures}${file}`),
    );
  }, 300_000);
  afterAll(() => database.drop());

  it('is one of more than a hundred', () => expect(cases.length).toBeGreaterThan(100));

  it.each(cases)('gives the rows that other programs read in $file', async ({ file, directory, name }) => {
    const report = reports.find(({ path }) => path === `${sharedFixtures}${file}`);
    const expected = expectedRows(name, directory);
    expect(await loadedDifferences(database.pool, report, expected)).toEqual([]);
  });

  it.skipIf(!withLarge)(
    'holds of yaf2164-large what super_mediator counted',
    { timeout: 300_000 },
    async () => {
      const own = await createTestDatabase();
      try {
        await loadFiles(own.url, [`${sharedFixtures}yaf2164-large.ipfix.gz`]);
        const { rows } =
          await own.pool.query<Parameters<typeof hitsOf>[0] extends Iterable<infer Row> ? Row : never>(
            groups,
          );
        const theirs = readDedup(`${sharedFixtures}yaf2164-large.dedup.txt.gz`);
        expect(differences(hitsOf(rows), theirs).slice(0, 20)).toEqual([]);
      } finally {
        await own.drop();
      }
    },
  );
});
