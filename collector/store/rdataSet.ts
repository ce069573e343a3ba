import type { Address } from '../map/rows.ts';

/** One value of a set of resource records. */
export interface SetValue {
  /** Presentation form. */
  readonly rdata: string;
  /** The address, for A and AAAA. */
  readonly ip: Address | null;
}

/** Types whose rdata begins with, or is, the name it points to: position of the name among the parts. */
const TARGET: Readonly<Record<number, number>> = {
  2: 0, // NS
  5: 0, // CNAME
  6: 0, // SOA: primary server
  12: 0, // PTR
  15: 1, // MX: exchange
  17: 0, // RP: mailbox
  18: 1, // AFSDB
  21: 1, // RT
  33: 3, // SRV: target
  36: 1, // KX
  39: 0, // DNAME
  47: 0, // NSEC: next name
  64: 1, // SVCB: target
  65: 1, // HTTPS: target
};
/** Types whose rdata is one name. */
const NAMES: ReadonlySet<number> = new Set([2, 5, 12, 39]);

/** The name that a value points to, null for types that point to none. Parts hold no space: names escape it. */
export function targetOf(rrtype: number, rdata: string): string | null {
  const position = TARGET[rrtype];
  if (position === undefined) return null;
  const target = NAMES.has(rrtype) ? rdata : rdata.split(' ', position + 1)[position];
  return target?.endsWith('.') ? target : null; // a part that the exporter left out is a hyphen
}

/**
 * Sorts the values of a set as passive DNS does, by length on the wire, then by octet, so that equal sets are equal
 * lists. Addresses and names exactly; other types by the length and octets of their text.
 */
export function canonicalOrder(rrtype: number, values: SetValue[]): void {
  values.sort(NAMES.has(rrtype) ? compareNames : compareValues);
}

function compareValues(a: SetValue, b: SetValue): number {
  if (typeof a.ip === 'number' && typeof b.ip === 'number') return (a.ip >>> 0) - (b.ip >>> 0);
  if (Buffer.isBuffer(a.ip) && Buffer.isBuffer(b.ip)) return Buffer.compare(a.ip, b.ip);
  return compareText(a.rdata, b.rdata);
}

function compareText(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
}

/** As on the wire, where each label has its length in front. */
function compareNames({ rdata: a }: SetValue, { rdata: b }: SetValue): number {
  if (a.includes('\\') || b.includes('\\')) return compareText(wireName(a), wireName(b));
  if (a.length !== b.length) return a.length - b.length;
  let differ = 0;
  while (differ < a.length && a.charCodeAt(differ) === b.charCodeAt(differ)) differ++;
  const lengths = a.indexOf('.', differ) - b.indexOf('.', differ); // of the first labels that differ
  return lengths || a.charCodeAt(differ) - b.charCodeAt(differ) || 0;
}

/** A canonical name as on the wire, one character an octet. */
function wireName(name: string): string {
  if (name === '.') return '\0';
  let wire = '';
  for (const [, escaped] of name.matchAll(/((?:\\\d{3}|\\.|[^.\\])+)\./g)) {
    const label = escaped!.replaceAll(/\\(\d{3}|.)/g, (_, octet: string) =>
      octet.length === 3 ? String.fromCharCode(Number(octet)) : octet,
    );
    wire += String.fromCharCode(label.length) + label;
  }
  return `${wire}\0`;
}
