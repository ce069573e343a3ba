import type pg from 'pg';

/** One exporter and observation domain, as the ledger knows it. */
export interface ExporterStatus {
  readonly exporter: string;
  readonly observation_domain_id: number;
  readonly files: number;
  readonly messages: number;
  readonly data_records: number;
  readonly sequence_gaps: number;
  readonly records_lost: number;
  readonly sequence_resets: number;
  readonly last_export_time: string | null;
}

export interface Status {
  readonly files: Readonly<Record<'loading' | 'loaded' | 'partial' | 'failed', number>>;
  readonly totals: {
    readonly messages: number;
    readonly data_records: number;
    readonly flows: number;
    readonly flow_packets: number;
    readonly option_records: number;
    readonly other_records: number;
    readonly rrs: number;
    readonly payload_rrs: number;
    readonly fillers: number;
    readonly quarantined: number;
  };
  /** Files whose data records received are not the sum of what became of them; empty when the ledger closes. */
  readonly unbalanced: readonly {
    readonly file_id: number;
    readonly path: string;
    readonly received: number;
    readonly accounted: number;
  }[];
  /** Counts of remarkable things by name, over all files. */
  readonly notes: Readonly<Record<string, number>>;
  readonly exporters: readonly ExporterStatus[];
  /** The last files with something wrong. */
  readonly problems: readonly {
    readonly file_id: number;
    readonly path: string;
    readonly status: string;
    readonly error: string;
  }[];
  readonly database_bytes: number;
}

const filesSql = `select status, count(*)::int as files from public.ipfix_file group by status`;

const totalsSql = `
select coalesce(sum(messages), 0)::float8 as messages,
       coalesce(sum(data_records), 0)::float8 as data_records,
       coalesce(sum(flows), 0)::float8 as flows,
       coalesce(sum(flow_packets), 0)::float8 as flow_packets,
       coalesce(sum(option_records), 0)::float8 as option_records,
       coalesce(sum(other_records), 0)::float8 as other_records,
       coalesce(sum(rrs), 0)::float8 as rrs,
       coalesce(sum(payload_rrs), 0)::float8 as payload_rrs,
       coalesce(sum(fillers), 0)::float8 as fillers,
       coalesce(sum(quarantined), 0)::float8 as quarantined
from public.ipfix_file`;

const unbalancedSql = `
select file_id, path, data_records::float8 as received, accounted::float8
from public.ipfix_file
cross join lateral (values (flows + flow_packets + option_records + other_records + quarantined)) as a(accounted)
where data_records <> accounted
order by file_id`;

const notesSql = `
select n.key, sum(n.value::bigint)::float8 as count
from public.ipfix_file f
cross join lateral jsonb_each_text(f.notes) n
group by n.key
order by n.key`;

const exportersSql = `
select e.name as exporter,
       e.observation_domain_id::float8 as observation_domain_id,
       count(*)::int as files,
       sum(l.messages)::float8 as messages,
       sum(l.data_records)::float8 as data_records,
       sum(l.sequence_gaps)::float8 as sequence_gaps,
       sum(l.records_lost)::float8 as records_lost,
       sum(l.sequence_resets)::float8 as sequence_resets,
       max(f.last_export_time)::text as last_export_time
from public.ledger l
join public.exporter e using (exporter_id)
join public.ipfix_file f using (file_id)
group by e.exporter_id
order by e.name, e.observation_domain_id`;

const problemsSql = `
select file_id, path, status, error
from public.ipfix_file
where error is not null
order by file_id desc
limit 10`;

/** Reads the ledger: what was received, what became of it, and what is missing. */
export async function readStatus(pool: pg.Pool): Promise<Status> {
  const rows = async <Row extends pg.QueryResultRow>(sql: string): Promise<Row[]> =>
    (await pool.query<Row>(sql)).rows;
  const files = await rows<{ status: string; files: number }>(filesSql);
  const notes = await rows<{ key: string; count: number }>(notesSql);
  const [totals] = await rows<Status['totals']>(totalsSql);
  const [size] = await rows<{ bytes: number }>(
    'select pg_database_size(current_database())::float8 as bytes',
  );
  return {
    files: {
      loading: 0,
      loaded: 0,
      partial: 0,
      failed: 0,
      ...Object.fromEntries(files.map(row => [row.status, row.files])),
    },
    totals: totals!, // an aggregate without group by gives one row
    unbalanced: await rows(unbalancedSql),
    notes: Object.fromEntries(notes.map(({ key, count }) => [key, count])),
    exporters: await rows<ExporterStatus & pg.QueryResultRow>(exportersSql),
    problems: await rows(problemsSql),
    database_bytes: size!.bytes,
  };
}

/** The status as text for a terminal. */
export function describeStatus(status: Status): string {
  const { files, totals } = status;
  const number = (value: number) => value.toLocaleString('en-US');
  const lines = [
    `files      ${number(files.loaded)} loaded, ${number(files.loading)} loading, ${number(files.partial)} partial, ${number(files.failed)} failed`,
    `received   ${number(totals.messages)} messages, ${number(totals.data_records)} data records`,
    `stored     ${number(totals.flows)} flows, ${number(totals.flow_packets)} packet records, ${number(totals.rrs)} RRs, ${number(totals.payload_rrs)} RRs from payload`,
    `besides    ${number(totals.option_records)} option records, ${number(totals.other_records)} that are no flows, ${number(totals.quarantined)} quarantined, ${number(totals.fillers)} filler RRs dropped`,
    status.unbalanced.length === 0
      ? 'ledger     closes: every data record received is accounted for'
      : `ledger     DOES NOT CLOSE for ${status.unbalanced.map(f => `${f.path} (${f.received} received, ${f.accounted} accounted for)`).join(', ')}`,
    `database   ${number(Math.round(status.database_bytes / 1e6))} MB`,
  ];
  const notes = Object.entries(status.notes).map(([name, count]) => `${name} ${number(count)}`);
  if (notes.length > 0) lines.push(`notes      ${notes.join(', ')}`);
  for (const e of status.exporters) {
    const lost =
      e.sequence_gaps > 0
        ? `, ${number(e.records_lost)} records lost in ${number(e.sequence_gaps)} gaps`
        : ', no gaps';
    lines.push(
      `exporter   ${e.exporter} domain ${e.observation_domain_id}: ${number(e.data_records)} records in ${number(e.files)} files${lost}, last export ${e.last_export_time ?? 'never'}`,
    );
  }
  for (const problem of status.problems)
    lines.push(`problem    ${problem.path} (${problem.status}): ${problem.error}`);
  return lines.join('\n');
}
