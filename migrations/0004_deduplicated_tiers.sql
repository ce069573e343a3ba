-- Passive DNS proper: what was answered (rrset, rdata), who asked for it (asked), and all names ever seen (dns_name), each
-- observation merged with its equals.
-- Rows go into small tables, "runs", that are written once, indexed in bulk and merged into larger, sorted ones, so the
-- cost of a new row does not grow with the history. A key may have a row in every run, and several in one; the views
-- add them up.
-- Takes no lock that matters: everything is new but one column.

do $$
begin
  create extension if not exists pg_trgm schema extensions;
exception
  when insufficient_privilege or feature_not_supported or undefined_file then
    raise notice 'no extension pg_trgm (%): names are searched for substrings one by one', sqlerrm;
end $$;

create schema runs;
comment on schema runs is 'Runs of public.rrset_gravel, rdata_gravel, asked_gravel and dns_name_gravel. Query the views rrset, rdata, asked and dns_name, not these.';

alter table public.ipfix_file add column grouped_position bigint not null default 0;
update public.ipfix_file set grouped_position = position;
comment on column public.ipfix_file.grouped_position is 'Octets from the beginning of the content whose records are in rrset, rdata, asked and dns_name too; at most position. Records are grouped for up to a second, over several commits.';

-- ---------------------------------------------------------------------------------------------------------------
-- Where observations come from

create table public.rrset_source (
  source_id  smallint generated always as identity,
  name       text not null,
  kind       text not null,
  created_at timestamptz not null default now(),
  constraint rrset_source_pkey primary key (source_id),
  constraint rrset_source_name_key unique (name),
  constraint rrset_source_kind_check check (kind in ('sensor', 'import'))
);
insert into public.rrset_source (source_id, name, kind) overriding system value values (0, 'observed', 'sensor');
comment on table public.rrset_source is 'Where the rows of rrset and rdata come from: what was observed here, or another passive DNS whose data was imported.';
comment on column public.rrset_source.source_id is 'Key used by rrset and rdata. 0 is what the exporters of this database observed.';
comment on column public.rrset_source.name is 'As given on import.';
comment on column public.rrset_source.kind is 'sensor: observed here. import: taken over from another passive DNS.';
comment on column public.rrset_source.created_at is 'When the first import of this name began.';

-- ---------------------------------------------------------------------------------------------------------------
-- The tiers. Names in collation "C": order and comparison by octet, whatever the database's locale.

create table public.rrset_gravel (
  time_first       timestamptz not null,
  time_last        timestamptz not null,
  count            bigint not null,
  rrtype           integer not null,
  source_id        smallint not null,
  bailiwick_length smallint not null,
  rrname           text collate "C" not null,
  rdata            text collate "C" not null
);
comment on table public.rrset_gravel is 'Pieces of rrset: observations of one RRset in one UTC day (later one month, then one year), to be added up. A period may have several pieces of a key until they are merged.';
comment on column public.rrset_gravel.time_first is 'First observation of this piece.';
comment on column public.rrset_gravel.time_last is 'Last observation of this piece. In the same day, month or year as time_first.';
comment on column public.rrset_gravel.count is 'Responses that held exactly this set.';
comment on column public.rrset_gravel.rrtype is 'RR type number; rrtype_name() gives the mnemonic.';
comment on column public.rrset_gravel.source_id is 'Where it was observed: public.rrset_source.';
comment on column public.rrset_gravel.bailiwick_length is 'Characters of rrname, from its end, that are the bailiwick.';
comment on column public.rrset_gravel.rrname is 'Owner name.';
comment on column public.rrset_gravel.rdata is 'The set: values in presentation form, one a line, in canonical order (by length on the wire, then by octet).';

create table public.rdata_gravel (
  time_first timestamptz not null,
  time_last  timestamptz not null,
  count      bigint not null,
  rrtype     integer not null,
  source_id  smallint not null,
  rdata_ip   inet,
  rrname     text collate "C" not null,
  rdata_name text collate "C",
  rdata      text collate "C"
);
comment on table public.rdata_gravel is 'Pieces of rdata: observations of one owner name, type and single value that is an address or points to a name, in one UTC day (later one month, then one year), to be added up.';
comment on column public.rdata_gravel.time_first is 'First observation of this piece.';
comment on column public.rdata_gravel.time_last is 'Last observation of this piece. In the same day, month or year as time_first.';
comment on column public.rdata_gravel.count is 'Responses in which the owner name had this value, whatever else was in the set.';
comment on column public.rdata_gravel.rrtype is 'RR type number; rrtype_name() gives the mnemonic.';
comment on column public.rdata_gravel.source_id is 'Where it was observed: public.rrset_source.';
comment on column public.rdata_gravel.rdata_ip is 'The address, for A and AAAA.';
comment on column public.rdata_gravel.rrname is 'Owner name.';
comment on column public.rdata_gravel.rdata_name is 'The name that the value points to: NS, CNAME, DNAME, PTR, exchange of MX, target of SRV, SVCB and HTTPS, primary server of SOA, mailbox of RP, next name of NSEC.';
comment on column public.rdata_gravel.rdata is 'The whole value where it is more than the address or the name, else null.';

create table public.asked_gravel (
  time_first    timestamptz not null,
  time_last     timestamptz not null,
  count         bigint not null,
  day           date not null,
  domain_length smallint not null,
  client        inet not null,
  rrname        text collate "C" not null
);
comment on table public.asked_gravel is 'Pieces of asked: questions of one client for one name in one UTC day, to be added up.';
comment on column public.asked_gravel.time_first is 'First question of this piece.';
comment on column public.asked_gravel.time_last is 'Last question of this piece.';
comment on column public.asked_gravel.count is 'Questions.';
comment on column public.asked_gravel.day is 'UTC day.';
comment on column public.asked_gravel.domain_length is 'Characters of rrname, from its end, that are the registered domain.';
comment on column public.asked_gravel.client is 'Who asked.';
comment on column public.asked_gravel.rrname is 'QNAME.';

create table public.dns_name_gravel (
  time_first    timestamptz not null,
  time_last     timestamptz not null,
  domain_length smallint not null,
  rrname        text collate "C" not null
);
comment on table public.dns_name_gravel is 'Pieces of dns_name, to be merged.';
comment on column public.dns_name_gravel.time_first is 'First observation of this piece.';
comment on column public.dns_name_gravel.time_last is 'Last observation of this piece.';
comment on column public.dns_name_gravel.domain_length is 'Characters of rrname, from its end, that are the registered domain.';
comment on column public.dns_name_gravel.rrname is 'A name that was asked for or owned a record.';

-- ---------------------------------------------------------------------------------------------------------------
-- Runs

create table public.run (
  tier       text not null,
  run_id     integer not null,
  state      text not null,
  rows       bigint,
  bytes      bigint,
  created_at timestamptz not null default now(),
  closed_at  timestamptz,
  waits_for  text[],
  constraint run_pkey primary key (tier, run_id),
  constraint run_tier_check check (tier in ('rrset', 'rdata', 'asked', 'dns_name')),
  constraint run_state_check check (state in ('hot', 'closed', 'sorting', 'ready', 'empty'))
);
comment on table public.run is 'Runs of the deduplicated tiers: table runs.<tier>_<run_id> each. The job "merge" takes them through their states; readers need not know.';
comment on column public.run.tier is 'rrset, rdata, asked or dns_name: a run belongs to the table of that name with _gravel.';
comment on column public.run.run_id is 'Number of the run; larger is later.';
comment on column public.run.state is 'hot: loaders add rows; closed: they do not any more; ready: indexed; sorting: will get the rows of others; empty: its rows are in another run, the table is to be dropped.';
comment on column public.run.rows is 'Rows, once ready.';
comment on column public.run.bytes is 'Octets with indexes, once ready.';
comment on column public.run.created_at is 'When the table was made.';
comment on column public.run.closed_at is 'When loaders went on to the next one, or when it got its rows.';
comment on column public.run.waits_for is 'Of an empty run: virtual ids of the transactions that may still see its rows (pg_locks.virtualxid).';

create sequence public.run_id_seq as integer;

create table public.hot_run (
  run_id integer not null,
  is_only boolean not null default true,
  constraint hot_run_pkey primary key (is_only),
  constraint hot_run_is_only_check check (is_only)
);
comment on table public.hot_run is 'One row: the run of every tier that loaders add rows to. Ask use_hot_run(), which keeps it from being closed.';
comment on column public.hot_run.run_id is 'public.run.run_id of all tiers.';
comment on column public.hot_run.is_only is 'Makes that there is one row.';

create function public.make_run(tier text, run_id integer, state text) returns void
language plpgsql as $$
begin
  -- vacuuming because of inserts would write every page once more; the rows are never changed, only moved away together
  execute format('create table runs.%I () inherits (public.%I) with (autovacuum_vacuum_insert_threshold = -1)',
    tier || '_' || run_id, tier || '_gravel');
  insert into public.run (tier, run_id, state) values (tier, run_id, state);
end $$;
comment on function public.make_run(text, integer, text) is 'Makes the table of a run, empty.';

create function public.next_hot_run() returns integer
language plpgsql as $$
declare
  made integer := nextval('public.run_id_seq');
  tier text;
begin
  foreach tier in array array['rrset', 'rdata', 'asked', 'dns_name'] loop
    perform public.make_run(tier, made, 'hot');
  end loop;
  update public.run set state = 'closed', closed_at = now() where run.state = 'hot' and run_id <> made;
  insert into public.hot_run (run_id) values (made) on conflict (is_only) do update set run_id = excluded.run_id;
  return made;
end $$;
comment on function public.next_hot_run() is 'Makes the run that loaders go on with. Those that are still at the run before hold its advisory lock (see use_hot_run).';

create function public.use_hot_run() returns integer
language plpgsql as $$
declare
  known integer;
  current integer;
begin
  select run_id into strict current from public.hot_run;
  loop
    known := current;
    perform pg_advisory_xact_lock_shared(1381323092, known);
    -- as it is now that nobody can close it any more
    select run_id into strict current from public.hot_run;
    if current = known then
      return current;
    end if;
  end loop;
end $$;
comment on function public.use_hot_run() is 'The run to add rows to in this transaction, which must be READ COMMITTED. Keeps it open until the transaction ends, with a shared advisory lock (1381323092, run_id).';

select public.next_hot_run();

-- ---------------------------------------------------------------------------------------------------------------
-- What analysts read

create view public.rrset as
select
  rrname,
  rrtype,
  right(rrname, bailiwick_length) as bailiwick,
  string_to_array(rdata, e'\n') as rdata,
  sum(count)::bigint as count,
  min(time_first) as time_first,
  max(time_last) as time_last,
  source_id
from public.rrset_gravel
group by rrname, rrtype, bailiwick_length, rrset_gravel.rdata, source_id;
comment on view public.rrset is 'Passive DNS: one row per owner name, type, bailiwick and set of values that were ever seen together in a response. Fast by rrname (equal, prefix) and below a domain (is_below, rrsets_below).';
comment on column public.rrset.rrname is 'Owner name: lower case, presentation form, trailing dot.';
comment on column public.rrset.rrtype is 'RR type number; rrtype_name() gives the mnemonic.';
comment on column public.rrset.bailiwick is 'Inferred: the zone whose NS or SOA record in the same response encloses the owner name most closely, else the registered domain (Public Suffix List), else the name itself. A sensor at a resolver cannot see which zone''s server answered. Imported rows carry what the other passive DNS says.';
comment on column public.rrset.rdata is 'The set of values in presentation form, in canonical order: by length on the wire, then by octet.';
comment on column public.rrset.count is 'Responses that held exactly this set.';
comment on column public.rrset.time_first is 'First observation.';
comment on column public.rrset.time_last is 'Last observation.';
comment on column public.rrset.source_id is 'Where it was observed: public.rrset_source; 0 is here.';

create view public.rdata as
select
  coalesce(rdata, rdata_name, host(rdata_ip)) as rdata,
  rdata_ip,
  rdata_name,
  rrname,
  rrtype,
  sum(count)::bigint as count,
  min(time_first) as time_first,
  max(time_last) as time_last,
  source_id
from public.rdata_gravel
group by rdata_ip, rdata_name, rdata_gravel.rdata, rrname, rrtype, source_id;
comment on view public.rdata is 'Passive DNS the other way round: one row per value that is an address or points to a name, owner name and type. Fast by rdata_ip (equal, <<=, ranges), by rdata_name, and below a domain (rdata_below). Values of other types are in rrset and dns_rr.';
comment on column public.rdata.rdata is 'The whole value in presentation form.';
comment on column public.rdata.rdata_ip is 'The address, for A and AAAA.';
comment on column public.rdata.rdata_name is 'The name that the value points to: NS, CNAME, DNAME, PTR, exchange of MX, target of SRV, SVCB and HTTPS, primary server of SOA, mailbox of RP, next name of NSEC.';
comment on column public.rdata.rrname is 'Owner name: lower case, presentation form, trailing dot.';
comment on column public.rdata.rrtype is 'RR type number; rrtype_name() gives the mnemonic.';
comment on column public.rdata.count is 'Responses in which the owner name had this value, whatever else was in the set.';
comment on column public.rdata.time_first is 'First observation.';
comment on column public.rdata.time_last is 'Last observation.';
comment on column public.rdata.source_id is 'Where it was observed: public.rrset_source; 0 is here.';

create view public.asked as
select
  rrname,
  right(rrname, domain_length) as registered_domain,
  client,
  day,
  sum(count)::bigint as count,
  min(time_first) as time_first,
  max(time_last) as time_last
from public.asked_gravel
group by rrname, domain_length, client, day;
comment on view public.asked is 'Who asked: one row per name, client and UTC day, NXDOMAIN and unanswered questions included. Fast by rrname (equal, prefix), by client and by client and day; below a domain with asked_below().';
comment on column public.asked.rrname is 'QNAME: lower case, presentation form, trailing dot.';
comment on column public.asked.registered_domain is 'Registered domain of the name (Public Suffix List, its private section too); the name itself where it has none.';
comment on column public.asked.client is 'Who asked; see README, "Client and resolver".';
comment on column public.asked.day is 'UTC day.';
comment on column public.asked.count is 'Questions: one for each question entry in a query. A record without a query, because its sensor saw the response only, counts by the question in the response.';
comment on column public.asked.time_first is 'First question of that day.';
comment on column public.asked.time_last is 'Last question of that day.';

create view public.dns_name as
select
  rrname,
  right(rrname, domain_length) as registered_domain,
  min(time_first) as time_first,
  max(time_last) as time_last
from public.dns_name_gravel
group by rrname, domain_length;
comment on view public.dns_name is 'Every name that was ever asked for or owned a record in a response, once. Fast by rrname, below a domain (is_below), and by substring or regular expression (like, ~) through pg_trgm.';
comment on column public.dns_name.rrname is 'The name: lower case, presentation form, trailing dot.';
comment on column public.dns_name.registered_domain is 'Its registered domain (Public Suffix List, its private section too); the name itself where it has none.';
comment on column public.dns_name.time_first is 'First observation.';
comment on column public.dns_name.time_last is 'Last observation.';

-- ---------------------------------------------------------------------------------------------------------------
-- Lookups, each with the index it uses. They are inlined: the planner sees their parameters as constants.

create function public.rrsets_below(domain text) returns setof public.rrset
language sql stable parallel safe as $$
  select * from public.rrset where public.is_below(rrname, domain)
$$;
comment on function public.rrsets_below(text) is 'RRsets of *.domain (index on reversed_name).';

create function public.rrsets_beginning(labels text) returns setof public.rrset
language sql stable parallel safe as $$
  select * from public.rrset
  where rrname >= rtrim(labels, '.*') || '.' and rrname < rtrim(labels, '.*') || '/'
$$;
comment on function public.rrsets_beginning(text) is 'RRsets of labels.*: rrsets_beginning(''www.example'') finds www.example.com. and www.example.co.uk. (index on rrname).';

create function public.rdata_in(network inet) returns setof public.rdata
language sql stable parallel safe as $$
  select * from public.rdata
  where rdata_ip >= network(network)
    and rdata_ip <= set_masklen(broadcast(network), case family(network) when 4 then 32 else 128 end)
$$;
comment on function public.rdata_in(inet) is 'Records whose value is an address of a network, or one address (index on rdata_ip).';

create function public.rdata_between(lowest inet, highest inet) returns setof public.rdata
language sql stable parallel safe as $$
  select * from public.rdata where rdata_ip >= lowest and rdata_ip <= highest
$$;
comment on function public.rdata_between(inet, inet) is 'Records whose value is an address of a range, both ends included (index on rdata_ip).';

create function public.rdata_below(domain text) returns setof public.rdata
language sql stable parallel safe as $$
  select * from public.rdata where public.is_below(rdata_name, domain)
$$;
comment on function public.rdata_below(text) is 'Records that point to a name below a domain (index on reversed_name).';

create function public.asked_below(domain text) returns setof public.asked
language sql stable parallel safe as $$
  select rrname, right(rrname, domain_length), client, day, sum(count)::bigint, min(time_first), max(time_last)
  from public.asked_gravel
  where rrname = any (array(select distinct rrname from public.dns_name_gravel where public.is_below(rrname, domain)))
  group by rrname, domain_length, client, day
$$;
comment on function public.asked_below(text) is 'Who asked for anything below a domain: finds the names in dns_name, then each in asked (index on rrname).';

create function public.first_asked(qname text)
returns table (client inet, count bigint, time_first timestamptz, time_last timestamptz)
language sql stable parallel safe as $$
  select client, sum(count)::bigint, min(time_first), max(time_last)
  from public.asked_gravel where rrname = qname
  group by client
  order by min(time_first)
$$;
comment on function public.first_asked(text) is 'When a name was first asked for here, how often, and by whom: one row per client, the first to ask at the top.';
