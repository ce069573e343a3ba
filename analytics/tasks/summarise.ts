import type pg from 'pg';
import { isUnavailable, JobLock, repeat, withJobLock } from '../session.ts';

/** Of the indexes on time (public.ensure_partitions). */
const PAGES_PER_RANGE = 32;
/** Ranges at once, some 60 ms. */
const RANGES_AT_ONCE = 64;
/** After this long the transactions that filled a page have ended, and the loader has not got far. */
const PAUSE_MS = 3000;
const LOCK_TIMEOUT_MS = 100;

/** Of each index on time: pages that its partition had when we last looked, and the page where we go on. */
type Summarised = ReadonlyMap<string, { readonly pages: number; readonly next: number }>;
/** By database. */
const known = new WeakMap<pg.Pool, Summarised>();

export interface SummariseOptions {
  /** Take in what is there now; else what was there at the last look, 3 seconds ago. */
  readonly isFinal?: boolean | undefined;
  /** Look again for this long. */
  readonly forMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Takes the pages that loaders have filled into the indexes on time, so that the newest hour is found as fast as any other.
 * It is the first to read them, soon: a reader leaves a mark in each row that its transaction is committed, and a page that
 * is marked only after the next checkpoint goes into the write-ahead log as a whole, which takes ten times as long as reading it.
 * Only one process does it at a time; the others return at once.
 * @returns ranges of pages that were not in an index before
 */
export async function summarise(
  pool: pg.Pool,
  { isFinal = false, forMs, signal }: SummariseOptions = {},
): Promise<number> {
  signal?.throwIfAborted();
  // no statement of ours is cancelled: a range that is left half done makes every search read all that come after it
  const ranges = await withJobLock(pool, JobLock.summarise, undefined, async client => {
    await client.query(`set lock_timeout = ${LOCK_TIMEOUT_MS}`);
    let count = 0;
    await repeat({ forMs, pauseMs: PAUSE_MS, signal }, async () => {
      const before = known.get(pool) ?? new Map();
      const { ranges, after } = await summariseFilled(client, before, isFinal, signal);
      known.set(pool, after);
      count += ranges;
    });
    return count;
  });
  return ranges ?? 0;
}

const growingSql = `
select index, table_bytes / current_setting('block_size')::float8 as pages
from (select *, format('partitions.%I', name || '_time_idx') as index from public.partition) as partition
where state <> 'sealed' and to_regclass(index) is not null`;

const rangesSql = `
select sum(brin_summarize_range($1::regclass, block))::integer as ranges
from generate_series($2::bigint, $3::bigint - 1, ${PAGES_PER_RANGE}) as block`;

async function summariseFilled(
  client: pg.ClientBase,
  before: Summarised,
  isFinal: boolean,
  signal: AbortSignal | undefined,
): Promise<{ ranges: number; after: Summarised }> {
  const { rows: growing } = await client.query<{ index: string; pages: number }>(growingSql);
  const after = new Map();
  let count = 0;
  for (const { index, pages } of growing) {
    let { pages: filled, next } = before.get(index) ?? { pages: 0, next: 0 };
    if (pages < filled) [filled, next] = [0, 0]; // dropped and made anew
    if (isFinal) filled = pages;
    const end = filled - (filled % PAGES_PER_RANGE);
    while (next < end && !signal?.aborted) {
      const to = Math.min(end, next + RANGES_AT_ONCE * PAGES_PER_RANGE);
      const ranges = await summariseRanges(client, index, next, to);
      if (ranges === undefined) break;
      count += ranges;
      next = to;
    }
    after.set(index, { pages, next });
  }
  return { ranges: count, after };
}

/** @returns undefined where others have locked the partition */
async function summariseRanges(
  client: pg.ClientBase,
  index: string,
  from: number,
  to: number,
): Promise<number | undefined> {
  try {
    const { rows } = await client.query<{ ranges: number }>(rangesSql, [index, from, to]);
    return rows[0]!.ranges; // an aggregate gives one row
  } catch (error) {
    if (isUnavailable(error)) return undefined;
    throw error;
  }
}
