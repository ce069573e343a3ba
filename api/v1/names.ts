import { z } from 'zod';
import { ApiError } from '../problem.ts';
import { countOutput, endpoint, limitInput, nameInput, timeOutput } from './endpoint.ts';

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
select host(client) as client, sum(count)::bigint as questions, min(time_first) as time_first, max(time_last) as time_last
from public.asked_gravel
where rrname = $1
group by client
order by min(time_first), client
limit $2`;

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
where rrname = $1 or public.is_below(rrname, $1)
group by rrname
order by rrname
limit $2`;

const seen = { time_first: timeOutput, time_last: timeOutput };
const nameOnly = z.object({ name: nameInput });

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
    input: nameOnly.extend({ limit: limitInput }),
    row: z.object({ client: z.string(), questions: countOutput, ...seen }),
    answer: async (reader, { name, limit }, signal) => ({
      rows: await reader.all<object>(clientsSql, [name, limit], signal),
    }),
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
    input: nameOnly.extend({ limit: limitInput }),
    row: z.object({ rrname: z.string(), ...seen }),
    answer: async (reader, { name, limit }, signal) => ({
      rows: await reader.all<object>(domainNamesSql, [name, limit], signal),
    }),
  }),
];
