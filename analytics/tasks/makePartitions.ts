import type pg from 'pg';
import { utcDay } from '../days.ts';

/** Makes the partitions of today, tomorrow and the day after. @returns how many tables were missing */
export async function makePartitions(pool: pg.Pool): Promise<number> {
  const days = [0, 1, 2].map(offset => utcDay(offset));
  const { rows } = await pool.query<{ made: number }>('select public.ensure_partitions($1::date[]) as made', [
    days,
  ]);
  return rows[0]!.made; // one row
}
