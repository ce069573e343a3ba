import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';
import { databaseUrl } from './databaseUrl.ts';

/** A database of a test's own. */
export interface TestDatabase {
  readonly url: string;
  readonly pool: pg.Pool;
  /** Ends the pool and drops the database, whoever is still connected. */
  drop(): Promise<void>;
}

/** Creates a database with the whole schema, in a tenth of a second. For beforeAll or beforeEach; drop it after. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const name = `dnstrail_test_${randomBytes(6).toString('hex')}`;
  await execute(`create database ${name} template ${inject('templateDatabase')}`);
  const url = databaseUrl(inject('serverUrl'), name);
  const pool = new pg.Pool({ connectionString: url });
  pool.on('error', () => {}); // a test may well end connections; the query that runs into it throws
  return {
    url,
    pool,
    async drop() {
      if (!pool.ending) await pool.end();
      await execute(`drop database ${name} with (force)`);
    },
  };
}

async function execute(statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: inject('serverUrl') });
  await client.connect();
  await client.query(statement).finally(() => client.end());
}
