import type pg from 'pg';
import { type TierName, tierNames } from '../../common/tiers.ts';
import { dropEmptyRuns, moveRows, type Run, readyRuns } from '../runs.ts';
import { JobLock, repeat, withJobLock } from '../session.ts';

/** So many runs of one size become one: each row is written once per size, each lookup reads fewer than so many per size. */
const FAN_IN = 8;
/** Runs smaller than this are of one size; above, each size is FAN_IN times the one before. */
const SMALLEST_BYTES = 16 << 20;
const PAUSE_MS = 2000;

/** Runs that became one. */
export interface Merged {
  readonly tier: TierName;
  readonly runs: number;
  readonly rows: number;
  readonly milliseconds: number;
}

export interface MergeOptions {
  /** Look again for this long. */
  readonly forMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Merges runs of the deduplicated tiers, smallest first, until there are fewer than FAN_IN of each size. Only one process
 * does it at a time; the others return at once.
 */
export async function mergeDueRuns(pool: pg.Pool, options: MergeOptions = {}): Promise<Merged[]> {
  const { forMs, signal } = options;
  const done = await withJobLock(pool, JobLock.mergeRuns, signal, async client => {
    await client.query('set max_parallel_maintenance_workers = 0'); // one thread: the other ones load
    const merged: Merged[] = [];
    await repeat({ forMs, pauseMs: PAUSE_MS, signal }, async () => {
      for (const tier of tierNames) merged.push(...(await mergeTier(client, tier, signal)));
      await dropEmptyRuns(client);
    });
    return merged;
  });
  return done ?? [];
}

async function mergeTier(client: pg.PoolClient, tier: TierName, signal?: AbortSignal): Promise<Merged[]> {
  const merged: Merged[] = [];
  for (;;) {
    signal?.throwIfAborted();
    const due = dueRuns(await readyRuns(client, tier));
    if (due === undefined) return merged;
    const begin = performance.now();
    const rows = await moveRows(
      client,
      tier,
      due.map(({ runId }) => runId),
      'sorting',
    );
    if (rows === undefined) return merged;
    merged.push({ tier, runs: due.length, rows, milliseconds: Math.round(performance.now() - begin) });
    await dropEmptyRuns(client);
  }
}

/** The runs of the smallest size of which there are enough. */
export function dueRuns(runs: readonly Run[]): readonly Run[] | undefined {
  const sizes = Map.groupBy(runs, ({ bytes }) => sizeOf(bytes));
  return [...sizes]
    .sort(([a], [b]) => a - b)
    .map(([, ofSize]) => ofSize)
    .find(ofSize => ofSize.length >= FAN_IN);
}

function sizeOf(bytes: number): number {
  return Math.max(0, Math.ceil(Math.log(bytes / SMALLEST_BYTES) / Math.log(FAN_IN)));
}
