import { nameFromWire, quotedText } from '../../common/dnsName.ts';
import { endOfPrefix } from '../names.ts';
import { rdataWire } from '../rdataWire.ts';
import type { Reader } from '../reader.ts';
import type { TypeFilter } from '../values.ts';
import {
  IS_ZONE_SQL,
  type Observation,
  PERIOD_SQL,
  SUMS_SQL,
  type Window,
  withinWindow,
  withoutOverlap,
} from './observation.ts';

export interface RawRdataQuestion {
  readonly side: 'raw';
  /** The beginning of rdata in wire form, or all of it. */
  readonly wire: Buffer;
  readonly types: TypeFilter;
}

const A = 1;
const AAAA = 28;
/** Octets before the name in rdata that holds one, and the types. */
const NAMES_AT: readonly (readonly [number, readonly number[]])[] = [
  [0, [2, 5, 6, 12, 17, 39, 47]], // NS CNAME SOA PTR RP DNAME NSEC
  [2, [15, 18, 21, 36, 64, 65]], // MX AFSDB RT KX SVCB HTTPS
  [6, [33]], // SRV
];
/** Types whose embedded name is found by its beginning too: MX SRV SVCB HTTPS. */
const ALSO_BY_NAME: readonly number[] = [15, 33, 64, 65];
/** Those of rdata_gravel; all others are only in rrset_gravel. */
const TARGET_TYPES: readonly number[] = [A, AAAA, ...NAMES_AT.flatMap(([, types]) => types)];

const addressesSql = `
select
  rrname, rrtype, coalesce(rdata, host(rdata_ip)) as rdata, is_zone, ${SUMS_SQL}
from (
  select
    *,
    ${IS_ZONE_SQL} as is_zone,
    case when $4 then ${PERIOD_SQL} end as period
  from public.rdata_gravel
) as pieces
where rrtype = $1 and rdata_ip >= network($2::inet) and rdata_ip <= set_masklen(broadcast($2::inet), $3)
group by rdata_ip, rdata, rrtype, rrname, is_zone, period
order by rdata_ip, reverse(rrname) using ~<~, is_zone, period`;

const namesSql = `
select
  rrname, rrtype, coalesce(rdata, rdata_name) as rdata, is_zone, ${SUMS_SQL}
from (
  select
    *,
    ${IS_ZONE_SQL} as is_zone,
    case when $4 then ${PERIOD_SQL} end as period
  from public.rdata_gravel
) as pieces
where rrtype = any ($1::integer[]) and rdata_name >= $2 and rdata_name < $3
  or rrtype = any ($5::integer[]) and rdata_name >= $6 and rdata_name < $7
group by rdata_name, rdata, rrtype, rrname, is_zone, period
order by rdata_name, rdata nulls first, rrtype, reverse(rrname) using ~<~, is_zone, period`;

/** Other types have no index: their sets are read one by one, of texts those with a value that begins so. */
const othersSql = `
select
  rrname, rrtype, value as rdata, is_zone, ${SUMS_SQL}
from (
  select
    *,
    ${IS_ZONE_SQL} as is_zone,
    case when $5 then ${PERIOD_SQL} end as period
  from public.rrset_gravel
) as pieces
cross join lateral (select value collate "C" as value from unnest(string_to_array(rdata, e'\\n')) as value) as single
where rrtype <> all ($1::integer[])
  and ($2::integer[] is null or rrtype = any ($2))
  and ($3::integer[] is null or rrtype <> all ($3))
  and (rrtype not in (13, 16, 99) or starts_with(value, $4))
group by value, rrtype, rrname, is_zone, period
order by value, rrtype, reverse(rrname) using ~<~, is_zone, period`;

/** Records whose rdata in wire form is `wire` or begins so: of every kind of rdata in turn that `wire` can be the beginning of. */
export function rawRdata(
  reader: Reader,
  question: RawRdataQuestion,
  window: Window,
  signal: AbortSignal,
): AsyncIterable<readonly Observation[]> {
  const matching = matchingRows(candidates(reader, question, window.isGravel, signal), question.wire);
  return withinWindow(window.isGravel ? withoutOverlap(matching) : matching, window);
}

async function* candidates(
  reader: Reader,
  { wire, types }: RawRdataQuestion,
  isGravel: boolean,
  signal: AbortSignal,
): AsyncGenerator<Observation[], void> {
  const isAsked = (rrtype: number) => types.only?.includes(rrtype) ?? !types.not?.includes(rrtype);
  for (const [rrtype, octets] of [
    [A, 4],
    [AAAA, 16],
  ] as const)
    if (isAsked(rrtype) && wire.length <= octets)
      yield* reader.portions(addressesSql, [rrtype, networkOf(wire, octets), 8 * octets, isGravel], signal);
  for (const [at, holders] of NAMES_AT) {
    const asked = holders.filter(isAsked);
    const whole = nameRange(wire.subarray(at)) ?? [null, null];
    const embedded = (at > 0 && nameRange(wire)) || [null, null];
    const byName = asked.filter(rrtype => ALSO_BY_NAME.includes(rrtype));
    if (asked.length > 0 && (whole[0] ?? embedded[0]) !== null)
      yield* reader.portions(namesSql, [asked, ...whole, isGravel, byName, ...embedded], signal);
  }
  if (types.only?.every(rrtype => TARGET_TYPES.includes(rrtype))) return;
  const text = [TARGET_TYPES, types.only, types.not, textBeginning(wire), isGravel];
  yield* reader.portions(othersSql, text, signal);
}

async function* matchingRows(
  portions: AsyncIterable<readonly Observation[]>,
  wire: Buffer,
): AsyncGenerator<Observation[], void> {
  for await (const portion of portions) yield portion.filter(row => isMatch(row, wire));
}

function isMatch({ rrtype, rdata }: Observation, wire: Buffer): boolean {
  if (rrtype === A || rrtype === AAAA) return true; // the network is exact
  const stored = rdataWire(rrtype, rdata);
  if (stored === null) return false;
  const at = NAMES_AT.find(([, types]) => types.includes(rrtype))?.[0];
  if (at === undefined) return begins(stored, wire);
  const folded = lowerCase(wire, at);
  return (
    begins(stored, folded) ||
    (ALSO_BY_NAME.includes(rrtype) && begins(stored.subarray(at), lowerCase(wire, 0)))
  );
}

function begins(octets: Buffer, prefix: Buffer): boolean {
  return octets.subarray(0, prefix.length).equals(prefix);
}

/** Names are stored in lower case; octets before the name are none of a name. A length of a label is at most 63: no letter. */
function lowerCase(wire: Buffer, from: number): Buffer {
  return Buffer.from(
    wire.map((octet, i) => (i >= from && octet > 0x40 && octet < 0x5b ? octet + 0x20 : octet)),
  );
}

function networkOf(wire: Buffer, octets: 4 | 16): string {
  const address = Buffer.concat([wire, Buffer.alloc(octets - wire.length)]);
  const text =
    octets === 4 ? [...address].join('.') : (address.toString('hex').match(/.{4}/g) ?? []).join(':');
  return `${text}/${8 * wire.length}`;
}

/** The range of canonical names that begin with the labels of `wire`, the last of which may be cut; null when there is no such name. */
function nameRange(wire: Buffer): readonly [string, string] | null {
  if (wire.length === 0) return ['', '\x7f'];
  const whole = nameFromWire(wire, 0);
  if (whole !== null) return [whole.name, `${whole.name}\x01`];
  const labels: Buffer[] = [];
  let at = 0;
  for (let length = wire[0]; length !== undefined; length = wire[at]) {
    if (length > 63) return null;
    labels.push(wire.subarray(at, at + 1 + length));
    at += 1 + length;
  }
  const last = labels.at(-1) ?? wire; // there is one: wire is not empty
  const isCut = at > wire.length;
  const complete = nameFromWire(
    Buffer.concat([...labels.slice(0, isCut ? -1 : undefined), Buffer.of(0)]),
    0,
  )?.name;
  if (complete === undefined) return null;
  const before = complete === '.' ? '' : complete;
  const cut =
    last.length > 1
      ? nameFromWire(Buffer.concat([Buffer.of(last.length - 1), last.subarray(1), Buffer.of(0)]), 0)?.name
      : '.';
  if (!isCut || cut === '.' || cut === undefined)
    return [before, before === '' ? '\x7f' : endOfPrefix(before)];
  const prefix = before + cut.slice(0, -1);
  return [prefix, endOfPrefix(prefix)];
}

/** What the text of a value begins with whose first character-string begins so. */
function textBeginning(wire: Buffer): string {
  const length = wire[0] ?? 0;
  const quoted = quotedText(wire.toString('latin1', 1, 1 + length));
  return wire.length > length ? quoted : quoted.slice(0, -1);
}
