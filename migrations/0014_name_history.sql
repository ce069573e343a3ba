-- What a name had hour by hour is read by name: of a week of 50 million records, 8 million rows were read through for it (3 s).
-- Writes to answer_hour, by the job "detect", wait while the index is built: 2 s for a million rows.

create index answer_hour_rrname_idx on public.answer_hour (rrname, hour);
comment on index public.answer_hour_rrname_idx is 'The history of a name.';
