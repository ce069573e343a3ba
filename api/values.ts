import { isIP } from 'node:net';
import { rrtypeNumber } from '../common/rrtypes.ts';
import { badRequest } from './problem.ts';

/** DNSSEC's types, which nobody gets who does not ask for them: DS RRSIG NSEC DNSKEY NSEC3 NSEC3PARAM CDS CDNSKEY TA DLV. */
export const DNSSEC_TYPES: readonly number[] = [43, 46, 47, 48, 50, 51, 59, 60, 32768, 32769];
const ANY = 255;

/** Which types: those of `only`, or all but those of `not`. */
export interface TypeFilter {
  readonly only: readonly number[] | null;
  readonly not: readonly number[] | null;
}

export const ALL_TYPES: TypeFilter = { only: null, not: DNSSEC_TYPES };

/** A type as clients name it: mnemonic or `TYPE123` in any case, `ANY` (all but DNSSEC's), `ANY-DNSSEC`. @throws ApiError 400 */
export function typeFilterOf(text: string | undefined): TypeFilter {
  if (text === undefined) return ALL_TYPES;
  if (text.toUpperCase() === 'ANY-DNSSEC') return { only: DNSSEC_TYPES, not: null };
  const number = typeNumberOf(text);
  return number === ANY ? ALL_TYPES : { only: [number], not: null };
}

/** @throws ApiError 400 */
export function typeNumberOf(text: string): number {
  const number = /^\d*$/.test(text) ? null : rrtypeNumber(text);
  if (number === null) throw badRequest('unknown RR type');
  return number;
}

/** Both ends of a range of addresses, of one family, each as PostgreSQL's inet; a network is both of its ends. */
export interface AddressRange {
  readonly lowest: string;
  readonly highest: string;
  /** The type that holds them: 1 (A) or 28 (AAAA). */
  readonly rrtype: 1 | 28;
}

/** An address, a network (`192.0.2.0,24` or with a slash; host bits are ignored) or a range (`192.0.2.0-192.0.2.15`). @throws ApiError 400 */
export function addressRangeOf(text: string): AddressRange {
  const [lowest = '', highest = '', ...others] = text.split('-');
  if (text.includes('-')) {
    const family = familyOf(lowest);
    if (
      family === 0 ||
      family !== familyOf(highest) ||
      others.length > 0 ||
      compareAddresses(lowest, highest) > 0
    )
      throw badRequest('not a range of addresses of one family, lowest first');
    return { lowest, highest, rrtype: family === 4 ? 1 : 28 };
  }
  const [, address = '', length] = /^([^,/]*)(?:[,/](\d{1,3}))?$/.exec(text) ?? [];
  const family = familyOf(address);
  if (family === 0 || Number(length ?? 0) > (family === 4 ? 32 : 128))
    throw badRequest('not an address, network or range');
  const network = length === undefined ? address : `${address}/${length}`;
  return { lowest: network, highest: network, rrtype: family === 4 ? 1 : 28 };
}

/** 4, 6, or 0 for what is no address; a zone index (fe80::1%eth0) means nothing to anybody else. */
function familyOf(text: string): 0 | 4 | 6 {
  const family = text.includes('%') ? 0 : isIP(text);
  return family === 4 || family === 6 ? family : 0;
}

function compareAddresses(a: string, b: string): number {
  const [left, right] = [numberOf(a), numberOf(b)];
  return left < right ? -1 : left > right ? 1 : 0;
}

function numberOf(address: string): bigint {
  if (!address.includes(':')) return address.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n);
  const host = new URL(`http://[${address}]`).hostname.slice(1, -1); // RFC 5952, no IPv4 part
  const [head = '', tail] = host.split('::');
  const groups = (part: string) => (part === '' ? [] : part.split(':'));
  const [before, after] = [groups(head), groups(tail ?? '')];
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0');
  return [...before, ...zeros, ...after].reduce((sum, group) => sum * 65536n + BigInt(`0x${group}`), 0n);
}

/** @throws ApiError 400 */
export function hexOf(text: string): Buffer {
  if (!/^(?:[\da-f]{2})+$/i.test(text) || text.length > 2 * 65_535)
    throw badRequest('not an even number of hexadecimal digits');
  return Buffer.from(text, 'hex');
}
