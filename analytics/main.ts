import { setTimeout as delay } from 'node:timers/promises';
import { Logger, parseCrontab, type Runner, run, type TaskList } from 'graphile-worker';
import pg from 'pg';
import { z } from 'zod';
import { isTransient } from '../common/database.ts';
import { log } from '../common/log.ts';
import { crontab } from './crontab.ts';
import { deliver, queueDeliveries } from './detect/deliver.ts';
import { withSession } from './session.ts';
import { closeRuns } from './tasks/closeRuns.ts';
import { detect } from './tasks/detect.ts';
import { makePartitions } from './tasks/makePartitions.ts';
import { type Merged, mergeDueRuns } from './tasks/mergeRuns.ts';
import { type Retained, retain } from './tasks/retain.ts';
import { type Sealed, seal } from './tasks/seal.ts';

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
/** Jobs at the same time: two look after the runs all the time, sealing keeps one busy for long. */
const CONCURRENCY = 4;
/** Two for each job, and graphile-worker's own. */
const CONNECTIONS = 12;
/** The jobs that look after runs do so for this long, then the crontab starts them again: a minute is too rare. */
const TURN_MS = 55_000;
/** A job gets this long to end by itself when we stop, before its statement is cancelled. */
const PATIENCE_MS = 500;
/** A worker that ran this long did not fail to start: the next attempt comes soon again. */
const STABLE_MS = 60_000;

const deliverySchema = z.object({ id: z.number() });

export interface WorkerOptions {
  readonly databaseUrl: string;
  /** Seconds without new rows after which a day that is over is sealed; default 900. */
  readonly sealAfterSeconds?: number | undefined;
  readonly retainDays?: number | undefined;
  readonly retainBytes?: number | undefined;
  readonly archiveDirectory?: string | undefined;
}

/** A running worker. */
export interface AnalyticsWorker {
  /** Stops within seconds; jobs that are cut short leave nothing half done. */
  close(): Promise<void>;
}

/**
 * Runs the jobs of the crontab, in any number of processes on the same database. A database that is away is waited for;
 * the schema must be migrated. Resolves when the worker has begun to try.
 */
export async function startWorker(options: WorkerOptions): Promise<AnalyticsWorker> {
  const pool = openPool(options.databaseUrl, CONNECTIONS);
  const stopping = new AbortController();
  const ended = keepRunning(pool, options, stopping.signal);
  return {
    async close() {
      stopping.abort();
      await ended;
      await pool.end();
    },
  };
}

export interface DueOptions extends Omit<WorkerOptions, 'databaseUrl'> {
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs all that is due now and returns: partitions made ahead, days sealed, what is too old or too much dropped, runs of the
 * deduplicated tiers indexed and merged, windows with new records looked at by the detectors.
 */
export async function runDue(
  databaseUrl: string,
  { signal, ...options }: DueOptions = {},
): Promise<{ made: number; sealed: readonly Sealed[]; retained: Retained; merged: readonly Merged[] }> {
  const pool = openPool(databaseUrl, 4);
  try {
    const made = await makePartitions(pool);
    const retained = await retain(pool, { ...options, signal });
    const sealed = await seal(pool, { ...sealOptions(options), signal });
    await closeRuns(pool, { isFinal: true, signal });
    await detect(pool, { isUrgent: true, signal });
    return { made, retained, sealed, merged: await mergeDueRuns(pool, { signal }) };
  } finally {
    await pool.end();
  }
}

async function keepRunning(pool: pg.Pool, options: WorkerOptions, signal: AbortSignal): Promise<void> {
  let wait = FIRST_WAIT_MS;
  while (!signal.aborted) {
    const begin = Date.now();
    try {
      await runOnce(pool, options, signal);
    } catch (error) {
      if (signal.aborted) return;
      log[isTransient(error) ? 'warn' : 'error'](
        { error: String(error), retryInMs: wait },
        'jobs do not run, will retry',
      );
    }
    if (Date.now() - begin > STABLE_MS) wait = FIRST_WAIT_MS;
    await delay(wait, undefined, { signal }).catch(() => {});
    wait = Math.min(wait * 2, LONGEST_WAIT_MS);
  }
}

/** Runs a graphile-worker until `signal`, or until it gives up. */
async function runOnce(pool: pg.Pool, options: WorkerOptions, signal: AbortSignal): Promise<void> {
  const runner: Runner = await run({
    pgPool: pool,
    taskList: tasksOf(pool, options),
    parsedCronItems: parseCrontab(crontab),
    concurrency: CONCURRENCY,
    noHandleSignals: true,
    gracefulShutdownAbortTimeout: PATIENCE_MS,
    logger,
  });
  const stop = (): void => void runner.stop().catch(() => {});
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  try {
    for (const job of ['make_partitions', 'close_runs', 'merge_runs'])
      await runner.addJob(job, {}, { jobKey: job, maxAttempts: 3 });
    await runner.promise;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** The jobs by name; each is safe to run again and in several processes. */
function tasksOf(pool: pg.Pool, options: WorkerOptions): TaskList {
  const { retainDays, retainBytes, archiveDirectory } = options;
  return {
    async make_partitions() {
      await makePartitions(pool);
    },
    async seal(_payload, { abortSignal }) {
      for (const partition of await seal(pool, { ...sealOptions(options), signal: abortSignal }))
        log.info(partition, 'sealed a partition');
    },
    async close_runs(_payload, { abortSignal }) {
      await unlessAborted(abortSignal, () => closeRuns(pool, { forMs: TURN_MS, signal: abortSignal }));
    },
    async merge_runs(_payload, { abortSignal }) {
      await unlessAborted(abortSignal, () => mergeDueRuns(pool, { forMs: TURN_MS, signal: abortSignal }));
    },
    async detect(_payload, { abortSignal }) {
      await detect(pool, { signal: abortSignal });
      await withSession(pool, abortSignal, queueDeliveries);
    },
    async deliver(payload, { abortSignal }) {
      await deliver(pool, deliverySchema.parse(payload).id, abortSignal);
    },
    async retain(_payload, { abortSignal }) {
      if (retainDays === undefined && retainBytes === undefined) return;
      await retain(pool, { retainDays, retainBytes, archiveDirectory, signal: abortSignal });
    },
  };
}

/** Jobs that look after something all the time are always cut short: that is no failure to count. */
async function unlessAborted(signal: AbortSignal | undefined, run: () => Promise<unknown>): Promise<void> {
  await run().catch(error => {
    if (!signal?.aborted) throw error;
  });
}

function sealOptions({ sealAfterSeconds }: { sealAfterSeconds?: number | undefined }) {
  return sealAfterSeconds === undefined ? {} : { sealAfterSeconds };
}

function openPool(connectionString: string, max: number): pg.Pool {
  const pool = new pg.Pool({ connectionString, max, application_name: 'dnstrail work' });
  pool.on('error', () => {}); // an idle connection was lost: the next query opens another
  pool.on('connect', client => client.on('error', () => {})); // the query that runs into it throws
  return pool;
}

/** What graphile-worker says, one level quieter: a job that ran is nothing to tell. */
const logger = new Logger(scope => (level, message) => {
  const quieter = { error: 'error', warning: 'warn', info: 'debug', debug: 'trace' } as const;
  log[quieter[level as keyof typeof quieter] ?? 'debug']({ ...scope }, message);
});
