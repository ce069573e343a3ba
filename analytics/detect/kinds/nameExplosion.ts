import { z } from 'zod';
import { isWithin } from '../allow.ts';
import { defineDetector, literal } from '../detector.ts';
import { scoreOf, severityOf } from '../severity.ts';

interface Domain {
  readonly domain: string;
  readonly names: number;
  readonly lookups: number;
  readonly nxdomain: number;
  readonly failed: number;
  readonly clients: number;
  readonly before: number | null;
  readonly history_days: number;
  readonly time_first: Date;
  readonly time_last: Date;
}

const sql = `
with current as (
  select * from public.domain_hour where hour >= $1 and hour < $2 and names >= $3
)
select domain, names, lookups::float8, nxdomain::float8, failed::float8, clients, time_first, time_last,
  (select max(names) from public.domain_hour as before
    where before.domain = current.domain and hour >= $1::timestamptz - interval '7 days' and hour < $1::timestamptz - interval '1 day') as before,
  extract(epoch from $1 - (select min(since) from public.sensor_history))::float8 / 86400 as history_days
from current
order by domain`;

const examplesSql = `
select domain, (array_agg(rrname order by rrname))[:20] as names
from (
  select distinct right(rrname, domain_length) as domain, rrname
  from public.lookup_hour
  where hour >= $1 and hour < $2 and right(rrname, domain_length) = any ($3)
) as each_once
group by domain`;

/** Domains that suddenly have many names: random subdomains (water torture), wildcards put to use. */
export const nameExplosion = defineDetector({
  kind: 'name_explosion',
  window: 'hour',
  baselineDays: 7,
  dependsOn: ['own_suffixes', 'burn_in_days'],
  thresholds: z.strictObject({
    names: z.number().int().min(20).default(50).describe('at least so many distinct names in an hour'),
    factor: z
      .number()
      .min(1)
      .default(5)
      .describe('so many times the most names of an hour of the 7 days before, but for the last 24 hours'),
    nx_share: z.number().min(0).max(1).default(0.3).describe('this share of the lookups fails …'),
    names_a_client: z
      .number()
      .min(1)
      .default(5)
      .describe(
        '… or each client asks for so many on average: names that an application makes up for each host are few a client',
      ),
  }),
  async find({ client, window, thresholds, settings }) {
    const { rows } = await client.query<Domain>(sql, [window.start, window.end, thresholds.names]);
    const found = rows.filter(
      row =>
        row.history_days >= settings.burn_in_days &&
        row.names >= thresholds.factor * (row.before ?? 0) &&
        ((row.nxdomain + row.failed) / row.lookups >= thresholds.nx_share ||
          row.names / row.clients >= thresholds.names_a_client) &&
        !row.domain.endsWith('.arpa.') &&
        !isWithin(row.domain, settings.own_suffixes),
    );
    if (found.length === 0) return [];
    const examples = await client.query<{ domain: string; names: string[] }>(examplesSql, [
      window.start,
      window.end,
      found.map(({ domain }) => domain),
    ]);
    const namesOf = new Map(examples.rows.map(({ domain, names }) => [domain, names]));
    return found.map(row => {
      const score = scoreOf(row.names, thresholds.names);
      return {
        subject: row.domain,
        client: null,
        firstTime: row.time_first,
        lastTime: row.time_last,
        score,
        severity: severityOf(score),
        evidence: {
          names: row.names,
          most_names_of_an_hour_before: row.before ?? 'fewer than 20',
          history_days: Math.floor(row.history_days),
          lookups: row.lookups,
          nxdomain: row.nxdomain,
          other_errors: row.failed,
          clients: row.clients,
          some_names: namesOf.get(row.domain) ?? [],
        },
        query: `select client, count(distinct rrname) as names, sum(asked) as lookups, sum(nxdomain) as nxdomain from public.lookup_hour where hour = ${literal(window.start)} and rrname like ${literal(`%.${row.domain}`)} group by client order by names desc`,
      };
    });
  },
});
