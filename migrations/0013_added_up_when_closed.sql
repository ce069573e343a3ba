-- A run is sorted and added up by itself when it is closed: while files come faster than eight of them are merged, a key has
-- one row a run, not one a batch. Reads public.run, which is small, with its lock.

alter table public.run drop constraint run_state_check;
alter table public.run add constraint run_state_check
  check (state in ('hot', 'closed', 'adding up', 'sorting', 'ready', 'empty'));
comment on column public.run.state is 'hot: loaders add rows; closed: they do not any more; adding up: will get the rows of a closed one, those of a key as one; ready: sorted and indexed; sorting: will get the rows of several ready ones; empty: its rows are in another run, the table is to be dropped.';

create aggregate public.add_up(bigint) (sfunc = pg_catalog.int8pl, stype = bigint, combinefunc = pg_catalog.int8pl, parallel = safe);
comment on aggregate public.add_up(bigint) is 'The sum, as bigint: sum() of bigint computes with numeric, which makes adding up runs a fifth slower. Fails beyond 2^63.';
