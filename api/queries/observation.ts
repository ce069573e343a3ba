import { periodSql } from '../../common/tiers.ts';

/** One row of an answer: a key, how often it was observed, and from when to when. */
export interface Observation {
  /** Owner name. */
  readonly rrname: string;
  readonly rrtype: number;
  /** Of rrsets only. */
  readonly bailiwick?: string;
  /** Presentation form; of an rrset one value a line. */
  readonly rdata: string;
  readonly count: number;
  /** Seconds since 1970, with a fraction; infinite for a time without bound. */
  readonly time_first: number;
  readonly time_last: number;
  /** Of zone files: count and times are those of their copies. */
  readonly is_zone: boolean;
}

/** Which rows are shown, by their first and last time in whole seconds, all inclusive. Null: any. */
export interface Fences {
  readonly firstBefore: number | null;
  readonly firstAfter: number | null;
  readonly lastBefore: number | null;
  readonly lastAfter: number | null;
}

export interface Window {
  readonly fences: Fences;
  readonly limit: number;
  readonly offset: number;
  /** One row per period instead of one for all time: a UTC day, later a month or a year. */
  readonly isGravel: boolean;
}

/** A little earlier than merging does it, so that no merged piece spans two periods. */
export const PERIOD_SQL = periodSql(days => `date_trunc('day', now(), 'UTC') - interval '${days - 2} days'`);

/** Whether a piece is of a zone file: its source is one of those, which are few and looked up once. */
export const IS_ZONE_SQL = `source_id = any (array(select source_id from public.rrset_source where kind = 'zone'))`;

/** Pieces of one key added up: `count`, and the times in seconds since 1970, with a fraction. */
export const SUMS_SQL = `sum(count)::bigint as count,
  date_part('epoch', min(time_first)) as time_first,
  date_part('epoch', max(time_last)) as time_last`;

type Portions = AsyncIterable<readonly Observation[]>;

/**
 * Joins rows of one key that overlap in time: a period of its own is no more than a beginning, since rows that were imported
 * span what they span. The rows of a key come one after another, by their first time.
 */
export async function* withoutOverlap(portions: Portions): AsyncGenerator<Observation[], void> {
  let last: Observation | undefined;
  for await (const portion of portions) {
    const rows: Observation[] = [];
    for (const row of portion) {
      if (last !== undefined && isSameKey(last, row) && row.time_first <= last.time_last)
        last = { ...last, count: last.count + row.count, time_last: Math.max(last.time_last, row.time_last) };
      else {
        if (last !== undefined) rows.push(last);
        last = row;
      }
    }
    yield rows;
  }
  if (last !== undefined) yield [last];
}

function isSameKey(a: Observation, b: Observation): boolean {
  return (
    a.rrname === b.rrname &&
    a.rrtype === b.rrtype &&
    a.rdata === b.rdata &&
    a.bailiwick === b.bailiwick &&
    a.is_zone === b.is_zone
  );
}

/** Fences, offset and limit, for rows that could not be fenced by the database. */
export async function* withinWindow(
  portions: Portions,
  { fences, limit, offset }: Window,
): AsyncGenerator<readonly Observation[], void> {
  let skip = offset;
  let left = limit;
  for await (const portion of portions) {
    const shown = portion.filter(row => isWithin(row, fences));
    const rows = shown.slice(skip, skip + left);
    skip = Math.max(0, skip - shown.length);
    left -= rows.length;
    if (rows.length > 0) yield rows;
    if (left === 0) return;
  }
}

function isWithin(row: Observation, fences: Fences): boolean {
  const [first, last] = [Math.floor(row.time_first), Math.floor(row.time_last)];
  return (
    first <= (fences.firstBefore ?? Infinity) &&
    first >= (fences.firstAfter ?? -Infinity) &&
    last <= (fences.lastBefore ?? Infinity) &&
    last >= (fences.lastAfter ?? -Infinity)
  );
}

/** What the queries compare with: the first moment of a second, or the first after it. */
export function fenceParameters({ firstBefore, firstAfter, lastBefore, lastAfter }: Fences): (Date | null)[] {
  const moment = (second: number | null) => (second === null ? null : new Date(1000 * second));
  const after = (second: number | null) => moment(second === null ? null : second + 1);
  return [after(firstBefore), moment(firstAfter), after(lastBefore), moment(lastAfter)];
}
