import { z } from 'zod';
import { isWithin } from '../allow.ts';
import { defineDetector, literal, queryWholes, strongestOf } from '../detector.ts';
import { severityOf } from '../severity.ts';
import { isTopLevelDomain, topLevelDomain } from '../topLevelDomain.ts';

/** RFC 1918, 3927, 4193, 4291 and 6598; loopback counts beside public addresses only, as block lists answer with it. */
const INNER = [
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '169.254.0.0/16',
  '100.64.0.0/10',
  'fc00::/7',
  'fe80::/10',
];
const LOOPBACK = ['127.0.0.0/8', '0.0.0.0/32', '::1/128', '::/128'];

interface Name {
  readonly rrname: string;
  readonly domain: string;
  readonly inner: string[] | null;
  readonly loopback: string[] | null;
  readonly outer: string[] | null;
  readonly ttl_min: number | null;
  readonly clients: string[] | null;
  readonly time_first: Date | null;
  readonly time_last: Date | null;
}

const sql = `
with suspects as (
  select distinct rrname
  from public.answer_hour
  where hour >= $1 and hour < $2 and rrtype in (1, 28)
    and exists (select from unnest(addresses) as a(address) where address <<= any ($3::inet[] || $4::inet[]))
),
all_addresses as (
  select rrname, domain_length, ttl_min, address,
    address <<= any ($3::inet[]) as is_inner, address <<= any ($4::inet[]) as is_loopback
  from public.answer_hour
  cross join lateral unnest(addresses) as a(address)
  where hour = any (array(select hour from public.fact_hour where hour >= $2::timestamptz - interval '1 day' and hour < $2))
    and rrname = any (array(select rrname from suspects)) and rrtype in (1, 28)
),
asked as (
  select rrname, (array_agg(distinct host(client)))[:20] as clients, min(time_first) as time_first, max(time_last) as time_last
  from public.lookup_hour
  where hour >= $1 and hour < $2 and rrname in (select rrname from suspects)
  group by rrname
)
select rrname, max(right(rrname, domain_length)) as domain, min(ttl_min)::float8 as ttl_min,
  array_agg(distinct host(address)) filter (where is_inner) as inner,
  array_agg(distinct host(address)) filter (where is_loopback) as loopback,
  (array_agg(distinct host(address)) filter (where not is_inner and not is_loopback))[:20] as outer,
  max(clients) as clients, min(time_first) as time_first, max(time_last) as time_last
from all_addresses
left join asked using (rrname)
group by rrname
order by rrname`;

/** Names of others that point into private networks: DNS rebinding, or a name that leaks. */
export const rebinding = defineDetector({
  kind: 'rebinding',
  window: 'hour',
  baselineDays: 1,
  dependsOn: ['own_suffixes'],
  thresholds: z.strictObject({
    private_only: z
      .boolean()
      .default(true)
      .describe(
        'also tell names that have private addresses alone; else only those that had public ones in the 24 hours',
      ),
  }),
  async find({ client, window, thresholds, settings }) {
    const rows = await queryWholes<Name>(client, sql, [window.start, window.end, INNER, LOOPBACK]);
    const found = rows
      .filter(
        ({ rrname, inner, outer }) =>
          (outer !== null || (inner !== null && thresholds.private_only)) &&
          !rrname.endsWith('.arpa.') &&
          isTopLevelDomain(topLevelDomain(rrname)) &&
          !isWithin(rrname, settings.own_suffixes),
      )
      .map(row => {
        const score = row.outer === null ? 45 : 90;
        return {
          subject: row.domain,
          client: null,
          firstTime: row.time_first ?? window.start,
          lastTime: row.time_last ?? new Date(window.end.getTime() - 1),
          score,
          severity: severityOf(score),
          evidence: {
            private_addresses: row.inner ?? [],
            loopback_addresses: row.loopback ?? [],
            public_addresses: row.outer ?? [],
            pattern:
              row.outer === null ? 'private addresses only' : 'public and private addresses within 24 hours',
            name: row.rrname,
            ttl_min: row.ttl_min,
            clients: row.clients ?? [],
          },
          query: `select time, client, resolver, ttl, rdata_ip from public.dns_rr where time >= ${literal(window.end)}::timestamptz - interval '1 day' and time < ${literal(window.end)} and rrname = ${literal(row.rrname)} and rrtype in (1, 28) and qr order by time`,
        };
      });
    return strongestOf(found);
  },
});
