import { z } from 'zod';
import { isWithin } from '../allow.ts';
import { defineDetector, isOurs, literal } from '../detector.ts';
import { severityOf } from '../severity.ts';

interface Tld {
  readonly tld: string;
  readonly clients: string[] | null;
  readonly domains: string[];
  readonly days: number;
  readonly lookups: number;
  readonly answered: number;
  readonly all_clients: number;
  readonly all_lookups: number;
  readonly history_days: number;
  readonly first_today: Date;
  readonly last_today: Date;
}

/** Counts of an hour bound the distinct ones of all from below, lists hold up to 50: what is rare is exact. */
const sql = `
with hours as (
  select * from public.tld_hour
  where hour >= $2::timestamptz - make_interval(days => $3) and hour < $2 and has_tld
),
tlds as (
  select tld, count(distinct date_trunc('day', hour, 'UTC'))::integer as days, sum(lookups)::float8 as lookups, sum(answered)::float8 as answered,
    min(hour) filter (where hour >= $1) as first_today, max(hour) filter (where hour >= $1) + interval '59:59' minute to second as last_today
  from hours
  group by tld
  having max(clients) <= 50 and max(hour) >= $1 and sum(answered) > 0
)
select tlds.*,
  (select array_agg(distinct host(c)) from hours, unnest(some_clients) as c where hours.tld = tlds.tld and ${isOurs('c', '$4', '$5')}) as clients,
  (select array_agg(distinct d) from hours, unnest(some_domains) as d where hours.tld = tlds.tld) as domains,
  (select count(*)::integer from (
    select distinct client from public.client_hour
    where hour >= $2::timestamptz - make_interval(days => $3) and hour < $2 and ${isOurs('client', '$4', '$5')}
  ) as each_once) as all_clients,
  (select sum(lookups)::float8 from hours) as all_lookups,
  extract(epoch from $1 - (select min(since) from public.sensor_history))::float8 / 86400 as history_days
from tlds
order by tld`;

/** Top-level domains that hardly anybody on this network uses. */
export const rareTld = defineDetector({
  kind: 'rare_tld',
  window: 'day',
  baselineDays: 30,
  dependsOn: ['own_networks', 'approved_resolvers', 'own_suffixes', 'burn_in_days'],
  thresholds: z.strictObject({
    baseline_days: z
      .number()
      .int()
      .min(1)
      .max(30)
      .default(30)
      .describe('days, the current one included, that are counted'),
    clients: z.number().int().min(1).max(50).default(3).describe('at most so many clients asked for it …'),
    client_share: z.number().min(0).max(1).default(0.01).describe('… or at most this share of all clients'),
    lookup_share: z.number().min(0).max(1).default(0.01).describe('at most this share of all lookups'),
    domains_a_client: z
      .number()
      .min(0)
      .default(2)
      .describe(
        'at least so many domains for each client: one site abroad is curiosity, several are a pattern',
      ),
    days: z.number().int().min(1).default(3).describe('on at most so many days'),
  }),
  async find({ client, window, thresholds, settings }) {
    const { rows } = await client.query<Tld>(sql, [
      window.start,
      window.end,
      thresholds.baseline_days,
      settings.own_networks,
      settings.approved_resolvers,
    ]);
    return rows
      .map(row => ({ ...row, clients: row.clients ?? [] }))
      .filter(row => {
        const mostClients = Math.max(thresholds.clients, thresholds.client_share * row.all_clients);
        return (
          row.tld !== 'arpa.' &&
          row.clients.length > 0 &&
          row.domains.length >= thresholds.domains_a_client * row.clients.length &&
          row.history_days >= settings.burn_in_days &&
          row.clients.length <= mostClients &&
          row.lookups <= Math.max(thresholds.lookup_share * row.all_lookups, row.clients.length) &&
          row.days <= thresholds.days &&
          row.domains.some(domain => !isWithin(domain, settings.own_suffixes))
        );
      })
      .map(row => {
        const score = Math.round(
          Math.max(
            20,
            80 - 10 * (row.clients.length - 1) - 10 * (row.days - 1) - 2 * (row.domains.length - 1),
          ),
        );
        return {
          subject: row.tld,
          client: null,
          firstTime: row.first_today,
          lastTime: row.last_today,
          score,
          severity: severityOf(score - 15),
          evidence: {
            clients: row.clients,
            of_clients: row.all_clients,
            domains: row.domains,
            days: row.days,
            lookups: row.lookups,
            of_lookups: row.all_lookups,
            baseline_days: thresholds.baseline_days,
          },
          query: `select client, rrname, asked, time_first, resolver from public.lookup_hour where hour >= ${literal(window.start)}::timestamptz - interval '${thresholds.baseline_days - 1} days' and hour < ${literal(window.end)} and rrname like ${literal(`%.${row.tld}`)} order by time_first`,
        };
      });
  },
});
