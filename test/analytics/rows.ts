import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';

/** Puts a flow and three resource records, two of them addresses, into a past or present day, `flows` times. */
export async function insertDay(pool: pg.Pool, day: string, flows: number, firstId = 1): Promise<void> {
  await pool.query('select public.ensure_partitions(array[$1::date])', [day]);
  await pool.query(
    `insert into public.flow (start_time, flow_id, exporter_id, src, dst)
     select $1::timestamptz + i * interval '1 ms', $3 + i, 1, '10.0.0.0'::inet + i % 50, '192.0.2.0'::inet + i % 200
     from generate_series(1, $2::integer) as i`,
    [`${day}T00:00:00Z`, flows, firstId],
  );
  await pool.query(
    `insert into public.dns_rr (time, flow_id, rrtype, exporter_id, section, origin, qr, client, rrname, rdata, rdata_ip)
     select $1::timestamptz + i * interval '1 ms', $3 + i, 1, 1, rr, 0, true, '10.0.0.0'::inet + i % 50,
       format('www%s.example%s.com.', i % 100, i % 7),
       case when rr > 0 then host('198.51.100.0'::inet + i % 250) end,
       case when rr > 0 then '198.51.100.0'::inet + i % 250 end
     from generate_series(1, $2::integer) as i, generate_series(0, 2) as rr`,
    [`${day}T00:00:00Z`, flows, firstId],
  );
}

/** Every row of the day as text, in a fixed order. */
export async function rowsOf(pool: pg.Pool, day: string): Promise<string[]> {
  const { rows } = await pool.query<{ row: string }>(
    `select f::text as row from public.flow f where start_time >= $1::date and start_time < $1::date + 1
     union all
     select rr::text from public.dns_rr rr where time >= $1::date and time < $1::date + 1
     order by 1`,
    [day],
  );
  return rows.map(({ row }) => row);
}

/** The UTC day so many days before today. */
export function daysAgo(days: number): string {
  return new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 10);
}

/** Waits for midnight UTC if it comes within half a minute, so that today stays today in a test. */
export async function clearOfMidnight(): Promise<void> {
  const msLeft = 86_400_000 - (Date.now() % 86_400_000);
  if (msLeft < 30_000) await delay(msLeft);
}
