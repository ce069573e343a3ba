import { isUtf8 } from 'node:buffer';
import { domainToASCII } from 'node:url';
import { nameFromWire } from '../common/dnsName.ts';
import { nameFromText } from '../common/presentation.ts';
import { badRequest } from './problem.ts';

/** Which names: one, a domain and all below it (`*.example.com`), all that begin so (`www.example.*`), or every one. */
export type NamePattern =
  | { readonly kind: 'name' | 'below' /** Canonical. */; readonly name: string }
  | {
      readonly kind: 'beginning' /** Whole labels, with the dot after the last: `www.example.` */;
      readonly name: string;
    }
  | { readonly kind: 'all'; readonly name: '.' };

const ESCAPE = /\\(?:\d{3}|.)/gs;
/** `.*` at the end, its dot not escaped: an even number of backslashes before it. */
const RIGHT_WILDCARD = /(?:^|[^\\])(?:\\\\)*\.\*\.?$/s;

/**
 * A name or wildcard as clients send it, percent-decoded: presentation form in any case, the last dot optional; `%2F` and `%2C`
 * are decoded once more, as dnsdbq's manual tells users to write them; what is not ASCII becomes A-labels (IDNA) if it is UTF-8.
 * @throws ApiError 400
 */
export function namePatternOf(octets: Buffer): NamePattern {
  // \052 is how several systems write the asterisk of a published wildcard, in octal; in decimal it would be a 4, which needs no escape
  const text = asciiOf(octets).replace(/^\\052\./, '\\042.');
  if (text === '*' || text === '*.') return { kind: 'all', name: '.' };
  const isLeft = text.startsWith('*.');
  const isRight = RIGHT_WILDCARD.test(text);
  const rest = isLeft ? text.slice(2) : isRight ? text.replace(/\*\.?$/, '') : text;
  if ((isLeft && isRight) || rest.replaceAll(ESCAPE, '').includes('*'))
    throw badRequest('a wildcard is a whole label, the first or the last: *.example.com or www.example.*');
  const name = nameFromText(rest);
  if (name === null || (rest !== text && name === '.')) throw badRequest('not a domain name');
  return { kind: isLeft ? 'below' : isRight ? 'beginning' : 'name', name };
}

/** One name, no wildcard. @throws ApiError 400 */
export function nameOf(octets: Buffer): string {
  const { kind, name } = namePatternOf(octets);
  if (kind !== 'name') throw badRequest('a wildcard is not allowed here');
  return name;
}

/** An owner name in uncompressed wire form. @throws ApiError 400 */
export function nameOfWire(wire: Buffer): string {
  const found = nameFromWire(wire, 0);
  if (found === null || found.next !== wire.length || isCompressed(wire))
    throw badRequest('not a name in uncompressed wire format');
  return found.name;
}

/** The range of the reversed name (reversed_name()) that a domain and what is below it are in, with others between. */
export function reversedRange(domain: string): readonly [string, string] {
  const reversed = [...domain].reverse().join(''); // printable ASCII
  return [reversed, `${reversed}.\x7f`];
}

/** The end, exclusive, of the texts that begin with `prefix`, which ends in printable ASCII. */
export function endOfPrefix(prefix: string): string {
  return `${prefix.slice(0, -1)}${String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1)}`;
}

function asciiOf(octets: Buffer): string {
  const latin1 = octets
    .toString('latin1')
    .replace(/%2[fc]/gi, code => (code.toLowerCase() === '%2f' ? '/' : ','));
  if (!/[\x80-\xff]/.test(latin1)) return latin1;
  const raw = Buffer.from(latin1, 'latin1');
  const text = isUtf8(raw) ? raw.toString().split('.').map(aLabel).join('.') : latin1;
  // what is left beyond ASCII are octets, one character each
  return Buffer.from(text, isUtf8(raw) ? 'utf8' : 'latin1')
    .toString('latin1')
    .replace(/[\x80-\xff]/g, octet => `\\${octet.charCodeAt(0)}`);
}

/** The A-label of a label, several for one with other scripts' full stops; the label itself where IDNA does not allow it. */
function aLabel(label: string): string {
  if (/^[\0-\x7f]*$/.test(label) || label.includes('\\')) return label;
  const ascii = domainToASCII(`${label}.x`); // the x keeps digits of other scripts from being read as an IPv4 address
  return ascii === '' ? label : ascii.slice(0, -2);
}

function isCompressed(wire: Buffer): boolean {
  for (let at = 0; at < wire.length; at += 1 + (wire[at] as number))
    if ((wire[at] as number) > 63) return true; // at < length
  return false;
}
