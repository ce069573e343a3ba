import type pg from 'pg';
import { connections } from './connections.ts';
import type { AnyDetector, Window } from './detector.ts';
import { kinds } from './kinds.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Whatever works window by window. */
export const allKinds: readonly AnyDetector[] = [...kinds, connections];

/** A window that a detector has to look at. */
export interface DueWindow extends Window {
  readonly kind: string;
}

/** The window that begins at a time. */
export function windowAt(detector: AnyDetector, start: Date): Window {
  return { start, end: new Date(start.getTime() + lengthOf(detector)) };
}

/** The windows with facts that an hour matters to: its own, and those that have it in their baseline. */
const affectedSql = `
insert into public.window_due (kind, start)
select distinct wanted.kind, date_trunc(wanted.unit, fact_hour.hour, 'UTC')
from unnest($1::text[], $2::text[], $3::integer[]) as wanted(kind, unit, baseline_days)
join public.fact_hour
  on fact_hour.hour >= date_trunc(wanted.unit, $4::timestamptz, 'UTC')
  and fact_hour.hour < date_trunc(wanted.unit, $4::timestamptz, 'UTC') + make_interval(days => wanted.baseline_days)
    + case wanted.unit when 'day' then interval '1 day' else interval '1 hour' end
on conflict do nothing`;

/** Asks for all that depends on the facts of an hour to be looked at. */
export async function markHour(client: pg.ClientBase, hour: Date, some = allKinds): Promise<void> {
  await client.query(affectedSql, [
    some.map(({ kind }) => kind),
    some.map(({ window }) => window),
    some.map(({ baselineDays }) => baselineDays),
    hour,
  ]);
}

/** Asks for everything of some kinds to be looked at again. */
export async function markAll(client: pg.ClientBase, some: readonly AnyDetector[]): Promise<void> {
  await client.query(
    `insert into public.window_due (kind, start)
     select distinct wanted.kind, date_trunc(wanted.unit, fact_hour.hour, 'UTC')
     from unnest($1::text[], $2::text[]) as wanted(kind, unit), public.fact_hour
     on conflict do nothing`,
    [some.map(({ kind }) => kind), some.map(({ window }) => window)],
  );
}

/** The next window of some kinds in the order of time. */
export async function nextWindow(
  client: pg.ClientBase,
  some: readonly AnyDetector[],
): Promise<DueWindow | undefined> {
  const { rows } = await client.query<{ kind: string; start: Date }>(
    `select kind, start from public.window_due
     where kind = any ($1)
     order by start, kind
     limit 1`,
    [some.map(({ kind }) => kind)],
  );
  const found = rows[0];
  const detector = some.find(each => each.kind === found?.kind);
  return found && detector && { kind: found.kind, ...windowAt(detector, found.start) };
}

/** Windows of a kind that have facts, in the order of time. */
export async function windowsOf(client: pg.ClientBase, detector: AnyDetector): Promise<Window[]> {
  const { rows } = await client.query<{ start: Date }>(
    `select distinct date_trunc($1, hour, 'UTC') as start from public.fact_hour order by 1`,
    [detector.window],
  );
  return rows.map(({ start }) => windowAt(detector, start));
}

function lengthOf({ window }: AnyDetector): number {
  return window === 'hour' ? HOUR_MS : DAY_MS;
}
