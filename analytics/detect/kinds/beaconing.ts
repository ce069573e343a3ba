import { z } from 'zod';
import { isWithin } from '../allow.ts';
import { defineDetector, type Finding, isOurs, literal } from '../detector.ts';
import { severityOf } from '../severity.ts';

interface Pair {
  readonly client: string;
  readonly domain: string;
  readonly clients: number;
  readonly all_clients: number;
  /** Seconds since the Unix epoch, ascending. */
  readonly times: number[];
  readonly names: string[];
}

/** Times of one client and domain; A and AAAA asked in the same second are one. */
const sql = `
with familiar as materialized (
  select domain
  from public.known_domain as known
  join public.sensor_history as history using (exporter_id)
  where known.time_first < history.since + make_interval(secs => $9::float8 * 86400)
),
pairs as (
  select client, domain, sum(cardinality(seconds)) as lookups, bit_or(1 << extract(hour from hour at time zone 'UTC')::integer) as hours
  from (select client, right(rrname, domain_length) as domain, seconds, hour from public.lookup_hour where hour >= $1 and hour < $2) as lookup
  where ${isOurs('client', '$7', '$8')}
    and not exists (select from familiar where familiar.domain = lookup.domain) -- nearly all of them
  group by 1, 2
),
users as (
  select domain, count(*)::integer as clients from pairs group by domain
),
everybody as (
  select count(distinct client)::integer as all_clients from public.client_hour where hour >= $1 and hour < $2 and ${isOurs('client', '$7', '$8')}
),
regular as materialized (
  select client, domain, clients, all_clients
  from pairs
  join users using (domain)
  cross join everybody
  where lookups > $3 and bit_count(hours::bit(24)) >= $4 and clients <= greatest($5::float8, $6::float8 * all_clients)
)
select host(regular.client) as client, regular.domain, clients, all_clients,
  array_agg(distinct extract(epoch from hour)::integer + second order by extract(epoch from hour)::integer + second) as times,
  (array_agg(distinct rrname))[:10] as names
from regular
join public.lookup_hour as lookup
  on lookup.client = regular.client and right(lookup.rrname, lookup.domain_length) = regular.domain
  and lookup.hour >= $1 and lookup.hour < $2
cross join lateral unnest(seconds) as s(second)
group by regular.client, regular.domain, clients, all_clients
order by regular.client, regular.domain`;

/** Lookups of one client that come at regular intervals, for domains that hardly anybody else uses. */
export const beaconing = defineDetector({
  kind: 'beaconing',
  window: 'day',
  baselineDays: 30,
  dependsOn: ['own_networks', 'approved_resolvers', 'own_suffixes', 'burn_in_days'],
  thresholds: z.strictObject({
    new_only: z
      .boolean()
      .default(true)
      .describe(
        'only domains that were not looked up yet in the burn-in: the rest is what this network always did',
      ),
    domains: z
      .number()
      .int()
      .min(1)
      .default(3)
      .describe('a client that does so with more domains on one day is a monitor that polls'),
    intervals: z
      .number()
      .int()
      .min(4)
      .default(20)
      .describe('at least so many intervals between lookups in a day'),
    hours: z.number().int().min(1).max(24).default(6).describe('in at least so many hours'),
    score: z
      .number()
      .min(0)
      .max(1)
      .default(0.8)
      .describe('mean of the scores of skewness, dispersion and coverage'),
    clients: z
      .number()
      .int()
      .min(1)
      .default(2)
      .describe('at most so many clients ask for the domain that day …'),
    client_share: z.number().min(0).max(1).default(0.01).describe('… or this share of all clients'),
    pause: z
      .number()
      .min(0)
      .default(20)
      .describe('intervals shorter than so many seconds belong to one visit and are not counted'),
  }),
  async find({ client, window, thresholds, settings }) {
    const { rows } = await client.query<Pair>(sql, [
      window.start,
      window.end,
      thresholds.intervals,
      thresholds.hours,
      thresholds.clients,
      thresholds.client_share,
      settings.own_networks,
      settings.approved_resolvers,
      thresholds.new_only ? settings.burn_in_days : 0,
    ]);
    const found = rows.flatMap((row): Finding[] => {
      const rhythm = rhythmOf(row.times, thresholds.pause);
      if (
        rhythm.intervals < thresholds.intervals ||
        rhythm.score < thresholds.score ||
        row.domain.endsWith('.arpa.') ||
        isWithin(row.domain, settings.own_suffixes)
      )
        return [];
      const score = Math.round(rhythm.score * 100) - (row.clients > 1 ? 10 : 0);
      return [
        {
          subject: row.domain,
          client: row.client,
          firstTime: new Date(row.times[0]! * 1000), // regular
          lastTime: new Date(row.times.at(-1)! * 1000),
          score,
          severity: severityOf(score - 10),
          evidence: {
            ...rhythm,
            lookups: row.times.length,
            clients_of_the_domain: row.clients,
            of_clients: row.all_clients,
            names: row.names,
          },
          query: `select time, rrname, resolver from public.dns_rr where time >= ${literal(window.start)} and time < ${literal(window.end)} and client = ${literal(row.client)} and not qr and rrname = any (array[${row.names.map(literal).join(', ')}]::text[]) order by time`,
        },
      ];
    });
    const domains = Map.groupBy(found, finding => finding.client);
    return found.filter(finding => (domains.get(finding.client)?.length ?? 0) <= thresholds.domains);
  },
});

/** How regular some times are, after RITA's beacon analyzer: Bowley's skewness and MAD of the intervals; beside them how much of the time is covered. */
function rhythmOf(times: readonly number[], pause: number) {
  const starts = times.filter((time, i) => i === 0 || time - times[i - 1]! >= pause); // i > 0
  const intervals = starts.slice(1).map((time, i) => time - starts[i]!); // as many
  intervals.sort((a, b) => a - b);
  const median = quantile(intervals, 0.5);
  const [low, high] = [quantile(intervals, 0.25), quantile(intervals, 0.75)];
  const skewness = high === low ? 0 : (low + high - 2 * median) / (high - low);
  const deviations = intervals.map(interval => Math.abs(interval - median)).sort((a, b) => a - b);
  const mad = quantile(deviations, 0.5);
  // RITA's 30 s, for long intervals a share of them
  const dispersion = Math.max(0, 1 - mad / Math.max(30, 0.25 * median));
  const span = (starts.at(-1) ?? 0) - (starts[0] ?? 0);
  const coverage = span === 0 ? 0 : Math.min(1, (intervals.length * median) / span);
  const score = intervals.length === 0 ? 0 : (1 - Math.abs(skewness) + dispersion + coverage) / 3;
  return {
    score: round(score),
    intervals: intervals.length,
    median_seconds: median,
    mad_seconds: mad,
    bowley_skewness: round(skewness),
    dispersion_score: round(dispersion),
    coverage: round(coverage),
  };
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
