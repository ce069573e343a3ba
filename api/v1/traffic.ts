import { z } from 'zod';
import {
  countOutput,
  cursorInput,
  cursorName,
  cursorOf,
  endpoint,
  integerText,
  limitInput,
  manyLimitInput,
  microsecondsOf,
  nextOf,
  sensorInput,
  timeOfMicroseconds,
  timeOutput,
  valuesOf,
  windowInput,
} from './endpoint.ts';

const HOUR_MS = 3_600_000;
/** The longest windows that `auto` shows by the minute, and by the hour. */
const LONGEST_BY_MINUTE = 12 * HOUR_MS;
const LONGEST_BY_HOUR = 31 * 24 * HOUR_MS;

const ofSensor =
  '($3::text is null or exporter_id in (select exporter_id from public.exporter where name = $3))';

/** A column of counts by name, added up. */
const added = (column: string) => `(
  select time, jsonb_object_agg(key, n) as ${column}
  from (select time, key, sum(value::bigint) as n from part cross join jsonb_each_text(${column}) group by 1, 2) as sums
  group by 1
) as ${column}_of using (time)`;

/** Clients cannot be added up over hours or sensors: they are counted anew where that can be done. */
const trafficSql = (step: 'minute' | 'hour' | 'day') => {
  const table = step === 'minute' ? 'minute' : 'hour';
  return `
with part as materialized (
  select date_trunc('${step}', ${table}, 'UTC') as time, queries, responses, clients, rcodes, qtypes
  from public.traffic_${table}
  where ${table} >= date_trunc('${table}', $1::timestamptz, 'UTC') and ${table} < $2 and ${ofSensor}
    and ($4::bigint is null or ${table} >= ${timeOfMicroseconds('$4')})
),
sums as (
  select time, sum(queries)::bigint as queries, sum(responses)::bigint as responses, ${step === 'day' ? 'max' : 'sum'}(clients)::bigint as clients
  from part
  group by time
  order by time
  limit $5
)
select time, ${microsecondsOf(`(time + interval '1 ${step}')`)} as after, queries, responses,
  coalesce(${
    step === 'minute'
      ? 'null'
      : `case when $3::text is null then (
    select count(distinct client) from public.client_hour
    where hour >= greatest(time, date_trunc('hour', $1::timestamptz, 'UTC')) and hour < least(time + interval '1 ${step}', $2)
  ) end`
  }, clients) as clients,
  coalesce(rcodes, '{}') as rcodes, coalesce(qtypes, '{}') as qtypes
from sums
left join ${added('rcodes')}
left join ${added('qtypes')}
order by time`;
};

const sqlOf = { minute: trafficSql('minute'), hour: trafficSql('hour'), day: trafficSql('day') } as const;

const inTop = `hour >= date_trunc('hour', $1::timestamptz, 'UTC') and ($2::timestamptz is null or hour < $2) and ${ofSensor}`;

const topSql = `
select value, sum(lookups)::bigint as lookups, sum(nxdomain)::bigint as nxdomain
from public.traffic_top
where dimension = $4 and ${inTop}
group by value
having $5::bigint is null or (-sum(lookups), value collate "C") > (-$5::bigint, $6)
order by lookups desc, value collate "C"
limit $7`;

const typesSql = `
select key as value, sum(n.value::bigint)::bigint as lookups, null as nxdomain
from public.traffic_hour cross join jsonb_each_text(qtypes) as n
where $4::text is not null and ${inTop}
group by key
having $5::bigint is null or (-sum(n.value::bigint), key collate "C") > (-$5::bigint, $6)
order by lookups desc, key collate "C"
limit $7`;

/** By the word in the path. */
const dimensions = {
  domains: 'domain',
  tlds: 'tld',
  clients: 'client',
  resolvers: 'resolver',
  types: 'type',
};
const counts = z.record(z.string(), countOutput);

export const trafficEndpoints = [
  endpoint({
    path: '/traffic',
    summary: 'How much was asked and answered over time',
    description:
      'Queries and responses, by response code and type, and distinct clients, for each minute, hour or day of a time. Steps without a message are left out; the first and the last may be cut by the window, in whole minutes or hours. Clients are exact, but where one sensor is named days have the most of an hour; clients of a minute count once for each sensor. There once the jobs have looked at the records.',
    input: z.object({
      ...windowInput,
      step: z
        .enum(['auto', 'minute', 'hour', 'day'])
        .default('auto')
        .meta({ description: 'auto: by the minute up to 12 hours, by the hour up to 31 days.' }),
      sensor: sensorInput,
      limit: manyLimitInput,
      cursor: cursorInput,
    }),
    row: z.object({
      time: timeOutput,
      queries: countOutput,
      responses: countOutput,
      clients: countOutput,
      rcodes: counts.meta({ description: 'Responses by response code.' }),
      qtypes: counts.meta({ description: 'Queries by type.' }),
    }),
    async answer(reader, { since, until = new Date(), step, sensor, limit, cursor }, signal) {
      const after = valuesOf(cursor, z.tuple([z.enum(['minute', 'hour', 'day']), integerText]));
      const width = until.getTime() - since.getTime();
      const chosen =
        after?.[0] ??
        (step !== 'auto'
          ? step
          : width <= LONGEST_BY_MINUTE
            ? 'minute'
            : width <= LONGEST_BY_HOUR
              ? 'hour'
              : 'day');
      const rows = await reader.all<{ after: string }>(
        sqlOf[chosen],
        [since, until, sensor ?? null, after?.[1] ?? null, limit],
        signal,
      );
      return {
        rows: rows.map(({ after: _, ...row }) => row),
        next: nextOf(rows, limit, row => [chosen, row.after]),
      };
    },
  }),
  endpoint({
    path: '/top/{dimension}',
    summary: 'What was asked most',
    description:
      'The most frequent registered domains, top-level domains, clients, resolvers or types of a time, in whole hours. Of each hour and sensor the first hundred are known: sums over several hours are exact for what is among them every hour, a lower bound else; types are all known.',
    input: z.object({
      dimension: z.enum(['domains', 'tlds', 'clients', 'resolvers', 'types']),
      ...windowInput,
      sensor: sensorInput,
      limit: limitInput,
      cursor: cursorInput,
    }),
    row: z.object({
      value: z.string(),
      lookups: countOutput,
      nxdomain: countOutput
        .nullable()
        .meta({ description: 'Lookups answered with NXDOMAIN; null for types.' }),
    }),
    async answer(reader, { dimension, since, until, sensor, limit, cursor }, signal) {
      const after = valuesOf(cursor, z.tuple([z.int().min(0), cursorName]));
      const rows = await reader.all<{ value: string; lookups: number }>(
        dimension === 'types' ? typesSql : topSql,
        [
          since,
          until ?? null,
          sensor ?? null,
          dimensions[dimension],
          after?.[0] ?? null,
          after?.[1] ?? null,
          limit,
        ],
        signal,
      );
      const last = rows.at(-1);
      return {
        rows,
        next: rows.length < limit || last === undefined ? null : cursorOf([last.lookups, last.value]),
      };
    },
  }),
];
