-- Names for flows in less than half of the time: what is joined is what flows went to, not all that was answered. And which
-- lookups were for MX: a mail server asks for the domain of every sender, and who forges one decides what does not exist.
-- Locks detection_hit while its index is built anew; else a function is replaced, a column with a constant added. Facts that are here are derived anew.

create or replace function public.named_flows(since timestamptz, until timestamptz, grace interval default '1 minute', reach interval default '1 hour')
returns table (
  start_time timestamptz, flow_id bigint, client inet, address inet, protocol smallint, port integer, octets bigint,
  rrname text, owner text, resolved_at timestamptz, ttl bigint
)
language sql stable parallel safe
-- all of an hour is joined, which hashing does best; how much that is the planner cannot know
set enable_nestloop = off
set enable_mergejoin = off
as $$
  with latest as materialized (
    select distinct on (flow.flow_id)
      flow.start_time, flow.flow_id, flow.src as client, flow.dst as address, flow.protocol, flow.dst_port,
      coalesce(flow.octets, 0) + coalesce(flow.reverse_octets, 0) as octets,
      answer.flow_id as answer_flow_id, answer.rrname as owner, answer.time as resolved_at, answer.ttl
    from public.flow
    join public.dns_rr as answer on answer.client = flow.src and answer.rdata_ip = flow.dst
    where flow.start_time >= since and flow.start_time < until
      and flow.application is distinct from 53 and coalesce(flow.dst_port, 0) not in (53, 853, 5353, 5355)
      and answer.time >= since - reach and answer.time < until
      and answer.qr and answer.section = 1 and answer.rrtype in (1, 28)
      and answer.time <= flow.start_time
      and flow.start_time <= answer.time + make_interval(secs => coalesce(answer.ttl, 0)) + grace
    order by flow.flow_id, answer.time desc, answer.rrname
  ),
  questions as (
    select rr.flow_id, min(rr.rrname) as rrname
    from public.dns_rr as rr
    where rr.time >= since - reach and rr.time < until and rr.section = 0
      and rr.flow_id in (select answer_flow_id from latest)
    group by rr.flow_id
  )
  select latest.start_time, latest.flow_id, latest.client, latest.address, latest.protocol, latest.dst_port, latest.octets,
    coalesce(questions.rrname, latest.owner), latest.owner, latest.resolved_at, latest.ttl
  from latest
  left join questions on questions.flow_id = latest.answer_flow_id
$$;

alter table public.lookup_hour add column mail_asked integer not null default 0;
comment on column public.lookup_hour.mail_asked is 'Those for MX: to send mail to the name, or because a mail claims to come from it.';
comment on column public.client_hour.nx_names is 'Distinct names with NXDOMAIN, under top-level domains that exist, without those that only MX records were asked of.';
insert into public.landed_hour (hour) select hour from public.fact_hour;

-- a resolver may be the subject of hits of all clients
drop index public.detection_hit_subject_idx;
create index detection_hit_subject_idx on public.detection_hit (kind, subject, coalesce(client, '0.0.0.0/0'));
