import type pg from 'pg';
import { getDomain } from 'tldts';

/** What the rows of dns_rr say that the deduplicated tiers hold, set by set, without the loader's code. */
const expectedSql = `
with domain as (
  select rrname, registered from jsonb_to_recordset($1::jsonb) as d(rrname text, registered text)),
data as (
  select flow_id, dns_id, time, rrname, rrtype, rdata, rdata_ip from public.dns_rr
  where qr and section > 0 and rrname is not null and rdata is not null and rrtype not in (41, 249, 250)),
response as (
  select flow_id, dns_id, min(time) as time, rrname, rrtype, array_agg(distinct rdata collate "C") as rdata
  from data group by flow_id, dns_id, rrname, rrtype),
rrset as (
  select r.rrname, r.rrtype, coalesce(zone.rrname, d.registered) as bailiwick, r.rdata, count(*) as count, min(time) as time_first, max(time) as time_last
  from response r
  join domain d on d.rrname = r.rrname
  left join lateral (
    select z.rrname from response z
    where z.flow_id = r.flow_id and z.dns_id is not distinct from r.dns_id and z.rrtype in (2, 6)
      and (z.rrname in ('.', r.rrname) or public.is_below(r.rrname, z.rrname))
    order by length(z.rrname) desc limit 1) as zone on true
  group by 1, 2, 3, 4),
rdata as (
  select s.value as rdata, rrname, rrtype, count(*) as count, min(time) as time_first, max(time) as time_last
  from response, unnest(rdata) as s(value)
  where rrtype in (1, 28, 2, 5, 12, 39)
     or rrtype in (6, 15, 17, 18, 21, 33, 36, 47, 64, 65)
       and (string_to_array(s.value, ' '))[case when rrtype in (6, 17, 47) then 1 when rrtype = 33 then 4 else 2 end] like '%.'
  group by 1, 2, 3),
question as (
  select flow_id, rrname, client, time, qr, bool_or(not qr) over (partition by flow_id) as has_query
  from public.dns_rr where section = 0),
asked as (
  select q.rrname, d.registered, client, (time at time zone 'UTC')::date as day, count(*) as count, min(time) as time_first, max(time) as time_last
  from question q join domain d using (rrname)
  where not qr or not has_query
  group by 1, 2, 3, 4),
dns_name as (
  select rrname, d.registered, min(time) as time_first, max(time) as time_last
  from (select rrname, time from response
        union all select rrname, time from question where (not qr or not has_query) and rrname is not null) as seen
  join domain d using (rrname)
  group by 1, 2)`;

const views = {
  rrset:
    'select rrname, rrtype, bailiwick, array(select v from unnest(rdata) as v order by v collate "C"), count, time_first, time_last from public.rrset where source_id = 0',
  rdata: 'select rdata, rrname, rrtype, count, time_first, time_last from public.rdata where source_id = 0',
  asked: 'select rrname, registered_domain, client, day, count, time_first, time_last from public.asked',
  dns_name: 'select rrname, registered_domain, time_first, time_last from public.dns_name',
};

/** Where rrset, rdata, asked and dns_name are not what dns_rr says they are, in words; few of many. */
export async function tierProblems(pool: pg.Pool): Promise<string[]> {
  const names = await pool.query<{ rrname: string }>(
    'select distinct rrname from public.dns_rr where rrname is not null',
  );
  const domains = JSON.stringify(
    names.rows.map(({ rrname }) => ({ rrname, registered: registeredDomain(rrname) })),
  );
  const problems: string[] = [];
  for (const [tier, view] of Object.entries(views)) {
    const expected = `select * from ${tier}`;
    const { rows } = await pool.query<{ problem: string }>(
      `${expectedSql}
       (select 'missing in ${tier}: ' || row::text as problem from (${expected} except ${view}) as row limit 5)
       union all
       (select 'wrong in ${tier}: ' || row::text from (${view} except ${expected}) as row limit 5)`,
      [domains],
    );
    problems.push(...rows.map(({ problem }) => problem));
  }
  return problems;
}

function registeredDomain(rrname: string): string {
  const domain = getDomain(rrname.slice(0, -1), {
    allowPrivateDomains: true,
    extractHostname: false,
    validateHostname: false,
  });
  return domain ? `${domain}.` : rrname;
}
