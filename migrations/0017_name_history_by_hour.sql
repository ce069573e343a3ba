-- An hour's answers go to the end of an index by hour; one by name is written to in as many places as there are names, which
-- gets slower as it grows. What a name had is found by one search for each hour. Writes to answer_hour, by the job "detect",
-- wait while the index is built: 1 s for a million rows.

create index answer_hour_name_idx on public.answer_hour (hour, rrname);
comment on index public.answer_hour_name_idx is 'The history of a name, hour by hour.';
drop index public.answer_hour_rrname_idx;
