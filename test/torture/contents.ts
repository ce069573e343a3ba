import type pg from 'pg';

/** What the tables hold, as counts and sums of hashes that do not depend on the order or place of rows. */
export interface Contents {
  readonly flow: string;
  readonly flow_packet: string;
  readonly dns_rr: string;
  readonly rrset: string;
  readonly rdata: string;
  readonly asked: string;
  readonly dns_name: string;
}

const tables = ['flow', 'flow_packet', 'dns_rr', 'rrset', 'rdata', 'asked', 'dns_name'] as const;

/**
 * Digests of all rows without the ids that depend on the order of loading.
 * @param options.ordinals compare the number of each record in its file too: right where both sides loaded the same file
 */
export async function contentsOf(
  pool: pg.Pool,
  { ordinals = false }: { ordinals?: boolean } = {},
): Promise<Contents> {
  const digests = await Promise.all(
    tables.map(async table => {
      const { rows } = await pool.query<{ columns: string }>(
        `select string_agg(quote_ident(attname), ', ' order by attnum) as columns from pg_attribute
         where attrelid = $1::regclass and attnum > 0 and not attisdropped and attname not in ('flow_id', 'exporter_id')`,
        [`public.${table}`],
      );
      const hasOrdinal = ['flow', 'flow_packet', 'dns_rr'].includes(table);
      const columns = `${rows[0]!.columns}${ordinals && hasOrdinal ? ', flow_id & 4294967295' : ''}`;
      const digest = await pool.query<{ digest: string }>(
        `select count(*) || ' rows, ' || coalesce(sum(hashtextextended(row(${columns})::text, 0)::numeric), 0) as digest
         from public.${table}`,
      );
      return [table, digest.rows[0]!.digest];
    }),
  );
  return Object.fromEntries(digests) as unknown as Contents; // one entry for each table
}

const problemsSql = `
with stored as (
  select flow_id >> 32 as file_id, count(*) as flows from public.flow group by 1),
packets as (
  select flow_id >> 32 as file_id, count(*) as flow_packets from public.flow_packet group by 1),
records as (
  select flow_id >> 32 as file_id, count(*) filter (where origin = 0) as rrs, count(*) filter (where origin = 1) as payload_rrs
  from public.dns_rr group by 1)
select 'file ' || f.file_id || ' ' || f.path || ': ' || problem as problem
from public.ipfix_file f
left join stored using (file_id)
left join packets using (file_id)
left join records using (file_id)
cross join lateral (values
  (f.data_records <> f.flows + f.flow_packets + f.option_records + f.other_records + f.quarantined, 'data_records is not the sum of its parts'),
  (f.rrs_received <> f.rrs + f.fillers, 'rrs_received is not rrs + fillers'),
  (f.flows <> coalesce(stored.flows, 0), 'flows is not the number of rows'),
  (f.flow_packets <> coalesce(packets.flow_packets, 0), 'flow_packets is not the number of rows'),
  (f.rrs <> coalesce(records.rrs, 0), 'rrs is not the number of rows'),
  (f.payload_rrs <> coalesce(records.payload_rrs, 0), 'payload_rrs is not the number of rows'),
  (f.status not in ('loaded', 'partial', 'failed'), 'status is ' || f.status),
  (f.status <> 'loaded' and f.error is null, 'no word on what was wrong'),
  (f.status = 'loaded' and f.size is not null and f.position <> f.size, 'loaded, but position is not size')) as checks(wrong, problem)
where wrong
union all
select 'flow_id ' || flow_id || ' is there ' || count(*) || ' times'
from (select flow_id from public.flow union all select flow_id from public.flow_packet) ids
group by flow_id
having count(*) > 1
union all
select 'dns_rr of flow_id ' || r.flow_id || ' has no flow'
from public.dns_rr r
where not exists (select from public.flow where flow_id = r.flow_id and start_time = r.time)
  and not exists (select from public.flow_packet where flow_id = r.flow_id and start_time = r.time)
limit 20`;

/** Where ledger and rows contradict each other, in words; for a database whose files are all loaded to their end. */
export async function ledgerProblems(pool: pg.Pool): Promise<string[]> {
  const { rows } = await pool.query<{ problem: string }>(problemsSql);
  return rows.map(({ problem }) => problem);
}
