import { z } from 'zod';
import { rrtypeName } from '../../common/rrtypes.ts';
import {
  addressInput,
  countOutput,
  cursorInput,
  cursorName,
  cursorOf,
  endpoint,
  limitInput,
  spanInput,
  timeOutput,
  valuesOf,
} from './endpoint.ts';

/** The /24 of an address, or its /64. */
const NETWORK = 'network(set_masklen($1::inet, case family($1::inet) when 4 then 24 else 64 end))';
const isSeen =
  '($2::timestamptz is null or time_last >= $2) and ($3::timestamptz is null or time_first < $3)';

const addressSql = `
with names as (
  select count(distinct rrname) as names, min(time_first) as time_first, max(time_last) as time_last
  from public.rdata_gravel where rdata_ip = $1
),
connected as (
  select count(distinct client) as clients, coalesce(sum(flows), 0)::bigint as flows, coalesce(sum(octets), 0)::bigint as octets
  from public.connection_hour where address = $1
),
asked as (
  select coalesce(sum(count), 0)::bigint as questions from public.asked_gravel where client = $1
)
select host($1::inet) as address, ${NETWORK}::text as network, names, names.time_first, names.time_last, clients, flows, octets, questions
from names cross join connected cross join asked`;

const namesSql = `
select rrname, rrtype, sum(count)::bigint as count, min(time_first) as time_first, max(time_last) as time_last
from public.rdata_gravel
where rdata_ip = $1 and ${isSeen}
  and ($4::text is null or (rrname, rrtype) > ($4, $5::integer))
group by rrname, rrtype
order by rrname, rrtype
limit $6`;

const neighboursSql = `
select host(rdata_ip) as address, rrname, sum(count)::bigint as count, min(time_first) as time_first, max(time_last) as time_last
from public.rdata_gravel
where rdata_ip >= ${NETWORK} and rdata_ip <= set_masklen(broadcast(${NETWORK}), case family($1::inet) when 4 then 32 else 128 end)
  and rdata_ip <> $1
  and ${isSeen}
  and ($4::inet is null or (rdata_ip, rrname) > ($4, $5))
group by rdata_ip, rrname
order by rdata_ip, rrname
limit $6`;

const seen = { time_first: timeOutput, time_last: timeOutput };
const listInput = z.object({ address: addressInput, ...spanInput, limit: limitInput, cursor: cursorInput });

export const addressEndpoints = [
  endpoint({
    path: '/addresses/{address}',
    summary: 'One address',
    description:
      'How many names had an address, from when to when; how many clients connected to it after resolving a name; and what was asked from it. One that was never seen has none of these.',
    input: z.object({ address: addressInput }),
    row: z.object({
      address: z.string(),
      network: z.string().meta({ description: 'The /24 it is in; of IPv6 the /64.' }),
      names: countOutput,
      time_first: timeOutput.nullable(),
      time_last: timeOutput.nullable(),
      clients: countOutput,
      flows: countOutput,
      octets: countOutput,
      questions: countOutput,
    }),
    isOne: true,
    answer: async (reader, { address }, signal) => ({
      rows: await reader.all<object>(addressSql, [address], signal),
    }),
  }),
  endpoint({
    path: '/addresses/{address}/names',
    summary: 'The names on an address',
    description: 'The names that had an address, in alphabetical order.',
    input: listInput,
    row: z.object({ rrname: z.string(), rrtype: z.string(), count: countOutput, ...seen }),
    async answer(reader, { address, since, until, limit, cursor }, signal) {
      const after = valuesOf(cursor, z.tuple([cursorName, z.int().min(0).max(65_535)]));
      const rows = await reader.all<{ rrname: string; rrtype: number }>(
        namesSql,
        [address, since ?? null, until ?? null, ...(after ?? [null, null]), limit],
        signal,
      );
      const last = rows.at(-1);
      return {
        rows: rows.map(row => ({ ...row, rrtype: rrtypeName(row.rrtype) })),
        next: rows.length < limit || last === undefined ? null : cursorOf([last.rrname, last.rrtype]),
      };
    },
  }),
  endpoint({
    path: '/addresses/{address}/neighbours',
    summary: 'What is beside an address',
    description: 'The names on the other addresses of its /24, of IPv6 its /64, in the order of addresses.',
    input: listInput,
    row: z.object({ address: z.string(), rrname: z.string(), count: countOutput, ...seen }),
    async answer(reader, { address, since, until, limit, cursor }, signal) {
      const after = valuesOf(cursor, z.tuple([addressInput, cursorName]));
      const rows = await reader.all<{ address: string; rrname: string }>(
        neighboursSql,
        [address, since ?? null, until ?? null, ...(after ?? [null, null]), limit],
        signal,
      );
      const last = rows.at(-1);
      return {
        rows,
        next: rows.length < limit || last === undefined ? null : cursorOf([last.address, last.rrname]),
      };
    },
  }),
];
