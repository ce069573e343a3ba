-- Large runs take minutes to merge. A job of their own does it behind all others, while small ones are merged as before: both
-- have a run that they move rows to. Reads public.run, which is small, with its lock.

alter table public.run drop constraint run_state_check;
alter table public.run add constraint run_state_check
  check (state in ('hot', 'closed', 'adding up', 'sorting', 'merging', 'ready', 'empty'));
comment on column public.run.state is 'hot: loaders add rows; closed: they do not any more; adding up: empty, will get the rows of the next closed one, those of a key as one; ready: sorted and indexed; sorting: will get the rows of several small ready ones; merging: those of several large ones; empty: its rows are in another run, the table is to be dropped.';
