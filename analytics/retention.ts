import type pg from 'pg';
import { utcDay } from './days.ts';

/** Limits of what is kept; without one everything is. */
export interface RetentionLimits {
  /** Whole UTC days kept beside today's. */
  readonly retainDays?: number | undefined;
  /** Octets that all daily partitions and their indexes may take. */
  readonly retainBytes?: number | undefined;
  /** Octets free on the disk of the database, where that is known. */
  readonly freeBytes?: number | undefined;
}

export interface RetainedDay {
  /** UTC. */
  readonly day: string;
  /** Octets of its three partitions with their indexes. */
  readonly bytes: number;
  /** As of the last ANALYZE. */
  readonly rows: number;
}

export interface RetentionPlan {
  readonly days: number;
  readonly usedBytes: number;
  /** Oldest first. */
  readonly drop: readonly (RetainedDay & { readonly because: 'age' | 'bytes' })[];
  readonly freedBytes: number;
  /** Octets a day: the mean of the newest days that are over, at most a week. Null before the first. */
  readonly growthPerDay: number | null;
  /** Days until the limit in octets is reached, after what is dropped now. Null when there is none, or nothing grows. */
  readonly daysUntilLimit: number | null;
  /** Days until the disk is full, retention not counted. Null when its free space is not known, or nothing grows. */
  readonly daysUntilDiskFull: number | null;
}

/** Days that growth is told from. */
const GROWTH_DAYS = 7;

/** Days with their size. One that was restored in the last week is not counted as old. */
const daysSql = `
select day::text, sum(bytes)::text as bytes, sum(rows)::text as rows,
  exists (select from public.archive a where a.day = part.day and a.restored_at > now() - interval '7 days') as is_restored
from public.partition as part
group by day
order by day`;

/** What would be dropped, and when it would get tight. Changes nothing. Today and later days are never dropped. */
export async function planRetention(pool: pg.Pool, limits: RetentionLimits): Promise<RetentionPlan> {
  const { retainDays, retainBytes, freeBytes } = limits;
  const { rows } = await pool.query<{ day: string; bytes: string; rows: string; is_restored: boolean }>(
    daysSql,
  );
  const days = rows.map(row => ({
    day: row.day,
    bytes: Number(row.bytes),
    rows: Number(row.rows),
    isRestored: row.is_restored,
  }));
  const today = utcDay();
  const oldestKept = retainDays === undefined ? '' : utcDay(-retainDays);
  const usedBytes = days.reduce((sum, { bytes }) => sum + bytes, 0);
  let left = usedBytes;
  const drop: (RetainedDay & { because: 'age' | 'bytes' })[] = [];
  for (const { day, bytes, rows, isRestored } of days) {
    if (day >= today) break;
    const isOld = day < oldestKept && !isRestored;
    if (!isOld && !(retainBytes !== undefined && left > retainBytes)) continue;
    drop.push({ day, bytes, rows, because: isOld ? 'age' : 'bytes' });
    left -= bytes;
  }
  const recent = days.filter(({ day, rows }) => day < today && rows > 0).slice(-GROWTH_DAYS);
  const growthPerDay =
    recent.length === 0
      ? null
      : Math.round(recent.reduce((sum, { bytes }) => sum + bytes, 0) / recent.length);
  const daysUntil = (room: number | undefined) =>
    room === undefined || !growthPerDay ? null : Math.max(0, Math.floor(room / growthPerDay));
  return {
    days: days.length,
    usedBytes,
    drop,
    freedBytes: usedBytes - left,
    growthPerDay,
    daysUntilLimit: daysUntil(retainBytes === undefined ? undefined : retainBytes - left),
    daysUntilDiskFull: daysUntil(freeBytes === undefined ? undefined : freeBytes + usedBytes - left),
  };
}
