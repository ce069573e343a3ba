-- What the jobs derive from records: facts of each hour, traffic figures, and detections with what operators say about
-- them. All of it is a function of the records and the settings: an hour whose records change is derived anew.
-- Reads each partition that is not sealed once, to build its index on time, and locks it against writing meanwhile.

-- ---------------------------------------------------------------------------------------------------------------
-- Which hours have new records, and how to find the records of an hour

create table public.landed_hour (
  hour timestamptz not null
);
comment on table public.landed_hour is 'Hours that got records which the job "detect" has not read yet. Loaders add to it in the transaction that adds the records, so neither is there without the other; an hour may be in it many times.';
comment on column public.landed_hour.hour is 'Beginning of the UTC hour, by the time of the flow.';

-- what is here already
insert into public.landed_hour (hour)
select distinct date_trunc('hour', start_time, 'UTC') from public.flow;

create or replace function public.ensure_partitions(days date[]) returns integer
language plpgsql as $$
declare
  parent text;
  key text;
  part text;
  day date;
  made integer := 0;
begin
  perform pg_advisory_xact_lock(7234872349001);
  foreach day in array days loop
    foreach parent in array array['flow', 'flow_packet', 'dns_rr'] loop
      part := format('%s_%s', parent, to_char(day, 'YYYYMMDD'));
      continue when to_regclass(format('partitions.%I', part)) is not null;
      key := case parent when 'dns_rr' then 'time' else 'start_time' end;
      -- built aside and attached: attaching does not wait for loads into other partitions, "partition of" would.
      -- Vacuuming because of inserts would write every page once more, for an index-only scan that nothing here can use;
      -- what wraparound and deleted rows need still happens
      execute format('create table partitions.%I (like public.%I including defaults including constraints including comments) with (autovacuum_vacuum_insert_threshold = -1)', part, parent);
      execute format('with moved as (delete from partitions.%I where %I >= %L and %I < %L returning *) insert into partitions.%I select * from moved',
        parent || '_default', key, day::timestamp at time zone 'UTC', key, (day + 1)::timestamp at time zone 'UTC', part);
      -- finds an hour among the rows of a day and costs the loader nothing that can be measured, as the job "detect" takes
      -- new pages into it, not the loader. The same one that sealing wants
      if parent <> 'flow_packet' then
        execute format('create index %I on partitions.%I using brin (%s) with (pages_per_range = 32)',
          part || '_time_idx', part, case parent when 'dns_rr' then 'time, flow_id' else 'start_time' end);
      end if;
      execute format('alter table public.%I attach partition partitions.%I for values from (%L) to (%L)',
        parent, part, day::timestamp at time zone 'UTC', (day + 1)::timestamp at time zone 'UTC');
      execute format('comment on table partitions.%I is %L', part, format('Rows of public.%s of %s (UTC).', parent, day));
      made := made + 1;
    end loop;
  end loop;
  return made;
end $$;

do $$
declare
  part record;
begin
  for part in select name, parent from public.partition where state = 'hot' and parent <> 'flow_packet' loop
    execute format('create index if not exists %I on partitions.%I using brin (%s) with (pages_per_range = 32)',
      part.name || '_time_idx', part.name, case part.parent when 'dns_rr' then 'time, flow_id' else 'start_time' end);
  end loop;
end $$;

-- ---------------------------------------------------------------------------------------------------------------
-- Facts of an hour

create table public.fact_hour (
  hour         timestamptz not null,
  is_complete  boolean not null default true,
  lookups      bigint not null,
  milliseconds integer not null,
  computed_at  timestamptz not null default now(),
  constraint fact_hour_pkey primary key (hour)
);
comment on table public.fact_hour is 'Hours whose facts (lookup_hour, answer_hour and so on) are there.';
comment on column public.fact_hour.hour is 'Beginning of the UTC hour.';
comment on column public.fact_hour.is_complete is 'False once records of the hour were dropped: what comes late cannot be added any more, the facts stay as they are.';
comment on column public.fact_hour.lookups is 'Rows of lookup_hour.';
comment on column public.fact_hour.milliseconds is 'What deriving them took.';
comment on column public.fact_hour.computed_at is 'When they were derived last.';

create table public.lookup_hour (
  hour          timestamptz not null,
  time_first    timestamptz not null,
  time_last     timestamptz not null,
  asked         integer not null,
  nxdomain      integer not null,
  failed        integer not null,
  text_asked    integer not null,
  exporter_id   integer not null,
  domain_length smallint not null,
  client        inet not null,
  resolver      inet,
  rrname        text collate "C" not null,
  seconds       smallint[] not null
);
create index lookup_hour_hour_idx on public.lookup_hour (hour, client);
comment on table public.lookup_hour is 'Who looked up what: one row per hour, client and name, of unicast questions.';
comment on column public.lookup_hour.hour is 'Beginning of the UTC hour.';
comment on column public.lookup_hour.time_first is 'First lookup.';
comment on column public.lookup_hour.time_last is 'Last lookup.';
comment on column public.lookup_hour.asked is 'Lookups: questions, or responses where only these were seen.';
comment on column public.lookup_hour.nxdomain is 'Those answered with NXDOMAIN.';
comment on column public.lookup_hour.failed is 'Those answered with another error.';
comment on column public.lookup_hour.text_asked is 'Those for types that carry arbitrary octets: NULL, TXT, and what has no number of its own (65280 and above).';
comment on column public.lookup_hour.exporter_id is 'Exporter that saw the first one: public.exporter.';
comment on column public.lookup_hour.domain_length is 'Characters of rrname, from its end, that are the registered domain; all of them where it has none.';
comment on column public.lookup_hour.client is 'Who asked.';
comment on column public.lookup_hour.resolver is 'Who was asked, one of them.';
comment on column public.lookup_hour.rrname is 'QNAME: lower case, presentation form, trailing dot.';
comment on column public.lookup_hour.seconds is 'When in the hour, in seconds, ascending; the first 120.';

create table public.answer_hour (
  hour          timestamptz not null,
  answers       integer not null,
  ttl_min       bigint,
  ttl_median    bigint,
  clients       integer not null,
  rrtype        integer not null,
  domain_length smallint not null,
  rrname        text collate "C" not null,
  addresses     inet[],
  targets       text[]
);
create index answer_hour_hour_idx on public.answer_hour (hour, rrtype);
comment on table public.answer_hour is 'What names had: one row per hour, owner name and type (A, NS, CNAME, AAAA), of all sections.';
comment on column public.answer_hour.hour is 'Beginning of the UTC hour.';
comment on column public.answer_hour.answers is 'Records seen.';
comment on column public.answer_hour.ttl_min is 'Least TTL, seconds.';
comment on column public.answer_hour.ttl_median is 'Median of the TTLs, seconds.';
comment on column public.answer_hour.clients is 'Distinct clients that got one.';
comment on column public.answer_hour.rrtype is 'RR type number; rrtype_name() gives the mnemonic.';
comment on column public.answer_hour.domain_length is 'Characters of rrname, from its end, that are the registered domain.';
comment on column public.answer_hour.rrname is 'Owner name.';
comment on column public.answer_hour.addresses is 'Distinct addresses, of A and AAAA; the first 2000.';
comment on column public.answer_hour.targets is 'Distinct names, of NS and CNAME; the first 200.';

create table public.resolver_hour (
  hour        timestamptz not null,
  time_first  timestamptz not null,
  time_last   timestamptz not null,
  flows       bigint not null,
  octets      bigint not null,
  lookups     bigint not null,
  exporter_id integer not null,
  port        integer not null,
  protocol    smallint not null,
  client      inet not null,
  resolver    inet not null
);
create index resolver_hour_hour_idx on public.resolver_hour (hour);
comment on table public.resolver_hour is 'Who used which resolver: one row per hour, client, resolver, protocol and port, from flows to ports 53 and 853 and from flows with DNS messages. No multicast.';
comment on column public.resolver_hour.hour is 'Beginning of the UTC hour.';
comment on column public.resolver_hour.time_first is 'Start of the first flow.';
comment on column public.resolver_hour.time_last is 'Start of the last flow.';
comment on column public.resolver_hour.flows is 'Flows.';
comment on column public.resolver_hour.octets is 'Octets of both directions.';
comment on column public.resolver_hour.lookups is 'DNS messages'' questions that could be read in them. 0: encrypted, or not decoded by the exporter.';
comment on column public.resolver_hour.exporter_id is 'An exporter that saw it: public.exporter.';
comment on column public.resolver_hour.port is 'Port of the resolver: 53, 853 (DoT, DoQ), or another where DNS was recognised. 0: the flow records are missing.';
comment on column public.resolver_hour.protocol is 'IP protocol number: 6 TCP, 17 UDP. 0: the flow records are missing.';
comment on column public.resolver_hour.client is 'Who asked.';
comment on column public.resolver_hour.resolver is 'Who was asked.';

create table public.client_hour (
  hour       timestamptz not null,
  lookups    integer not null,
  names      integer not null,
  domains    integer not null,
  nxdomain   integer not null,
  nx_names   integer not null,
  nx_domains integer not null,
  client     inet not null
);
create index client_hour_hour_idx on public.client_hour (hour, client);
comment on table public.client_hour is 'How much a client asked: one row per hour and client.';
comment on column public.client_hour.hour is 'Beginning of the UTC hour.';
comment on column public.client_hour.lookups is 'Lookups.';
comment on column public.client_hour.names is 'Distinct names.';
comment on column public.client_hour.domains is 'Distinct registered domains.';
comment on column public.client_hour.nxdomain is 'Lookups answered with NXDOMAIN.';
comment on column public.client_hour.nx_names is 'Distinct names with NXDOMAIN, under top-level domains that exist.';
comment on column public.client_hour.nx_domains is 'Distinct registered domains of those names.';
comment on column public.client_hour.client is 'Who asked.';

create table public.domain_hour (
  hour       timestamptz not null,
  time_first timestamptz not null,
  time_last  timestamptz not null,
  lookups    bigint not null,
  nxdomain   bigint not null,
  failed     bigint not null,
  names      integer not null,
  clients    integer not null,
  domain     text collate "C" not null
);
create index domain_hour_hour_idx on public.domain_hour (hour);
create index domain_hour_domain_idx on public.domain_hour (domain, hour);
comment on table public.domain_hour is 'Registered domains with many names: one row per hour and domain below which 20 names or more were looked up.';
comment on column public.domain_hour.hour is 'Beginning of the UTC hour.';
comment on column public.domain_hour.time_first is 'First lookup.';
comment on column public.domain_hour.time_last is 'Last lookup.';
comment on column public.domain_hour.lookups is 'Lookups of names below it.';
comment on column public.domain_hour.nxdomain is 'Those answered with NXDOMAIN.';
comment on column public.domain_hour.failed is 'Those answered with another error.';
comment on column public.domain_hour.names is 'Distinct names below it.';
comment on column public.domain_hour.clients is 'Distinct clients.';
comment on column public.domain_hour.domain is 'Registered domain.';

create table public.tld_hour (
  hour     timestamptz not null,
  lookups  bigint not null,
  answered bigint not null,
  nxdomain bigint not null,
  clients  integer not null,
  domains  integer not null,
  has_tld  boolean not null,
  tld      text collate "C" not null,
  some_clients inet[] not null,
  some_domains text[] not null
);
create index tld_hour_hour_idx on public.tld_hour (hour);
comment on table public.tld_hour is 'Top-level domains: one row per hour and last label of the names that were looked up.';
comment on column public.tld_hour.hour is 'Beginning of the UTC hour.';
comment on column public.tld_hour.lookups is 'Lookups.';
comment on column public.tld_hour.answered is 'Lookups that got neither NXDOMAIN nor another error.';
comment on column public.tld_hour.nxdomain is 'Lookups answered with NXDOMAIN.';
comment on column public.tld_hour.clients is 'Distinct clients.';
comment on column public.tld_hour.domains is 'Distinct registered domains.';
comment on column public.tld_hour.has_tld is 'Whether the root zone has it (ICANN section of the Public Suffix List).';
comment on column public.tld_hour.tld is 'The last label, with the trailing dot.';
comment on column public.tld_hour.some_clients is 'Up to 50 of the clients: all of them where it is rare.';
comment on column public.tld_hour.some_domains is 'Up to 50 of the registered domains: all of them where it is rare.';

-- ---------------------------------------------------------------------------------------------------------------
-- What is known since when

create table public.sensor_history (
  exporter_id integer not null,
  since       timestamptz not null,
  constraint sensor_history_pkey primary key (exporter_id)
);
comment on table public.sensor_history is 'Since when each sensor''s records are known. Nothing is new in the first burn_in_days of it.';
comment on column public.sensor_history.exporter_id is 'public.exporter.';
comment on column public.sensor_history.since is 'Its first hour with lookups, by the time of the flows.';

create table public.known_domain (
  time_first  timestamptz not null,
  exporter_id integer not null,
  names       integer not null default 0,
  is_family   boolean not null default false,
  client      inet not null,
  resolver    inet,
  domain      text collate "C" not null,
  rrname      text collate "C" not null,
  constraint known_domain_pkey primary key (domain)
);
create index known_domain_time_idx on public.known_domain (time_first);
comment on table public.known_domain is 'Registered domains, when each was first looked up on this network and by whom. Exact; kept for good.';
comment on column public.known_domain.time_first is 'First lookup of the domain or a name below it.';
comment on column public.known_domain.exporter_id is 'Exporter that saw it: public.exporter.';
comment on column public.known_domain.names is 'Names below it in known_name, or that there were when it became a family.';
comment on column public.known_domain.is_family is 'It has so many names that they are taken as generated (CDN, anti-virus lookups): they are not told one by one, nor kept in known_name.';
comment on column public.known_domain.client is 'Who asked first.';
comment on column public.known_domain.resolver is 'Who was asked.';
comment on column public.known_domain.domain is 'Registered domain, or the whole name where it has none.';
comment on column public.known_domain.rrname is 'The name that was looked up first.';

create table public.known_name (
  time_first  timestamptz not null,
  exporter_id integer not null,
  client      inet not null,
  resolver    inet,
  domain      text collate "C" not null,
  rrname      text collate "C" not null,
  constraint known_name_pkey primary key (rrname)
);
create index known_name_time_idx on public.known_name (time_first);
create index known_name_domain_idx on public.known_name (domain);
comment on table public.known_name is 'Names that were looked up, when each was first and by whom; without those of domains that are families of generated names.';
comment on column public.known_name.time_first is 'First lookup.';
comment on column public.known_name.exporter_id is 'Exporter that saw it: public.exporter.';
comment on column public.known_name.client is 'Who asked first.';
comment on column public.known_name.resolver is 'Who was asked.';
comment on column public.known_name.domain is 'Its registered domain: public.known_domain.';
comment on column public.known_name.rrname is 'The name: lower case, presentation form, trailing dot.';

-- ---------------------------------------------------------------------------------------------------------------
-- Traffic

create table public.traffic_minute (
  minute      timestamptz not null,
  exporter_id integer not null,
  queries     integer not null,
  responses   integer not null,
  clients     integer not null,
  rcodes      jsonb not null,
  qtypes      jsonb not null,
  constraint traffic_minute_pkey primary key (minute, exporter_id)
);
comment on table public.traffic_minute is 'Traffic per minute and sensor.';
comment on column public.traffic_minute.minute is 'Beginning of the minute.';
comment on column public.traffic_minute.exporter_id is 'public.exporter.';
comment on column public.traffic_minute.queries is 'Queries.';
comment on column public.traffic_minute.responses is 'Responses.';
comment on column public.traffic_minute.clients is 'Distinct clients.';
comment on column public.traffic_minute.rcodes is 'Responses by rcode: {"NOERROR": 12, …}.';
comment on column public.traffic_minute.qtypes is 'Queries by type: {"AAAA": 12, …}.';

create table public.traffic_hour (
  hour        timestamptz not null,
  exporter_id integer not null,
  queries     bigint not null,
  responses   bigint not null,
  clients     integer not null,
  resolvers   integer not null,
  names       integer not null,
  domains     integer not null,
  rcodes      jsonb not null,
  qtypes      jsonb not null,
  constraint traffic_hour_pkey primary key (hour, exporter_id)
);
comment on table public.traffic_hour is 'Traffic per hour and sensor.';
comment on column public.traffic_hour.hour is 'Beginning of the UTC hour.';
comment on column public.traffic_hour.exporter_id is 'public.exporter.';
comment on column public.traffic_hour.queries is 'Queries.';
comment on column public.traffic_hour.responses is 'Responses.';
comment on column public.traffic_hour.clients is 'Distinct clients.';
comment on column public.traffic_hour.resolvers is 'Distinct resolvers, a client and name counted with one of theirs.';
comment on column public.traffic_hour.names is 'Distinct names asked for.';
comment on column public.traffic_hour.domains is 'Distinct registered domains asked for.';
comment on column public.traffic_hour.rcodes is 'Responses by rcode: {"NOERROR": 12, …}.';
comment on column public.traffic_hour.qtypes is 'Queries by type: {"AAAA": 12, …}.';

create table public.traffic_top (
  hour        timestamptz not null,
  exporter_id integer not null,
  rank        smallint not null,
  dimension   text not null,
  lookups     bigint not null,
  nxdomain    bigint not null,
  value       text not null,
  constraint traffic_top_pkey primary key (hour, exporter_id, dimension, rank),
  constraint traffic_top_dimension_check check (dimension in ('domain', 'tld', 'client', 'resolver'))
);
comment on table public.traffic_top is 'The most frequent of each hour and sensor: the first 100 of each dimension. Sums over several hours are exact for what is among them each hour, a lower bound else. What several sensors saw of one client and name counts for one of them.';
comment on column public.traffic_top.hour is 'Beginning of the UTC hour.';
comment on column public.traffic_top.exporter_id is 'public.exporter.';
comment on column public.traffic_top.rank is '1 for the most frequent.';
comment on column public.traffic_top.dimension is 'domain (registered), tld, client or resolver.';
comment on column public.traffic_top.lookups is 'Lookups.';
comment on column public.traffic_top.nxdomain is 'Those answered with NXDOMAIN.';
comment on column public.traffic_top.value is 'The domain, TLD or address.';

-- ---------------------------------------------------------------------------------------------------------------
-- Settings and detections

create table public.setting (
  name       text not null,
  value      jsonb not null,
  changed_at timestamptz not null default now(),
  constraint setting_pkey primary key (name)
);
comment on table public.setting is 'What an operator set; "dnstrail config show" shows it with the defaults of the rest.';
comment on column public.setting.name is 'Name of the setting.';
comment on column public.setting.value is 'Its value, checked when it was applied.';
comment on column public.setting.changed_at is 'When it was applied.';

create table public.window_due (
  kind  text not null,
  start timestamptz not null,
  constraint window_due_pkey primary key (kind, start)
);
comment on table public.window_due is 'Windows of time that detectors have to look at, because facts or settings changed.';
comment on column public.window_due.kind is 'Kind of detection.';
comment on column public.window_due.start is 'Beginning of the window; how long it is belongs to the kind.';

create table public.detection (
  detection_id bigint generated always as identity,
  kind         text not null,
  subject      text not null,
  client       inet,
  first_time   timestamptz not null,
  last_time    timestamptz not null,
  windows      integer not null,
  score        real not null,
  severity     text not null,
  status       text not null default 'new',
  evidence     jsonb not null,
  thresholds   jsonb not null,
  query        text not null,
  created_at   timestamptz not null default now(),
  updated_at   timestamptz not null default now(),
  delivered_at timestamptz,
  constraint detection_pkey primary key (detection_id),
  constraint detection_severity_check check (severity in ('info', 'low', 'medium', 'high')),
  constraint detection_status_check check (status in ('new', 'acknowledged', 'closed', 'withdrawn'))
);
create unique index detection_key on public.detection (kind, subject, coalesce(client, '0.0.0.0/0'), first_time);
create index detection_last_time_idx on public.detection (last_time);
create index detection_undelivered_idx on public.detection (detection_id) where delivered_at is null;
comment on table public.detection is 'Findings: one row per kind, subject and client as long as it goes on; a new one after a week of quiet. The hits of its windows are in detection_hit.';
comment on column public.detection.detection_id is 'Key; stays the same while the finding is extended.';
comment on column public.detection.kind is 'Kind of detection, a page of analytics/README.md each.';
comment on column public.detection.subject is 'What it is about: a name, a domain, an address.';
comment on column public.detection.client is 'Who did it. Null where it is not about one client.';
comment on column public.detection.first_time is 'Beginning of what was seen, by the time of the flows.';
comment on column public.detection.last_time is 'End of what was seen so far.';
comment on column public.detection.windows is 'Windows in which it was found.';
comment on column public.detection.score is '0 to 100, the highest of its windows.';
comment on column public.detection.severity is 'info, low, medium or high, the highest of its windows.';
comment on column public.detection.status is 'new; acknowledged or closed by an analyst; withdrawn: the records that came later speak against it, kept because it had been delivered or looked at.';
comment on column public.detection.evidence is 'The numbers behind it, of the window with the highest score.';
comment on column public.detection.thresholds is 'The thresholds that were used.';
comment on column public.detection.query is 'SQL that shows the rows.';
comment on column public.detection.created_at is 'When it was found.';
comment on column public.detection.updated_at is 'When it changed last.';
comment on column public.detection.delivered_at is 'When it was put to delivery. Null: not yet, or nothing to deliver to.';

create table public.detection_hit (
  kind         text not null,
  start        timestamptz not null,
  subject      text not null,
  client       inet,
  first_time   timestamptz not null,
  last_time    timestamptz not null,
  score        real not null,
  severity     text not null,
  evidence     jsonb not null,
  thresholds   jsonb not null,
  query        text not null
);
create unique index detection_hit_key on public.detection_hit (kind, start, subject, coalesce(client, '0.0.0.0/0'));
create index detection_hit_subject_idx on public.detection_hit (kind, subject);
comment on table public.detection_hit is 'What detectors found window by window; detection puts hits of the same kind, subject and client together.';
comment on column public.detection_hit.kind is 'Kind of detection.';
comment on column public.detection_hit.start is 'Beginning of the window.';
comment on column public.detection_hit.subject is 'What it is about.';
comment on column public.detection_hit.client is 'Who did it. Null where it is not about one client.';
comment on column public.detection_hit.first_time is 'Beginning of what was seen in this window.';
comment on column public.detection_hit.last_time is 'End of what was seen in this window.';
comment on column public.detection_hit.score is '0 to 100.';
comment on column public.detection_hit.severity is 'info, low, medium or high.';
comment on column public.detection_hit.evidence is 'The numbers behind it.';
comment on column public.detection_hit.thresholds is 'The thresholds that were used.';
comment on column public.detection_hit.query is 'SQL that shows the rows.';

create table public.mute (
  mute_id    integer generated always as identity,
  kind       text,
  subject    text,
  client     cidr,
  reason     text not null,
  author     text not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  constraint mute_pkey primary key (mute_id),
  constraint mute_something_check check (num_nonnulls(kind, subject, client) > 0)
);
comment on table public.mute is 'Detections that nobody wants to hear of for a while. They are found and kept all the same.';
comment on column public.mute.mute_id is 'Key.';
comment on column public.mute.kind is 'Kind of detection. Null: any.';
comment on column public.mute.subject is 'Subject; a name stands for those below it too. Null: any.';
comment on column public.mute.client is 'Clients in this network. Null: any.';
comment on column public.mute.reason is 'Why.';
comment on column public.mute.author is 'Who said so.';
comment on column public.mute.created_at is 'Since when.';
comment on column public.mute.expires_at is 'Until when.';

create view public.detection_shown as
select
  detection.*,
  mute.mute_id
from public.detection
left join lateral (
  select mute_id from public.mute
  where expires_at > now()
    and (mute.kind is null or mute.kind = detection.kind)
    and (mute.subject is null or mute.subject = detection.subject or public.is_below(detection.subject, mute.subject))
    and (mute.client is null or detection.client <<= mute.client)
  order by mute_id limit 1
) as mute on true
where detection.status <> 'withdrawn';
comment on view public.detection_shown is 'Detections that hold, with the mute that silences them.';
do $$
declare
  name text;
begin
  for name in select attname from pg_attribute where attrelid = 'public.detection'::regclass and attnum > 0 loop
    execute format('comment on column public.detection_shown.%I is %L', name, 'As in public.detection.');
  end loop;
end $$;
comment on column public.detection_shown.mute_id is 'public.mute that silences it. Null: it is to be heard.';
