import type pg from 'pg';
import { log } from '../../common/log.ts';
import { utcDay } from '../days.ts';
import { type Parent, sealedIndexes } from '../sealedIndexes.ts';
import { byIndex, inTransaction, isUnavailable, JobLock, withJobLock } from '../session.ts';

/** Seconds without new rows after which a day that is over is closed. */
export const SEAL_AFTER_SECONDS = 900;
/** Waiting longer for a partition's lock would make the loads that queue behind us wait. */
const LOCK_TIMEOUT = '2s';

export interface SealOptions {
  /** See SEAL_AFTER_SECONDS; 0: whatever day is over. */
  readonly sealAfterSeconds?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A partition that was sealed, or sealed anew after late rows. */
export interface Sealed {
  readonly name: string;
  readonly bytes: number;
  readonly milliseconds: number;
}

interface Due {
  readonly name: string;
  readonly parent: Parent;
  readonly bytes: string;
}

/**
 * The size of a table that nobody deletes from, and its count of inserts, tell whether rows came, and cost the loader
 * nothing. A crash may reset the count: that looks like new rows and only makes us wait a little more.
 */
const observeSql = `
insert into public.partition_life as life (name, parent, day, bytes, inserted)
select part.name, part.parent, part.day, part.table_bytes,
  coalesce(pg_stat_get_tuples_inserted(to_regclass('partitions.' || quote_ident(part.name))), 0)
from public.partition as part
on conflict (name) do update
set bytes = excluded.bytes,
    inserted = excluded.inserted,
    changed_at = now()
where (life.bytes, life.inserted) is distinct from (excluded.bytes, excluded.inserted)`;

const forgetSql = `
delete from public.partition_life
where to_regclass('partitions.' || quote_ident(name)) is null`;

const dueSql = `
select name, parent, bytes::text
from public.partition_life
where day < $1
  and bytes > coalesce(sealed_bytes, 0)
  and changed_at <= now() - make_interval(secs => $2)
order by day, array_position(array['flow', 'flow_packet', 'dns_rr'], parent)`;

/**
 * Builds the indexes of the partitions whose day is over and that got no rows for a while. Each index is a transaction:
 * whatever ends us, the next run goes on with the one that is missing. Building stops writes into that one partition
 * only. Only one process seals at a time; the others return at once.
 */
export async function seal(pool: pg.Pool, options: SealOptions = {}): Promise<Sealed[]> {
  const { sealAfterSeconds = SEAL_AFTER_SECONDS, signal } = options;
  const sealed = await withJobLock(pool, JobLock.seal, signal, async client => {
    await client.query(observeSql);
    await client.query(forgetSql);
    const { rows: due } = await client.query<Due>(dueSql, [utcDay(), sealAfterSeconds]);
    if (due.length === 0) return [];
    const hasGin = await hasBtreeGin(client);
    // one thread: the other ones load
    await client.query('set max_parallel_maintenance_workers = 0');
    const done: Sealed[] = [];
    for (const partition of due) {
      signal?.throwIfAborted();
      const begin = Date.now();
      try {
        await sealOne(client, partition, hasGin);
      } catch (error) {
        if (!isUnavailable(error)) throw error;
        log.info({ partition: partition.name }, 'partition is in use, will be sealed later');
        continue;
      }
      done.push({ name: partition.name, bytes: Number(partition.bytes), milliseconds: Date.now() - begin });
    }
    await analyzeParents(client, due);
    return done;
  });
  return sealed ?? [];
}

async function sealOne(client: pg.PoolClient, { name, parent, bytes }: Due, hasGin: boolean): Promise<void> {
  const table = `partitions.${client.escapeIdentifier(name)}`;
  for (const { suffix, definition, withoutGin } of sealedIndexes[parent]) {
    const index = client.escapeIdentifier(`${name}_${suffix}`);
    await inTransaction(client, async () => {
      await client.query(`set local lock_timeout = '${LOCK_TIMEOUT}'`);
      await client.query(
        `create index if not exists ${index} on ${table} ${hasGin ? definition : (withoutGin ?? definition)}`,
      );
    });
  }
  await client.query(tidySql, [name]);
  await mendTimes(client, table, name, parent);
  await client.query(`analyze ${table}`);
  await client.query(
    'update public.partition_life set sealed_at = now(), sealed_bytes = $2 where name = $1',
    [name, bytes],
  );
}

/** Late rows wait in lists of the GINs; pages that no BRIN summarises are there also when it was made with its partition. */
const tidySql = `
select case am.amname when 'gin' then gin_clean_pending_list(i.indexrelid) when 'brin' then brin_summarize_new_values(i.indexrelid) end
from pg_catalog.pg_index as i
join pg_catalog.pg_class as c on c.oid = i.indexrelid
join pg_catalog.pg_am as am on am.oid = c.relam
where i.indrelid = to_regclass('partitions.' || quote_ident($1))`;

/**
 * A range of an index on time that was left half done, by a crash or a statement that was cancelled, makes every search read
 * all ranges that come after it: then a time that no row has is found somewhere.
 */
async function mendTimes(client: pg.PoolClient, table: string, name: string, parent: Parent): Promise<void> {
  const key = parent === 'dns_rr' ? 'time' : 'start_time';
  await inTransaction(client, async () => {
    await client.query(
      `set local lock_timeout = '${LOCK_TIMEOUT}'; set local max_parallel_workers_per_gather = 0`,
    );
    const search = await byIndex(client, () =>
      client.query<{ 'QUERY PLAN': [{ Plan: Plan }] }>(
        `explain (analyze, format json, timing off) select from ${table} where ${key} = 'infinity'`,
      ),
    );
    const plan = search.rows[0]!['QUERY PLAN'][0].Plan; // explain gives one row of one plan
    if (!plan['Lossy Heap Blocks']) return;
    log.warn({ partition: name }, 'the index on time was left half done; it is built anew');
    await client.query(`reindex index partitions.${client.escapeIdentifier(`${name}_time_idx`)}`);
  });
}

interface Plan {
  /** Of a scan by an index of ranges: pages that it had to read. */
  readonly 'Lossy Heap Blocks'?: number;
}

async function hasBtreeGin(client: pg.PoolClient): Promise<boolean> {
  const { rowCount } = await client.query(`select from pg_catalog.pg_extension where extname = 'btree_gin'`);
  return rowCount === 1;
}

/** Autovacuum never analyzes a partitioned table itself; only from PostgreSQL 18 can we without reading all partitions. */
async function analyzeParents(client: pg.PoolClient, due: readonly Due[]): Promise<void> {
  const { rows } = await client.query<{ version: number }>(
    `select current_setting('server_version_num')::integer as version`,
  );
  if ((rows[0]?.version ?? 0) < 180_000) return;
  for (const parent of new Set(due.map(each => each.parent)))
    await client.query(`analyze only public.${parent}`);
}
