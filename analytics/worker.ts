import { setTimeout as delay } from 'node:timers/promises';
import { Logger, parseCrontab, type Runner, run as runJobs, type TaskList } from 'graphile-worker';
import type pg from 'pg';
import { z } from 'zod';
import { isTransient } from '../common/database.ts';
import { log } from '../common/log.ts';
import { openPool } from '../common/pool.ts';
import type { Parent } from '../common/subprocess.ts';
import { crontab } from './crontab.ts';
import { deliver, queueDeliveries } from './detect/deliver.ts';
import type { WorkerOptions } from './main.ts';
import { withSession } from './session.ts';
import { closeRuns } from './tasks/closeRuns.ts';
import { detect } from './tasks/detect.ts';
import { makePartitions } from './tasks/makePartitions.ts';
import { mergeDueRuns } from './tasks/mergeRuns.ts';
import { retain } from './tasks/retain.ts';
import { seal } from './tasks/seal.ts';
import { summarise } from './tasks/summarise.ts';

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
/** Jobs at the same time: four look after runs and new pages all the time, sealing keeps one busy for long. */
const CONCURRENCY = 6;
/** Two for each job, and graphile-worker's own. */
const CONNECTIONS = 16;
/** The jobs that look after something all the time do so for this long, then the crontab starts them again: a minute is too rare. */
const TURN_MS = 55_000;
/** A job gets this long to end by itself when we stop, before its statement is cancelled. */
const PATIENCE_MS = 500;
/** A worker that ran this long did not fail to start: the next attempt comes soon again. */
const STABLE_MS = 60_000;

const deliverySchema = z.object({ id: z.number() });

/** Runs the jobs until it is told to stop. */
export async function run({ options, stopping }: Parent<WorkerOptions, never, never>): Promise<void> {
  const pool = openPool(options.databaseUrl, { max: CONNECTIONS, application_name: 'dnstrail work' });
  await keepRunning(pool, tasksOf(pool, options), stopping);
  await pool.end();
}

/** A database that is away is waited for. */
async function keepRunning(pool: pg.Pool, taskList: TaskList, signal: AbortSignal): Promise<void> {
  let wait = FIRST_WAIT_MS;
  while (!signal.aborted) {
    const begin = Date.now();
    try {
      await runOnce(pool, taskList, signal);
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
async function runOnce(pool: pg.Pool, taskList: TaskList, signal: AbortSignal): Promise<void> {
  const runner: Runner = await runJobs({
    pgPool: pool,
    taskList,
    parsedCronItems: parseCrontab(crontab),
    concurrency: CONCURRENCY,
    noHandleSignals: true,
    gracefulShutdownAbortTimeout: PATIENCE_MS,
    logger,
  });
  const stop = () => runner.stop().catch(() => {}); // it was stopped, or has given up
  if (signal.aborted) void stop();
  signal.addEventListener('abort', stop, { once: true });
  try {
    for (const job of ['make_partitions', 'close_runs', 'merge_runs', 'merge_large_runs', 'summarise'])
      await runner.addJob(job, {}, { jobKey: job, maxAttempts: 3 });
    await runner.promise;
  } finally {
    signal.removeEventListener('abort', stop);
    await stop();
  }
}

/** The jobs by name; each is safe to run again and in several processes. */
function tasksOf(
  pool: pg.Pool,
  { sealAfterSeconds, retainDays, retainBytes, archiveDirectory }: WorkerOptions,
): TaskList {
  return {
    async make_partitions() {
      await makePartitions(pool);
    },
    async seal(_payload, { abortSignal }) {
      for (const partition of await seal(pool, { sealAfterSeconds, signal: abortSignal }))
        log.info(partition, 'sealed a partition');
    },
    async close_runs(_payload, { abortSignal }) {
      await unlessAborted(abortSignal, () => closeRuns(pool, { forMs: TURN_MS, signal: abortSignal }));
    },
    async merge_runs(_payload, { abortSignal }) {
      await unlessAborted(abortSignal, () =>
        mergeDueRuns(pool, 'small', { forMs: TURN_MS, signal: abortSignal }),
      );
    },
    async merge_large_runs(_payload, { abortSignal }) {
      await unlessAborted(abortSignal, () =>
        mergeDueRuns(pool, 'large', { forMs: TURN_MS, signal: abortSignal }),
      );
    },
    async summarise(_payload, { abortSignal }) {
      await unlessAborted(abortSignal, () => summarise(pool, { forMs: TURN_MS, signal: abortSignal }));
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

/** What graphile-worker says, one level quieter: a job that ran is nothing to tell. */
const logger = new Logger(scope => (level, message) => {
  const quieter = { error: 'error', warning: 'warn', info: 'debug', debug: 'trace' } as const;
  log[quieter[level as keyof typeof quieter] ?? 'debug']({ ...scope }, message);
});
