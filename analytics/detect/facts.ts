import type pg from 'pg';
import { registeredDomainLength } from '../../common/registeredDomain.ts';
import { byIndex } from '../session.ts';
import { isTopLevelDomain, topLevelDomain } from './topLevelDomain.ts';

/** Names below one registered domain from which on they are taken as generated. */
export const FAMILY_NAMES = 100;
/** Names in an hour from which on a domain has a row in domain_hour. */
const FEWEST_NAMES = 20;
const NAMES_AT_ONCE = 20_000;
/** Advisory locks until the end of a transaction, of two numbers: this, and hours since 1970 or what is known since when. */
const FACTS_LOCK = 7234;
const KNOWLEDGE = 0;

/**
 * Working tables of a session, empty between transactions: `exchange`, a question and its response; `answer`, the values of
 * names; `name`, what is known of each name; `named`, lookups of the hour by client and name, with that, which most facts are
 * made of; `summed`, these by client and top-level domain, by resolver, and by name; `counted` and `present`, how many of a kind
 * and who there was each minute; `new_name` and `new_domain`, what was not known before.
 */
const workingTables = `
set local client_min_messages = warning;
-- nothing is known of these tables, all of which are joined as a whole
set local enable_nestloop = off;
set local enable_mergejoin = off;
create temp table if not exists exchange (
  time timestamptz, exporter_id integer, client inet, resolver inet, flow_id bigint, rrname text collate "C", qtype integer,
  asked boolean, answered boolean, rcode smallint
) on commit delete rows;
create temp table if not exists named (
  time_first timestamptz, time_last timestamptz, time_good timestamptz, asked integer, nxdomain integer, failed integer,
  text_asked integer, mail_asked integer, exporter_id integer, client inet, resolver inet, rrname text collate "C", seconds smallint[],
  domain_length smallint, has_tld boolean, domain text collate "C", tld text collate "C"
) on commit delete rows;
create temp table if not exists summed (
  asked bigint, nxdomain bigint, failed bigint, time_first timestamptz, time_last timestamptz, time_good timestamptz,
  exporter_id integer, has_tld boolean,
  client inet, resolver inet, dimension text, rrname text collate "C", domain text collate "C", tld text collate "C"
) on commit delete rows;
create temp table if not exists counted (
  minute timestamptz, exporter_id integer, asked boolean, answered boolean, rcode smallint, qtype integer, n bigint
) on commit delete rows;
create temp table if not exists present (
  minute timestamptz, exporter_id integer, client inet
) on commit delete rows;
create temp table if not exists answer (
  answers integer, ttl_min bigint, ttl_median bigint, clients integer, rrtype integer, rrname text collate "C",
  addresses inet[], targets text[]
) on commit delete rows;
create temp table if not exists name (
  domain_length smallint, has_tld boolean, rrname text collate "C", domain text collate "C", tld text collate "C"
) on commit delete rows;
create temp table if not exists new_name (
  time_good timestamptz, exporter_id integer, client inet, resolver inet, domain text collate "C", rrname text collate "C",
  known_since timestamptz
) on commit delete rows;
create temp table if not exists new_domain (like new_name) on commit delete rows;`;

/** Neither multicast (RFC 5771, RFC 4291 section 2.7) nor broadcast; one comparison for most addresses, which come in order and IPv4 first. */
const isUnicast = (column: string) =>
  `(${column} < '224.0.0.0' or ${column} >= '240.0.0.0' and ${column} < '255.255.255.255' or ${column} >= '::' and ${column} < 'ff00::')`;

/**
 * A flow may carry several messages, of which one question each was seen; responses repeat it only where they failed. All of a
 * flow has one client and resolver.
 */
const exchangeSql = `
insert into exchange
select
  min(time), min(exporter_id), min(client), min(resolver), flow_id,
  coalesce(
    max(rrname collate "C") filter (where section = 0),
    min(rrname collate "C") filter (where section = 1 and rrtype = 5),
    min(rrname collate "C") filter (where section = 1)
  ),
  max(rrtype) filter (where section = 0),
  bool_or(not qr),
  bool_or(qr),
  max(rcode) filter (where qr)
from public.dns_rr
where time >= $1 and time < $2
  and client is not null
group by flow_id, dns_id
having ${isUnicast('min(client)')} and (min(resolver) is null or ${isUnicast('min(resolver)')})`;

const answerSql = `
insert into answer
select
  count(*), min(ttl), percentile_disc(0.5) within group (order by ttl), count(distinct client), rrtype, rrname collate "C",
  (array_agg(distinct rdata_ip order by rdata_ip) filter (where rdata_ip is not null))[:2000],
  (array_agg(distinct rdata collate "C") filter (where rrtype in (2, 5)))[:200]
from public.dns_rr
where time >= $1 and time < $2
  and qr
  and section > 0
  and rrtype in (1, 2, 5, 28)
  and rrname is not null
  and rdata is not null
group by rrname collate "C", rrtype`;

/** By name, as in its index. */
const keepAnswersSql = `
insert into public.answer_hour (hour, answers, ttl_min, ttl_median, clients, rrtype, domain_length, rrname, addresses, targets)
select $1, answers, ttl_min, ttl_median, clients, rrtype, domain_length, rrname, addresses, targets
from answer join name using (rrname)
order by rrname`;

const namesSql = `
select rrname from exchange where rrname is not null
union
select rrname from answer`;

const addNamesSql = `
insert into name
select domain_length, has_tld, rrname, right(rrname, domain_length), tld
from unnest($1::text[], $2::smallint[], $3::text[], $4::boolean[]) as n(rrname, domain_length, tld, has_tld)`;

/** In the order of clients, as in the index of lookup_hour: whoever reads an hour by that goes through the pages once. */
const nameLookupsSql = `
insert into named
select lookup.*, domain_length, has_tld, domain, tld
from (
  select
    min(time), max(time), min(time) filter (where rcode is null or rcode = 0),
    greatest(count(*) filter (where asked), count(*) filter (where answered)),
    count(*) filter (where rcode = 3),
    count(*) filter (where rcode not in (0, 3)),
    count(*) filter (where qtype in (10, 16) or qtype >= 65280),
    count(*) filter (where qtype = 15),
    min(exporter_id), client, min(resolver), rrname,
    (array_agg(distinct date_part('epoch', time - $1::timestamptz)::smallint))[:120]
  from exchange
  where rrname is not null
  group by client, rrname
) as lookup
join name using (rrname)`;

const keepLookupsSql = `
insert into public.lookup_hour
  (hour, time_first, time_last, asked, nxdomain, failed, text_asked, mail_asked, exporter_id, domain_length, has_tld, client, resolver, rrname, seconds)
select $1, time_first, time_last, asked, nxdomain, failed, text_asked, mail_asked, exporter_id, domain_length, has_tld, client, resolver, rrname, seconds
from named`;

const sumSql = `
insert into summed
select sum(asked), sum(nxdomain), sum(failed), min(time_first), max(time_last), min(time_good), exporter_id, has_tld, client, resolver,
  case grouping(client, resolver, rrname) when 3 then 'client' when 5 then 'resolver' else 'rrname' end,
  rrname, domain, tld
from named
group by grouping sets (
  (exporter_id, tld, has_tld, client),
  (exporter_id, resolver),
  (exporter_id, tld, has_tld, domain, rrname)
)`;

const clientsSql = `
insert into public.client_hour (hour, lookups, names, domains, nxdomain, nx_names, nx_domains, client)
select $1, sum(asked), count(*), count(distinct domain), sum(nxdomain),
  count(*) filter (where nxdomain > 0 and mail_asked < asked and has_tld and tld <> 'arpa.'),
  count(distinct domain) filter (where nxdomain > 0 and mail_asked < asked and has_tld and tld <> 'arpa.'),
  client
from named
group by client`;

/** Domains of few names are not worth a row: what explodes has many. */
const domainsSql = `
insert into public.domain_hour (hour, lookups, nxdomain, failed, names, clients, time_first, time_last, domain)
with by_name as (
  select domain, rrname, sum(asked) as asked, sum(nxdomain) as nxdomain, sum(failed) as failed,
    min(time_first) as time_first, max(time_last) as time_last
  from summed
  where dimension = 'rrname' and rrname <> domain
  group by 1, 2
),
by_domain as (
  select domain, sum(asked) as asked, sum(nxdomain) as nxdomain, sum(failed) as failed, count(*) as names,
    min(time_first) as time_first, max(time_last) as time_last
  from by_name
  group by 1
  having count(*) >= ${FEWEST_NAMES}
),
users as (
  select domain, count(*) as clients
  from (select distinct domain, client from named where domain in (select domain from by_domain)) as each_once
  group by 1
)
select $1, asked, nxdomain, failed, names, clients, time_first, time_last, domain
from by_domain join users using (domain)`;

const tldsSql = `
insert into public.tld_hour (hour, lookups, answered, nxdomain, clients, domains, has_tld, tld, some_clients, some_domains)
with by_client as (
  select tld, has_tld, client, sum(asked) as asked, sum(nxdomain) as nxdomain, sum(failed) as failed
  from summed
  where dimension = 'client'
  group by 1, 2, 3
),
clients as (
  select tld, has_tld, sum(asked) as asked, sum(nxdomain) as nxdomain, sum(failed) as failed, count(*) as clients,
    (array_agg(client order by client))[:50] as some_clients
  from by_client
  group by 1, 2
),
by_domain as (
  select distinct tld, domain from summed where dimension = 'rrname'
),
domains as (
  select tld, count(*) as domains, (array_agg(domain order by domain))[:50] as some_domains from by_domain group by 1
)
select $1, asked, asked - nxdomain - failed, nxdomain, clients, domains, has_tld, tld, some_clients, some_domains
from clients join domains using (tld)`;

/** Flows to the ports of DNS, DoT and DoQ whoever decoded them, and whatever else carried DNS messages. mDNS and LLMNR (5353, 5355) are no resolvers. */
const resolversSql = `
insert into public.resolver_hour
  (hour, time_first, time_last, flows, octets, lookups, exporter_id, port, protocol, client, resolver)
with turned as (
  -- the exporter may have seen the response first
  select start_time, exporter_id, coalesce(octets, 0) + coalesce(reverse_octets, 0) as octets, protocol,
    src_port in (53, 853) and dst_port not in (53, 853) as is_turned, src, dst, src_port, dst_port
  from public.flow
  where start_time >= $1 and start_time < $2
    and protocol in (6, 17)
    and (dst_port in (53, 853) or src_port in (53, 853) or application = 53)
    and coalesce(dst_port, 0) not in (5353, 5355) and coalesce(src_port, 0) not in (5353, 5355)
),
grouped as materialized (
  select
    case when is_turned then dst else src end as client,
    case when is_turned then src else dst end as resolver,
    case when is_turned then src_port else dst_port end as port,
    protocol, count(*) as flows, sum(octets) as octets, min(start_time) as time_first, max(start_time) as time_last,
    min(exporter_id) as exporter_id
  from turned
  group by 1, 2, 3, 4
),
flows as (
  -- few are left to ask
  select * from grouped where ${isUnicast('client')} and ${isUnicast('resolver')}
),
decoded as (
  select client, resolver, count(*) as lookups, min(time) as time_first, max(time) as time_last, min(exporter_id) as exporter_id
  from exchange
  where resolver is not null and rrname not like '%.local.'
  group by client, resolver
)
select $1, coalesce(flows.time_first, decoded.time_first), coalesce(flows.time_last, decoded.time_last),
  coalesce(flows.flows, decoded.lookups), coalesce(flows.octets, 0),
  case when coalesce(flows.port, 0) <> 853 then coalesce(decoded.lookups, 0) else 0 end,
  coalesce(flows.exporter_id, decoded.exporter_id), coalesce(flows.port, 0), coalesce(flows.protocol, 0), client, resolver
from flows
full join decoded using (client, resolver)`;

/** date_trunc() looks its time zone up for each row. */
const minuteOf = (time: string) => `date_bin('1 minute', ${time}, '2000-01-01Z')`;

const countSql = `
insert into counted
select ${minuteOf('time')}, exporter_id, asked, answered, rcode, qtype, count(*)
from exchange
group by 1, 2, 3, 4, 5, 6`;

const presentSql = `
insert into present
select distinct ${minuteOf('time')}, exporter_id, client
from exchange`;

/** Counts by one number as a JSON object; only the few sums are named. */
const byName = (name: string, column: string, where: string) => `(
  select at, exporter_id, jsonb_object_agg(${name}(${column}), n) as counts
  from (select at, exporter_id, ${column}, sum(n) as n from seen where ${where} group by 1, 2, 3) as numbered
  group by 1, 2
)`;

const trafficSql = (unit: 'minute' | 'hour') => `
insert into public.traffic_${unit}
  (${unit}, exporter_id, queries, responses, clients, rcodes, qtypes${unit === 'hour' ? ', resolvers, names, domains' : ''})
with seen as materialized (
  select date_trunc('${unit}', minute, 'UTC') as at, exporter_id, asked, answered, rcode, qtype, sum(n) as n
  from counted
  group by 1, 2, 3, 4, 5, 6
),
rcodes as ${byName('public.rcode_name', 'rcode', 'answered and rcode is not null')},
qtypes as ${byName('public.rrtype_name', 'qtype', 'asked and qtype is not null')},
sums as (
  select at, exporter_id, coalesce(sum(n) filter (where asked), 0) as queries, coalesce(sum(n) filter (where answered), 0) as responses
  from seen
  group by 1, 2
),
clients as (
  select at, exporter_id, count(*) as clients
  from (select distinct date_trunc('${unit}', minute, 'UTC') as at, exporter_id, client from present) as each_once
  group by 1, 2
)${
  unit === 'hour'
    ? `,
distinct_ones as (
  select exporter_id, count(resolver) as resolvers, count(rrname) as names, count(distinct domain) as domains
  from summed
  group by 1
)`
    : ''
}
select at, exporter_id, queries, responses, clients, coalesce(rcodes.counts, '{}'), coalesce(qtypes.counts, '{}')
  ${unit === 'hour' ? ', coalesce(resolvers, 0), coalesce(names, 0), coalesce(domains, 0)' : ''}
from sums
join clients using (at, exporter_id)
left join rcodes using (at, exporter_id)
left join qtypes using (at, exporter_id)
${unit === 'hour' ? 'left join distinct_ones using (exporter_id)' : ''}`;

const topOf = (dimension: string, column: string, from: string, shown: string) => `
select exporter_id, rank, '${dimension}', lookups, nxdomain, ${shown}
from (
  select exporter_id, ${column} as value, sum(asked) as lookups, sum(nxdomain) as nxdomain,
    row_number() over (partition by exporter_id order by sum(asked) desc, ${column}) as rank
  from summed
  where dimension = '${from}' and ${column} is not null
  group by 1, 2
) as ranked
where rank <= 100`;

const topSql = `
insert into public.traffic_top (hour, exporter_id, rank, dimension, lookups, nxdomain, value)
select $1::timestamptz, top.* from (
  ${[
    topOf('domain', 'domain', 'rrname', 'value'),
    topOf('tld', 'tld', 'client', 'value'),
    topOf('client', 'client', 'client', 'host(value)'),
    topOf('resolver', 'resolver', 'resolver', 'host(value)'),
  ].join('\n  union all')}
) as top`;

const sensorsSql = `
with added as (
  insert into public.sensor_history as history (exporter_id, since)
  select distinct exporter_id, $1::timestamptz from summed where dimension = 'resolver'
  on conflict (exporter_id) do update set since = excluded.since where excluded.since < history.since
  returning exporter_id, since
)
select count(*)::integer as changed from added`;

/**
 * The first good lookup of each name in this hour, where none is known that was earlier; what has no top-level domain is told
 * apart, and reverse names are no news.
 */
const newNamesSql = `
insert into new_name
select distinct on (rrname) time_good, named.exporter_id, named.client, named.resolver, named.domain, rrname, known_since
from (
  select rrname, time_good, known.time_first as known_since, known.client as known_client
  from summed
  left join public.known_name as known using (rrname)
  where dimension = 'rrname' and time_good is not null and has_tld and tld <> 'arpa.'
    and (known.rrname is null or time_good <= known.time_first)
) as news
join named using (rrname, time_good)
where known_since is null or (time_good, named.client) < (known_since, known_client)
order by rrname, time_good, named.client`;

/** That of each registered domain: no domain is known later than one of its names. */
const newDomainsSql = `
insert into new_domain
select news.*, known.time_first
from (
  select distinct on (domain) time_good, exporter_id, client, resolver, domain, rrname
  from new_name
  order by domain, time_good, rrname, client
) as news
left join public.known_domain as known using (domain)
where known.domain is null or (news.time_good, news.rrname, news.client) < (known.time_first, known.rrname, known.client)`;

/** Hours that lose what was first in them, because it came earlier. */
const movedSql = `
select distinct date_trunc('hour', known_since, 'UTC') as hour
from (select * from new_domain union all select * from new_name) as news
where time_good < known_since`;

const knowDomainsSql = `
insert into public.known_domain (time_first, exporter_id, client, resolver, domain, rrname)
select time_good, exporter_id, client, resolver, domain, rrname
from new_domain
on conflict (domain) do update
set time_first = excluded.time_first, exporter_id = excluded.exporter_id, client = excluded.client,
    resolver = excluded.resolver, rrname = excluded.rrname`;

const knowNamesSql = `
insert into public.known_name (time_first, exporter_id, client, resolver, domain, rrname)
select news.time_good, news.exporter_id, news.client, news.resolver, news.domain, news.rrname
from new_name as news
join public.known_domain on known_domain.domain = news.domain and not known_domain.is_family
on conflict (rrname) do update
set time_first = excluded.time_first, exporter_id = excluded.exporter_id, client = excluded.client, resolver = excluded.resolver`;

/** Hours with new names of the same domains that come later: how many names there were before them has changed. */
const laterSql = `
select distinct date_trunc('hour', later.time_first, 'UTC') as hour
from public.known_name as later
where later.domain in (
    select domain from public.known_name where time_first >= $1 and time_first < $1::timestamptz + interval '1 hour'
  )
  and later.time_first >= $1::timestamptz + interval '1 hour'`;

/** Of the domains that have new names in this hour. */
const countNamesSql = `
update public.known_domain set names = counted.names, is_family = counted.names > ${FAMILY_NAMES}
from (
  select domain, count(*) as names from public.known_name
  where domain in (select domain from public.known_name where time_first >= $1 and time_first < $1::timestamptz + interval '1 hour')
  group by domain
) as counted
where known_domain.domain = counted.domain and known_domain.names <> counted.names`;

const dropFamiliesSql = `
delete from public.known_name as dropped using public.known_domain as family
where family.domain = dropped.domain
  and family.is_family
  and family.domain in (select domain from summed)
returning date_trunc('hour', dropped.time_first, 'UTC') as hour`;

const factTables = [
  'lookup_hour',
  'answer_hour',
  'resolver_hour',
  'client_hour',
  'domain_hour',
  'tld_hour',
  'traffic_hour',
  'traffic_top',
] as const;

/** What else changed by an hour's facts. */
export interface FactsChange {
  /** Rows of lookup_hour. */
  readonly lookups: number;
  /** Other hours whose news have changed: something is no longer first, or there were more names before, or it is one of a family. */
  readonly movedHours: readonly Date[];
  /** A sensor's history begins earlier than known before, or a sensor is new. */
  readonly hasNewSensor: boolean;
}

/**
 * Derives the facts of an hour from its records, in place of those that were there. Runs in the caller's transaction. Several
 * hours may be derived at once, by as many connections: what is known since when is brought up to date by one after the other.
 */
export async function deriveFacts(client: pg.ClientBase, hour: Date): Promise<FactsChange> {
  const span = [hour, new Date(hour.getTime() + 3_600_000)];
  await client.query(workingTables);
  await client.query('select pg_advisory_xact_lock($1, $2)', [FACTS_LOCK, hour.getTime() / 3_600_000]);
  await dropFacts(client, [hour]);
  await byIndex(client, async () => {
    for (const sql of [exchangeSql, answerSql]) await client.query(sql, span);
  });
  await addNames(client);
  await client.query(keepAnswersSql, [hour]);
  await client.query(nameLookupsSql, [hour]);
  const { rowCount } = await client.query(keepLookupsSql, [hour]);
  await byIndex(client, () => client.query(resolversSql, span));
  await client.query(sumSql);
  for (const sql of [clientsSql, domainsSql, tldsSql, topSql]) await client.query(sql, [hour]);
  for (const sql of [countSql, presentSql, trafficSql('minute'), trafficSql('hour')]) await client.query(sql);
  await client.query('select pg_advisory_xact_lock($1, $2)', [FACTS_LOCK, KNOWLEDGE]);
  const sensors = await client.query<{ changed: number }>(sensorsSql, [hour]);
  return {
    lookups: rowCount ?? 0,
    movedHours: await know(client, hour),
    hasNewSensor: sensors.rows[0]!.changed > 0, // an aggregate gives one row
  };
}

/** Removes the facts of hours, but not what is known since when. */
export async function dropFacts(client: pg.ClientBase, hours: readonly Date[]): Promise<void> {
  for (const table of factTables)
    await client.query(`delete from public.${table} where hour = any ($1::timestamptz[])`, [hours]);
  for (const hour of hours)
    await client.query(
      `delete from public.traffic_minute where minute >= $1 and minute < $1::timestamptz + interval '1 hour'`,
      [hour],
    );
}

async function know(client: pg.ClientBase, hour: Date): Promise<Date[]> {
  // what is known grows for good: it is looked up by its indexes
  await client.query('set local enable_nestloop = on');
  for (const sql of [newNamesSql, newDomainsSql]) await client.query(sql);
  const moved = await client.query<{ hour: Date }>(movedSql);
  await client.query(knowDomainsSql);
  await client.query(knowNamesSql);
  await client.query(countNamesSql, [hour]);
  const later = await client.query<{ hour: Date }>(laterSql, [hour]);
  const dropped = await client.query<{ hour: Date }>(dropFamiliesSql);
  const changed = [...moved.rows, ...later.rows, ...dropped.rows];
  const hours = new Set(changed.map(each => each.hour.getTime()));
  return [...hours].map(time => new Date(time));
}

/** What only we can tell of names: the registered domain, and whether the top-level domain exists. */
async function addNames(client: pg.ClientBase): Promise<void> {
  const { rows } = await client.query<{ rrname: string }>(namesSql);
  for (let at = 0; at < rows.length; at += NAMES_AT_ONCE) {
    const names = rows.slice(at, at + NAMES_AT_ONCE).map(({ rrname }) => rrname);
    const tlds = names.map(topLevelDomain);
    await client.query(addNamesSql, [
      names,
      names.map(registeredDomainLength),
      tlds,
      tlds.map(isTopLevelDomain),
    ]);
  }
}
