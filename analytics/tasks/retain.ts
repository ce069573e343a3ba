import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { log } from '../../common/log.ts';
import { partitionName, removeArchive, writeArchive } from '../archive.ts';
import { planRetention, type RetentionLimits, type RetentionPlan } from '../retention.ts';
import { parents } from '../sealedIndexes.ts';
import { inTransaction, isUnavailable, JobLock, withJobLock } from '../session.ts';

/** Everybody's queries queue behind us meanwhile; less than the deadlock timeout, so that we give way and nobody else. */
const LOCK_TIMEOUT = '800ms';
const LOCK_ATTEMPTS = 8;
const LOCK_PAUSE_MS = 1000;

export interface RetainOptions extends RetentionLimits {
  /** Days are written to directories below it before they are dropped. */
  readonly archiveDirectory?: string | undefined;
  /** Only plan. */
  readonly dryRun?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Retained extends RetentionPlan {
  /** Days that were dropped: those of the plan unless it is a dry run, or a table was in use all the time. */
  readonly dropped: readonly { readonly day: string; readonly archive: string | null }[];
}

/** Drops the days that are too old or too much, each in one transaction, archived before if that is wished. */
export async function retain(pool: pg.Pool, options: RetainOptions): Promise<Retained> {
  if (options.dryRun) return { ...(await planRetention(pool, options)), dropped: [] };
  const retained = await withJobLock(pool, JobLock.retain, options.signal, async client => {
    const plan = await planRetention(pool, options);
    const done: { day: string; archive: string | null }[] = [];
    for (const { day } of plan.drop) {
      options.signal?.throwIfAborted();
      try {
        const archive = await dropDay(client, day, options.archiveDirectory);
        log.info({ day, archive }, 'dropped a day');
        done.push({ day, archive });
      } catch (error) {
        if (!isUnavailable(error)) throw error;
        log.warn({ day }, 'tables are in use, the day will be dropped later');
      }
    }
    return { ...plan, dropped: done };
  });
  return retained ?? { ...(await planRetention(pool, options)), dropped: [] };
}

/**
 * Drops the partitions of a day. What it writes before counts as an archive only if the drop is committed with it: until
 * then its entry says that the rows are still here.
 */
async function dropDay(
  client: pg.PoolClient,
  day: string,
  directory: string | undefined,
): Promise<string | null> {
  const archiveId = directory === undefined ? undefined : await beginArchive(client, day, directory);
  const partitions = parents.map(parent => `partitions.${partitionName(parent, day)}`);
  return inTransaction(client, async () => {
    await client.query(`set local lock_timeout = '${LOCK_TIMEOUT}'`);
    let path: string | null = null;
    if (archiveId !== undefined && directory !== undefined) {
      for (const partition of partitions) await client.query(`lock table ${partition} in share mode`);
      const written = await writeArchive(client, { archiveId, day, directory });
      path = written.path;
      await client.query(
        `update public.archive set status = 'dropped', path = $2, rows = $3, bytes = $4, dropped_at = now() where archive_id = $1`,
        [archiveId, path, written.rows, written.bytes],
      );
    }
    await lockParents(client);
    for (const partition of partitions) await client.query(`drop table if exists ${partition}`);
    await client.query('delete from public.partition_life where day = $1', [day]);
    await client.query(
      `update public.fact_hour set is_complete = false
       where hour >= $1::timestamp at time zone 'UTC' and hour < ($1::date + 1)::timestamp at time zone 'UTC'`,
      [day],
    );
    return path;
  });
}

/** Makes an entry for an archive of the day, in place of attempts that came to nothing. */
async function beginArchive(client: pg.PoolClient, day: string, directory: string): Promise<string> {
  const failed = await client.query<{ archive_id: string; path: string }>(
    `select archive_id, path from public.archive where day = $1 and status = 'writing'`,
    [day],
  );
  for (const { archive_id, path } of failed.rows) await removeArchive(path, day, archive_id);
  const { rows } = await client.query<{ archive_id: string }>(
    'insert into public.archive (day, path) values ($1, $2) returning archive_id',
    [day, directory],
  );
  return rows[0]!.archive_id; // one row
}

/** Dropping a partition locks its parent against everything, for an instant; getting that lock may take a few attempts. */
async function lockParents(client: pg.PoolClient): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    await client.query('savepoint parents');
    try {
      await client.query(
        `lock table ${parents.map(parent => `only public.${parent}`).join(', ')} in access exclusive mode`,
      );
      return;
    } catch (error) {
      await client.query('rollback to savepoint parents');
      if (!isUnavailable(error) || attempt === LOCK_ATTEMPTS) throw error;
      await delay(LOCK_PAUSE_MS);
    }
  }
}
