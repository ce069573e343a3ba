import { z } from 'zod';
import { rrtypeName } from '../../common/rrtypes.ts';
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
  microsecondsOf,
  nameInput,
  nextOf,
  spanInput,
  timeOfMicroseconds,
  timeOutput,
  valuesOf,
  windowInput,
} from './endpoint.ts';

/** Sets of addresses are looked up by owner name: rdata has no index on it. */
const nameSql = `
select
  name.rrname,
  name.registered_domain,
  name.time_first,
  name.time_last,
  (select coalesce(sum(count), 0)::bigint from public.asked_gravel where rrname = name.rrname) as questions,
  (select count(distinct client) from public.asked_gravel where rrname = name.rrname) as clients,
  array(
    select distinct value
    from public.rrset_gravel cross join unnest(string_to_array(rdata, e'\\n')) as value
    where rrname = name.rrname and rrtype in (1, 28)
    order by value
    limit 1000
  ) as addresses
from public.dns_name as name
where name.rrname = $1`;

const clientsSql = `
select host(client) as client, sum(count)::bigint as questions, min(time_first) as time_first, max(time_last) as time_last,
  ${microsecondsOf('min(time_first)')} as microseconds
from public.asked_gravel
where rrname = $1
  and ($2::timestamptz is null or time_last >= $2) and ($3::timestamptz is null or time_first < $3)
group by asked_gravel.client
having $4::bigint is null or (min(time_first), asked_gravel.client) > (${timeOfMicroseconds('$4')}, $5::inet)
order by min(time_first), asked_gravel.client
limit $6`;

const domainSql = `
with name as materialized (
  select rrname, time_first, time_last from public.dns_name_gravel where rrname = $1
  union all
  select rrname, time_first, time_last from public.dns_name_gravel where public.is_below(rrname, $1)
),
asked as (
  select sum(count)::bigint as questions, count(distinct client) as clients
  from public.asked_gravel where rrname = any (array(select rrname from name))
)
select
  $1 as domain,
  (select count(distinct rrname) from name) as names,
  (select min(time_first) from name) as time_first,
  (select max(time_last) from name) as time_last,
  coalesce(asked.questions, 0)::bigint as questions,
  asked.clients
from asked`;

const domainNamesSql = `
select rrname, min(time_first) as time_first, max(time_last) as time_last
from public.dns_name_gravel
where (rrname = $1 or public.is_below(rrname, $1))
  and ($2::timestamptz is null or time_last >= $2) and ($3::timestamptz is null or time_first < $3)
  and ($4::text is null or rrname > $4)
group by rrname
order by rrname
limit $5`;

/** The index is by hour first: one search for each hour. */
const historySql = `
select hour, rrtype, answers, clients, ttl_min, ttl_median,
  array(select host(unnest(addresses))) as addresses, coalesce(targets, '{}') as targets,
  ${microsecondsOf('hour')} as microseconds
from public.answer_hour
where rrname = $1
  and hour = any (array(
    select hour from public.fact_hour
    where hour >= date_trunc('hour', $2::timestamptz, 'UTC') and ($3::timestamptz is null or hour < $3)
  ))
  and ($4::bigint is null or (hour, rrtype) > (${timeOfMicroseconds('$4')}, $5::integer))
order by hour, rrtype
limit $6`;

const newDomainsSql = `
select domain, rrname, time_first, host(client) as client, host(resolver) as resolver, names, is_family,
  ${microsecondsOf('time_first')} as microseconds
from public.known_domain
where time_first >= $1 and ($2::timestamptz is null or time_first < $2)
  and ($3::bigint is null or (time_first, domain) < (${timeOfMicroseconds('$3')}, $4))
order by time_first desc, domain desc
limit $5`;

const seen = { time_first: timeOutput, time_last: timeOutput };
const nameOnly = z.object({ name: nameInput });
const listInput = nameOnly.extend({ ...spanInput, limit: limitInput, cursor: cursorInput });

export const nameEndpoints = [
  endpoint({
    path: '/names/{name}',
    summary: 'One name',
    description:
      'When a name was first and last seen, how often and by how many clients it was asked for, and the addresses it had.',
    input: nameOnly,
    row: z.object({
      rrname: z.string(),
      registered_domain: z.string(),
      ...seen,
      questions: countOutput,
      clients: countOutput,
      addresses: z.array(z.string()),
    }),
    isOne: true,
    async answer(reader, { name }, signal) {
      const rows = await reader.all<object>(nameSql, [name], signal);
      if (rows.length === 0) throw new ApiError(404, `the name ${name} was never seen`);
      return { rows };
    },
  }),
  endpoint({
    path: '/names/{name}/clients',
    summary: 'Who asked for a name',
    description: 'The clients that asked for a name, the first to ask at the top.',
    input: listInput,
    row: z.object({ client: z.string(), questions: countOutput, ...seen }),
    async answer(reader, { name, since, until, limit, cursor }, signal) {
      const after = valuesOf(cursor, z.tuple([integerText, addressInput]));
      const rows = await reader.all<{ microseconds: string; client: string }>(
        clientsSql,
        [name, since ?? null, until ?? null, ...(after ?? [null, null]), limit],
        signal,
      );
      const last = rows.at(-1);
      return {
        rows: rows.map(({ microseconds: _, ...row }) => row),
        next: rows.length < limit || last === undefined ? null : cursorOf([last.microseconds, last.client]),
      };
    },
  }),
  endpoint({
    path: '/names/{name}/history',
    summary: 'What a name had, hour by hour',
    description:
      'Addresses, targets and TTLs of a name in each hour in which it was in an answer (A, AAAA, NS, CNAME), in the order of time.',
    input: nameOnly.extend({ ...windowInput, limit: limitInput, cursor: cursorInput }),
    row: z.object({
      hour: timeOutput,
      rrtype: z.string(),
      answers: countOutput,
      clients: countOutput,
      ttl_min: countOutput.nullable().meta({ description: 'Seconds.' }),
      ttl_median: countOutput.nullable(),
      addresses: z.array(z.string()),
      targets: z.array(z.string()),
    }),
    async answer(reader, { name, since, until, limit, cursor }, signal) {
      const after = valuesOf(cursor, z.tuple([integerText, z.int().min(0).max(65_535)]));
      const rows = await reader.all<{ microseconds: string; rrtype: number }>(
        historySql,
        [name, since, until ?? null, ...(after ?? [null, null]), limit],
        signal,
      );
      const last = rows.at(-1);
      return {
        rows: rows.map(({ microseconds: _, ...row }) => ({ ...row, rrtype: rrtypeName(row.rrtype) })),
        next: rows.length < limit || last === undefined ? null : cursorOf([last.microseconds, last.rrtype]),
      };
    },
  }),
  endpoint({
    path: '/domains',
    summary: 'Which domains are new',
    description:
      'Registered domains that were first looked up here in a time, by whom and for which name, the newest first. is_family: it has so many names that they are taken as generated.',
    input: z.object({ ...windowInput, limit: limitInput, cursor: cursorInput }),
    row: z.object({
      domain: z.string(),
      rrname: z.string(),
      time_first: timeOutput,
      client: z.string(),
      resolver: z.string().nullable(),
      names: countOutput,
      is_family: z.boolean(),
    }),
    async answer(reader, { since, until, limit, cursor }, signal) {
      const after = valuesOf(cursor, z.tuple([integerText, cursorName]));
      const rows = await reader.all<{ microseconds: string; domain: string }>(
        newDomainsSql,
        [since, until ?? null, ...(after ?? [null, null]), limit],
        signal,
      );
      const last = rows.at(-1);
      return {
        rows: rows.map(({ microseconds: _, ...row }) => row),
        next: rows.length < limit || last === undefined ? null : cursorOf([last.microseconds, last.domain]),
      };
    },
  }),
  endpoint({
    path: '/domains/{name}',
    summary: 'A domain and all below it',
    description:
      'How many names a domain has with itself, when any was first and last seen, how often and by how many clients they were asked for.',
    input: nameOnly,
    row: z.object({
      domain: z.string(),
      names: countOutput,
      ...seen,
      questions: countOutput,
      clients: countOutput,
    }),
    isOne: true,
    async answer(reader, { name }, signal) {
      const rows = await reader.all<{ names: number }>(domainSql, [name], signal);
      if (rows[0]?.names === 0) throw new ApiError(404, `nothing at or below ${name} was ever seen`);
      return { rows };
    },
  }),
  endpoint({
    path: '/domains/{name}/names',
    summary: 'The names of a domain',
    description:
      'The domain and the names below it that were asked for or owned a record, in alphabetical order.',
    input: listInput,
    row: z.object({ rrname: z.string(), ...seen }),
    async answer(reader, { name, since, until, limit, cursor }, signal) {
      const after = valuesOf(cursor, z.tuple([cursorName]));
      const rows = await reader.all<{ rrname: string }>(
        domainNamesSql,
        [name, since ?? null, until ?? null, after?.[0] ?? null, limit],
        signal,
      );
      return { rows, next: nextOf(rows, limit, row => [row.rrname]) };
    },
  }),
];
