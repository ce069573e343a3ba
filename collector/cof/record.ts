import { isUtf8 } from 'node:buffer';
import { nameFromText } from '../../common/presentation.ts';
import { rrtypeNumber } from '../../common/rrtypes.ts';
import type { ForeignRrset } from '../store/groups.ts';
import type { SetValue } from '../store/rdataSet.ts';
import type { Line } from './lines.ts';
import { readRdata } from './rdata.ts';

/** The beginnings of the years 1 and 10000: timestamptz says more, but no clock does. */
const FIRST_YEAR_US = -62_135_596_800_000_000;
const YEAR_10000_US = 253_402_300_800_000_000;
const DATE = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d(?:\.\d+)?)(Z|[+-]\d\d:?\d\d)?$/;
/** Larger ones are no counts, and sums of them would not fit a bigint. */
const LARGEST_COUNT = 1e13;
/** More than any DNS message has room for. */
const MOST_VALUES = 65_535;
const LONGEST_SHOWN = 60;

/** An RRset that another passive DNS observed. */
export interface CofRecord extends ForeignRrset {
  /** It comes from copies of zone files: count and times are those of the copies. */
  readonly isZone: boolean;
}

/** What a line is: a record, none by right, or why it is no usable one. */
export type Read = CofRecord | { readonly skipped: 'empty' | 'framing' } | { readonly reason: string };

class Unusable extends Error {}

/**
 * Reads one line of the Common Output Format (draft-dulaunoy-dnsop-passive-dns-cof-13): bare objects as of CIRCL and DNSDB
 * version 1, `{"obj":…}` as of DNSDB version 2, whose `{"cond":…}` lines are skipped. Never throws.
 * - `rrtype`: mnemonic, `TYPE123`, or number; `rdata`: array or one string.
 * - Times: `time_first_ms` where it agrees with `time_first`; seconds as number or decimal string (early drafts);
 *   RFC 3339 (DNSDB's humantime). One of the two stands for both.
 * - Without `time_first` and `time_last` the record is of zone files, and the `zone_time_*` pair counts; with them that is ignored.
 * - `count` 0 or missing is 1; `bailiwick` missing is the registered domain, as in what is observed here.
 * - All other fields (`sensor_id`, `origin`, `x_…`) are ignored.
 */
export function readRecord({ octets, isTooLong }: Line): Read {
  if (isTooLong) return { reason: 'the line is longer than 16 MiB' };
  if (!isUtf8(octets)) return { reason: 'the line is no UTF-8' };
  const text = octets.toString().trim();
  if (text === '') return { skipped: 'empty' };
  try {
    const object = parse(text);
    if (object.obj !== undefined) return recordOf(objectOf(object.obj, 'obj'));
    return typeof object.cond === 'string' && object.rrname === undefined
      ? { skipped: 'framing' }
      : recordOf(object);
  } catch (error) {
    if (error instanceof Unusable) return { reason: error.message };
    throw error;
  }
}

type JsonObject = Readonly<Record<string, unknown>>;

function parse(text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Unusable('the line is no JSON');
  }
  return objectOf(value, 'the line');
}

function objectOf(value: unknown, what: string): JsonObject {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject; // just seen
  throw new Unusable(`${what} is no JSON object`);
}

function recordOf(object: JsonObject): CofRecord {
  const rrname = nameOf(object, 'rrname');
  if (rrname === undefined) throw new Unusable('rrname is missing');
  const rrtype = rrtypeOf(object);
  const values = valuesOf(object, rrtype);
  const seen = timesOf(object, 'time');
  const times = seen ?? timesOf(object, 'zone_time');
  if (times === undefined) throw new Unusable('time_first and time_last are missing');
  const bailiwick = nameOf(object, 'bailiwick');
  if (bailiwick !== undefined && !encloses(bailiwick, rrname))
    throw new Unusable(`bailiwick ${shown(bailiwick)} does not enclose rrname ${shown(rrname)}`);
  const count = countOf(object);
  return {
    rrname,
    rrtype,
    bailiwick: bailiwick ?? null,
    values,
    count,
    ...times,
    isZone: seen === undefined,
  };
}

function nameOf(object: JsonObject, field: string): string | undefined {
  const value = object[field] ?? undefined;
  if (value === undefined) return undefined;
  const name = typeof value === 'string' ? nameFromText(value) : null;
  if (name === null) throw new Unusable(`${field} ${shown(value)} is no domain name`);
  return name;
}

/** Whether a canonical name is a zone's or below it. */
function encloses(zone: string, name: string): boolean {
  if (zone === '.' || zone === name) return true;
  // an odd number of backslashes before the dot: it belongs to a label and parts nothing
  return name.endsWith(`.${zone}`) && /(?:^|[^\\])(?:\\\\)*$/.test(name.slice(0, -zone.length - 1));
}

function rrtypeOf({ rrtype }: JsonObject): number {
  const number = rrtypeNumber(
    typeof rrtype === 'number' ? String(rrtype) : typeof rrtype === 'string' ? rrtype : '',
  );
  if (number === null)
    throw new Unusable(rrtype == null ? 'rrtype is missing' : `rrtype ${shown(rrtype)} is no RR type`);
  return number;
}

function valuesOf({ rdata }: JsonObject, rrtype: number): SetValue[] {
  const texts: readonly unknown[] = Array.isArray(rdata) ? rdata : rdata == null ? [] : [rdata];
  if (texts.length === 0) throw new Unusable('rdata is missing');
  if (texts.length > MOST_VALUES) throw new Unusable(`rdata has more than ${MOST_VALUES} values`);
  const values = new Map<string, SetValue>();
  for (const text of texts) {
    const value = typeof text === 'string' ? readRdata(rrtype, text) : 'is no string';
    if (typeof value === 'string') throw new Unusable(`rdata ${shown(text)} ${value}`);
    values.set(value.rdata, value);
  }
  return [...values.values()];
}

function countOf({ count }: JsonObject): number {
  const number = typeof count === 'string' && /^\d+$/.test(count) ? Number(count) : (count ?? 1);
  if (typeof number === 'number' && Number.isInteger(number) && number >= 0 && number <= LARGEST_COUNT)
    return Math.max(1, number);
  throw new Unusable(`count ${shown(count)} is no number of observations`);
}

/** A pair of times in microseconds; undefined when neither is there. */
function timesOf(object: JsonObject, prefix: string): { first: number; last: number } | undefined {
  const [from, to] = [timeOf(object, `${prefix}_first`), timeOf(object, `${prefix}_last`)];
  const [first, last] = [from ?? to, to ?? from];
  if (first === undefined || last === undefined) return undefined;
  if (first > last) throw new Unusable(`${prefix}_last is before ${prefix}_first`);
  return { first, last };
}

function timeOf(object: JsonObject, field: string): number | undefined {
  const rough = microseconds(object, field, 1_000_000);
  const exact = microseconds(object, `${field}_ms`, 1000);
  const agree = exact !== undefined && (rough === undefined || Math.abs(exact - rough) < 1_000_000);
  return agree ? exact : rough;
}

function microseconds(object: JsonObject, field: string, unit: number): number | undefined {
  const value = object[field] ?? undefined;
  if (value === undefined) return undefined;
  let time = Number.NaN;
  if (typeof value === 'number') time = Math.round(value * unit);
  else if (typeof value === 'string') {
    const [, day, clock, zone = 'Z'] = DATE.exec(value) ?? [];
    if (day !== undefined) time = Date.parse(`${day}T${clock}${zone}`) * 1000;
    else if (/^-?\d+(?:\.\d+)?$/.test(value)) time = Math.round(Number(value) * unit);
  }
  if (Number.isNaN(time)) throw new Unusable(`${field} ${shown(value)} is no time`);
  if (time < FIRST_YEAR_US || time >= YEAR_10000_US)
    throw new Unusable(
      `${field} ${shown(value)} is beyond the year 9999: ${unit === 1000 ? 'milliseconds' : 'seconds'} since 1970 are expected`,
    );
  return time;
}

/** A value in a message: short, and without going into what may be nested without end. */
function shown(value: unknown): string {
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? '(an array)' : '(an object)';
  if (typeof value !== 'string' || value.length <= LONGEST_SHOWN) return JSON.stringify(value);
  return `${JSON.stringify(value.slice(0, LONGEST_SHOWN))}…`;
}
