import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { letServerGiveWay, Niceness } from '../common/niceness.ts';

/** Advisory locks that keep a job to one process at a time, in any database. */
export const JobLock = {
  seal: 7234872349010,
  retain: 7234872349011,
  closeRuns: 7234872349012,
  /** Versions that merge runs of all sizes in one job hold it alone, later ones together. */
  merge: 7234872349013,
  detect: 7234872349014,
  summarise: 7234872349015,
  mergeSmallRuns: 7234872349016,
  mergeLargeRuns: 7234872349017,
} as const;

/** Jobs whose transactions read no run but those that they move themselves. */
export const BLIND_JOBS = [JobLock.seal, JobLock.retain, JobLock.closeRuns, JobLock.merge, JobLock.summarise];

/** Most go before the other jobs: what they leave makes all that looks something up slower. */
const JOB_NICENESS: ReadonlyMap<number, number> = new Map([
  [JobLock.closeRuns, Niceness.closing],
  [JobLock.mergeSmallRuns, Niceness.loading],
  [JobLock.mergeLargeRuns, Niceness.tidying],
  [JobLock.summarise, Niceness.loading],
]);

/** SQLSTATEs: lock not available, deadlock, undefined table. */
const UNAVAILABLE = ['55P03', '40P01', '42P01'];

/**
 * Runs with a connection of its own, which is closed afterwards together with what was set or locked on it. Once `signal`
 * aborts, its statement is cancelled; if this process dies, the server notices and stops within seconds.
 */
export async function withSession<T>(
  pool: pg.Pool,
  signal: AbortSignal | undefined,
  run: (client: pg.PoolClient) => Promise<T>,
  niceness: number = Niceness.jobs,
): Promise<T> {
  signal?.throwIfAborted();
  const client = await pool.connect();
  client.on('error', () => {}); // the query that runs into it throws
  let cancel = (): void => {};
  try {
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
    cancel = () => void pool.query('select pg_cancel_backend($1)', [rows[0]?.pid]).catch(() => {});
    signal?.addEventListener('abort', cancel);
    signal?.throwIfAborted();
    // systems that cannot watch a socket refuse it
    await client.query(`set client_connection_check_interval = '2s'`).catch(() => {});
    await letServerGiveWay(client, niceness);
    return await run(client);
  } finally {
    signal?.removeEventListener('abort', cancel);
    client.release(true);
  }
}

/** Like withSession, unless another process is at the same job: then it does nothing. */
export function withJobLock<T>(
  pool: pg.Pool,
  lock: number,
  signal: AbortSignal | undefined,
  run: (client: pg.PoolClient) => Promise<T>,
): Promise<T | undefined> {
  const runWithLock = async (client: pg.PoolClient): Promise<T | undefined> => {
    const { rows } = await client.query<{ taken: boolean }>('select pg_try_advisory_lock($1) as taken', [
      lock,
    ]);
    if (!rows[0]?.taken) return undefined;
    // the end of the connection frees it too, but later than we return
    const unlock = () => client.query('select pg_advisory_unlock($1)', [lock]).catch(() => {});
    return run(client).finally(unlock);
  };
  return withSession(pool, signal, runWithLock, JOB_NICENESS.get(lock));
}

/** Runs at least once, and again after pauses until `forMs` are over or `signal` aborts. */
export async function repeat(
  options: { forMs?: number | undefined; pauseMs: number; signal?: AbortSignal | undefined },
  run: () => Promise<void>,
): Promise<void> {
  const { forMs = 0, pauseMs, signal } = options;
  for (const end = performance.now() + forMs; ; ) {
    await run();
    if (performance.now() + pauseMs > end) return;
    await delay(pauseMs, undefined, signal === undefined ? {} : { signal }).catch(() => {});
    if (signal?.aborted) return;
  }
}

/** Runs in a transaction, rolled back when it throws. */
export async function inTransaction<T>(client: pg.PoolClient, run: () => Promise<T>): Promise<T> {
  await client.query('begin');
  try {
    const result = await run();
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch(() => {}); // a connection that is gone has rolled back
    throw error;
  }
}

/**
 * Runs statements of a transaction that look for the records of an hour. Nothing is known of a partition that just got
 * its rows, and the planner would read the whole day for each of its hours.
 */
export async function byIndex<T>(client: pg.ClientBase, run: () => Promise<T>): Promise<T> {
  await client.query('set local enable_seqscan = off');
  const result = await run();
  await client.query('set local enable_seqscan = on'); // when it throws the transaction is over
  return result;
}

/** Whether a statement failed because others hold the table that it wants to lock, or just dropped it. */
export function isUnavailable(error: unknown): boolean {
  return error instanceof Error && 'code' in error && UNAVAILABLE.includes(String(error.code));
}
