-- The run that the rows of a closed one are added up into is made ahead, and knows who may not know it. Runs are not vacuumed any
-- more. Locks nothing; the runs that there are stay as they are.

comment on column public.run.state is 'hot: loaders add rows; closed: they do not any more; adding up: empty, will get the rows of the next closed one, those of a key as one; ready: sorted and indexed; sorting: will get the rows of several ready ones; empty: its rows are in another run, the table is to be dropped.';
comment on column public.run.waits_for is 'Virtual ids of transactions (pg_locks.virtualxid). Of a run that will get rows: those that may not know it. Of an empty run: those that may still see its rows.';

create or replace function public.make_run(tier text, run_id integer, state text) returns void
language plpgsql as $$
begin
  -- never vacuumed: the rows are not changed, only moved away together, and then the table goes; the jobs analyse it
  execute format('create table runs.%I () inherits (public.%I) with (autovacuum_enabled = false, toast.autovacuum_enabled = false)',
    tier || '_' || run_id, tier || '_gravel');
  insert into public.run (tier, run_id, state) values (tier, run_id, state);
end $$;
