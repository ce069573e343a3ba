import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import type { TierName } from '../common/tiers.ts';
import { BLIND_JOBS, inTransaction, isUnavailable } from './session.ts';
import { mergeSql, tiers } from './tiers.ts';

/** Class of the advisory lock that loaders hold on the run they add rows to; see use_hot_run(). */
const HOT_RUN_LOCK = 1381323092;
/**
 * Reading through names of this size, some hundred thousand, takes as long as a lookup should. Smaller ones do without
 * trigrams, which take longer to build than all else.
 */
const TRIGRAM_BYTES = 8 << 20;
/** Of a smaller table a sample of 6000 rows is enough; the usual 30 000 take as long as its indexes. */
const SAMPLED_BYTES = 64 << 20;
const FEW = 20;
const POLL_MS = 50;
/**
 * While we wait for a lock, queries queue behind us: not for long, unless there is so much to drop that reading through it
 * takes them longer.
 */
const LOCK_TIMEOUT_MS = 100;
const LONG_LOCK_TIMEOUT_MS = 1000;
const MANY_BYTES = 64 << 20;

/** Makes the hot run a closed one, when a table of it is that large: loaders go on with a new one. */
export async function closeHotRun(client: pg.PoolClient, bytes: number): Promise<void> {
  await client.query(
    `select public.next_hot_run()
     from public.run where state = 'hot'
     having max(pg_relation_size(format('runs.%I', tier || '_' || run_id)::regclass)) >= $1`,
    [bytes],
  );
}

/**
 * Sorts, adds up and indexes the runs that are closed, once the last loader is done with them: every batch brought its own
 * rows, so that a key has several. One whose readers cannot be waited for is indexed as it is. @returns how many
 */
export async function readyClosedRuns(client: pg.PoolClient, signal?: AbortSignal): Promise<number> {
  const { rows } = await client.query<{ tier: TierName; run_id: number }>(
    `select tier, run_id from public.run where state = 'closed' order by run_id, tier`,
  );
  for (const { tier, run_id: runId } of rows) {
    await waitForLoaders(client, runId, signal);
    if ((await moveRows(client, tier, [runId], 'adding up')) === undefined)
      await inTransaction(client, () => makeReady(client, tier, runId, 'adding up'));
    await dropEmptyRuns(client); // they have no index: lookups read them through
  }
  return rows.length;
}

/**
 * Polls instead of waiting in the queue: a loader that asks for the lock behind us would wait for us, and we for another
 * one of the same file, whose commit waits for the first.
 */
async function waitForLoaders(client: pg.PoolClient, runId: number, signal?: AbortSignal): Promise<void> {
  for (;;) {
    signal?.throwIfAborted();
    const { rows } = await client.query<{ taken: boolean }>('select pg_try_advisory_lock($1, $2) as taken', [
      HOT_RUN_LOCK,
      runId,
    ]);
    if (rows[0]?.taken) break;
    await delay(POLL_MS);
  }
  await client.query('select pg_advisory_unlock($1, $2)', [HOT_RUN_LOCK, runId]);
}

/** Indexes a run that gets no more rows, in a transaction; a closed one only with what every run has, as time presses. */
async function makeReady(client: pg.PoolClient, tier: TierName, runId: number, by: Mover): Promise<void> {
  const table = `runs.${tier}_${runId}`;
  const { rows } = await client.query<{ bytes: number; has_trigrams: boolean }>(
    `select pg_relation_size($1::regclass)::float8 as bytes,
       exists (select from pg_catalog.pg_extension where extname = 'pg_trgm') as has_trigrams`,
    [table],
  );
  const { bytes, has_trigrams: hasTrigrams } = rows[0]!; // one row
  const { indexes, trigrams } = tiers[tier];
  const wantsTrigrams = by !== 'adding up' && hasTrigrams && bytes >= TRIGRAM_BYTES;
  for (const [suffix, index] of Object.entries(wantsTrigrams ? { ...indexes, ...trigrams } : indexes))
    await client.query(`create index ${tier}_${runId}_${suffix} on ${table} ${index}`);
  if (bytes < SAMPLED_BYTES) await client.query(`set local default_statistics_target = ${FEW}`);
  await client.query(`analyze ${table}`);
  await client.query(
    `update public.run
     set state = $3,
       rows = (select reltuples from pg_catalog.pg_class where oid = $4::regclass),
       bytes = pg_total_relation_size($4::regclass),
       closed_at = coalesce(closed_at, now()),
       waits_for = null
     where tier = $1 and run_id = $2`,
    [tier, runId, bytes === 0 ? 'empty' : 'ready', table],
  );
}

export interface Run {
  readonly runId: number;
  readonly bytes: number;
}

/** The indexed runs of a tier. */
export async function readyRuns(client: pg.PoolClient, tier: TierName): Promise<Run[]> {
  const { rows } = await client.query<{ run_id: number; bytes: string }>(
    `select run_id, bytes from public.run where tier = $1 and state = 'ready' order by run_id`,
    [tier],
  );
  return rows.map(({ run_id, bytes }) => ({ runId: run_id, bytes: Number(bytes) }));
}

/**
 * The job that moves rows; also the state of the run that it moves them to, until then. Each goes on with what it has
 * left.
 */
export type Mover = 'adding up' | 'sorting' | 'merging';

/**
 * Moves the rows of runs that get no more, equal keys added up, into an empty one. A reader sees either them or it: the empty
 * table is a part of the tier before any statement that sees its rows was planned; the rows move in one transaction, and the
 * old tables stay until nobody can see their rows.
 * @returns rows of the new run; undefined when statements that began before there was an empty one could not be waited for
 */
export async function moveRows(
  client: pg.PoolClient,
  tier: TierName,
  from: readonly number[],
  by: Mover,
): Promise<number | undefined> {
  const runId = await emptyRun(client, tier, by);
  if (!(await waitForReaders(client, tier, runId, PATIENCE_MS[by]))) return undefined;
  const tables = from.map(run => `runs.${tier}_${run}`);
  const moved = await inTransaction(client, async () => {
    const { rowCount } = await client.query(mergeSql(tier, runId, tables));
    for (const table of tables) await client.query(`delete from ${table}`);
    await makeReady(client, tier, runId, by);
    await client.query(`update public.run set state = 'empty' where tier = $1 and run_id = any ($2)`, [
      tier,
      from,
    ]);
    return rowCount ?? 0;
  });
  if (by === 'adding up') await emptyRun(client, tier, by); // ahead: whoever reads now will be gone when it is needed
  return moved;
}

/** A run without rows: the one made ahead, or that a job which did not come to its end has left, or a new one. */
async function emptyRun(client: pg.PoolClient, tier: TierName, by: Mover): Promise<number> {
  const left = await client.query<{ run_id: number }>(
    `select run_id from public.run where tier = $1 and state = $2`,
    [tier, by],
  );
  if (left.rows[0] !== undefined) return left.rows[0].run_id;
  const { rows } = await client.query<{ run_id: number }>(
    `select next.run_id, public.make_run($1, next.run_id, $2)
     from (select nextval('public.run_id_seq')::integer as run_id) as next`,
    [tier, by],
  );
  const runId = rows[0]!.run_id; // one row
  await client.query(
    `update public.run set waits_for = array(${readersSql('$1')}) where tier = $1 and run_id = $2`,
    [tier, runId],
  );
  return runId;
}

/** Loaders wait for what is added up, and nobody for the rest. */
const PATIENCE_MS: Readonly<Record<Mover, number>> = { 'adding up': 500, sorting: 5000, merging: 5000 };

/** SQL for the transactions that have used a tier, by their virtual id, which pg_locks shows to everybody. */
const readersSql = (tier: string) => `
  select virtualtransaction from pg_catalog.pg_locks
  where locktype = 'relation' and relation = to_regclass(format('public.%I', ${tier} || '_gravel')) and pid <> pg_backend_pid()
    and database = (select oid from pg_catalog.pg_database where datname = current_database())`;

/**
 * Waits for the transactions that have used the tier when its empty run was made: one of their statements may have been
 * planned before that was there, and see its rows no more than those that were moved into it.
 */
async function waitForReaders(
  client: pg.PoolClient,
  tier: TierName,
  runId: number,
  patienceMs: number,
): Promise<boolean> {
  for (const end = performance.now() + patienceMs; ; await delay(POLL_MS)) {
    // not known when the job ended between: those of now, which are all of them and some more
    const { rows } = await client.query<{ are_gone: boolean }>(
      `update public.run set waits_for = array(
         select reader from (${readersSql('$1')}) as now (reader)
         where waits_for is null or reader = any (waits_for))
       where tier = $1 and run_id = $2
       returning waits_for = '{}' as are_gone`,
      [tier, runId],
    );
    if (rows[0]?.are_gone) return true;
    if (performance.now() > end) return false;
  }
}

/**
 * SQL for the transactions that may still see rows which have just moved, by their virtual id: all of now, but those of jobs
 * that do not look, which may take minutes.
 */
const witnessesSql = `
  select virtualxid from pg_catalog.pg_locks
  where locktype = 'virtualxid' and granted
    and pid not in (
      select pg_backend_pid()
      union all
      select pid from pg_catalog.pg_locks
      where locktype = 'advisory' and objsubid = 1 and ((classid::bigint << 32) | objid::bigint) in (${BLIND_JOBS.join(', ')})
      union all
      select pid from pg_catalog.pg_stat_activity where backend_type = 'autovacuum worker'
    )`;

/**
 * Drops the tables whose rows have moved, as soon as every transaction has ended that ran when they did and looks at such
 * rows.
 */
export async function dropEmptyRuns(client: pg.PoolClient): Promise<void> {
  await client.query(
    `update public.run set waits_for = array(${witnessesSql}) where state = 'empty' and waits_for is null`,
  );
  const { rows } = await client.query<{ tier: TierName; run_ids: number[]; bytes: number }>(
    `select tier, array_agg(run_id) as run_ids,
       sum(pg_relation_size(to_regclass(format('runs.%I', tier || '_' || run_id))))::float8 as bytes
     from public.run
     where state = 'empty'
       and not waits_for && array(select virtualxid from pg_catalog.pg_locks where locktype = 'virtualxid' and granted)
     group by tier`,
  );
  for (const { tier, run_ids: runIds, bytes } of rows)
    await inTransaction(client, async () => {
      await client.query(
        `set local lock_timeout = ${bytes < MANY_BYTES ? LOCK_TIMEOUT_MS : LONG_LOCK_TIMEOUT_MS}`,
      );
      await client.query(`lock table only public.${tier}_gravel in access exclusive mode`); // once, not for each of them
      await client.query(`drop table ${runIds.map(runId => `runs.${tier}_${runId}`).join(', ')}`);
      await client.query('delete from public.run where tier = $1 and run_id = any ($2)', [tier, runIds]);
    }).catch(error => {
      if (!isUnavailable(error)) throw error; // in use: the next time
    });
}
