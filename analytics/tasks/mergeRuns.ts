import type pg from 'pg';
import { type TierName, tierNames } from '../../common/tiers.ts';
import { dropEmptyRuns, type Mover, moveRows, type Run, readyRuns } from '../runs.ts';
import { JobLock, repeat, withJobLock } from '../session.ts';
import { tiers } from '../tiers.ts';

/** So many runs of one size become one: each row is written once per size, each lookup reads fewer than so many per size. */
const FAN_IN = 8;
/**
 * Runs of so many octets are of one size, the smallest, of which so many become one; above, each size is FAN_IN times the one
 * before. With many of them each row is written once less; they are new, and so in memory.
 */
const SMALLEST = { bytes: 64 << 20, fanIn: 32 };
/** In a tier that is searched for substrings: small runs have no trigrams and are read through. */
const SMALLEST_TO_SEARCH = { bytes: 16 << 20, fanIn: FAN_IN };
const PAUSE_MS = 2000;

/** Runs that became one. */
export interface Merged {
  readonly tier: TierName;
  readonly runs: number;
  readonly rows: number;
  readonly milliseconds: number;
}

/** Runs of the smallest size, seconds' work, which come all the time; or all others, minutes' work, which nobody waits for. */
export type Sizes = 'small' | 'large';

/** Who merges them: a lock, so that it is one process, and the state of the run that they become. */
const JOBS: Readonly<Record<Sizes, { readonly lock: number; readonly mover: Mover }>> = {
  small: { lock: JobLock.mergeSmallRuns, mover: 'sorting' },
  large: { lock: JobLock.mergeLargeRuns, mover: 'merging' },
};

export interface MergeOptions {
  /** Octets up to which a run is of the smallest size, and how many of these are merged; for tests. */
  readonly smallest?: { readonly bytes: number; readonly fanIn: number } | undefined;
  /** Look again for this long. */
  readonly forMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Merges runs of the deduplicated tiers, smaller ones first, until there are fewer than that of each size. Only one process
 * merges the small ones at a time, and one the large ones; the others return at once.
 */
export async function mergeDueRuns(
  pool: pg.Pool,
  sizes: Sizes,
  options: MergeOptions = {},
): Promise<Merged[]> {
  const { forMs, signal } = options;
  const done = await withJobLock(pool, JOBS[sizes].lock, signal, async client => {
    await client.query('set max_parallel_maintenance_workers = 0'); // one thread: the other ones load
    const merged: Merged[] = [];
    if (!(await isWithoutElder(client))) return merged;
    await repeat({ forMs, pauseMs: PAUSE_MS, signal }, async () => {
      for (const tier of tierNames) merged.push(...(await mergeTier(client, tier, sizes, options)));
      await dropEmptyRuns(client);
    });
    return merged;
  });
  return done ?? [];
}

/** Takes a lock until the end of the session: a process of an earlier version merges all sizes, or does nothing while we do. */
async function isWithoutElder(client: pg.PoolClient): Promise<boolean> {
  const { rows } = await client.query<{ taken: boolean }>('select pg_try_advisory_lock_shared($1) as taken', [
    JobLock.merge,
  ]);
  return rows[0]!.taken; // a select without from gives one row
}

async function mergeTier(
  client: pg.PoolClient,
  tier: TierName,
  sizes: Sizes,
  { smallest, signal }: MergeOptions,
): Promise<Merged[]> {
  const merged: Merged[] = [];
  for (;;) {
    signal?.throwIfAborted();
    const due = dueRuns(tier, await readyRuns(client, tier), sizes, smallest);
    if (due === undefined) return merged;
    const begin = performance.now();
    const rows = await moveRows(
      client,
      tier,
      due.map(({ runId }) => runId),
      JOBS[sizes].mover,
    );
    if (rows === undefined) return merged;
    merged.push({ tier, runs: due.length, rows, milliseconds: Math.round(performance.now() - begin) });
    await dropEmptyRuns(client);
  }
}

/** The runs of the smallest of these sizes of which there are enough. */
export function dueRuns(
  tier: TierName,
  runs: readonly Run[],
  sizes: Sizes,
  smallest = tiers[tier].trigrams === undefined ? SMALLEST : SMALLEST_TO_SEARCH,
): readonly Run[] | undefined {
  const bySize = Map.groupBy(runs, ({ bytes }) =>
    Math.max(0, Math.ceil(Math.log(bytes / smallest.bytes) / Math.log(FAN_IN))),
  );
  return [...bySize]
    .filter(([size]) => (size === 0) === (sizes === 'small'))
    .sort(([a], [b]) => a - b)
    .find(([, { length }]) => length >= (sizes === 'small' ? smallest.fanIn : FAN_IN))?.[1];
}
