import type { NamePattern } from '../names.ts';
import { endOfPrefix, reversedRange } from '../names.ts';
import type { Reader } from '../reader.ts';
import type { AddressRange } from '../values.ts';
import type { Observation } from './observation.ts';

export type CirclQuestion = { readonly name: NamePattern } | { readonly addresses: AddressRange };

export interface CirclWindow {
  /** Only this type. */
  readonly rrtype: number | null;
  readonly limit: number;
  readonly offset: number;
}

/**
 * One row per owner name, type and value, whatever sets and zones it was seen in; what a sensor saw counts, zone files where no
 * sensor did. Values of sets by owner name, and values that point to the name. The newest first, since clients stop reading.
 */
const circlSql = `
with zone as materialized (select source_id from public.rrset_source where kind = 'zone'),
piece as (
  select rrname, rrtype, value as rdata, source_id, count, time_first, time_last
  from public.rrset_gravel
  cross join unnest(string_to_array(rdata, e'\\n')) as value
  where $1 = 'name' and rrname = $2
    or $1 = 'below' and public.reversed_name(rrname) collate "default" ~>=~ $3
      and public.reversed_name(rrname) collate "default" ~<~ $4 and (rrname = $2 or public.is_below(rrname, $2))
    or $1 = 'beginning' and rrname >= $3 and rrname < $4
    or $1 = 'all'
  union all
  select rrname, rrtype, coalesce(rdata, rdata_name, host(rdata_ip)), source_id, count, time_first, time_last
  from public.rdata_gravel
  where $1 = 'name' and rdata_name = $2 and rrname <> $2
    or $1 = 'below' and public.reversed_name(rdata_name) collate "default" ~>=~ $3
      and public.reversed_name(rdata_name) collate "default" ~<~ $4 and (rdata_name = $2 or public.is_below(rdata_name, $2))
      and not (rrname = $2 or public.is_below(rrname, $2))
    or $1 = 'beginning' and rdata_name >= $3 and rdata_name < $4 and not (rrname >= $3 and rrname < $4)
    or $1 = 'address' and rrtype = $7 and rdata_ip >= network($5::inet)
      and rdata_ip <= set_masklen(broadcast($6::inet), case family($6::inet) when 4 then 32 else 128 end)
),
side as (
  select
    rrname, rrtype, rdata, source_id in (select source_id from zone) as is_zone,
    sum(count)::bigint as count, min(time_first) as time_first, max(time_last) as time_last
  from piece
  where $8::integer is null or rrtype = $8
  group by rrname, rrtype, rdata, is_zone
),
best as (
  select distinct on (rrname, rrtype, rdata) rrname, rrtype, rdata, is_zone, count, time_first, time_last
  from side
  order by rrname, rrtype, rdata, is_zone
)
select rrname, rrtype, rdata, is_zone, count, date_part('epoch', time_first) as time_first, date_part('epoch', time_last) as time_last
from best
order by time_last desc, rrname, rrtype, rdata
limit $9 offset $10`;

/** Records by owner name or by the name or address they point to, the newest first. */
export function circl(
  reader: Reader,
  question: CirclQuestion,
  window: CirclWindow,
  signal: AbortSignal,
): AsyncGenerator<Observation[], void> {
  return reader.portions<Observation>(
    circlSql,
    [...selection(question), window.rrtype, window.limit, window.offset],
    signal,
  );
}

function selection(question: CirclQuestion): readonly unknown[] {
  if ('addresses' in question) {
    const { lowest, highest, rrtype } = question.addresses;
    return ['address', null, null, null, lowest, highest, rrtype];
  }
  const { kind, name } = question.name;
  const range = kind === 'below' ? reversedRange(name) : [name, endOfPrefix(name)];
  return [kind, name, ...range, null, null, null];
}
