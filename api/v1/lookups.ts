import { z } from 'zod';
import { addressInput, countOutput, endpoint, limitInput, nameInput, timeOutput } from './endpoint.ts';

const MOST = 50_000;

const namesSql = `
select asked.rrname as name, found.time_first is not null as seen, found.time_first, found.time_last
from unnest($1::text[]) with ordinality as asked (rrname, position)
left join lateral (
  select min(time_first) as time_first, max(time_last) as time_last
  from public.dns_name_gravel where rrname = asked.rrname
) as found on true
order by position`;

const addressesSql = `
select host(asked.address) as address, found.names > 0 as seen, found.names, found.time_first, found.time_last
from unnest($1::inet[]) with ordinality as asked (address, position)
left join lateral (
  select count(distinct rrname) as names, min(time_first) as time_first, max(time_last) as time_last
  from public.rdata_gravel where rdata_ip = asked.address
) as found on true
order by position`;

/**
 * Names and addresses that much of the world shares lead nowhere: hops are cut, the widest first. Who asked is looked up for all neighbours at
 * once, since rows that just came have no index yet and are read for each look.
 */
const pivotSql = `
with address as materialized (
  select distinct value::inet as address
  from public.rrset_gravel cross join unnest(string_to_array(rdata, e'\\n')) as value
  where rrname = $1 and rrtype in (1, 28)
  limit 100
),
neighbour as materialized (
  select address.address, names.rrname
  from address
  cross join lateral (
    select distinct rrname from public.rdata_gravel where rdata_ip = address.address limit $2
  ) as names
  where names.rrname <> $1
  limit $2
)
select
  host(neighbour.address) as address,
  rrname,
  host(asked.client) as client,
  asked.questions,
  asked.time_first,
  asked.time_last
from neighbour
left join (
  select rrname, client, sum(count)::bigint as questions, min(time_first) as time_first, max(time_last) as time_last
  from public.asked_gravel
  where rrname = any (array(select rrname from neighbour))
  group by rrname, client
) as asked using (rrname)
order by neighbour.address, rrname, asked.time_first, asked.client
limit $2`;

const maybe = { time_first: timeOutput.nullable(), time_last: timeOutput.nullable() };

export const lookupEndpoints = [
  endpoint({
    method: 'post',
    path: '/lookup/names',
    summary: 'Which of many names were ever seen',
    description: `Up to ${MOST} names in one request; one row each, in their order.`,
    input: z.object({ names: z.array(nameInput).min(1).max(MOST) }),
    row: z.object({ name: z.string(), seen: z.boolean(), ...maybe }),
    answer: async (reader, { names }, signal) => ({
      rows: await reader.all<object>(namesSql, [names], signal),
    }),
  }),
  endpoint({
    method: 'post',
    path: '/lookup/addresses',
    summary: 'Which of many addresses were ever in an answer',
    description: `Up to ${MOST} addresses in one request; one row each, in their order, with how many names had the address.`,
    input: z.object({ addresses: z.array(addressInput).min(1).max(MOST) }),
    row: z.object({ address: z.string(), seen: z.boolean(), names: countOutput, ...maybe }),
    answer: async (reader, { addresses }, signal) => ({
      rows: await reader.all<object>(addressesSql, [addresses], signal),
    }),
  }),
  endpoint({
    path: '/pivot/{name}',
    summary: 'From a name to its neighbours, and who asked for them',
    description:
      'The addresses a name had, the other names that had them, and the clients that asked for those: two hops, guilt by association. A neighbour that nobody asked for has no client.',
    input: z.object({ name: nameInput, limit: limitInput }),
    row: z.object({
      address: z.string(),
      rrname: z.string(),
      client: z.string().nullable(),
      questions: countOutput.nullable(),
      ...maybe,
    }),
    answer: async (reader, { name, limit }, signal) => ({
      rows: await reader.all<object>(pivotSql, [name, limit], signal),
    }),
  }),
];
