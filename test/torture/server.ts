import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import { openEmbedded } from '../../common/postgres/embedded.ts';
import { migrate } from '../../migrations/migrate.ts';
import { databaseUrl } from '../support/databaseUrl.ts';
import { eventually, withDirectory } from '../support/processes.ts';

/** A database of a test's own, with the whole schema. */
export interface TestDatabase {
  readonly url: string;
  readonly pool: pg.Pool;
  drop(): Promise<void>;
}

/** Makes databases. */
export interface TestServer {
  createDatabase(): Promise<TestDatabase>;
}

/** How PostgreSQL may end: `pg_ctl stop -m fast`, `-m immediate`, and kill -9 of the postmaster. */
export const stopModes = { fast: 'SIGINT', immediate: 'SIGQUIT', kill: 'SIGKILL' } as const;
export type StopMode = keyof typeof stopModes;

/** A PostgreSQL of a test's own, which can be stopped in the middle of anything. */
export interface StoppableServer extends TestServer {
  stop(mode: StopMode): Promise<void>;
  start(): Promise<void>;
}

/** Runs with a server of its own in a temporary directory. */
export function withServer<T>(run: (server: StoppableServer) => Promise<T>): Promise<T> {
  return withDirectory(async home => {
    const embedded = await openEmbedded(home, { durable: false }); // outlives its processes, not the machine
    try {
      return await run({
        createDatabase: () => createDatabase(embedded.url),
        async stop(mode) {
          const [pid] = readFileSync(path.join(embedded.dataDirectory, 'postmaster.pid'), 'utf8').split('\n');
          process.kill(Number(pid), stopModes[mode]);
          await eventually('PostgreSQL to end', () => isGone(Number(pid)) || undefined);
        },
        start: () => embedded.ensureRunning(),
      });
    } finally {
      await embedded.ensureRunning();
      await embedded.close();
    }
  });
}

async function createDatabase(serverUrl: string): Promise<TestDatabase> {
  const name = `dnstrail_torture_${randomBytes(6).toString('hex')}`;
  await execute(serverUrl, `create database ${name}`);
  const url = databaseUrl(serverUrl, name);
  const pool = new pg.Pool({ connectionString: url });
  pool.on('error', () => {}); // the query that runs into it throws
  await migrate(pool);
  return {
    url,
    pool,
    async drop() {
      await pool.end();
      await execute(serverUrl, `drop database ${name} with (force)`);
    },
  };
}

async function execute(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(statement).finally(() => client.end());
}

function isGone(pid: number): boolean {
  try {
    return /^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8')); // ended, and nobody took note
  } catch {
    return true;
  }
}
