import { z } from 'zod';
import type { Reader } from '../reader.ts';
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
 * Names and addresses that much of the world shares lead nowhere: each hop is cut. All addresses are looked up at once, and
 * so are names below: rows that just came have no index yet, and are read for each look.
 */
const neighboursSql = `
with address as (
  select distinct value::inet as address
  from public.rrset_gravel cross join unnest(string_to_array(rdata, e'\\n')) as value
  where rrname = $1 and rrtype in (1, 28)
  order by address
  limit 100
),
neighbour as (
  select distinct rdata_ip, rrname
  from public.rdata_gravel
  where rdata_ip = any (array(select address from address)) and rrname <> $1
)
select host(rdata_ip) as address, rrname from neighbour order by rdata_ip, rrname limit $2`;

const askersSql = `
select rrname, host(client) as client, sum(count)::bigint as questions, min(time_first) as time_first, max(time_last) as time_last
from public.asked_gravel
where rrname = any ($1::text[])
group by rrname, client
order by time_first, asked_gravel.client`;

interface Neighbour {
  readonly address: string;
  readonly rrname: string;
}
interface Asker {
  readonly rrname: string;
  readonly client: string;
}

/** Neighbours whose askers are looked up first, then so many times more: everybody asks for the popular ones, one fills the answer. */
const FIRST_LOOK = 1;
const MORE = 5;

async function pivot(reader: Reader, name: string, limit: number, signal: AbortSignal): Promise<object[]> {
  const neighbours = await reader.all<Neighbour>(neighboursSql, [name, limit], signal);
  const rows: object[] = [];
  for (let from = 0, count = FIRST_LOOK; from < neighbours.length && rows.length < limit; count *= MORE) {
    const some = neighbours.slice(from, from + count);
    const askers = Map.groupBy(
      await reader.all<Asker>(askersSql, [some.map(({ rrname }) => rrname)], signal),
      ({ rrname }) => rrname,
    );
    for (const neighbour of some)
      for (const asker of askers.get(neighbour.rrname) ?? [nobody]) rows.push({ ...neighbour, ...asker });
    from += count;
  }
  return rows.slice(0, limit);
}

const nobody = { client: null, questions: null, time_first: null, time_last: null };

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
      rows: await pivot(reader, name, limit, signal),
    }),
  }),
];
