import type { ServerResponse } from 'node:http';
import type { Feed } from './feed.ts';
import type { Ingest, IngestState } from './ingest.ts';
import type { Reader } from './reader.ts';

/** Upper bounds of the classes of answering times, in seconds. */
const BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60] as const;

/** What the collector and the jobs have written down; one row. */
const databaseSql = `
select
  file.messages, file.data_records, file.flows, file.flow_packets, file.rrs, file.quarantined,
  file.loading, file.loaded, file.partial, file.failed,
  lost.sequence_gaps, lost.records_lost,
  run.runs, run.run_bytes,
  (select count(*) from public.partition_life where sealed_at is null) as open_partitions,
  (select count(*) from public.window_due) as windows_due,
  (select count(*) from public.detection where status = 'new') as new_detections,
  pg_database_size(current_database())::float8 as database_bytes
from (
  select
    coalesce(sum(messages), 0)::float8 as messages, coalesce(sum(data_records), 0)::float8 as data_records,
    coalesce(sum(flows), 0)::float8 as flows, coalesce(sum(flow_packets), 0)::float8 as flow_packets,
    coalesce(sum(rrs), 0)::float8 as rrs, coalesce(sum(quarantined), 0)::float8 as quarantined,
    count(*) filter (where status = 'loading') as loading, count(*) filter (where status = 'loaded') as loaded,
    count(*) filter (where status = 'partial') as partial, count(*) filter (where status = 'failed') as failed
  from public.ipfix_file
) as file
cross join (
  select coalesce(sum(sequence_gaps), 0)::float8 as sequence_gaps, coalesce(sum(records_lost), 0)::float8 as records_lost
  from public.ledger
) as lost
cross join (
  select count(*) filter (where state <> 'empty') as runs, coalesce(sum(bytes) filter (where state <> 'empty'), 0)::float8 as run_bytes
  from public.run
) as run`;

type DatabaseRow = Readonly<Record<string, number>>;

const METRICS: readonly (readonly [column: string, name: string, type: 'counter' | 'gauge', help: string])[] =
  [
    ['messages', 'dnstrail_ipfix_messages_total', 'counter', 'IPFIX messages loaded.'],
    ['data_records', 'dnstrail_data_records_total', 'counter', 'Data records loaded.'],
    ['flows', 'dnstrail_flows_total', 'counter', 'Flow records stored.'],
    ['flow_packets', 'dnstrail_flow_packets_total', 'counter', 'One-packet records stored.'],
    ['rrs', 'dnstrail_records_total', 'counter', 'Question entries and resource records stored.'],
    ['quarantined', 'dnstrail_quarantined_total', 'counter', 'Pieces that could not be decoded.'],
    ['sequence_gaps', 'dnstrail_sequence_gaps_total', 'counter', 'Gaps in sequence numbers of exporters.'],
    [
      'records_lost',
      'dnstrail_records_lost_total',
      'counter',
      'Data records lost in gaps, before they came here.',
    ],
    ['loading', 'dnstrail_files_loading', 'gauge', 'Files and journal segments being loaded.'],
    ['loaded', 'dnstrail_files_loaded', 'gauge', 'Files loaded to their end.'],
    ['partial', 'dnstrail_files_partial', 'gauge', 'Files that could not be read to their end.'],
    ['failed', 'dnstrail_files_failed', 'gauge', 'Files that hold no IPFIX.'],
    [
      'runs',
      'dnstrail_runs',
      'gauge',
      'Tables of the deduplicated tiers; many mean that merging does not keep up.',
    ],
    [
      'run_bytes',
      'dnstrail_runs_bytes',
      'gauge',
      'Octets of the deduplicated tiers with indexes, hot ones aside.',
    ],
    ['open_partitions', 'dnstrail_open_partitions', 'gauge', 'Daily partitions without indexes.'],
    ['windows_due', 'dnstrail_windows_due', 'gauge', 'Windows of time that detectors have to look at.'],
    ['new_detections', 'dnstrail_detections_new', 'gauge', 'Detections nobody has looked at.'],
    ['database_bytes', 'dnstrail_database_bytes', 'gauge', 'Octets of the whole database.'],
  ];

/** Counts requests while the API runs, and tells them with what the database knows (Prometheus text format 0.0.4). */
export class Metrics {
  readonly #requests = new Map<string, number>();
  readonly #classes = new Map<string, { readonly counts: number[]; sum: number; count: number }>();
  #open = 0;

  /** Counts a request from now to its end. */
  observe(response: ServerResponse & { locals: Record<string, unknown> }): void {
    const begin = performance.now();
    this.#open++;
    response.once('close', () => {
      this.#open--;
      const surface = typeof response.locals.surface === 'string' ? response.locals.surface : 'none';
      const labels = `surface="${surface}",status="${response.writableFinished ? response.statusCode : 'aborted'}"`;
      this.#requests.set(labels, (this.#requests.get(labels) ?? 0) + 1);
      this.#time(surface, (performance.now() - begin) / 1000);
    });
  }

  /** The text, its numbers as they are now. A database that does not answer leaves its own out. */
  async text(
    { reader, ingest, feed }: { reader: Reader; ingest: Ingest; feed: Feed },
    signal: AbortSignal,
  ): Promise<string> {
    const rows = await reader.all<DatabaseRow>(databaseSql, [], signal).catch(() => []);
    const state = await ingest.state().catch(() => undefined);
    const { busy, waiting } = reader.load;
    return [
      ...family('dnstrail_up', 'gauge', 'Whether the database answers.', [`dnstrail_up ${rows.length}`]),
      ...family(
        'dnstrail_http_requests_total',
        'counter',
        'Requests by surface and status; aborted: the client went.',
        [...this.#requests].map(([labels, count]) => `dnstrail_http_requests_total{${labels}} ${count}`),
      ),
      ...family(
        'dnstrail_http_request_seconds',
        'histogram',
        'Time from request to the end of its answer.',
        [...this.#classes].flatMap(([surface, { counts, sum, count }]) => [
          ...BOUNDS.map(
            (bound, i) =>
              `dnstrail_http_request_seconds_bucket{surface="${surface}",le="${bound}"} ${counts[i]}`,
          ),
          `dnstrail_http_request_seconds_bucket{surface="${surface}",le="+Inf"} ${count}`,
          `dnstrail_http_request_seconds_sum{surface="${surface}"} ${sum}`,
          `dnstrail_http_request_seconds_count{surface="${surface}"} ${count}`,
        ]),
      ),
      ...family('dnstrail_http_open_requests', 'gauge', 'Requests being answered.', [
        `dnstrail_http_open_requests ${this.#open}`,
      ]),
      ...family('dnstrail_http_queries_running', 'gauge', 'Connections to the database in use for answers.', [
        `dnstrail_http_queries_running ${busy}`,
      ]),
      ...family('dnstrail_http_queries_waiting', 'gauge', 'Requests that wait for such a connection.', [
        `dnstrail_http_queries_waiting ${waiting}`,
      ]),
      ...family('dnstrail_feed_listeners', 'gauge', 'Those who listen to what is new.', [
        `dnstrail_feed_listeners ${feed.listeners}`,
      ]),
      ...family('process_resident_memory_bytes', 'gauge', 'Memory of the process of the API.', [
        `process_resident_memory_bytes ${process.memoryUsage.rss()}`,
      ]),
      ...(state === undefined ? [] : stateFamilies(state)),
      ...rows.flatMap(row =>
        METRICS.flatMap(([column, name, type, help]) => family(name, type, help, [`${name} ${row[column]}`])),
      ),
      '',
    ].join('\n');
  }

  #time(surface: string, seconds: number): void {
    const classes = this.#classes.get(surface) ?? { counts: BOUNDS.map(() => 0), sum: 0, count: 0 };
    this.#classes.set(surface, classes);
    for (const [i, bound] of BOUNDS.entries())
      if (seconds <= bound) classes.counts[i] = (classes.counts[i] ?? 0) + 1;
    classes.sum += seconds;
    classes.count++;
  }
}

/** Of collector and jobs, by exporter and task. */
function stateFamilies({ exporters, jobs, hours_due, disk_free_bytes }: IngestState): string[] {
  const ofExporters = (
    name: string,
    type: 'gauge' | 'counter',
    help: string,
    key: 'silent_seconds' | 'lag_seconds' | 'dropped_packets',
  ) =>
    family(
      name,
      type,
      help,
      exporters.flatMap(({ exporter, observation_domain_id, [key]: value }) =>
        value === null
          ? []
          : [`${name}{exporter="${labelOf(exporter)}",domain="${observation_domain_id}"} ${value}`],
      ),
    );
  const ofJobs = (name: string, help: string, value: (job: IngestState['jobs'][number]) => number | null) =>
    family(
      name,
      'gauge',
      help,
      jobs.flatMap(job => {
        const known = value(job);
        return known === null ? [] : [`${name}{task="${labelOf(job.task)}"} ${known}`];
      }),
    );
  return [
    ...ofExporters(
      'dnstrail_exporter_silent_seconds',
      'gauge',
      'Since something of the exporter was stored.',
      'silent_seconds',
    ),
    ...ofExporters(
      'dnstrail_exporter_lag_seconds',
      'gauge',
      'From export to storage of its last message.',
      'lag_seconds',
    ),
    ...ofExporters(
      'dnstrail_exporter_dropped_packets_total',
      'counter',
      'Packets its capture dropped.',
      'dropped_packets',
    ),
    ...ofJobs('dnstrail_job_last_run_timestamp_seconds', 'When a job was started last.', ({ last_run }) =>
      last_run === null ? null : last_run.getTime() / 1000,
    ),
    ...ofJobs('dnstrail_job_running', 'Whether a job runs.', ({ running }) => running),
    ...ofJobs('dnstrail_job_failing', 'Jobs whose last attempt failed.', ({ failing }) => failing),
    ...family('dnstrail_hours_due', 'gauge', 'Hours with records that no detector has seen.', [
      `dnstrail_hours_due ${hours_due}`,
    ]),
    ...(disk_free_bytes === null
      ? []
      : family('dnstrail_disk_free_bytes', 'gauge', 'Free octets of the disk of the database.', [
          `dnstrail_disk_free_bytes ${disk_free_bytes}`,
        ])),
  ];
}

/** A value of a label: no character that means something to the format, nor braces, which few parsers expect. */
function labelOf(text: string): string {
  return text.replace(/[\\"\n{}]/g, '_');
}

function family(name: string, type: string, help: string, samples: readonly string[]): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...samples];
}
