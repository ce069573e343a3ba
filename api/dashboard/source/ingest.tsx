import { useEffect } from 'preact/hooks';
import { getJson, useAsked } from './api.ts';
import { brief, count, duration, octets } from './format.ts';
import { Time } from './parts.tsx';
import type { Extent } from './window.tsx';

interface Ingest {
  readonly exporters: readonly {
    readonly exporter: string;
    readonly lag_seconds: number | null;
    readonly silent_seconds: number;
    readonly sequence_gaps: number;
    readonly records_lost: number;
    readonly dropped_packets: number | null;
  }[];
  readonly rows: number;
  readonly rows_last_minute: number | null;
  readonly hours_due: number;
  readonly windows_due: number;
  readonly records_first: string | null;
  readonly records_last: string | null;
  readonly database_bytes: number;
  readonly disk_free_bytes: number | null;
  readonly disk_bytes: number | null;
  readonly jobs: readonly {
    readonly task: string;
    readonly failing: number;
    readonly last_error: string | null;
  }[];
}

const URL = 'api/v1/health/ingest';
const EVERY_MS = 15_000;
/** An exporter that said nothing for so long is silent. */
const SILENT_SECONDS = 300;
const LATE_SECONDS = 120;
/** What is so late was kept somewhere, and sent again. */
const OLD_SECONDS = 86_400;
const LITTLE_DISK = 0.1;

/** When the first and the newest records went by. */
export async function readExtent(signal: AbortSignal): Promise<Extent> {
  const { records_first, records_last, rows } = await getJson<Ingest>(URL, signal);
  // records that the jobs have not seen yet are there all the same
  const now = rows > 0 ? new Date().toISOString() : null;
  return { time_first: records_first, time_last: records_last ?? now };
}

/** Whether everything arrives, in one strip. */
export function IngestStrip() {
  const asked = useAsked(URL, signal => getJson<Ingest>(URL, signal));
  const { data, error, retry } = asked;
  useEffect(() => {
    const timer = setInterval(() => document.hidden || retry(), EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  if (error !== undefined && data === undefined)
    return (
      <dl class="facts" aria-label="Ingest">
        <div class="bad">
          <dt>Ingest</dt>
          <dd>unknown</dd>
          <dd>
            <small>{error.message}</small>
          </dd>
        </div>
      </dl>
    );
  return (
    <dl class="facts" aria-label="Ingest">
      {(data === undefined ? bones : factsOf(data)).map(({ title, value, note, state }) => (
        <div key={title} class={state}>
          <dt>{title}</dt>
          <dd>
            {value} <small>{note}</small>
          </dd>
        </div>
      ))}
    </dl>
  );
}

interface Fact {
  readonly title: string;
  readonly value: preact.ComponentChildren;
  readonly note?: preact.ComponentChildren;
  readonly state?: 'bad' | 'warn' | undefined;
}

const bones: readonly Fact[] = ['Exporters', 'Arriving', 'Lag', 'Gaps', 'Newest', 'Detectors', 'Disk'].map(
  title => ({ title, value: '\u2007' }),
);

function factsOf(ingest: Ingest): readonly Fact[] {
  const { exporters, rows, rows_last_minute, hours_due, windows_due, jobs, records_last, database_bytes } =
    ingest;
  const sending = exporters.filter(({ silent_seconds }) => silent_seconds <= SILENT_SECONDS);
  const lags = sending.flatMap(({ lag_seconds }) => lag_seconds ?? []);
  const lag = lags.length === 0 ? null : Math.max(...lags);
  const isReplayed = lag !== null && lag > OLD_SECONDS;
  const lost = exporters.reduce((sum, { records_lost }) => sum + records_lost, 0);
  const gaps = exporters.reduce((sum, { sequence_gaps }) => sum + sequence_gaps, 0);
  const failing = jobs.filter(job => job.failing > 0);
  const { disk_free_bytes, disk_bytes } = ingest;
  const isFull =
    disk_free_bytes !== null && disk_bytes !== null && disk_free_bytes < LITTLE_DISK * disk_bytes;
  return [
    {
      title: 'Exporters',
      value: count(exporters.length),
      note:
        exporters.length === 0
          ? 'none yet'
          : sending.length === exporters.length
            ? 'sending'
            : `${count(sending.length)} sending`,
      state: exporters.length > 0 && sending.length === 0 ? 'warn' : undefined,
    },
    {
      title: 'Arriving',
      value: rows_last_minute === null ? '–' : `${brief(rows_last_minute / 60)}/s`,
      note: `of ${brief(rows)} rows`,
    },
    {
      title: 'Lag',
      value: lag === null || isReplayed ? '–' : duration(Math.max(0, lag)),
      note: lag === null ? 'files only' : isReplayed ? 'old records' : 'at most',
      state: lag !== null && lag > LATE_SECONDS && !isReplayed ? 'warn' : undefined,
    },
    {
      title: 'Gaps',
      value: count(gaps),
      note: lost === 0 ? 'nothing lost' : `${brief(lost)} records lost`,
      state: lost > 0 ? 'bad' : undefined,
    },
    { title: 'Newest', value: <Time at={records_last} /> },
    {
      title: 'Detectors',
      value: failing.length > 0 ? 'failing' : hours_due + windows_due === 0 ? 'up to date' : 'at work',
      note:
        failing.length > 0
          ? failing.map(({ task }) => task).join(', ')
          : hours_due + windows_due > 0
            ? `${count(hours_due + windows_due)} due`
            : undefined,
      state: failing.length > 0 ? 'bad' : undefined,
    },
    {
      title: 'Disk',
      value: octets(database_bytes),
      note: disk_free_bytes === null ? 'stored' : `${octets(disk_free_bytes)} free`,
      state: isFull ? 'bad' : undefined,
    },
  ];
}
