import { z } from 'zod';
import { isWithin } from '../allow.ts';
import { defineDetector, isOurs, literal } from '../detector.ts';
import { scoreOf, severityOf } from '../severity.ts';
import { isTopLevelDomain, topLevelDomain } from '../topLevelDomain.ts';

interface Burst {
  readonly client: string;
  readonly nx_domains: number;
  readonly lookups: number;
  readonly nxdomain: number;
  readonly own_p95: number | null;
  readonly own_hours: number;
  readonly others_median: number;
  readonly others_mad: number;
  readonly time_first: Date;
  readonly time_last: Date;
  readonly domains: string[];
  readonly names: string[];
}

/** Of the other clients: the median, and the MAD, the median of the absolute deviations from it. */
const sql = `
with current as (
  select client, sum(lookups)::integer as lookups, sum(nxdomain)::integer as nxdomain, sum(nx_domains)::integer as nx_domains
  from public.client_hour
  where hour >= $1 and hour < $2 and ${isOurs('client', '$5', '$6')}
  group by client
),
bursts as (
  select current.*, median, mad
  from current
  cross join lateral (
    select coalesce(percentile_disc(0.5) within group (order by nx_domains), 0) as median
    from current as other where other.client <> current.client
  ) as middle
  cross join lateral (
    select coalesce(percentile_disc(0.5) within group (order by abs(nx_domains - median)), 0) as mad
    from current as other where other.client <> current.client
  ) as spread
  where nx_domains >= $3 and nx_domains >= median + $4::float8 * greatest(mad, 1)
),
before as (
  select client, percentile_disc(0.95) within group (order by nx_domains)::float8 as own_p95, count(*)::integer as own_hours
  from public.client_hour
  where hour >= $1::timestamptz - make_interval(days => 7) and hour < $1 and client in (select client from bursts)
  group by client
),
failed as (
  select client, rrname, right(rrname, domain_length) as domain, time_first, time_last
  from public.lookup_hour
  where hour >= $1 and hour < $2 and nxdomain > 0 and mail_asked < asked and client in (select client from bursts) and rrname not like '%.arpa.'
)
select host(bursts.client) as client, bursts.nx_domains, lookups, bursts.nxdomain, own_p95, coalesce(own_hours, 0) as own_hours,
  median::float8 as others_median, mad::float8 as others_mad,
  (select min(time_first) from failed where failed.client = bursts.client) as time_first,
  (select max(time_last) from failed where failed.client = bursts.client) as time_last,
  (select coalesce(array_agg(distinct domain), '{}') from failed where failed.client = bursts.client) as domains,
  (select coalesce((array_agg(distinct rrname))[:20], '{}') from failed where failed.client = bursts.client) as names
from bursts
left join before using (client)
order by bursts.client`;

/** Clients that look for many registered domains that do not exist: what malware with generated domains does. */
export const nxdomainBurst = defineDetector({
  kind: 'nxdomain_burst',
  window: 'hour',
  baselineDays: 7,
  dependsOn: ['own_networks', 'approved_resolvers', 'own_suffixes'],
  thresholds: z.strictObject({
    domains: z
      .number()
      .int()
      .min(1)
      .default(10)
      .describe('at least so many registered domains with NXDOMAIN in an hour'),
    own_factor: z
      .number()
      .min(0)
      .default(3)
      .describe("more than so many times the client's own 95th percentile of the hours of 7 days before"),
    population_mads: z
      .number()
      .min(0)
      .default(6)
      .describe('above the median of all other clients of the hour by so many MADs, a MAD being at least 1'),
  }),
  async find({ client, window, thresholds, settings }) {
    const { rows } = await client.query<Burst>(sql, [
      window.start,
      window.end,
      thresholds.domains,
      thresholds.population_mads,
      settings.own_networks,
      settings.approved_resolvers,
    ]);
    return rows
      .map(row => ({
        ...row,
        domains: row.domains.filter(
          domain => isTopLevelDomain(topLevelDomain(domain)) && !isWithin(domain, settings.own_suffixes),
        ),
      }))
      .filter(
        ({ domains, own_p95 }) =>
          domains.length >= thresholds.domains && domains.length > thresholds.own_factor * (own_p95 ?? 0),
      )
      .map(row => {
        const score = scoreOf(row.domains.length, thresholds.domains);
        return {
          subject: row.client,
          client: row.client,
          firstTime: row.time_first,
          lastTime: row.time_last,
          score,
          severity: severityOf(score),
          evidence: {
            nx_domains: row.domains.length,
            nxdomain_lookups: row.nxdomain,
            of_lookups: row.lookups,
            own_p95_of_hours: row.own_p95,
            own_hours: row.own_hours,
            other_clients_median: row.others_median,
            other_clients_mad: row.others_mad,
            some_names: row.names,
          },
          query: `select rrname, nxdomain, time_first, resolver from public.lookup_hour where hour = ${literal(window.start)} and client = ${literal(row.client)} and nxdomain > 0 order by time_first`,
        };
      });
  },
});
