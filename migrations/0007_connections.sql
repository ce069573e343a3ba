-- Names for flows that are not DNS: which name a client had resolved to the address it then connected to. And whether the
-- top-level domain of a looked-up name exists, kept with it: asking that of each name of a day took longer than the rest.
-- Takes no lock that matters: everything is new but a column. Facts that are here are derived anew, to fill it.

alter table public.lookup_hour add column has_tld boolean not null default true;
alter table public.lookup_hour alter column has_tld drop default;
comment on column public.lookup_hour.has_tld is 'Whether the root zone has the last label of the name (ICANN section of the Public Suffix List).';
insert into public.landed_hour (hour) select hour from public.fact_hour;

create function public.named_flows(since timestamptz, until timestamptz, grace interval default '1 minute', reach interval default '1 hour')
returns table (
  start_time timestamptz, flow_id bigint, client inet, address inet, protocol smallint, port integer, octets bigint,
  rrname text, owner text, resolved_at timestamptz, ttl bigint
)
language sql stable parallel safe as $$
  with answers as materialized (
    select rr.client, rr.rdata_ip as address, rr.time, rr.flow_id, rr.ttl, rr.rrname
    from public.dns_rr as rr
    where rr.time >= since - reach and rr.time < until
      and rr.qr and rr.section = 1 and rr.rrtype in (1, 28) and rr.rdata_ip is not null and rr.client is not null
  ),
  questions as materialized (
    select rr.flow_id, min(rr.rrname) as rrname
    from public.dns_rr as rr
    where rr.time >= since - reach and rr.time < until and rr.section = 0
    group by rr.flow_id
  ),
  latest as (
    select distinct on (flow.flow_id)
      flow.start_time, flow.flow_id, answers.client, answers.address, flow.protocol, flow.dst_port,
      coalesce(flow.octets, 0) + coalesce(flow.reverse_octets, 0) as octets,
      answers.flow_id as answer_flow_id, answers.rrname as owner, answers.time as resolved_at, answers.ttl
    from public.flow
    join answers on answers.client = flow.src and answers.address = flow.dst
    where flow.start_time >= since and flow.start_time < until
      and flow.application is distinct from 53 and coalesce(flow.dst_port, 0) not in (53, 853, 5353, 5355)
      and answers.time <= flow.start_time
      and flow.start_time <= answers.time + make_interval(secs => coalesce(answers.ttl, 0)) + grace
    order by flow.flow_id, answers.time desc, answers.rrname
  )
  select latest.start_time, latest.flow_id, latest.client, latest.address, latest.protocol, latest.dst_port, latest.octets,
    coalesce(questions.rrname, latest.owner), latest.owner, latest.resolved_at, latest.ttl
  from latest
  left join questions on questions.flow_id = latest.answer_flow_id
$$;
comment on function public.named_flows(timestamptz, timestamptz, interval, interval) is 'Flows that are not DNS and begin in [since, until), with the name that this client resolved to that address last before the flow began: within the record''s TTL plus grace, and not longer than reach ago. rrname is the name that was asked for, owner the one that has the address (behind CNAMEs). Flows without such a name are not among them.';

create function public.unconnected_names(since timestamptz, until timestamptz, wait interval default '5 minutes')
returns table (client inet, rrname text, lookups bigint, time_first timestamptz, time_last timestamptz, addresses inet[])
language sql stable parallel safe as $$
  with answers as materialized (
    select rr.client, rr.rdata_ip as address, rr.time, rr.flow_id
    from public.dns_rr as rr
    where rr.time >= since and rr.time < until
      and rr.qr and rr.section = 1 and rr.rrtype in (1, 28) and rr.rdata_ip is not null and rr.client is not null
  ),
  questions as materialized (
    select rr.flow_id, min(rr.rrname) as rrname
    from public.dns_rr as rr
    where rr.time >= since and rr.time < until and rr.section = 0
    group by rr.flow_id
  ),
  resolved as (
    select answers.client, questions.rrname, count(distinct answers.flow_id) as lookups, min(answers.time) as time_first,
      max(answers.time) as time_last, array_agg(distinct answers.address) as addresses
    from answers
    join questions using (flow_id)
    group by answers.client, questions.rrname
  )
  select resolved.client, resolved.rrname, lookups, time_first, time_last, addresses
  from resolved
  where not exists (
    select from public.flow
    where flow.start_time >= since and flow.start_time < until + wait
      and flow.src = resolved.client and flow.dst = any (resolved.addresses)
      and flow.start_time >= resolved.time_first and flow.start_time <= resolved.time_last + wait
      and flow.application is distinct from 53
  )
$$;
comment on function public.unconnected_names(timestamptz, timestamptz, interval) is 'Names that a client resolved in [since, until) and did not connect to: no flow to any of the addresses from the first answer until wait after the last. Only telling where the sensor sees all traffic of the client.';

create table public.connection_hour (
  hour        timestamptz not null,
  time_first  timestamptz not null,
  time_last   timestamptz not null,
  flows       bigint not null,
  octets      bigint not null,
  resolved_at timestamptz not null,
  client      inet not null,
  address     inet not null,
  rrname      text collate "C" not null
);
create index connection_hour_hour_idx on public.connection_hour (hour);
create index connection_hour_client_idx on public.connection_hour (client, hour);
create index connection_hour_address_idx on public.connection_hour (address, hour);
create index connection_hour_rrname_idx on public.connection_hour (rrname, hour);
comment on table public.connection_hour is 'Connections by name: one row per hour, client, address and the name resolved to it before. Made by the job "detect" from named_flows().';
comment on column public.connection_hour.hour is 'Beginning of the UTC hour.';
comment on column public.connection_hour.time_first is 'Start of the first flow.';
comment on column public.connection_hour.time_last is 'Start of the last flow.';
comment on column public.connection_hour.flows is 'Flows.';
comment on column public.connection_hour.octets is 'Octets of both directions.';
comment on column public.connection_hour.resolved_at is 'When the name was resolved last before one of them.';
comment on column public.connection_hour.client is 'Who connected.';
comment on column public.connection_hour.address is 'To which address.';
comment on column public.connection_hour.rrname is 'The name that the client had asked for.';

create view public.connection as
select client, rrname, address, sum(flows)::bigint as flows, sum(octets)::bigint as octets,
  min(time_first) as time_first, max(time_last) as time_last
from public.connection_hour
group by client, rrname, address;
comment on view public.connection is 'Who connected to what, by name: one row per client, name and address. Fast by each of them.';
comment on column public.connection.client is 'Who connected.';
comment on column public.connection.rrname is 'The name that the client had asked for.';
comment on column public.connection.address is 'The address it connected to.';
comment on column public.connection.flows is 'Flows.';
comment on column public.connection.octets is 'Octets of both directions.';
comment on column public.connection.time_first is 'Start of the first flow.';
comment on column public.connection.time_last is 'Start of the last flow.';
