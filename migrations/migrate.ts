import { readdir, readFile } from 'node:fs/promises';
import { Kysely, PostgresDialect, sql } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import type pg from 'pg';

const DIRECTORY = new URL('.', import.meta.url);

/** Schema of the migrator's own tables, apart from those that analysts see. */
const SCHEMA = 'dnstrail_migrations';

/**
 * Brings the schema up to date: runs the `.sql` files of this directory that the database has not seen, in order and
 * in one transaction. Concurrent callers wait for each other. The pool stays open.
 * @returns names of the migrations that ran now, without `.sql`
 * @throws Error when the database is newer than this program, or naming the migration that failed, which changed nothing
 */
export async function migrate(pool: pg.Pool): Promise<{ applied: string[] }> {
  const known = (await readdir(DIRECTORY))
    .filter(name => name.endsWith('.sql'))
    .map(name => name.slice(0, -4));
  const done = await executedMigrations(pool);
  const unknown = done.filter(name => !known.includes(name));
  if (unknown.length > 0) {
    throw new Error(
      `the database is newer than this dnstrail, which does not know its migration ${unknown.join(', ')}: upgrade dnstrail`,
    );
  }
  if (done.length === known.length) return { applied: [] };
  const migrator = new Migrator({
    db: new Kysely({ dialect: new PostgresDialect({ pool }) }), // not destroyed: that would end the pool
    provider: { getMigrations: () => readMigrations(known) },
    migrationTableSchema: SCHEMA,
  });
  const { error, results = [] } = await migrator.migrateToLatest();
  if (error) {
    const failed = results.find(({ status }) => status === 'Error')?.migrationName;
    throw failed ? new Error(`migration ${failed} failed: ${messageOf(error)}`, { cause: error }) : error;
  }
  return { applied: results.map(({ migrationName }) => migrationName) };
}

async function executedMigrations(pool: pg.Pool): Promise<string[]> {
  const table = `${SCHEMA}.kysely_migration`;
  const { rows } = await pool.query<{ exists: boolean }>('select to_regclass($1) is not null as exists', [
    table,
  ]);
  if (!rows[0]?.exists) return [];
  return (await pool.query<{ name: string }>(`select name from ${table}`)).rows.map(({ name }) => name);
}

async function readMigrations(names: readonly string[]): Promise<Record<string, Migration>> {
  const read = async (name: string): Promise<[string, Migration]> => {
    const text = await readFile(new URL(`${name}.sql`, DIRECTORY), 'utf8');
    return [name, { up: async db => void (await sql.raw(text).execute(db)) }];
  };
  return Object.fromEntries(await Promise.all(names.map(read)));
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
