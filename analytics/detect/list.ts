import { isIP } from 'node:net';
import type pg from 'pg';
import { SettingsError } from './settings.ts';
import type { Severity } from './severity.ts';

/** A detection as it is told to others. Times as ISO 8601. */
export interface ListedDetection {
  readonly id: number;
  readonly kind: string;
  readonly subject: string;
  readonly client: string | null;
  readonly first: string;
  readonly last: string;
  readonly score: number;
  readonly severity: Severity;
  readonly status: string;
  readonly windows: number;
  readonly evidence: Readonly<Record<string, unknown>>;
  readonly thresholds: Readonly<Record<string, unknown>>;
  readonly query: string;
  readonly muted: boolean;
}

export interface ListOptions {
  readonly kind?: string | undefined;
  /** Only what went on after it, by the time of the records. */
  readonly since?: Date | undefined;
  readonly id?: number | undefined;
  readonly afterId?: number | undefined;
  /** Also those that are muted or closed. */
  readonly all?: boolean | undefined;
}

const listSql = `
select detection_id::float8 as id, kind, subject, host(client) as client, first_time, last_time, score, severity, status, windows,
  evidence, thresholds, query, mute_id is not null as muted
from public.detection_shown
where ($1::text is null or kind = $1)
  and ($2::timestamptz is null or last_time >= $2)
  and ($3::bigint is null or detection_id = $3)
  and ($4::bigint is null or detection_id > $4)
  and ($5 or (mute_id is null and status <> 'closed'))
order by first_time, detection_id`;

/** Detections by the time of their records. */
export async function listDetections(
  client: pg.Pool | pg.ClientBase,
  { kind, since, id, afterId, all = false }: ListOptions = {},
): Promise<ListedDetection[]> {
  const { rows } = await client.query<
    Omit<ListedDetection, 'first' | 'last'> & { first_time: Date; last_time: Date }
  >(listSql, [kind ?? null, since ?? null, id ?? null, afterId ?? null, all]);
  return rows.map(({ id, kind, subject, client, first_time, last_time, ...rest }) => ({
    id,
    kind,
    subject,
    client,
    first: first_time.toISOString(),
    last: last_time.toISOString(),
    ...rest,
  }));
}

/** Detections for people, one a line. */
export function describeDetections(detections: readonly ListedDetection[]): string {
  if (detections.length === 0) return 'no detections';
  return detections
    .map(
      ({ id, kind, subject, client, first, score, severity, muted }) =>
        `${String(id).padStart(5)}  ${first.slice(0, 16).replace('T', ' ')}  ${severity.padEnd(6)} ${String(Math.round(score)).padStart(3)}  ${kind.padEnd(15)} ${subject}${client === null || client === subject ? '' : `  by ${client}`}${muted ? '  (muted)' : ''}`,
    )
    .join('\n');
}

/** One detection with all it is based on, for people. */
export function explainDetection(detection: ListedDetection): string {
  const {
    kind,
    subject,
    client,
    first,
    last,
    score,
    severity,
    status,
    windows,
    evidence,
    thresholds,
    query,
  } = detection;
  const listed = (values: Readonly<Record<string, unknown>>) =>
    Object.entries(values).map(([name, value]) => `  ${name.replaceAll('_', ' ')}: ${inWords(value)}`);
  return [
    `${kind}: ${subject}${client === null ? '' : `, client ${client}`}`,
    `from ${first} to ${last}, in ${windows} window${windows === 1 ? '' : 's'}; score ${Math.round(score)}, ${severity}, ${status}`,
    'evidence',
    ...listed(evidence),
    'thresholds',
    ...listed(thresholds),
    'the rows',
    `  ${query}`,
  ].join('\n');
}

function inWords(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.map(inWords).join(', ');
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** What nobody wants to hear of. */
export interface MuteRequest {
  readonly kind?: string | undefined;
  readonly subject?: string | undefined;
  readonly client?: string | undefined;
  readonly reason: string;
  readonly author: string;
  readonly until: Date;
}

/** Mutes detections, present and future. @returns the mute's id @throws SettingsError when it says nothing or is over */
export async function mute(pool: pg.Pool, request: MuteRequest): Promise<number> {
  const { kind, subject, client, reason, author, until } = request;
  if (kind === undefined && subject === undefined && client === undefined)
    throw new SettingsError('say what to mute: --kind, --subject or --client');
  if (until <= new Date()) throw new SettingsError('--until is over already');
  const { rows } = await pool.query<{ id: number }>(
    `insert into public.mute (kind, subject, client, reason, author, expires_at)
     values ($1, $2, network($3::inet), $4, $5, $6) returning mute_id as id`,
    [kind, subject && canonicalSubject(subject), client, reason, author, until],
  );
  return rows[0]!.id; // one row was inserted
}

/** Names have a trailing dot, addresses none. */
function canonicalSubject(subject: string): string {
  return isIP(subject) !== 0 ? subject : `${subject.toLowerCase().replace(/\.$/, '')}.`;
}

/** Ends a mute. @returns whether there was one */
export async function unmute(pool: pg.Pool, id: number): Promise<boolean> {
  const { rowCount } = await pool.query(
    'update public.mute set expires_at = now() where mute_id = $1 and expires_at > now()',
    [id],
  );
  return rowCount === 1;
}

/** Sets the status of a detection. @returns whether there is one */
export async function setStatus(
  pool: pg.Pool,
  id: number,
  status: 'new' | 'acknowledged' | 'closed',
): Promise<boolean> {
  const { rowCount } = await pool.query(
    `update public.detection set status = $2, updated_at = now() where detection_id = $1 and status <> 'withdrawn'`,
    [id, status],
  );
  return rowCount === 1;
}

/** A time as a user gives it: ISO 8601, or `7d`, `12h` before now (`sign` -1) or after it (1). @throws SettingsError */
export function parseTime(text: string, sign: 1 | -1): Date {
  const [, count, unit] = /^(\d+)([dh])$/.exec(text) ?? [];
  const time =
    count === undefined
      ? new Date(text)
      : new Date(Date.now() + sign * Number(count) * (unit === 'd' ? 86_400_000 : 3_600_000));
  if (Number.isNaN(time.getTime()))
    throw new SettingsError(`"${text}" is no time: write 2026-01-31, 2026-01-31T12:00:00Z, 7d or 12h`);
  return time;
}
