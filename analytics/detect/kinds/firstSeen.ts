import { z } from 'zod';
import { isWithin } from '../allow.ts';
import { defineDetector, literal } from '../detector.ts';
import { FAMILY_NAMES } from '../facts.ts';

interface New {
  readonly subject: string;
  readonly is_domain: boolean;
  readonly rrname: string;
  readonly domain: string;
  readonly is_family: boolean;
  readonly client: string;
  readonly resolver: string | null;
  readonly sensor: string;
  readonly time_first: Date;
  readonly since: Date;
  readonly addresses: string[] | null;
  readonly targets: string[] | null;
}

const sql = `
with new as (
  select domain as subject, true as is_domain, rrname, domain, is_family, client, resolver, exporter_id, time_first
  from public.known_domain
  where time_first >= $1 and time_first < $2
  union all
  select known.rrname, false, known.rrname, domain, is_family, known.client, known.resolver, known.exporter_id, known.time_first
  from public.known_name as known
  join public.known_domain as above using (domain)
  where known.time_first >= $1 and known.time_first < $2
    and above.time_first < known.time_first - make_interval(hours => $4)
    and not is_family
    and (
      select count(*) from (
        select from public.known_name as earlier
        where earlier.domain = known.domain and earlier.time_first < known.time_first
        limit $5 + 1
      ) as earlier_names
    ) <= $5
),
told as materialized (
  select new.*, history.since
  from new
  join public.sensor_history as history using (exporter_id)
  where new.time_first >= history.since + make_interval(secs => $3::float8 * 86400)
),
addressed as (
  select rrname, array_agg(distinct host(a)) as addresses
  from public.answer_hour
  cross join lateral unnest(addresses) as a
  where hour = $1 and rrtype in (1, 28) and rrname in (select rrname from told)
  group by rrname
),
aliased as (
  select rrname, array_agg(distinct t) as targets
  from public.answer_hour
  cross join lateral unnest(targets) as t
  where hour = $1 and rrtype = 5 and rrname in (select rrname from told)
  group by rrname
)
select subject, is_domain, rrname, domain, is_family, host(client) as client, host(resolver) as resolver,
  exporter.name as sensor, time_first, since, addresses, targets
from told
left join public.exporter using (exporter_id)
left join addressed using (rrname)
left join aliased using (rrname)
order by time_first, subject`;

/** Registered domains, and names below known ones, that were never looked up on this network before. */
export const firstSeen = defineDetector({
  kind: 'first_seen',
  window: 'hour',
  baselineDays: 0,
  dependsOn: ['burn_in_days', 'own_suffixes'],
  thresholds: z.strictObject({
    domain_age_hours: z
      .number()
      .int()
      .min(0)
      .default(24)
      .describe('a new name is told apart from its domain once the domain is known for longer'),
    most_names: z
      .number()
      .int()
      .min(0)
      .default(20)
      .describe('new names of a domain that had more names than this before are not told one by one'),
  }),
  async find({ client, window, thresholds, settings }) {
    const { rows } = await client.query<New>(sql, [
      window.start,
      window.end,
      settings.burn_in_days,
      thresholds.domain_age_hours,
      thresholds.most_names,
    ]);
    return rows
      .filter(({ rrname }) => !isWithin(rrname, settings.own_suffixes))
      .map(row => ({
        subject: row.subject,
        client: row.client,
        firstTime: row.time_first,
        lastTime: row.time_first,
        score: row.is_domain ? 30 : 10,
        severity: 'info' as const,
        evidence: {
          what: row.is_domain ? 'registered domain' : 'name',
          name: row.rrname,
          registered_domain: row.domain,
          resolver: row.resolver,
          sensor: row.sensor,
          sensor_history_since: row.since,
          answered: { addresses: row.addresses ?? [], cname: row.targets ?? [] },
          ...(row.is_family && {
            generated_names: `more than ${FAMILY_NAMES} names below it are not told one by one`,
          }),
        },
        query: row.is_domain
          ? `select client, count, time_first, time_last, rrname from public.asked_below(${literal(row.domain)}) union all select client, count, time_first, time_last, rrname from public.asked where rrname = ${literal(row.domain)} order by time_first`
          : `select * from public.first_asked(${literal(row.subject)})`,
      }));
  },
});
