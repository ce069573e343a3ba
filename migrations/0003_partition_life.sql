-- The life of daily partitions: when they were sealed, what was archived, and the names' other way round.
-- Takes no lock that matters: everything is new.

-- ---------------------------------------------------------------------------------------------------------------
-- btree_gin: an index on a column of few values takes a fifth of a btree's room and half its time to build. Where the
-- extension cannot be had (no contrib package, no right to create it), sealing builds btrees instead.

create schema if not exists extensions;
comment on schema extensions is 'Extensions of PostgreSQL that the indexes use.';
do $$
begin
  create extension if not exists btree_gin schema extensions;
exception
  when insufficient_privilege or feature_not_supported or undefined_file then
    raise notice 'no extension btree_gin (%): sealed partitions get btree indexes', sqlerrm;
end $$;

-- ---------------------------------------------------------------------------------------------------------------
-- Names from their end

create function public.reversed_name(name text) returns text
language sql immutable strict parallel safe
return reverse(name);
comment on function public.reversed_name(text) is 'A name with its characters in reverse, so that all names below a domain stand together: www.example.com. gives .moc.elpmaxe.www. Built on reverse(), because reversing label by label costs twenty times as much and sorts no better; is_below() asks for a range of it.';

-- not strict: the planner would not look inside
create function public.is_below(name text, domain text) returns boolean
language sql immutable parallel safe
return reverse(name) ~>=~ reverse('.' || ltrim(domain, '.'))
  and reverse(name) ~<~ (reverse('.' || ltrim(domain, '.')) || chr(127)) -- names are printable ASCII
  -- an odd number of backslashes before the dot: it belongs to a label and parts nothing
  and length(substring(left(name, -length('.' || ltrim(domain, '.'))) from '\\*$')) % 2 = 0;
comment on function public.is_below(text, text) is 'Whether a name is below a domain, as *.example.com. means it: true for www.example.com., false for example.com. and badexample.com. Both in canonical form, with the trailing dot. Uses an index on reversed_name(name) with text_pattern_ops.';

-- ---------------------------------------------------------------------------------------------------------------
-- State of partitions

create table public.partition_life (
  name         text not null,
  parent       text not null,
  day          date not null,
  bytes        bigint not null,
  inserted     bigint not null,
  changed_at   timestamptz not null default now(),
  sealed_at    timestamptz,
  sealed_bytes bigint,
  constraint partition_life_pkey primary key (name)
);
comment on table public.partition_life is 'What the job "seal" knows of each daily partition. Only observed, never written by the loader; view "partition" shows it with sizes.';
comment on column public.partition_life.name is 'Table in schema partitions.';
comment on column public.partition_life.parent is 'flow, flow_packet or dns_rr.';
comment on column public.partition_life.day is 'The UTC day whose rows it holds.';
comment on column public.partition_life.bytes is 'Octets of the table without its indexes when the job last looked.';
comment on column public.partition_life.inserted is 'Rows inserted since the statistics were last reset (pg_stat_all_tables.n_tup_ins), when the job last looked. Any change of it or of bytes means that rows came.';
comment on column public.partition_life.changed_at is 'When the job last saw that rows had come.';
comment on column public.partition_life.sealed_at is 'When the indexes were built, or brought up to date after many late rows. Null while it is hot: no index, rows are cheap to add.';
comment on column public.partition_life.sealed_bytes is 'Octets of the table at that time.';

create view public.partition as
select
  c.relname::text as name,
  parent.relname::text as parent,
  to_date(right(c.relname, 8), 'YYYYMMDD') as day,
  case
    when life.sealed_at is null then 'hot'
    when pg_relation_size(c.oid) > life.sealed_bytes then 'sealed, late rows'
    else 'sealed'
  end as state,
  greatest(c.reltuples, 0)::bigint as rows,
  pg_relation_size(c.oid) as table_bytes,
  pg_indexes_size(c.oid) as index_bytes,
  pg_total_relation_size(c.oid) as bytes,
  life.changed_at,
  life.sealed_at
from pg_catalog.pg_inherits as i
join pg_catalog.pg_class as c on c.oid = i.inhrelid
join pg_catalog.pg_class as parent on parent.oid = i.inhparent
left join public.partition_life as life on life.name = c.relname
where i.inhparent in ('public.flow'::regclass, 'public.flow_packet'::regclass, 'public.dns_rr'::regclass)
  and c.relname ~ '_[0-9]{8}$';
comment on view public.partition is 'One row per daily partition: how big it is, and whether it is hot (no index yet) or sealed.';
comment on column public.partition.name is 'Table in schema partitions.';
comment on column public.partition.parent is 'flow, flow_packet or dns_rr.';
comment on column public.partition.day is 'The UTC day whose rows it holds.';
comment on column public.partition.state is 'hot: rows are added, no index yet. sealed: indexes are built. "sealed, late rows": rows came afterwards; they are in the indexes too.';
comment on column public.partition.rows is 'Rows as of the last ANALYZE, an estimate. 0 before the first.';
comment on column public.partition.table_bytes is 'Octets of the rows.';
comment on column public.partition.index_bytes is 'Octets of the indexes.';
comment on column public.partition.bytes is 'Octets of everything: what dropping it would free.';
comment on column public.partition.changed_at is 'When the job "seal" last saw that rows had come. Null before it first looked.';
comment on column public.partition.sealed_at is 'When its indexes were built. Null while it is hot.';

-- ---------------------------------------------------------------------------------------------------------------
-- Archive

create table public.archive (
  archive_id  uuid not null default gen_random_uuid(),
  day         date not null,
  path        text not null,
  status      text not null default 'writing',
  rows        bigint,
  bytes       bigint,
  created_at  timestamptz not null default now(),
  dropped_at  timestamptz,
  restored_at timestamptz,
  constraint archive_pkey primary key (archive_id),
  constraint archive_status_check check (status in ('writing', 'dropped', 'restored'))
);
comment on table public.archive is 'Days that were written to files before they were dropped: one row per archive. Its status changes in the transaction that drops or restores the rows, so that they are never there twice.';
comment on column public.archive.archive_id is 'Key, also in the archive''s manifest.json.';
comment on column public.archive.day is 'The UTC day whose rows it holds.';
comment on column public.archive.path is 'Directory it was written to, or restored from last.';
comment on column public.archive.status is 'writing: the rows are still in the database, whatever the files hold; dropped: they are only in the files; restored: they were loaded back.';
comment on column public.archive.rows is 'Rows of flow, flow_packet and dns_rr together.';
comment on column public.archive.bytes is 'Octets of the compressed files.';
comment on column public.archive.created_at is 'When writing began, or when an archive of another database was restored.';
comment on column public.archive.dropped_at is 'When the day was dropped.';
comment on column public.archive.restored_at is 'When it was loaded back. Retention leaves the day alone for a week after that.';
