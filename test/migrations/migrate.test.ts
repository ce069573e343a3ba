import { readdir } from 'node:fs/promises';
import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { migrate } from '../../migrations/migrate.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

let database: TestDatabase;

beforeEach(async () => {
  database = await createTestDatabase();
});

afterEach(() => database.drop());

async function forgetEverything(): Promise<void> {
  await database.pool.query(
    'drop schema dnstrail_migrations cascade; drop schema partitions cascade; drop schema runs cascade; drop schema public cascade; create schema public',
  );
}

test('the files run once, in the order of their names, however many callers there are', async () => {
  await forgetEverything();
  const pools = [1, 2, 3].map(() => new pg.Pool({ connectionString: database.url }));
  try {
    const results = await Promise.all(pools.map(migrate));
    const files = (await readdir(new URL('../../migrations', import.meta.url)))
      .filter(name => name.endsWith('.sql'))
      .sort();
    expect(results.flatMap(({ applied }) => applied.map(name => `${name}.sql`))).toEqual(files);
    expect(await migrate(database.pool)).toEqual({ applied: [] });
  } finally {
    await Promise.all(pools.map(pool => pool.end()));
  }
});

test('a migration that fails is named, and changes nothing', async () => {
  await forgetEverything();
  await database.pool.query('create table public.flow ()');
  await expect(migrate(database.pool)).rejects.toThrow(
    'migration 0001_flows_and_rrs failed: relation "flow" already exists',
  );
  const { rows } = await database.pool.query(`select to_regclass('public.exporter') as exporter`);
  expect(rows).toEqual([{ exporter: null }]);
});

test('a database that is newer than the program is refused', async () => {
  await database.pool.query(
    `insert into dnstrail_migrations.kysely_migration values ('9999_future', '2100-01-01T00:00:00.000Z')`,
  );
  await expect(migrate(database.pool)).rejects.toThrow(
    'the database is newer than this dnstrail, which does not know its migration 9999_future',
  );
});
