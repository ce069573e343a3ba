import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { log } from '../common/log.ts';
import { openPool } from '../common/pool.ts';
import { sibling } from '../common/sibling.ts';
import { closeRuns } from './tasks/closeRuns.ts';
import { detect } from './tasks/detect.ts';
import { makePartitions } from './tasks/makePartitions.ts';
import { type Merged, mergeDueRuns } from './tasks/mergeRuns.ts';
import { type Retained, retain } from './tasks/retain.ts';
import { type Sealed, seal } from './tasks/seal.ts';

const RESTART_MS = 1_000;
/** The thread gets this long to end by itself. */
const PATIENCE_MS = 5_000;

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
 * Runs the jobs of the crontab, in any number of processes on the same database; the schema must be migrated. They have a
 * thread of their own: whatever becomes of it, receiving goes on, and it is started again.
 */
export function startWorker(options: WorkerOptions): AnalyticsWorker {
  const stopping = new AbortController();
  const ended = keepRunning(options, stopping.signal);
  return {
    async close() {
      stopping.abort();
      await ended;
    },
  };
}

async function keepRunning(options: WorkerOptions, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const failure = await runThread(options, signal);
    if (signal.aborted) return;
    log.error(
      { error: String(failure), retryInMs: RESTART_MS },
      'the thread of the jobs ended, will start it again',
    );
    await delay(RESTART_MS, undefined, { signal }).catch(() => {});
  }
}

/** @returns when the thread has ended, with the error that ended it */
function runThread(options: WorkerOptions, signal: AbortSignal): Promise<unknown> {
  const worker = new Worker(sibling(import.meta.url, 'worker'), { workerData: options });
  let patience: NodeJS.Timeout | undefined;
  const stop = () => {
    worker.postMessage('stop');
    patience = setTimeout(() => void worker.terminate(), PATIENCE_MS); // its transactions are rolled back
  };
  signal.addEventListener('abort', stop, { once: true });
  return new Promise(resolve => {
    let failure: unknown;
    worker.on('error', error => {
      failure = error;
    });
    worker.on('exit', code => {
      signal.removeEventListener('abort', stop);
      clearTimeout(patience);
      resolve(failure ?? new Error(`it ended with code ${code}`));
    });
  });
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
  const pool = openPool(databaseUrl, { max: 4, application_name: 'dnstrail work' });
  try {
    const made = await makePartitions(pool);
    const retained = await retain(pool, { ...options, signal });
    const sealed = await seal(pool, { sealAfterSeconds: options.sealAfterSeconds, signal });
    await closeRuns(pool, { isFinal: true, signal });
    await detect(pool, { isUrgent: true, signal });
    return { made, retained, sealed, merged: await mergeDueRuns(pool, { signal }) };
  } finally {
    await pool.end();
  }
}
