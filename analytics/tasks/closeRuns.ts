import type pg from 'pg';
import { closeHotRun, dropEmptyRuns, readyClosedRuns } from '../runs.ts';
import { JobLock, repeat, withJobLock } from '../session.ts';

/** A lookup reads the rows of the hot run one by one: so many take some 10 ms. Smaller ones would have to be merged once more. */
const HOT_BYTES = 12 << 20;
const PAUSE_MS = 500;

export interface CloseOptions {
  /** Close the hot run whatever its size, if it has rows. */
  readonly isFinal?: boolean | undefined;
  /** Look again for this long. */
  readonly forMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Closes the hot run of the deduplicated tiers when it is due; adds up and indexes what is closed. Loaders go on with the
 * next. Only one process does it at a time; the others return at once.
 * @returns runs that are now indexed
 */
export async function closeRuns(pool: pg.Pool, options: CloseOptions = {}): Promise<number> {
  const { isFinal = false, forMs, signal } = options;
  const ready = await withJobLock(pool, JobLock.closeRuns, signal, async client => {
    await client.query('set max_parallel_maintenance_workers = 0'); // one thread: the other ones load
    let count = 0;
    await repeat({ forMs, pauseMs: PAUSE_MS, signal }, async () => {
      await closeHotRun(client, isFinal ? 1 : HOT_BYTES);
      count += await readyClosedRuns(client, signal);
      await dropEmptyRuns(client);
    });
    return count;
  });
  return ready ?? 0;
}
