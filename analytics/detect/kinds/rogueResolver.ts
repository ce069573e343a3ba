import { z } from 'zod';
import { defineDetector, literal } from '../detector.ts';
import { scoreOf, severityOf } from '../severity.ts';

/**
 * Names of well-known DoH services, of their vendors' documentation. A client that looks one up through the network's
 * resolver is about to go round it.
 */
const DOH_NAMES = [
  'dns.google.',
  'dns64.dns.google.',
  'cloudflare-dns.com.',
  'mozilla.cloudflare-dns.com.',
  'chrome.cloudflare-dns.com.',
  'security.cloudflare-dns.com.',
  'family.cloudflare-dns.com.',
  'one.one.one.one.',
  '1dot1dot1dot1.cloudflare-dns.com.',
  'dns.quad9.net.',
  'dns9.quad9.net.',
  'dns10.quad9.net.',
  'dns11.quad9.net.',
  'doh.opendns.com.',
  'doh.familyshield.opendns.com.',
  'dns.umbrella.com.',
  'doh.cleanbrowsing.org.',
  'dns.adguard.com.',
  'dns.adguard-dns.com.',
  'unfiltered.adguard-dns.com.',
  'family.adguard-dns.com.',
  'dns.nextdns.io.',
  'doh.dns.sb.',
  'doh.xfinity.com.',
  'doh.mullvad.net.',
  'dns.mullvad.net.',
  'freedns.controld.com.',
  'dns.alidns.com.',
  'doh.pub.',
  'doh.360.cn.',
  'doh.libredns.gr.',
  'dns0.eu.',
];

/** Below these each customer has a name of his own: an identifier of his settings, or of his device. */
const DOH_PARENTS = ['dns.nextdns.io.', 'dns.controld.com.', 'd.adguard-dns.com.', 'cloudflare-gateway.com.'];

interface Use {
  readonly client: string;
  readonly subject: string;
  readonly flows: number;
  readonly lookups: number;
  readonly octets: number;
  readonly time_first: Date;
  readonly time_last: Date;
  readonly ways: string[];
  readonly is_name: boolean;
  readonly approved_too: boolean;
}

/** A question from outside to a server of ours is no client's choice of resolver. */
const sql = `
with approved as (
  select network::inet as network from unnest($3::text[]) as a(network)
),
own as (
  select network::inet as network from unnest($4::text[]) as o(network)
),
obedient as (
  select distinct client from public.resolver_hour
  where hour >= $1 and hour < $2 and exists (select from approved where resolver <<= network)
),
used as (
  select client, resolver, flows, lookups, octets, time_first, time_last,
    case
      when port = 853 then case protocol when 6 then 'DoT (TCP 853)' else 'DoQ (UDP 853)' end
      when port = 0 then 'DNS'
      else case protocol when 6 then 'TCP ' else 'UDP ' end || port
    end as way
  from public.resolver_hour
  where hour >= $1 and hour < $2
    and not exists (select from approved where client <<= network)
    and not exists (select from approved where resolver <<= network)
    and (not exists (select from own) or exists (select from own where client <<= network) or not exists (select from own where resolver <<= network))
)
select host(client) as client, host(resolver) as subject, sum(flows)::float8 as flows, sum(lookups)::float8 as lookups,
  sum(octets)::float8 as octets, min(time_first) as time_first, max(time_last) as time_last, array_agg(distinct way) as ways,
  false as is_name,
  client in (select client from obedient) as approved_too
from used
group by client, resolver
having sum(flows) >= $5
union all
select host(client), rrname, 0, sum(asked), 0, min(time_first), max(time_last), array['DoH, by the name looked up'], true, true
from public.lookup_hour
where hour >= $1 and hour < $2
  and (rrname = any ($6) or rrname like any ($7))
  and not exists (select from approved where client <<= network)
group by client, rrname
order by time_first, client, subject`;

/** Clients that use other resolvers than those approved: by port 53 and 853, and known DoH services by their names. */
export const rogueResolver = defineDetector({
  kind: 'rogue_resolver',
  window: 'hour',
  baselineDays: 0,
  dependsOn: ['approved_resolvers', 'own_networks'],
  thresholds: z.strictObject({
    flows: z
      .number()
      .int()
      .min(1)
      .default(1)
      .describe('flows in an hour from which on a resolver counts as used'),
    doh_names: z.boolean().default(true).describe('whether looking up the name of a DoH service counts'),
  }),
  async find({ client, window, thresholds, settings }) {
    if (settings.approved_resolvers.length === 0) return [];
    const { rows } = await client.query<Use>(sql, [
      window.start,
      window.end,
      settings.approved_resolvers,
      settings.own_networks,
      thresholds.flows,
      thresholds.doh_names ? DOH_NAMES : [],
      thresholds.doh_names ? DOH_PARENTS.map(name => `%.${name}`) : [],
    ]);
    return rows.map(row => {
      const isEncrypted = row.is_name || row.ways.some(way => way.includes('853'));
      const score = Math.min(100, scoreOf(row.is_name ? row.lookups : row.flows, 2) + (isEncrypted ? 15 : 0));
      const span = `>= ${literal(window.start)} and %s < ${literal(window.end)}`;
      return {
        subject: row.subject,
        client: row.client,
        firstTime: row.time_first,
        lastTime: row.time_last,
        score,
        severity: severityOf(score),
        evidence: {
          ways: row.ways,
          flows: row.flows,
          octets: row.octets,
          lookups_decoded: row.lookups,
          uses_approved_resolvers_too: row.approved_too,
          approved_resolvers: settings.approved_resolvers,
        },
        query: row.is_name
          ? `select * from public.dns_rr where time ${span.replace('%s', 'time')} and client = ${literal(row.client)} and rrname = ${literal(row.subject)}`
          : `select * from public.flow where start_time ${span.replace('%s', 'start_time')} and ${literal(row.client)}::inet in (src, dst) and ${literal(row.subject)}::inet in (src, dst)`,
      };
    });
  },
});
