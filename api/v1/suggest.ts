import { isIP } from 'node:net';
import { z } from 'zod';
import { endOfPrefix } from '../names.ts';
import { addressRangeOf } from '../values.ts';
import { endpoint } from './endpoint.ts';

/** Pieces of an index that are looked at for distinct values, so that what has many pieces cannot make it slow. */
const MOST_PIECES = 2000;

/** Clients of the last week that the jobs have seen. */
const suggestSql = `
with area as (
  select lowest, highest from unnest($3::inet[], $4::inet[]) as range(lowest, highest)
),
domains as (
  select 'domain' as kind, domain as value from public.known_domain
  where domain >= $1 and domain < $2
  order by domain limit $6
),
names as (
  select distinct 'name' as kind, rrname as value
  from (
    select rrname from public.dns_name_gravel where rrname >= $1 and rrname < $2 order by rrname limit ${MOST_PIECES}
  ) as pieces
  order by value limit $6
),
clients as (
  select distinct client
  from area
  join public.client_hour on client >= lowest and client <= highest
  where hour >= (select max(hour) - interval '7 days' from public.fact_hour) and host(client) like $5 || '%'
  order by client limit $6
),
addresses as (
  select distinct rdata_ip
  from area
  cross join lateral (
    select rdata_ip from public.rdata_gravel where rdata_ip >= lowest and rdata_ip <= highest order by rdata_ip limit ${MOST_PIECES}
  ) as pieces
  where host(rdata_ip) like $5 || '%'
  order by rdata_ip limit $6
)
select 'client' as kind, host(client) as value from clients
union all select 'address', host(rdata_ip) from addresses
union all select kind, value from domains
union all select kind, value from names where value not in (select value from domains)`;

export const suggestEndpoints = [
  endpoint({
    path: '/suggest',
    summary: 'What somebody may be looking for',
    description:
      'Clients, addresses in answers, registered domains and names that begin so; of each kind the first few in their order. For a search box.',
    input: z.object({
      q: z.string().min(1).max(255).meta({ description: 'What was typed so far.', example: '10.0.' }),
      limit: z.coerce.number().int().min(1).max(50).default(8).meta({ description: 'Of each kind.' }),
    }),
    row: z.object({ kind: z.enum(['client', 'address', 'domain', 'name']), value: z.string() }),
    async answer(reader, { q, limit }, signal) {
      const text = q.trim().toLowerCase();
      if (text === '' || /[^ -~]/.test(text)) return { rows: [] };
      const ranges = rangesOf(text);
      const beginning = /^[\d.]*\.[\d.]*$|:/.test(text) ? '\x7f' : text; // no name
      return {
        rows: await reader.all<object>(
          suggestSql,
          [
            beginning,
            endOfPrefix(beginning),
            ranges.map(([lowest]) => lowest),
            ranges.map(([, highest]) => highest),
            text.replace(/[%_\\]/g, '\\$&'),
            limit,
          ],
          signal,
        ),
      };
    },
  }),
];

/** The addresses whose text begins so: ranges with both ends, which may hold others too. */
function rangesOf(text: string): (readonly [lowest: string, highest: string])[] {
  if (text.startsWith('::')) return isIP(text) === 6 && !text.includes('%') ? [[text, text]] : [];
  if (/^\d{1,3}(?:\.\d{0,3}){0,3}$/.test(text)) {
    const octets = text.split('.');
    const begun = octets.pop() ?? '';
    if (octets.some(octet => octet === '' || Number(octet) > 255)) return [];
    return octetsBeginning(begun).map(([low, high]) => {
      const rest = Array.from({ length: 3 - octets.length });
      return [
        [...octets, low, ...rest.map(() => 0)].join('.'),
        [...octets, high, ...rest.map(() => 255)].join('.'),
      ];
    });
  }
  const [, complete] = /^((?:[\da-f]{1,4}:){1,7})(?::|[\da-f]{1,4}$|$)/.exec(text) ?? [];
  if (complete === undefined) return [];
  const groups = complete.split(':').slice(0, -1);
  const filled = (group: string) =>
    [...groups, ...Array.from({ length: 8 - groups.length }, () => group)].join(':');
  const range = addressRangeOf(`${filled('0')}-${filled('ffff')}`);
  return [[range.lowest, range.highest]];
}

/** Numbers up to 255 whose digits begin so. */
function octetsBeginning(digits: string): (readonly [number, number])[] {
  if (digits === '') return [[0, 255]];
  const number = Number(digits);
  if (number > 255 || (digits.length > 1 && digits.startsWith('0'))) return [];
  return [1, 10, 100]
    .filter(factor => number * factor <= 255 && (number > 0 || factor === 1))
    .map(factor => [number * factor, Math.min(255, number * factor + factor - 1)]);
}
