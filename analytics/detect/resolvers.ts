import type pg from 'pg';
import { setSettings } from './configFile.ts';
import { readSettings } from './settings.ts';

/** A resolver that clients use. */
export interface UsedResolver {
  readonly address: string;
  readonly clients: number;
  readonly lookups: number;
  readonly flows: number;
  readonly isApproved: boolean;
  /** So many use it that it is likely meant to be used. */
  readonly isProposed: boolean;
}

/** From so many of the clients on a resolver is proposed … */
const PROPOSED_SHARE = 0.1;
/** … and at least so many. */
const PROPOSED_CLIENTS = 5;

const sql = `
with used as (
  select resolver, count(distinct client)::integer as clients, sum(lookups)::float8 as lookups, sum(flows)::float8 as flows
  from public.resolver_hour
  group by resolver
)
select host(resolver) as address, clients, lookups, flows,
  exists (select from unnest($1::inet[]) as approved(network) where resolver <<= network) as "isApproved",
  clients >= greatest($2, $3::float8 * (select count(distinct client) from public.resolver_hour)) as "isProposed"
from used
order by clients desc, flows desc, resolver
limit 50`;

/** The resolvers most clients use, by the facts that are kept. */
export async function usedResolvers(pool: pg.Pool): Promise<UsedResolver[]> {
  const { approved_resolvers } = await readSettings(pool);
  const { rows } = await pool.query<UsedResolver>(sql, [
    approved_resolvers,
    PROPOSED_CLIENTS,
    PROPOSED_SHARE,
  ]);
  return rows.map(row => ({ ...row, isProposed: row.isProposed && !row.isApproved }));
}

/** Adds a network or an address to approved_resolvers. @throws SettingsError when it is none */
export async function approveResolver(pool: pg.Pool, network: string): Promise<void> {
  const { approved_resolvers } = await readSettings(pool);
  await setSettings(pool, { approved_resolvers: [...new Set([...approved_resolvers, network])] });
}
