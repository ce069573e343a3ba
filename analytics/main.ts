import { log } from '../common/log.ts';
import { openPool } from '../common/pool.ts';
import { Subprocess } from '../common/subprocess.ts';
import { closeRuns } from './tasks/closeRuns.ts';
import { detect } from './tasks/detect.ts';
import { makePartitions } from './tasks/makePartitions.ts';
import { type Merged, mergeDueRuns } from './tasks/mergeRuns.ts';
import { type Retained, retain } from './tasks/retain.ts';
import { type Sealed, seal } from './tasks/seal.ts';

/** The process gets this long to end by itself; then its transactions are rolled back. */
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
 * Runs the jobs of the crontab, for any number of dnstrails on the same database; the schema must be migrated. They have a
 * process of their own: whatever becomes of it, receiving goes on, and it is started again.
 */
export function startWorker(options: WorkerOptions): AnalyticsWorker {
  const subprocess = new Subprocess(new URL('./worker', import.meta.url), {
    options,
    patienceMs: PATIENCE_MS,
    failed: how => log.error(`the process of the jobs ${how}, will start it again`),
  });
  return { close: () => subprocess.stop() };
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
    const small = await mergeDueRuns(pool, 'small', { signal });
    const large = await mergeDueRuns(pool, 'large', { signal });
    return { made, retained, sealed, merged: [...small, ...large] };
  } finally {
    await pool.end();
  }
}
