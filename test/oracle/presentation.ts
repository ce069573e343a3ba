/**
 * DNS presentation form written a second time, from RFC 1035 section 5.1 and RFC 4034/5155, so that a mistake in the
 * collector's own writing is not repeated in what its rows are compared with. Octets are strings of one character
 * (0–255) per octet, as ipfix2json prints them.
 */
import { SocketAddress } from 'node:net';

/** Mnemonics of RRSIG's "type covered" and of NSEC bit maps; any other number is written TYPEn (RFC 3597). */
const mnemonics: Readonly<Record<number, string>> = {
  1: 'A',
  2: 'NS',
  5: 'CNAME',
  6: 'SOA',
  10: 'NULL',
  12: 'PTR',
  13: 'HINFO',
  15: 'MX',
  16: 'TXT',
  17: 'RP',
  18: 'AFSDB',
  24: 'SIG',
  25: 'KEY',
  28: 'AAAA',
  29: 'LOC',
  33: 'SRV',
  35: 'NAPTR',
  37: 'CERT',
  39: 'DNAME',
  43: 'DS',
  44: 'SSHFP',
  46: 'RRSIG',
  47: 'NSEC',
  48: 'DNSKEY',
  50: 'NSEC3',
  51: 'NSEC3PARAM',
  52: 'TLSA',
  59: 'CDS',
  60: 'CDNSKEY',
  61: 'OPENPGPKEY',
  62: 'CSYNC',
  63: 'ZONEMD',
  64: 'SVCB',
  65: 'HTTPS',
  99: 'SPF',
  256: 'URI',
  257: 'CAA',
};

export const typeName = (type: number): string => mnemonics[type] ?? `TYPE${type}`;

/** IPv6 in RFC 5952 form, IPv4 unchanged. */
export const address = (text: string): string =>
  text.includes(':') ? new SocketAddress({ address: text, family: 'ipv6' }).address : text;

/** The address of a flow's end: an IPv4-mapped IPv6 address is that IPv4 address. */
export const endpoint = (text: string): string => address(text).replace(/^::ffff:(?=\d+\.)/, '');

/**
 * Takes back the escapes of YAF 2.16 and 3: `\\`, `\.`, `\n` and `\xHH`; any other backslash stands for itself.
 * A dot inside a label becomes U+0100, which no octet can be.
 */
const unescaped = (text: string): string =>
  text.replace(/\\(?:([\\.n])|x([0-9A-F]{2}))/g, (_, letter: string | undefined, hex: string | undefined) => {
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
    return letter === 'n' ? '\n' : letter === '.' ? '\u0100' : '\\';
  });

const decimal = (octet: string): string => `\\${String(octet.charCodeAt(0)).padStart(3, '0')}`;

/**
 * Owner name or name inside rdata in canonical form: ASCII lower case, trailing dot, `\DDD` for octets up to 32 and
 * from 127, backslash before `. \ " ( ) ; @ $` inside labels. Null for a name with an empty label: YAF leaves out labels
 * for which its buffer had no room and still writes their dots (`many.big..`), so the name is lost.
 * @param raw not empty: what an empty name means is for the caller to know
 * @param escaped the exporter escapes names (YAF 2.16 and 3)
 */
export function canonical(raw: string, escaped: boolean): string | null {
  if (raw === '.') return '.';
  const labels = (escaped ? unescaped(raw) : raw).replace(/\.$/, '').split('.');
  if (labels.includes('')) return null;
  const present = (label: string) =>
    label
      .replaceAll('\u0100', '.')
      .replace(/[A-Z]/g, letter => letter.toLowerCase())
      .replace(/[.\\"();@$]/g, '\\$&')
      .replace(/[\0- \x7f-\xff]/g, decimal);
  return labels.map(label => `${present(label)}.`).join('');
}

/** One character-string of TXT, in quotes. Space stays; `"` and `\` get a backslash, octets outside 32–126 are `\DDD`. */
export function quoted(raw: string, escaped: boolean): string {
  const octets = escaped ? unescaped(raw).replaceAll('\u0100', '\\.') : raw;
  return `"${octets.replace(/["\\]/g, '\\$&').replace(/[\0-\x1f\x7f-\xff]/g, decimal)}"`;
}

/** Hexadecimal text to octets. */
export const octetsOf = (hex: string): string => Buffer.from(hex, 'hex').toString('latin1');

/** Base64 of octets given in hexadecimal, a hyphen for none. */
export const base64 = (hex: string): string => Buffer.from(hex, 'hex').toString('base64') || '-';

/** Hexadecimal digits in upper case, a hyphen for none. */
export const hexadecimal = (hex: string): string => hex.toUpperCase() || '-';

/** Base 32 with extended hex alphabet, lower case, without padding (RFC 4648 section 7, RFC 5155 section 3.3). */
export function base32hex(hex: string): string {
  const bits = [...Buffer.from(hex, 'hex')].map(octet => octet.toString(2).padStart(8, '0')).join('');
  return (bits.match(/.{1,5}/g) ?? [])
    .map(group => Number.parseInt(group.padEnd(5, '0'), 2).toString(32))
    .join('');
}

/** Seconds since the epoch as YYYYMMDDHHmmSS (RFC 4034 section 3.2). */
export const signatureTime = (seconds: number): string =>
  new Date(seconds * 1000).toISOString().replace(/\D/g, '').slice(0, 14);

/** Mnemonics of the types in NSEC type bit maps (RFC 4034 section 4.1.2), given in hexadecimal. */
export function bitMapTypes(hex: string): string[] {
  const octets = Buffer.from(hex, 'hex');
  const types: string[] = [];
  for (let at = 0; at + 2 <= octets.length; at += 2 + octets[at + 1]!) {
    const window = octets.subarray(at + 2, at + 2 + octets[at + 1]!);
    for (const [index, octet] of window.entries())
      for (let bit = 0; bit < 8; bit++)
        if (octet & (0x80 >> bit)) types.push(typeName(octets[at]! * 256 + index * 8 + bit));
  }
  return types;
}
