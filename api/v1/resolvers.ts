import { z } from 'zod';
import { isApprovedSql } from './clients.ts';
import {
  countOutput,
  cursorInput,
  cursorName,
  cursorOf,
  endpoint,
  limitInput,
  networkInput,
  timeOutput,
  valuesOf,
  windowInput,
} from './endpoint.ts';

/** From so many of the clients on a resolver is proposed, and at least so many; as `dnstrail resolvers` does. */
const PROPOSED_SHARE = 0.1;
const PROPOSED_CLIENTS = 5;

const resolversSql = `
with used as materialized (
  select resolver, client, port, flows, octets, lookups, time_first, time_last
  from public.resolver_hour
  where hour >= date_trunc('hour', $1::timestamptz, 'UTC') and ($2::timestamptz is null or hour < $2)
),
by_resolver as (
  select resolver, count(distinct client) as clients, sum(lookups)::bigint as lookups, sum(flows)::bigint as flows,
    sum(octets)::bigint as octets, array_agg(distinct port order by port) as ports,
    min(time_first) as time_first, max(time_last) as time_last, ${isApprovedSql('resolver')} as approved
  from used
  group by resolver
)
select host(resolver) as resolver, clients, lookups, flows, octets, ports, time_first, time_last, approved,
  not approved and clients >= greatest(${PROPOSED_CLIENTS}, ${PROPOSED_SHARE} * (select count(distinct client) from used)) as proposed
from by_resolver
where $3::bigint is null or (-clients, by_resolver.resolver) > (-$3::bigint, $4::inet)
order by clients desc, by_resolver.resolver
limit $5`;

/** Clients and domains of several hours cannot be added up. */
const tldsSql = `
select tld, bool_or(has_tld) as exists, sum(lookups)::bigint as lookups, sum(answered)::bigint as answered,
  sum(nxdomain)::bigint as nxdomain, max(clients) as clients, max(domains) as domains,
  min(hour) as time_first, max(hour) as time_last,
  max(some_domains[1:5]) as some_domains
from public.tld_hour
where hour >= date_trunc('hour', $1::timestamptz, 'UTC') and ($2::timestamptz is null or hour < $2)
  and ($3::text is null or has_tld = ($3 = 'true'))
group by tld
having $4::bigint is null or (-sum(lookups), tld) > (-$4::bigint, $5)
order by lookups desc, tld
limit $6`;

const page = { limit: limitInput, cursor: cursorInput };
const seen = { time_first: timeOutput, time_last: timeOutput };
const approvedRow = z.object({ approved_resolvers: z.array(z.string()) });
const approvedOf = (settings: Record<string, unknown>): readonly string[] =>
  z.array(z.string()).parse(settings.approved_resolvers);

export const resolverEndpoints = [
  endpoint({
    path: '/resolvers',
    summary: 'Which resolvers are in use',
    description:
      'The resolvers that clients used in the hours of a time, those of most clients first; whether they are approved, and whether so many use one that it is likely meant to be.',
    input: z.object({ ...windowInput, ...page }),
    row: z.object({
      resolver: z.string(),
      clients: countOutput,
      lookups: countOutput,
      flows: countOutput,
      octets: countOutput,
      ports: z.array(countOutput),
      ...seen,
      approved: z.boolean(),
      proposed: z.boolean(),
    }),
    async answer(reader, { since, until, limit, cursor }, signal) {
      const after = valuesOf(cursor, z.tuple([z.int().min(0), networkInput]));
      const rows = await reader.all<{ clients: number; resolver: string }>(
        resolversSql,
        [since, until ?? null, ...(after ?? [null, null]), limit],
        signal,
      );
      const last = rows.at(-1);
      return {
        rows,
        next: rows.length < limit || last === undefined ? null : cursorOf([last.clients, last.resolver]),
      };
    },
  }),
  endpoint({
    method: 'post',
    path: '/resolvers',
    scope: 'admin',
    summary: 'Approve a resolver',
    description: 'Adds a network or an address to the setting approved_resolvers.',
    input: z.object({ network: networkInput }),
    row: approvedRow,
    isOne: true,
    answer: async (_reader, { network }, _signal, { desk }) => ({
      rows: [
        await desk.run(async (analyst, pool) => {
          const approved = approvedOf(await analyst.showSettings(pool));
          const approved_resolvers = [...new Set([...approved, network])];
          await analyst.setSettings(pool, { approved_resolvers });
          return { approved_resolvers };
        }),
      ],
    }),
  }),
  endpoint({
    method: 'delete',
    path: '/resolvers/{network}',
    scope: 'admin',
    summary: 'Withdraw a resolver',
    description:
      'Takes a network or an address off the setting approved_resolvers; a slash in it is written %2F.',
    input: z.object({ network: networkInput }),
    row: approvedRow,
    isOne: true,
    answer: async (_reader, { network }, _signal, { desk }) => ({
      rows: [
        await desk.run(async (analyst, pool) => {
          const approved = approvedOf(await analyst.showSettings(pool));
          const approved_resolvers = approved.filter(each => each.toLowerCase() !== network);
          await analyst.setSettings(pool, { approved_resolvers });
          return { approved_resolvers };
        }),
      ],
    }),
  }),
  endpoint({
    path: '/tlds',
    summary: 'Top-level domains',
    description:
      'The last labels of the names that were looked up in the hours of a time, the most frequent first. Clients and domains are the most of one hour.',
    input: z.object({
      exists: z
        .enum(['true', 'false'])
        .optional()
        .meta({ description: 'Only those that the root zone has, or has not.' }),
      ...windowInput,
      ...page,
    }),
    row: z.object({
      tld: z.string(),
      exists: z.boolean(),
      lookups: countOutput,
      answered: countOutput,
      nxdomain: countOutput,
      clients: countOutput,
      domains: countOutput,
      ...seen,
      some_domains: z.array(z.string()),
    }),
    async answer(reader, { exists, since, until, limit, cursor }, signal) {
      const after = valuesOf(cursor, z.tuple([z.int().min(0), cursorName]));
      const rows = await reader.all<{ lookups: number; tld: string }>(
        tldsSql,
        [since, until ?? null, exists ?? null, ...(after ?? [null, null]), limit],
        signal,
      );
      const last = rows.at(-1);
      return {
        rows,
        next: rows.length < limit || last === undefined ? null : cursorOf([last.lookups, last.tld]),
      };
    },
  }),
];
