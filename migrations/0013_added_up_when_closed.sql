-- A run is sorted and added up by itself when it is closed: while files come faster than eight of them are merged, a key has
-- one row a run, not one a batch. Reads public.run, which is small, with its lock.

alter table public.run drop constraint run_state_check;
alter table public.run add constraint run_state_check
  check (state in ('hot', 'closed', 'adding up', 'sorting', 'ready', 'empty'));
comment on column public.run.state is 'hot: loaders add rows; closed: they do not any more; adding up: will get the rows of a closed one, those of a key as one; ready: sorted and indexed; sorting: will get the rows of several ready ones; empty: its rows are in another run, the table is to be dropped.';

create aggregate public.add_up(bigint) (sfunc = pg_catalog.int8pl, stype = bigint, combinefunc = pg_catalog.int8pl, parallel = safe);
comment on aggregate public.add_up(bigint) is 'The sum, as bigint: sum() of bigint computes with numeric, which makes adding up runs a fifth slower. Fails beyond 2^63.';

create function public.is_hot_run_full(octets bigint) returns boolean
language sql stable as $$
  select exists (select from public.run where state = 'closed' and closed_at > now() - interval '1 minute')
    and exists (
      select from public.run
      where state = 'hot' and pg_relation_size(to_regclass(format('runs.%I', tier || '_' || run_id))) >= octets)
$$;
comment on function public.is_hot_run_full(bigint) is 'Whether a table of the hot run is that large while the run before is still being sorted: loaders then wait, as every lookup reads both one by one. When nobody sorts they do not.';
