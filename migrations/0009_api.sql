-- Who may ask the query API, and how much; roles that only read.
-- Takes no lock that matters: everything is new, and privileges are granted on what is there.

create table public.api_key (
  key_id        integer generated always as identity,
  name          text not null,
  hash          bytea not null,
  scopes        text[] not null default '{read}',
  quota         bigint,
  quota_seconds integer,
  burst         integer,
  burst_seconds integer,
  results_max   bigint not null default 1000000,
  offset_max    bigint default 3000000,
  created_at    timestamptz not null default now(),
  expires_at    timestamptz,
  revoked_at    timestamptz,
  constraint api_key_pkey primary key (key_id),
  constraint api_key_name_key unique (name),
  constraint api_key_hash_key unique (hash),
  constraint api_key_scopes_check check (scopes <@ '{read,analyse,admin}' and scopes <> '{}'),
  constraint api_key_quota_check check (quota > 0 and (quota_seconds > 0 or quota_seconds is null) or quota is null and quota_seconds is null),
  constraint api_key_burst_check check (burst > 0 and burst_seconds > 0 or burst is null and burst_seconds is null),
  constraint api_key_results_max_check check (results_max > 0)
);
comment on table public.api_key is 'Keys of the query API. With none, only this machine may ask. "dnstrail keys" adds and revokes them.';
comment on column public.api_key.key_id is 'Key of this table.';
comment on column public.api_key.name is 'Who has it; also the user name of HTTP Basic.';
comment on column public.api_key.hash is 'SHA-256 of the key, which has 192 random bits and is stored nowhere.';
comment on column public.api_key.scopes is 'read: ask. analyse: read, and mark what was found. admin: all.';
comment on column public.api_key.quota is 'Requests in each period of quota_seconds; in all where that is null. Null: no limit.';
comment on column public.api_key.quota_seconds is 'Length of a quota''s period, which begin at whole multiples since 1970: a day is a UTC day. Null: the quota is for good.';
comment on column public.api_key.burst is 'Requests in each period of burst_seconds; null: no limit.';
comment on column public.api_key.burst_seconds is 'Length of a burst''s period.';
comment on column public.api_key.results_max is 'Rows of one answer at most.';
comment on column public.api_key.offset_max is 'Largest offset; null: none but 0.';
comment on column public.api_key.created_at is 'When it was added.';
comment on column public.api_key.expires_at is 'From when on it is not accepted; null: it does not expire.';
comment on column public.api_key.revoked_at is 'From when on it is not known any more; null: it is valid.';

create table public.api_usage (
  key_id       integer not null,
  kind         text not null,
  period_start timestamptz not null,
  used         bigint not null,
  constraint api_usage_pkey primary key (key_id, kind),
  constraint api_usage_key_id_fkey foreign key (key_id) references public.api_key (key_id) on delete cascade,
  constraint api_usage_kind_check check (kind in ('quota', 'burst'))
) with (fillfactor = 50);
comment on table public.api_usage is 'What keys with a limit have used of their latest period.';
comment on column public.api_usage.key_id is 'public.api_key.key_id.';
comment on column public.api_usage.kind is 'quota or burst: the limit of api_key that is counted here.';
comment on column public.api_usage.period_start is 'Beginning of the period.';
comment on column public.api_usage.used is 'Requests in it that were answered; those refused are not counted.';

-- ---------------------------------------------------------------------------------------------------------------
-- Roles belong to the whole server: another database may have made them.

do $$
declare
  role text;
begin
  foreach role in array array['dnstrail_api', 'dnstrail_analyst'] loop
    begin
      execute format('create role %I nologin', role);
    exception
      when duplicate_object or unique_violation then null;
      when insufficient_privilege then
        raise notice 'no role % (%): queries run as the owner, in read-only transactions', role, sqlerrm;
    end;
    if exists (select from pg_catalog.pg_roles where rolname = role) then
      execute format('grant usage on schema public to %I', role);
      execute format('grant select on all tables in schema public to %I', role);
      execute format('alter default privileges in schema public grant select on tables to %I', role);
      execute format('revoke all on public.api_key, public.api_usage from %I', role);
    end if;
  end loop;
end $$;
