import { badRequest } from '../problem.ts';
import type { Reader } from '../reader.ts';
import type { TypeFilter } from '../values.ts';
import { type Fences, fenceParameters, SUMS_SQL } from './observation.ts';

export interface FlexQuestion {
  readonly target: 'rrnames' | 'rdata';
  /** Regular expressions of PostgreSQL, in any case. */
  readonly pattern: string;
  readonly exclude: string | null;
  readonly types: TypeFilter;
}

export interface FlexRow {
  /** The owner name or the value. */
  readonly value: string;
  readonly rrtype: number;
  readonly count: number;
  readonly time_first: number;
  readonly time_last: number;
}

export interface FlexWindow {
  readonly fences: Fences;
  readonly limit: number;
  readonly offset: number;
}

/** Patterns beyond this are no questions. */
const LONGEST_PATTERN = 1000;
/** CNAME HINFO MX NAPTR NS PTR RP SOA SPF SRV TXT. */
const SEARCHED_TYPES: readonly number[] = [5, 13, 15, 35, 2, 12, 17, 6, 99, 33, 16];

/** Names are found in dns_name, which has an index of trigrams, then looked up. */
const rrnamesSql = `
select found.rrname as value, rows.rrtype, rows.count, rows.time_first, rows.time_last
from (
  select rrname
  from public.dns_name_gravel
  where rrname ~* $1 and ($2::text is null or rrname !~* $2)
  group by rrname
) as found
cross join lateral (
  select
    rrtype,
    ${SUMS_SQL}
  from public.rrset_gravel
  where rrname = found.rrname
    and ($3::integer[] is null or rrtype = any ($3))
    and ($4::integer[] is null or rrtype <> all ($4))
  group by rrtype
  having ($5::timestamptz is null or min(time_first) < $5)
    and ($6::timestamptz is null or min(time_first) >= $6)
    and ($7::timestamptz is null or max(time_last) < $7)
    and ($8::timestamptz is null or max(time_last) >= $8)
) as rows
order by found.rrname, rows.rrtype
limit $9 offset $10`;

const rdataSql = `
select
  value,
  rrtype,
  ${SUMS_SQL}
from public.rrset_gravel
cross join lateral (select value collate "C" as value from unnest(string_to_array(rdata, e'\\n')) as value) as single
where value ~* $1 and ($2::text is null or value !~* $2)
  and rrtype = any ($3)
  and ($4::integer[] is null or rrtype <> all ($4))
group by value, rrtype
having ($5::timestamptz is null or min(time_first) < $5)
  and ($6::timestamptz is null or min(time_first) >= $6)
  and ($7::timestamptz is null or max(time_last) < $7)
  and ($8::timestamptz is null or max(time_last) >= $8)
order by value, rrtype
limit $9 offset $10`;

/** Distinct names or values and types that match, in the order of value and type. */
export function flex(
  reader: Reader,
  question: FlexQuestion,
  window: FlexWindow,
  signal: AbortSignal,
): AsyncGenerator<FlexRow[], void> {
  const { target, pattern, exclude, types } = question;
  const only =
    target === 'rrnames' ? types.only : SEARCHED_TYPES.filter(type => types.only?.includes(type) ?? true);
  const parameters = [
    pattern,
    exclude,
    only,
    types.not,
    ...fenceParameters(window.fences),
    window.limit,
    window.offset,
  ];
  return reader.portions<FlexRow>(target === 'rrnames' ? rrnamesSql : rdataSql, parameters, signal);
}

/** Lets PostgreSQL read the patterns, before an answer begins: some take it seconds. @throws 2201B (SQLSTATE) for a bad one */
export async function checkPatterns(
  reader: Reader,
  { pattern, exclude }: FlexQuestion,
  signal: AbortSignal,
): Promise<void> {
  await reader.all(`select '' ~* $1::text, '' ~* $2::text`, [pattern, exclude], signal);
}

/** A regular expression as clients send it, POSIX extended. @throws ApiError 400 for what that has not and PostgreSQL has */
export function regexOf(text: string): string {
  if (text.length === 0 || text.length > LONGEST_PATTERN)
    throw badRequest(`a pattern has 1 to ${LONGEST_PATTERN} characters`);
  if (/[^ -~]/.test(text)) throw badRequest('a pattern is printable ASCII, as names and values are');
  if (/\\[1-9]|\(\?|^\*\*\*/.test(text.replaceAll('\\\\', '')))
    throw badRequest('a pattern is a POSIX extended regular expression, without back-references');
  return text;
}

/** The regular expression of a glob: `*`, `?`, `[…]`, `[!…]`, a backslash before what is meant literally. @throws ApiError 400 */
export function globOf(text: string): string {
  if (text.length === 0 || text.length > LONGEST_PATTERN || /[^ -~]/.test(text))
    throw badRequest(`a pattern has 1 to ${LONGEST_PATTERN} printable characters`);
  let regex = '';
  for (const [token] of text.matchAll(/\\.|\[!?\]?[^\]]*\]|./g)) {
    if (token === '*') regex += '.*';
    else if (token === '?') regex += '.';
    else if (token.length > 2 && token.startsWith('['))
      regex += token.replace(/^\[!/, '[^').replaceAll('\\', '\\\\');
    else if (token === '[' || token === '\\')
      throw badRequest(token === '[' ? 'a [ has no ]' : 'a backslash escapes nothing');
    else regex += token.slice(-1).replace(/[^\w]/, '\\$&');
  }
  return `^${regex}$`;
}
