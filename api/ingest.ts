import { statfs } from 'node:fs/promises';
import type pg from 'pg';
import { codeOf } from './problem.ts';

/** How an exporter is, by its last file. */
interface ExporterState {
  readonly exporter: string;
  readonly observation_domain_id: number;
  /** When records of it were stored last. */
  readonly last_stored: Date;
  readonly last_export_time: Date | null;
  /** Seconds from export to storage of the last message, a difference of two machines' clocks; null for what was no live session. */
  readonly lag_seconds: number | null;
  readonly silent_seconds: number;
  readonly sequence_gaps: number;
  readonly records_lost: number;
  readonly dropped_packets: number | null;
}

/** What a job of the crontab does. */
interface JobState {
  readonly task: string;
  readonly last_run: Date | null;
  readonly running: number;
  readonly waiting: number;
  readonly failing: number;
  readonly last_error: string | null;
}

/** How data arrives, and what is done with it. */
export interface IngestState {
  readonly time: Date;
  readonly exporters: readonly ExporterState[];
  readonly rows: number;
  readonly rows_last_minute: number | null;
  readonly files_loading: number;
  readonly hours_due: number;
  readonly windows_due: number;
  readonly records_first: Date | null;
  readonly records_last: Date | null;
  readonly database_bytes: number;
  readonly disk_free_bytes: number | null;
  readonly disk_bytes: number | null;
  readonly jobs: readonly JobState[];
}

/** With the last 100 to send something. */
const exportersSql = `
select
  exporter.name as exporter, exporter.observation_domain_id::float8 as observation_domain_id,
  last.updated_at as last_stored, last.last_export_time,
  case when last.kind = 'journal' then extract(epoch from last.updated_at - last.last_export_time)::float8 end as lag_seconds,
  extract(epoch from now() - last.updated_at)::float8 as silent_seconds,
  last.sequence_gaps::float8 as sequence_gaps, last.records_lost::float8 as records_lost,
  (select dropped_packets::float8 from public.exporter_statistics as said where said.exporter_id = exporter.exporter_id
   order by time desc nulls last limit 1) as dropped_packets
from public.exporter
join (
  select distinct on (exporter_id)
    exporter_id, updated_at, last_export_time, kind,
    sum(sequence_gaps) over of_exporter as sequence_gaps, sum(records_lost) over of_exporter as records_lost
  from public.ledger join public.ipfix_file using (file_id)
  window of_exporter as (partition by exporter_id)
  order by exporter_id, updated_at desc
) as last using (exporter_id)
order by last.updated_at desc, exporter_id
limit 100`;

const totalsSql = `
select now() as time,
  (select coalesce(sum(flows + flow_packets + rrs + payload_rrs), 0)::float8 from public.ipfix_file) as rows,
  (select count(*)::float8 from public.ipfix_file where status = 'loading') as files_loading,
  (select count(distinct hour)::float8 from public.landed_hour) as hours_due,
  (select count(*)::float8 from public.window_due) as windows_due,
  (select min(hour) from public.fact_hour) as records_first,
  (select max(minute) from public.traffic_minute) as records_last,
  pg_database_size(current_database())::float8 as database_bytes`;

const jobsSql = `
select
  task, max(last_run) as last_run, coalesce(sum(running), 0)::float8 as running, coalesce(sum(waiting), 0)::float8 as waiting,
  coalesce(sum(failing), 0)::float8 as failing, max(last_error) as last_error
from (
  select identifier as task, last_execution as last_run, null::bigint as running, null::bigint as waiting, null::bigint as failing,
    null as last_error
  from graphile_worker._private_known_crontabs
  union all
  select task_identifier, null, count(*) filter (where locked_at is not null), count(*) filter (where locked_at is null),
    count(*) filter (where last_error is not null), max(left(last_error, 300))
  from graphile_worker.jobs
  group by task_identifier
) as known
group by task
order by task`;

const directorySql = `select current_setting('data_directory') as directory where inet_server_addr() is null`;

/** Undefined table or schema, no privilege: jobs never ran here, or the server is not ours. */
const NOT_FOR_US = ['42P01', '3F000', '42501'];
const LONGEST_SAMPLE_MS = 90_000;
const SHORTEST_SAMPLE_MS = 2_000;

/** Looks at how data arrives. */
export class Ingest {
  readonly #pool: pg.Pool;
  /** Stored rows at some times (performance.now()), the oldest first. */
  readonly #samples: { readonly at: number; readonly rows: number }[] = [];

  constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  /** As it is now. Rows of the last minute are known from the second time on that it is asked for. */
  async state(): Promise<IngestState> {
    const { rows } =
      await this.#pool.query<Omit<IngestState, 'exporters' | 'jobs' | 'rows_last_minute'>>(totalsSql);
    const totals = rows[0]!; // one row
    const exporters = (await this.#pool.query<ExporterState>(exportersSql)).rows;
    const jobs = await this.#ours<JobState>(jobsSql);
    const [place] = await this.#ours<{ directory: string }>(directorySql);
    const disk = place === undefined ? undefined : await statfs(place.directory).catch(() => undefined);
    return {
      ...totals,
      rows_last_minute: this.#rate(totals.rows),
      exporters,
      disk_free_bytes: disk === undefined ? null : disk.bavail * disk.bsize,
      disk_bytes: disk === undefined ? null : disk.blocks * disk.bsize,
      jobs,
    };
  }

  #rate(rows: number): number | null {
    const now = performance.now();
    const samples = this.#samples;
    while (samples[0] !== undefined && now - samples[0].at > LONGEST_SAMPLE_MS) samples.shift();
    const oldest = samples[0];
    if (now - (samples.at(-1)?.at ?? -Infinity) >= SHORTEST_SAMPLE_MS) samples.push({ at: now, rows });
    if (oldest === undefined || now - oldest.at < SHORTEST_SAMPLE_MS) return null;
    return Math.max(0, Math.round(((rows - oldest.rows) * 60_000) / (now - oldest.at)));
  }

  async #ours<Row extends pg.QueryResultRow>(sql: string): Promise<Row[]> {
    try {
      return (await this.#pool.query<Row>(sql)).rows;
    } catch (error) {
      if (NOT_FOR_US.includes(codeOf(error) ?? '')) return [];
      throw error;
    }
  }
}
