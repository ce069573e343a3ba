import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { permits } from '../detect/allow.ts';
import { forgetConnections } from '../detect/connections.ts';
import { deriveFacts, dropFacts } from '../detect/facts.ts';
import { replaceHits } from '../detect/hits.ts';
import { kinds } from '../detect/kinds.ts';
import { readSettings } from '../detect/settings.ts';
import { allKinds, type DueWindow, markAll, markHour, nextWindow } from '../detect/windows.ts';
import { inTransaction, JobLock, withJobLock, withSession } from '../session.ts';
import { summarise } from './summarise.ts';

const RETRY_MS = 200;
/** From so many hours on, the planner must know what the tables of facts hold. */
const MANY_HOURS = 3;
/** Hours and kinds at the same time, by a connection each; only where several hours are due, as when old files are loaded. */
const LANES = 2;
/** There is one process at it; a day's lookups are grouped, and an hour's kept, without touching the disk. The lanes are parallel enough. */
const SESSION = `set work_mem = '192MB'; set temp_buffers = '64MB'; set jit = off; set max_parallel_workers_per_gather = 0`;
const HOUR_MS = 3_600_000;

/** Kinds that tell what is new: they change when something turns out to have come earlier. */
const newsKinds = kinds.filter(({ dependsOn }) => dependsOn.includes('burn_in_days'));
const firstSeen = kinds.filter(({ kind }) => kind === 'first_seen');

/** When kinds whose windows took long may be looked at again, in milliseconds of performance.now(). */
const restUntil = new Map<string, number>();
const REST_FACTOR = 10;

export interface DetectOptions {
  /** Only this kind's windows; facts are derived for all. */
  readonly kind?: string | undefined;
  /**
   * Whatever is due, waiting for another process at it to end. Else an hour that still gets records is derived anew only
   * after ten times as long as that took, and at most once a minute, and so are windows looked at; and if another process
   * is at it nothing is done.
   */
  readonly isUrgent?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What was done. */
export interface Detected {
  /** Hours whose facts were derived. */
  readonly hours: number;
  /** Windows that detectors looked at. */
  readonly windows: number;
}

/**
 * Derives the facts of the hours that got records, and lets the detectors look at the windows that these matter to, in
 * the order of the records' own time. Each hour and each window is a transaction: whatever ends us, the next run goes
 * on, to the same result. Only one process detects at a time.
 */
export async function detect(pool: pg.Pool, options: DetectOptions = {}): Promise<Detected> {
  for (;;) {
    const detected = await withJobLock(pool, JobLock.detect, options.signal, client =>
      detectAll(pool, client, options),
    );
    if (detected !== undefined) return detected;
    if (!options.isUrgent) return { hours: 0, windows: 0 };
    await delay(RETRY_MS, undefined, options.signal && { signal: options.signal });
  }
}

async function detectAll(
  pool: pg.Pool,
  client: pg.PoolClient,
  { kind, isUrgent = false, signal }: DetectOptions,
): Promise<Detected> {
  const hours = await deriveHours(pool, client, await dueHours(client, isUrgent), signal);
  const wanted = allKinds.filter(
    each => (kind === undefined || each.kind === kind) && (isUrgent || !isResting(each.kind)),
  );
  const spentMs = new Map<string, number>();
  const busy = new Set<string>();
  let windows = 0;
  const lookAtNext = async (session: pg.PoolClient): Promise<boolean> => {
    // the windows of one kind come in the order of time, those of several kinds at the same time
    const due = await nextWindow(
      session,
      wanted.filter(each => !busy.has(each.kind)),
    );
    if (due === undefined) return false;
    if (busy.has(due.kind)) return true; // taken meanwhile
    busy.add(due.kind);
    const begin = performance.now();
    await inTransaction(session, () => look(session, due)).finally(() => busy.delete(due.kind));
    spentMs.set(due.kind, (spentMs.get(due.kind) ?? 0) + performance.now() - begin);
    windows++;
    return true;
  };
  await inLanes(pool, client, hours > 1 ? LANES : 1, signal, lookAtNext);
  for (const [spent, ms] of spentMs) restUntil.set(spent, performance.now() + REST_FACTOR * ms);
  await inTransaction(client, () => forget(client));
  return { hours, windows };
}

/** @returns how many there were */
async function deriveHours(
  pool: pg.Pool,
  client: pg.PoolClient,
  due: readonly Date[],
  signal: AbortSignal | undefined,
): Promise<number> {
  if (due.length > 0) await summarise(pool, { isFinal: true, signal }); // the index finds their records
  let next = 0;
  await inLanes(pool, client, Math.min(LANES, due.length), signal, async session => {
    const hour = due[next++];
    if (hour === undefined) return false;
    await inTransaction(session, () => deriveHour(session, hour));
    if (next === MANY_HOURS) await analyzeFacts(session);
    return true;
  });
  if (due.length > MANY_HOURS) await analyzeFacts(client);
  return due.length;
}

/** Lets connections, `client` one of them, take step after step until there are no more; all have ended when it returns or throws. */
async function inLanes(
  pool: pg.Pool,
  client: pg.PoolClient,
  lanes: number,
  signal: AbortSignal | undefined,
  step: (session: pg.PoolClient) => Promise<boolean>,
): Promise<void> {
  let isFailing = false;
  const lane = async (session: pg.PoolClient): Promise<void> => {
    await session.query(SESSION);
    try {
      do signal?.throwIfAborted();
      while (!isFailing && (await step(session)));
    } catch (error) {
      isFailing = true;
      throw error;
    }
  };
  const others = Array.from({ length: lanes - 1 }, () => withSession(pool, signal, lane));
  const ended = await Promise.allSettled([lane(client), ...others]);
  const failed = ended.find(each => each.status === 'rejected');
  if (failed) throw failed.reason;
}

/** A day that goes on is due again with each of its hours: what takes long is looked at less often. */
function isResting(kind: string): boolean {
  return performance.now() < (restUntil.get(kind) ?? 0);
}

async function dueHours(client: pg.ClientBase, isUrgent: boolean): Promise<Date[]> {
  const { rows } = await client.query<{ hour: Date }>(
    `select landed.hour
     from (select distinct hour from public.landed_hour) as landed
     left join public.fact_hour using (hour)
     where $1 or computed_at is null
       or computed_at < now() - greatest(interval '1 minute', ${REST_FACTOR} * milliseconds * interval '1 ms')
     order by landed.hour`,
    [isUrgent],
  );
  return rows.map(({ hour }) => hour);
}

/** Takes the hour off the list before its records are read: what lands meanwhile puts it there again. */
async function deriveHour(client: pg.ClientBase, hour: Date): Promise<void> {
  const begin = performance.now();
  await client.query('delete from public.landed_hour where hour = $1', [hour]);
  if (!(await isWhole(client, hour))) return;
  const { lookups, movedHours, hasNewSensor } = await deriveFacts(client, hour);
  await client.query(
    `insert into public.fact_hour (hour, lookups, milliseconds) values ($1, $2, $3)
     on conflict (hour) do update
     set lookups = excluded.lookups, milliseconds = excluded.milliseconds, computed_at = now()`,
    [hour, lookups, Math.round(performance.now() - begin)],
  );
  await markHour(client, hour);
  for (const moved of movedHours) await markHour(client, moved, firstSeen);
  if (hasNewSensor) await markAll(client, newsKinds);
}

/** Whether all records of an hour are here: it has a partition, and none was dropped. */
async function isWhole(client: pg.ClientBase, hour: Date): Promise<boolean> {
  const { rows } = await client.query<{ whole: boolean }>(
    `select to_regclass('partitions.dns_rr_' || to_char($1::timestamptz at time zone 'UTC', 'YYYYMMDD')) is not null
       and coalesce((select is_complete from public.fact_hour where hour = $1), true) as whole`,
    [hour],
  );
  return rows[0]!.whole; // a select without from gives one row
}

/** Takes the window off the list first: settings that are applied meanwhile put it there again. */
async function look(client: pg.ClientBase, due: DueWindow): Promise<void> {
  await client.query('delete from public.window_due where kind = $1 and start = $2', [due.kind, due.start]);
  const settings = await readSettings(client);
  const detector = allKinds.find(({ kind }) => kind === due.kind)!; // nextWindow gives no others
  const thresholds = detector.thresholds.parse(settings.thresholds[due.kind] ?? {});
  const found = await detector.find({ client, window: due, settings }, thresholds);
  await replaceHits(client, due, found.filter(permits(settings)), thresholds);
}

/** Facts that are old by when they were derived, not by their own time: an old file is looked at like any other. */
async function forget(client: pg.ClientBase): Promise<void> {
  const { facts_days: days } = await readSettings(client);
  const { rows } = await client.query<{ hour: Date }>(
    'delete from public.fact_hour where computed_at < now() - make_interval(days => $1) returning hour',
    [days],
  );
  const hours = rows.map(({ hour }) => new Date(Math.floor(hour.getTime() / HOUR_MS) * HOUR_MS));
  if (hours.length === 0) return;
  await dropFacts(client, hours);
  await forgetConnections(client, hours);
}

/** What rows are found and joined by; arrays take longest to analyse. */
async function analyzeFacts(client: pg.ClientBase): Promise<void> {
  await client.query(`
    analyze public.lookup_hour (hour, client, rrname), public.answer_hour (hour, rrtype, rrname), public.resolver_hour,
      public.client_hour, public.tld_hour (hour, tld), public.known_domain, public.known_name`);
}
