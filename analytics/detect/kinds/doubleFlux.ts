import { z } from 'zod';
import { defineDetector, literal } from '../detector.ts';
import { networksCounted, originReader } from '../originAs.ts';
import { scoreOf, severityOf } from '../severity.ts';

interface Zone {
  readonly rrname: string;
  readonly servers: number;
  readonly addresses: number;
  readonly networks_16_32: number;
  readonly ttl_median: number;
  readonly first_hour: Date;
  readonly last_hour: Date;
  readonly some_servers: string[];
  /** The first 2000. */
  readonly all_addresses: string[];
  readonly sharing: number;
}

const sql = `
with served as (
  select distinct rrname, target
  from public.answer_hour
  cross join lateral unnest(targets) as t(target)
  where hour >= $1 and hour < $2 and rrtype = 2
),
addressed as (
  select distinct served.rrname, target, address
  from served
  join public.answer_hour as glue
    on glue.rrname = served.target and glue.hour >= $1 and glue.hour < $2 and glue.rrtype in (1, 28) and glue.ttl_min <= $4
  cross join lateral unnest(glue.addresses) as a(address)
),
zones as (
  select rrname, count(distinct address)::integer as addresses,
    count(distinct network(set_masklen(address, case family(address) when 4 then 16 else 32 end)))::integer as networks_16_32,
    (array_agg(distinct host(address)))[:2000] as all_addresses
  from addressed
  group by rrname
  having count(distinct address) >= $3
    -- no more origin ASes than /24 or /48
    and count(distinct network(set_masklen(address,
      case family(address) when 4 then case when $6 then 24 else 16 end else case when $6 then 48 else 32 end end))) >= $5
),
ttls as (
  select rrname, percentile_disc(0.5) within group (order by ttl_median)::float8 as ttl_median, min(hour) as first_hour, max(hour) as last_hour
  from public.answer_hour
  where hour >= $1 and hour < $2 and rrtype = 2 and rrname in (select rrname from zones)
  group by rrname
)
select zones.*, ttl_median, first_hour, last_hour,
  (select count(*)::integer from served where served.rrname = zones.rrname) as servers,
  (select (array_agg(target order by target))[:20] from served where served.rrname = zones.rrname) as some_servers,
  (select count(distinct other.rrname)::integer from served as own join served as other using (target)
    where own.rrname = zones.rrname and other.rrname <> zones.rrname) as sharing
from zones
join ttls using (rrname)
order by rrname`;

/** Zones whose name servers' addresses change fast: the flux goes one level up. */
export const doubleFlux = defineDetector({
  kind: 'double_flux',
  window: 'day',
  baselineDays: 0,
  dependsOn: ['asn_database'],
  thresholds: z.strictObject({
    addresses: z
      .number()
      .int()
      .min(2)
      .default(6)
      .describe('at least so many addresses of its name servers in a day'),
    networks: z.number().int().min(2).default(5).describe('in at least so many /16 (IPv6: /32)'),
    ttl: z
      .number()
      .int()
      .min(0)
      .default(1800)
      .describe("at most this TTL of the name servers' addresses, seconds"),
    sharing: z
      .number()
      .int()
      .min(0)
      .default(5)
      .describe('at most so many other zones at the same servers: a DNS hoster has many'),
  }),
  async find({ client, window, thresholds, settings }) {
    const originsOf = await originReader(settings.asn_database);
    const { rows } = await client.query<Zone>(sql, [
      window.start,
      window.end,
      thresholds.addresses,
      thresholds.ttl,
      thresholds.networks,
      originsOf !== undefined,
    ]);
    return rows
      .map(row => {
        const origins = originsOf?.(row.all_addresses);
        return { ...row, origins, networks: origins?.ases ?? row.networks_16_32 };
      })
      .filter(({ sharing, networks }) => sharing <= thresholds.sharing && networks >= thresholds.networks)
      .map(row => {
        const score = Math.min(100, scoreOf(row.networks, thresholds.networks) + 20);
        return {
          subject: row.rrname,
          client: null,
          firstTime: row.first_hour,
          lastTime: new Date(row.last_hour.getTime() + 3_599_999),
          score,
          severity: severityOf(score),
          evidence: {
            name_servers: row.servers,
            some_name_servers: row.some_servers,
            addresses: row.addresses,
            networks_16_32: row.networks_16_32,
            ...networksCounted(row.origins),
            ttl_median_of_ns: row.ttl_median,
            other_zones_at_these_servers: row.sharing,
            some_addresses: row.all_addresses.slice(0, 20),
          },
          query: `select time, client, resolver, section, rrname, rrtype, ttl, rdata from public.dns_rr where time >= ${literal(window.start)} and time < ${literal(window.end)} and qr and (rrname = ${literal(row.rrname)} and rrtype = 2 or rrname = any (array[${row.some_servers.map(literal).join(', ')}]::text[]) and rrtype in (1, 28)) order by time`,
        };
      });
  },
});
