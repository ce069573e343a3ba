-- Data of other passive DNS systems: which files were imported and how far, so that each is imported exactly once.
-- Takes an exclusive lock on rrset_source for a moment, to allow one more kind of source.

alter table public.rrset_source drop constraint rrset_source_kind_check;
alter table public.rrset_source add constraint rrset_source_kind_check check (kind in ('sensor', 'import', 'zone'));
comment on column public.rrset_source.name is 'As given on import; for zone files with " (zone files)" after it.';
comment on column public.rrset_source.kind is 'sensor: observed here. import: taken over from another passive DNS, observed there. zone: taken over from another passive DNS that read copies of zone files: count is copies, time_first and time_last are those of the copies.';

create table public.cof_import (
  import_id  integer generated always as identity,
  source_id  smallint not null,
  path       text not null,
  head       bytea not null,
  size       bigint not null,
  sha256     bytea not null,
  position   bigint not null default 0,
  lines      bigint not null default 0,
  imported   bigint not null default 0,
  skipped    bigint not null default 0,
  rejected   bigint not null default 0,
  status     text not null default 'importing',
  error      text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint cof_import_pkey primary key (import_id),
  constraint cof_import_source_id_fkey foreign key (source_id) references public.rrset_source (source_id),
  constraint cof_import_content_key unique (sha256, size),
  constraint cof_import_status_check check (status in ('importing', 'imported', 'partial')),
  constraint cof_import_position_check check (position between 0 and size),
  constraint cof_import_lines_check check (lines = imported + skipped + rejected)
);
create index cof_import_head_idx on public.cof_import (head);
comment on table public.cof_import is 'One row per file of another passive DNS (Common Output Format) that was imported, known by its content. Its position is committed together with the rows up to there, so no line counts twice.';
comment on column public.cof_import.import_id is 'Key, also of cof_import_reject.';
comment on column public.cof_import.source_id is 'Source that its rows are marked with.';
comment on column public.cof_import.path is 'Path of the import that began it; - is standard input.';
comment on column public.cof_import.head is 'First octets of the content, at most 64, to look it up by.';
comment on column public.cof_import.size is 'Octets of the content, uncompressed.';
comment on column public.cof_import.sha256 is 'SHA-256 of the content, uncompressed: the same content under another name is a duplicate.';
comment on column public.cof_import.position is 'Octets from the beginning of the content whose lines are imported.';
comment on column public.cof_import.lines is 'Lines up to there: imported + skipped + rejected.';
comment on column public.cof_import.imported is 'Lines that became a row of rrset.';
comment on column public.cof_import.skipped is 'Lines that carry no record by right: empty ones, and the framing of DNSDB ({"cond":…}).';
comment on column public.cof_import.rejected is 'Lines that are no usable record; the first hundred are in cof_import_reject.';
comment on column public.cof_import.status is 'importing: not at its end yet, importing it again goes on at position; imported: complete; partial: it could not be read to its end, a complete copy is continued from position.';
comment on column public.cof_import.error is 'Why it is partial.';
comment on column public.cof_import.created_at is 'When it was first imported.';
comment on column public.cof_import.updated_at is 'When the last of its lines were committed.';

create table public.cof_import_reject (
  import_id integer not null,
  line      bigint not null,
  reason    text not null,
  text      text not null,
  constraint cof_import_reject_pkey primary key (import_id, line),
  constraint cof_import_reject_import_id_fkey foreign key (import_id) references public.cof_import (import_id)
);
comment on table public.cof_import_reject is 'The first hundred lines of each import that are no usable record. The lines around them were imported.';
comment on column public.cof_import_reject.import_id is 'The import.';
comment on column public.cof_import_reject.line is 'Number of the line, from 1.';
comment on column public.cof_import_reject.reason is 'What is wrong with it.';
comment on column public.cof_import_reject.text is 'Its first thousand octets; what is not printable ASCII as \DDD, in decimal.';
