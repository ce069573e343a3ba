import { endOfPrefix, type NamePattern, reversedRange } from '../names.ts';
import type { Reader } from '../reader.ts';
import type { AddressRange, TypeFilter } from '../values.ts';
import {
  fenceParameters,
  IS_ZONE_SQL,
  type Observation,
  PERIOD_SQL,
  SUMS_SQL,
  type Window,
  withinWindow,
  withoutOverlap,
} from './observation.ts';

export type RdataQuestion =
  | { readonly side: 'rdata'; readonly target: NamePattern; readonly types: TypeFilter }
  | { readonly side: 'rdata'; readonly addresses: AddressRange };

/** As in rrsets.ts: $1 is the kind of question, and what is left of the rest when that is known has an index. */
const rdataSql = `
select
  rrname,
  rrtype,
  coalesce(rdata, rdata_name, host(rdata_ip)) as rdata,
  is_zone,
  ${SUMS_SQL}
from (
  select
    *,
    public.reversed_name(rrname) collate "default" as reversed,
    ${IS_ZONE_SQL} as is_zone,
    case when $1 = 'address' then rdata_ip end as address,
    case when $1 = 'beginning' then rdata_name end as beginning,
    case when $1 in ('below', 'all') then public.reversed_name(rdata_name) collate "default" end as reversed_target,
    case when $13 then ${PERIOD_SQL} end as period
  from public.rdata_gravel
) as pieces
where (
    $1 = 'address' and rdata_ip >= network($2::inet)
      and rdata_ip <= set_masklen(broadcast($3::inet), case family($3::inet) when 4 then 32 else 128 end)
    or $1 = 'name' and rdata_name = $4
    or $1 = 'below' and public.reversed_name(rdata_name) collate "default" ~>=~ $5
      and public.reversed_name(rdata_name) collate "default" ~<~ $6 and (rdata_name = $4 or public.is_below(rdata_name, $4))
    or $1 = 'beginning' and rdata_name >= $5 and rdata_name < $6
    or $1 = 'all' and rdata_name is not null
  )
  and ($7::integer[] is null or rrtype = any ($7))
  and ($8::integer[] is null or rrtype <> all ($8))
group by address, beginning, reversed_target, rdata_ip, rdata_name, rdata, rrtype, reversed, rrname, is_zone, period
having ($9::timestamptz is null or min(time_first) < $9)
  and ($10::timestamptz is null or min(time_first) >= $10)
  and ($11::timestamptz is null or max(time_last) < $11)
  and ($12::timestamptz is null or max(time_last) >= $12)
order by address, beginning, reversed_target using ~<~, rdata nulls first, rrtype, reversed using ~<~, is_zone, period, min(time_first)
limit $14 offset $15`;

/** Single values in the order of address or name (reversed, or as it is for `labels.*`), rdata, type, reversed owner name, sensor before zone, time. */
export function rdata(
  reader: Reader,
  question: RdataQuestion,
  window: Window,
  signal: AbortSignal,
): AsyncIterable<readonly Observation[]> {
  const { isGravel, limit, offset, fences } = window;
  const portions = (...rest: readonly unknown[]) =>
    reader.portions<Observation>(rdataSql, [...selection(question), ...rest], signal);
  return isGravel
    ? withinWindow(withoutOverlap(portions(null, null, null, null, true, null, 0)), window)
    : portions(...fenceParameters(fences), false, limit, offset);
}

function selection(question: RdataQuestion): readonly unknown[] {
  if ('addresses' in question) {
    const { lowest, highest, rrtype } = question.addresses;
    return ['address', lowest, highest, null, null, null, [rrtype], null];
  }
  const { target, types } = question;
  const range =
    target.kind === 'below' ? reversedRange(target.name) : [target.name, endOfPrefix(target.name)];
  return [target.kind, null, null, target.name, ...range, types.only, types.not];
}
