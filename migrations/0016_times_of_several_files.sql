-- Files that are loaded at the same time mix their rows page by page: from the earliest to the latest of 32 pages may be half a
-- day, and whoever wants an hour read through four times as much as it has. New partitions get an index that keeps several
-- intervals. Those that are here keep theirs. Locks nothing.

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
      -- finds an hour among the rows of a day and costs the loader nothing that can be measured, as the job "summarise" takes
      -- new pages into it, not the loader. The same one that sealing wants
      if parent <> 'flow_packet' then
        execute format('create index %I on partitions.%I using brin (%I timestamptz_minmax_multi_ops (values_per_range = 8)%s) with (pages_per_range = 32)',
          part || '_time_idx', part, key, case parent when 'dns_rr' then ', flow_id' else '' end);
      end if;
      execute format('alter table public.%I attach partition partitions.%I for values from (%L) to (%L)',
        parent, part, day::timestamp at time zone 'UTC', (day + 1)::timestamp at time zone 'UTC');
      execute format('comment on table partitions.%I is %L', part, format('Rows of public.%s of %s (UTC).', parent, day));
      made := made + 1;
    end loop;
  end loop;
  return made;
end $$;
