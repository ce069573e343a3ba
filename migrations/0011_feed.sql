-- What is new since a moment, for those who listen: each detection and each known domain says which transaction added it.
-- A moment is a snapshot of the server, since rows become visible in another order than that of any number they could get.
-- Takes no lock that matters: the columns are added without writing the tables anew.

alter table public.detection add column created_in xid8 not null default '0';
alter table public.detection alter column created_in set default pg_current_xact_id();
comment on column public.detection.created_in is 'Transaction that added the row; 0 for those from before there was this column. What is new since a snapshot: not pg_visible_in_snapshot(created_in, snapshot).';
create index detection_created_in_idx on public.detection (created_in);

alter table public.known_domain add column created_in xid8 not null default '0';
alter table public.known_domain alter column created_in set default pg_current_xact_id();
comment on column public.known_domain.created_in is 'Transaction that added the row, as in public.detection; it stays when the first lookup turns out to have been earlier.';
create index known_domain_created_in_idx on public.known_domain (created_in);

-- readers may know every setting but the secret that signs messages
alter table public.setting enable row level security;
create policy setting_without_secret on public.setting for select using (name <> 'webhook');
comment on policy setting_without_secret on public.setting is 'All but the owner see no webhook, which holds a secret.';
