import { endOfPrefix, type NamePattern, reversedRange } from '../names.ts';
import type { Reader } from '../reader.ts';
import type { TypeFilter } from '../values.ts';
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

export interface RrsetQuestion {
  readonly side: 'rrset';
  readonly owner: NamePattern;
  readonly types: TypeFilter;
  readonly bailiwick: string | null;
}

/**
 * $1 is the kind of question. The planner knows all parameters, so one branch is left, with its index, and sort keys of the
 * other kinds are constants. Names below a domain come in the order of their reversed form, which is that of the index:
 * the first rows are there at once, however many follow.
 */
const rrsetsSql = `
select
  rrname,
  rrtype,
  right(rrname, bailiwick_length) as bailiwick,
  rdata,
  is_zone,
  ${SUMS_SQL}
from (
  select
    *,
    public.reversed_name(rrname) collate "default" as reversed,
    ${IS_ZONE_SQL} as is_zone,
    case when $12 then ${PERIOD_SQL} end as period,
    case when $1 = 'beginning' then rrname end as beginning
  from public.rrset_gravel
) as pieces
where (
    $1 = 'name' and rrname = $2
    or $1 = 'below' and reversed ~>=~ $3 and reversed ~<~ $4 and (rrname = $2 or public.is_below(rrname, $2))
    or $1 = 'beginning' and rrname >= $3 and rrname < $4
    or $1 = 'all'
  )
  and ($5::integer[] is null or rrtype = any ($5))
  and ($6::integer[] is null or rrtype <> all ($6))
  and ($7::text is null or right(rrname, bailiwick_length) = $7)
group by beginning, reversed, rrname, rrtype, bailiwick_length, rdata, is_zone, period
having ($8::timestamptz is null or min(time_first) < $8)
  and ($9::timestamptz is null or min(time_first) >= $9)
  and ($10::timestamptz is null or max(time_last) < $10)
  and ($11::timestamptz is null or max(time_last) >= $11)
order by beginning, reversed using ~<~, rrtype, bailiwick_length, rdata, is_zone, period, min(time_first)
limit $13 offset $14`;

/** RRsets in the order of reversed owner name (`labels.*`: of owner name), type, bailiwick, rdata, sensor before zone, time. */
export function rrsets(
  reader: Reader,
  question: RrsetQuestion,
  window: Window,
  signal: AbortSignal,
): AsyncIterable<readonly Observation[]> {
  const { owner, types, bailiwick } = question;
  const range = owner.kind === 'below' ? reversedRange(owner.name) : [owner.name, endOfPrefix(owner.name)];
  const { isGravel, limit, offset, fences } = window;
  const parameters = [owner.kind, owner.name, ...range, types.only, types.not, bailiwick];
  const portions = (...rest: readonly unknown[]) =>
    reader.portions<Observation>(rrsetsSql, [...parameters, ...rest], signal);
  return isGravel
    ? withinWindow(withoutOverlap(portions(null, null, null, null, true, null, 0)), window)
    : portions(...fenceParameters(fences), false, limit, offset);
}
