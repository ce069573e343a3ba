import { z } from 'zod';
import { ApiError } from '../problem.ts';
import {
  addressInput,
  countOutput,
  cursorInput,
  cursorName,
  cursorOf,
  endpoint,
  integerText,
  limitInput,
  manyLimitInput,
  microsecondsOf,
  nameInput,
  nextOf,
  timeOfMicroseconds,
  timeOutput,
  valuesOf,
  windowInput,
} from './endpoint.ts';
import { readNewest } from './newest.ts';

const clientSql = `
with names as materialized (
  select rrname, right(rrname, domain_length) as domain, count, time_first, time_last
  from public.asked_gravel
  where client = $1
    and day >= ($2::timestamptz at time zone 'UTC')::date
    and time_last >= $2 and ($3::timestamptz is null or time_first < $3)
),
facts as (
  select sum(lookups)::bigint as lookups, sum(nxdomain)::bigint as nxdomain
  from public.client_hour
  where client = $1 and hour >= date_trunc('hour', $2::timestamptz, 'UTC') and ($3::timestamptz is null or hour < $3)
)
select
  host($1::inet) as client, coalesce(sum(count), 0)::bigint as questions, count(distinct rrname) as names, count(distinct domain) as domains,
  min(time_first) as time_first, max(time_last) as time_last,
  (select nxdomain from facts) as nxdomain, (select lookups from facts) as lookups,
  (select count(*) from public.detection_shown where client = $1 and mute_id is null
    and detection_shown.last_time >= $2 and ($3::timestamptz is null or detection_shown.first_time < $3)) as detections
from names`;

const resolversSql = `
select host(resolver) as resolver, sum(flows)::bigint as flows, sum(lookups)::bigint as lookups,
  array_agg(distinct port order by port) as ports, ${isApprovedSql('resolver')} as approved,
  min(time_first) as time_first, max(time_last) as time_last
from public.resolver_hour
where client = $1 and hour >= date_trunc('hour', $2::timestamptz, 'UTC') and ($3::timestamptz is null or hour < $3)
  and ($4::inet is null or resolver > $4)
group by resolver
order by resolver_hour.resolver
limit $5`;

const activitySql = `
select hour, lookups, names, domains, nxdomain, ${microsecondsOf('hour')} as microseconds
from public.client_hour
where client = $1 and hour >= date_trunc('hour', $2::timestamptz, 'UTC') and ($3::timestamptz is null or hour < $3)
  and ($4::bigint is null or hour > ${timeOfMicroseconds('$4')})
order by hour
limit $5`;

/** Of most names it is known that somebody else asked first, which is sooner looked up than who else asked. */
const unusualSql = `
with own as materialized (
  select rrname, sum(count)::bigint as questions, min(time_first) as time_first, max(time_last) as time_last
  from public.asked_gravel
  where client = $1
    and day >= ($2::timestamptz at time zone 'UTC')::date
    and time_last >= $2 and ($3::timestamptz is null or time_first < $3)
    and ($4::text is null or rrname > $4)
  group by rrname
),
candidate as materialized (
  select own.*
  from own left join public.known_name as known using (rrname)
  where known.client is null or known.client = $1 or ${isApprovedSql('known.client')}
)
select *
from (select * from candidate order by rrname offset 0) as candidate -- in order, so that a page of them is enough
where not exists (
  select from public.asked_gravel as other
  where other.rrname = candidate.rrname and other.client <> $1 and not ${isApprovedSql('other.client')})
order by rrname
limit $5`;

const unconnectedSql = `
select host(client) as client, rrname, lookups, time_first, time_last, array(select host(unnest(addresses))) as addresses
from public.unconnected_names($1, $2)
where ($3::inet is null or unconnected_names.client = $3)
  and ($4::text is null or rrname = $4)
  and ($5::inet is null or (unconnected_names.client, rrname collate "C") > ($5, $6))
order by unconnected_names.client, rrname collate "C"
limit $7`;

const connectionsSql = `
select host(client) as client, rrname, host(address) as address, sum(flows)::bigint as flows, sum(octets)::bigint as octets,
  min(time_first) as time_first, max(time_last) as time_last
from public.connection_hour
where hour >= date_trunc('hour', $1::timestamptz, 'UTC') and ($2::timestamptz is null or hour < $2)
  and ($3::inet is null or client = $3)
  and ($4::inet is null or address = $4)
  and ($5::text is null or rrname = $5)
group by connection_hour.client, rrname, connection_hour.address
having $6::bigint is null
  or (-sum(octets), connection_hour.client, rrname, connection_hour.address) > (-$6::bigint, $7::inet, $8, $9::inet)
order by sum(octets) desc, connection_hour.client, rrname, connection_hour.address
limit $10`;

const flowsSql = `
select start_time, end_time, flow_id::text as flow_id, host(src) as src, src_port, host(dst) as dst, dst_port, protocol,
  octets, packets, reverse_octets, reverse_packets, application, ${microsecondsOf('start_time')} as microseconds
from public.flow
where start_time >= $1 and ($2::timestamptz is null or start_time < $2)
  and ($3::inet is null or src = $3)
  and ($4::inet is null or dst = $4)
  and ($5::bigint is null or (start_time, flow.flow_id) < (${timeOfMicroseconds('$5')}, $6::bigint))
order by start_time desc, flow.flow_id desc
limit $7`;

/** Whether an address is in a network of the setting approved_resolvers, which is read once for all. */
export function isApprovedSql(column: string): string {
  return `${column} <<= any (array(
    select approved::inet
    from public.setting cross join jsonb_array_elements_text(value) as approved
    where name = 'approved_resolvers'
  ))`;
}

const DAY_MS = 86_400_000;
const seen = { time_first: timeOutput, time_last: timeOutput };
const page = { limit: limitInput, cursor: cursorInput };
const ofClient = { address: addressInput, ...windowInput };
const amount = countOutput.nullable();

export const clientEndpoints = [
  endpoint({
    path: '/clients/{address}',
    summary: 'One client',
    description:
      'How much a client asked on the days of a time, and what was found about it; of one that asked nothing too. Lookups and NXDOMAIN are of whole hours, null until the jobs have looked at them.',
    input: z.object(ofClient),
    row: z.object({
      client: z.string(),
      questions: countOutput,
      names: countOutput,
      domains: countOutput,
      time_first: timeOutput.nullable(),
      time_last: timeOutput.nullable(),
      nxdomain: amount,
      lookups: amount,
      detections: countOutput,
    }),
    isOne: true,
    answer: async (reader, { address, since, until }, signal) => ({
      rows: await reader.all<object>(clientSql, [address, since, until ?? null], signal),
    }),
  }),
  endpoint({
    path: '/clients/{address}/activity',
    summary: 'What a client did, hour by hour',
    description: 'Lookups, names and domains of each hour in which it asked.',
    input: z.object({ ...ofClient, limit: manyLimitInput, cursor: cursorInput }),
    row: z.object({
      hour: timeOutput,
      lookups: countOutput,
      names: countOutput,
      domains: countOutput,
      nxdomain: countOutput,
    }),
    async answer(reader, { address, since, until, limit, cursor }, signal) {
      const after = valuesOf(cursor, z.tuple([integerText]));
      const rows = await reader.all<{ microseconds: string }>(
        activitySql,
        [address, since, until ?? null, after?.[0] ?? null, limit],
        signal,
      );
      return {
        rows: rows.map(({ microseconds: _, ...row }) => row),
        next: nextOf(rows, limit, row => [row.microseconds]),
      };
    },
  }),
  endpoint({
    path: '/clients/{address}/resolvers',
    summary: 'Through which resolvers a client asked',
    description: 'The resolvers that a client used in the hours of a time, in the order of their addresses.',
    input: z.object({ ...ofClient, ...page }),
    row: z.object({
      resolver: z.string(),
      flows: countOutput,
      lookups: countOutput.meta({ description: '0: encrypted, or not decoded by the exporter.' }),
      ports: z.array(countOutput),
      approved: z.boolean(),
      ...seen,
    }),
    async answer(reader, { address, since, until, limit, cursor }, signal) {
      const after = valuesOf(cursor, z.tuple([addressInput]));
      const rows = await reader.all<{ resolver: string }>(
        resolversSql,
        [address, since, until ?? null, after?.[0] ?? null, limit],
        signal,
      );
      return { rows, next: nextOf(rows, limit, row => [row.resolver]) };
    },
  }),
  endpoint({
    path: '/clients/{address}/unusual',
    summary: 'What only this client asked for',
    description:
      'Names that a client asked for on the days of a time, and that no other client ever asked for, but for approved resolvers, which ask again what they are asked; in alphabetical order.',
    input: z.object({ ...ofClient, ...page }),
    row: z.object({ rrname: z.string(), questions: countOutput, ...seen }),
    async answer(reader, { address, since, until, limit, cursor }, signal) {
      const after = valuesOf(cursor, z.tuple([cursorName]));
      const rows = await reader.all<{ rrname: string }>(
        unusualSql,
        [address, since, until ?? null, after?.[0] ?? null, limit],
        signal,
      );
      return { rows, next: nextOf(rows, limit, row => [row.rrname]) };
    },
  }),
  endpoint({
    path: '/connections',
    summary: 'Who connected to what, by name',
    description:
      'Connections of a time, in whole hours, to addresses that the client had resolved a name to just before; by client, name and address, the most octets first.',
    input: z.object({
      client: addressInput.optional(),
      address: addressInput.optional(),
      name: nameInput.optional(),
      ...windowInput,
      ...page,
    }),
    row: z.object({
      client: z.string(),
      rrname: z.string(),
      address: z.string(),
      flows: countOutput,
      octets: countOutput,
      ...seen,
    }),
    async answer(reader, { client, address, name, since, until, limit, cursor }, signal) {
      const after = valuesOf(cursor, z.tuple([z.int().min(0), addressInput, cursorName, addressInput]));
      const rows = await reader.all<{ octets: number; client: string; rrname: string; address: string }>(
        connectionsSql,
        [
          since,
          until ?? null,
          client ?? null,
          address ?? null,
          name ?? null,
          ...(after ?? [null, null, null, null]),
          limit,
        ],
        signal,
      );
      const last = rows.at(-1);
      return {
        rows,
        next:
          rows.length < limit || last === undefined
            ? null
            : cursorOf([last.octets, last.client, last.rrname, last.address]),
      };
    },
  }),
  endpoint({
    path: '/unconnected',
    summary: 'What was resolved, and never connected to',
    description:
      'Names that a client resolved in a time and had no flow to any of their addresses, within five minutes. Only telling where the sensor sees all traffic of the client. The window is a day at most.',
    input: z.object({
      client: addressInput.optional(),
      name: nameInput.optional(),
      ...windowInput,
      ...page,
    }),
    row: z.object({
      client: z.string(),
      rrname: z.string(),
      lookups: countOutput,
      ...seen,
      addresses: z.array(z.string()),
    }),
    async answer(reader, { client, name, since, until = new Date(), limit, cursor }, signal) {
      if (until.getTime() - since.getTime() > DAY_MS + 1000)
        throw new ApiError(400, 'since, until: the window is longer than a day');
      const after = valuesOf(cursor, z.tuple([addressInput, cursorName]));
      const rows = await reader.all<{ client: string; rrname: string }>(
        unconnectedSql,
        [since, until, client ?? null, name ?? null, ...(after ?? [null, null]), limit],
        signal,
      );
      const last = rows.at(-1);
      return {
        rows,
        next: rows.length < limit || last === undefined ? null : cursorOf([last.client, last.rrname]),
      };
    },
  }),
  endpoint({
    path: '/flows',
    summary: 'Flows as they were exported',
    description: 'Flows by who opened them (client) and to which address, the newest first.',
    input: z.object({
      client: addressInput.optional(),
      address: addressInput.optional(),
      ...windowInput,
      ...page,
    }),
    row: z.object({
      start_time: timeOutput,
      end_time: timeOutput.nullable(),
      flow_id: z.string(),
      src: z.string().nullable(),
      src_port: amount,
      dst: z.string().nullable(),
      dst_port: amount,
      protocol: amount,
      octets: amount,
      packets: amount,
      reverse_octets: amount,
      reverse_packets: amount,
      application: amount,
    }),
    async answer(reader, { client, address, since, until, limit, cursor }, signal) {
      const after = valuesOf(cursor, z.tuple([integerText, integerText]));
      const filter = [client ?? null, address ?? null, ...(after ?? [null, null])];
      const rows = await readNewest({ since, until, limit, before: after?.[0] }, (from, to, count) =>
        reader.all<{ microseconds: string; flow_id: string }>(flowsSql, [from, to, ...filter, count], signal),
      );
      const last = rows.at(-1);
      return {
        rows: rows.map(({ microseconds: _, ...row }) => row),
        next: rows.length < limit || last === undefined ? null : cursorOf([last.microseconds, last.flow_id]),
      };
    },
  }),
];
