import type pg from 'pg';
import { z } from 'zod';
import { byIndex } from '../session.ts';
import { defineDetector } from './detector.ts';

const sql = `
insert into public.connection_hour (hour, time_first, time_last, flows, octets, resolved_at, client, address, rrname)
select $1, min(start_time), max(start_time), count(*), sum(octets), max(resolved_at), client, address, rrname
from public.named_flows($1, $2)
group by client, address, rrname`;

const hasFlowsSql = `
select from public.flow
where start_time >= $1 and start_time < $2
  and application is distinct from 53 and coalesce(dst_port, 0) not in (53, 853, 5353, 5355)
limit 1`;

/** Connections by name: a table that is filled window by window, as an hour's depend on the lookups of the one before. */
export const connections = defineDetector({
  kind: 'connections',
  window: 'hour',
  baselineDays: 1,
  dependsOn: [],
  thresholds: z.strictObject({}),
  async find({ client, window: { start, end } }) {
    await forgetConnections(client, [start]);
    await byIndex(client, async () => {
      if ((await client.query(hasFlowsSql, [start, end])).rowCount === 1)
        await client.query(sql, [start, end]);
    });
    return [];
  },
});

/** Removes the connections of hours. */
export async function forgetConnections(client: pg.ClientBase, hours: readonly Date[]): Promise<void> {
  await client.query('delete from public.connection_hour where hour = any ($1::timestamptz[])', [hours]);
}
