import { z } from 'zod';
import { defineDetector, isOurs, literal, queryWholes, strongestOf } from '../detector.ts';
import { networksCounted, originReader } from '../originAs.ts';
import { scoreOf, severityOf } from '../severity.ts';

/** Holz, Gorecki, Rieck, Freiling: Measuring and Detecting Fast-Flux Service Networks, NDSS 2008, section 3.4. */
const WEIGHT_ADDRESSES = 1.32;
const WEIGHT_NETWORKS = 18.54;

interface Name {
  readonly rrname: string;
  readonly domain: string;
  readonly addresses: number;
  readonly subnets: number;
  readonly networks_16_32: number;
  readonly hour_addresses: number;
  readonly ttl_min: number;
  readonly ttl_median: number;
  readonly clients: number;
  readonly all_clients: number;
  readonly sharing: number;
  readonly customers: number;
  readonly first_hour: Date;
  readonly last_hour: Date;
  readonly some_clients: string[] | null;
  /** The first 2000. */
  readonly all_addresses: string[];
}

/**
 * Step by step, so that few names have their addresses looked at, and fewer their neighbours: those that have many in sum;
 * of these what lies scattered; of these what few visit. Who else uses the same /24s tells a shared infrastructure: where one
 * of these alone has too many others, that is enough.
 */
const sql = `
with many as materialized (
  select rrname, max(domain_length) as domain_length, min(ttl_min)::float8 as ttl_min,
    percentile_disc(0.5) within group (order by ttl_median)::float8 as ttl_median, max(clients) as hour_clients,
    max(cardinality(addresses)) as hour_addresses, min(hour) as first_hour, max(hour) as last_hour
  from public.answer_hour
  where hour >= $1 and hour < $2 and rrtype in (1, 28) and ttl_min <= $4
  group by rrname
  having sum(cardinality(addresses)) >= $3 and percentile_disc(0.5) within group (order by ttl_median) <= $4
),
given as materialized (
  -- most answers of a day are the same as in the hours before
  select rrname, max(domain_length) as domain_length, addresses
  from public.answer_hour
  where hour >= $1 and hour < $2 and rrtype in (1, 28)
  group by rrname, addresses
),
servers as (
  select distinct target as rrname
  from public.answer_hour
  cross join lateral unnest(targets) as t(target)
  where hour >= $1 and hour < $2 and rrtype = 2
),
owned as materialized (
  select rrname, address, network(set_masklen(address, case family(address) when 4 then 24 else 48 end)) as subnet
  from (
    select distinct rrname, address
    from many
    join given using (rrname)
    cross join lateral unnest(addresses) as a(address)
    where rrname not in (select rrname from servers) -- name servers are double_flux's
  ) as each_once
),
spread as (
  select rrname, count(*)::integer as addresses, count(distinct subnet)::integer as subnets,
    count(distinct network(set_masklen(address, case family(address) when 4 then 16 else 32 end)))::integer as networks_16_32,
    (array_agg(host(address) order by address))[:2000] as all_addresses
  from owned
  group by rrname
  having count(*) >= $3
),
scattered as materialized (
  select * from spread join many using (rrname)
  -- no more origin ASes than /24 or /48
  where ${WEIGHT_ADDRESSES} * addresses + ${WEIGHT_NETWORKS} * case when $12 then subnets else networks_16_32 end >= $5::float8
    and case when $12 then subnets else networks_16_32 end >= $6::float8 * addresses
),
everybody as materialized (
  select count(distinct client)::integer as all_clients
  from public.client_hour
  where hour >= $1 and hour < $2 and ${isOurs('client', '$7', '$8')}
),
visited as (
  select rrname, count(distinct client) as clients, (array_agg(distinct host(client)))[:20] as some_clients
  from public.lookup_hour
  where hour >= $1 and hour < $2 and rrname in (select rrname from scattered)
    and ${isOurs('client', '$7', '$8')}
  group by rrname
),
flux as materialized (
  select scattered.*, right(rrname, domain_length) as domain, greatest(coalesce(clients, 0), hour_clients)::integer as clients, some_clients
  from scattered
  left join visited using (rrname)
  cross join everybody
  where greatest(coalesce(clients, 0), hour_clients) <= greatest($9::integer, $10::float8 * all_clients)
),
flux_subnet as materialized (
  select distinct rrname, domain, subnet from flux join owned using (rrname)
),
user_of as materialized (
  select subnet, right(rrname, domain_length) as domain
  from (
    select rrname, domain_length, network(set_masklen(address, case family(address) when 4 then 24 else 48 end)) as subnet
    from given
    cross join lateral unnest(addresses) as a(address)
    where exists (select from flux)
  ) as used
  where subnet in (select subnet from flux_subnet)
  group by 1, 2
),
crowded as (
  select subnet from user_of group by subnet having count(*) > $11::integer + 1
),
apart as materialized (
  select rrname from flux
  except
  select rrname from flux_subnet where subnet in (select subnet from crowded)
),
shared as (
  select rrname, count(distinct user_of.domain)::integer as sharing
  from apart
  join flux_subnet using (rrname)
  join user_of using (subnet)
  where user_of.domain <> flux_subnet.domain
  group by rrname
),
pointing as materialized (
  select distinct right(rrname, domain_length) as customer, target
  from public.answer_hour
  cross join lateral unnest(targets) as t(target)
  where hour >= $1 and hour < $2 and rrtype = 5
),
fluxing as (
  select distinct domain from apart join flux using (rrname)
),
served as (
  select domain, count(distinct customer)::integer as customers
  from pointing
  cross join (select distinct length(domain) as domain_length from fluxing) as lengths
  join fluxing on domain = right(target, domain_length)
  where customer <> domain and (target = domain or right(target, domain_length + 1) = '.' || domain)
  group by domain
)
-- a CDN serves others, who point to it
select rrname, domain, addresses, subnets, networks_16_32, hour_addresses, ttl_min, ttl_median, first_hour, last_hour, all_addresses,
  clients, some_clients, coalesce(sharing, 0) as sharing,
  coalesce(customers, 0) as customers, all_clients
from apart
join flux using (rrname)
left join shared using (rrname)
left join served using (domain)
cross join everybody
where coalesce(sharing, 0) <= $11::integer
order by rrname`;

/** Names whose addresses change fast, are many, and lie scattered over other people's networks. */
export const fastFlux = defineDetector({
  kind: 'fast_flux',
  window: 'day',
  baselineDays: 0,
  dependsOn: ['own_networks', 'approved_resolvers', 'asn_database'],
  thresholds: z.strictObject({
    flux_score: z
      .number()
      .min(0)
      .default(142.38)
      .describe("Holz's score from which on it is told; theirs is 142.38"),
    addresses: z.number().int().min(2).default(6).describe('at least so many addresses in a day'),
    ttl: z.number().int().min(0).default(1800).describe('at most this median TTL, seconds'),
    dispersion: z
      .number()
      .min(0)
      .max(1)
      .default(0.3)
      .describe(
        'at least so many networks (/16, /32) for each address: a CDN has many addresses in few networks',
      ),
    client_share: z.number().min(0).max(1).default(0.05).describe('at most this share of the clients …'),
    clients: z
      .number()
      .int()
      .min(1)
      .default(5)
      .describe('… or so many: what many visit is popular, not flux'),
    customers: z
      .number()
      .int()
      .min(0)
      .default(3)
      .describe('at most so many other registered domains point to it by CNAME: a CDN has customers'),
    sharing: z
      .number()
      .int()
      .min(0)
      .default(10)
      .describe('at most so many other registered domains in the same /24s: shared infrastructure'),
  }),
  async find({ client, window, thresholds, settings }) {
    const originsOf = await originReader(settings.asn_database);
    const rows = await queryWholes<Name>(client, sql, [
      window.start,
      window.end,
      thresholds.addresses,
      thresholds.ttl,
      thresholds.flux_score,
      thresholds.dispersion,
      settings.own_networks,
      settings.approved_resolvers,
      thresholds.clients,
      thresholds.client_share,
      thresholds.sharing,
      originsOf !== undefined,
    ]);
    const found = rows
      .map(row => {
        const origins = originsOf?.(row.all_addresses);
        const networks = origins?.ases ?? row.networks_16_32;
        return {
          ...row,
          origins,
          networks,
          flux: WEIGHT_ADDRESSES * row.addresses + WEIGHT_NETWORKS * networks,
        };
      })
      .filter(
        row =>
          row.customers <= thresholds.customers &&
          row.flux >= thresholds.flux_score &&
          row.networks >= thresholds.dispersion * row.addresses,
      )
      .map(({ flux, origins, ...row }) => {
        // many addresses for few visitors are the strongest sign
        const score = Math.min(100, scoreOf(flux, thresholds.flux_score) + (row.clients <= 2 ? 20 : 10));
        return {
          subject: row.domain,
          client: null,
          firstTime: row.first_hour,
          lastTime: new Date(row.last_hour.getTime() + 3_599_999),
          score,
          severity: severityOf(score),
          evidence: {
            name: row.rrname,
            flux_score: Math.round(flux * 100) / 100,
            addresses: row.addresses,
            most_addresses_in_an_hour: row.hour_addresses,
            subnets_24_48: row.subnets,
            networks_16_32: row.networks_16_32,
            ...networksCounted(origins),
            ttl_min: row.ttl_min,
            ttl_median: row.ttl_median,
            clients: row.clients,
            of_clients: row.all_clients,
            some_clients: row.some_clients ?? [],
            other_domains_in_the_same_subnets: row.sharing,
            other_domains_that_point_here: row.customers,
            some_addresses: row.all_addresses.slice(0, 20),
          },
          query: `select time, client, resolver, ttl, rdata_ip from public.dns_rr where time >= ${literal(window.start)} and time < ${literal(window.end)} and rrname = ${literal(row.rrname)} and rrtype in (1, 28) and qr order by time`,
        };
      });
    return strongestOf(found);
  },
});
