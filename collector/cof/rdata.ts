import { isIPv4, isIPv6 } from 'node:net';
import { quotedText } from '../../common/dnsName.ts';
import { latin1, nameFromText, octetsOf } from '../../common/presentation.ts';
import { rrtypeName, rrtypeNumber } from '../../common/rrtypes.ts';
import { addressFromText } from '../map/address.ts';
import { rdataFromWire } from '../map/rdataFromWire.ts';
import type { SetValue } from '../store/rdataSet.ts';

const IN = 1;
const A = 1;
const AAAA = 28;
/** Octets of RDATA at most, each of which may take four characters. */
const LONGEST = 4 * 65535;

/**
 * A value in presentation form as the loader would have written it, so that equal values are equal texts. What is not
 * of its type's form is kept as it is, as far as it is printable: other systems leave parts out, as exporters do.
 * @returns what is wrong when it cannot be a value of the type at all
 */
export function readRdata(rrtype: number, text: string): SetValue | string {
  const trimmed = text.trim();
  if (trimmed === '' || trimmed.length > LONGEST) return trimmed === '' ? 'is empty' : 'is too long';
  if (trimmed.startsWith('\\#')) return readGeneric(rrtype, trimmed);
  if (rrtype === A || rrtype === AAAA) {
    // a zone index (fe80::1%eth0) means nothing to anybody else
    if (rrtype === A ? !isIPv4(trimmed) : !isIPv6(trimmed) || trimmed.includes('%'))
      return notAddress(rrtype);
    const { text: rdata, address: ip } = addressFromText(trimmed);
    return { rdata, ip };
  }
  if (NAMES.has(rrtype)) {
    const rdata = nameFromText(trimmed);
    return rdata === null ? 'is no domain name' : { rdata, ip: null };
  }
  const form = FORMS[rrtypeName(rrtype)];
  const shown = printable(trimmed);
  return { rdata: form?.(trimmed) ?? form?.(shown) ?? shown, ip: null };
}

function notAddress(rrtype: number): string {
  return `is no ${rrtype === A ? 'IPv4' : 'IPv6'} address`;
}

/** `\# length hex` (RFC 3597 section 5), in the type's own form where that is known. */
function readGeneric(rrtype: number, text: string): SetValue | string {
  const [, length, digits = ''] = /^\\#\s+(\d{1,5})((?:\s+[\da-f]+)*)$/i.exec(text) ?? [];
  const octets = Buffer.from(digits.replaceAll(/\s/g, ''), 'hex');
  if (octets.length !== Number(length))
    return 'begins with \\# but is no "\\# length hexadecimal" (RFC 3597)';
  const field = Buffer.concat([Buffer.alloc(2), octets]);
  field.writeUInt16BE(octets.length);
  const rdata = rdataFromWire(field, 2, field.length, rrtype, IN);
  if (!rdata.startsWith('\\#')) return readRdata(rrtype, rdata);
  return rrtype === A || rrtype === AAAA ? notAddress(rrtype) : { rdata, ip: null };
}

/** Types whose rdata is one name: NS, MD, MF, CNAME, MB, MG, MR, PTR, DNAME. */
const NAMES: ReadonlySet<number> = new Set([2, 3, 4, 5, 7, 8, 9, 12, 39]);

/** Zone file tokens: with spaces in quotes only, or escaped. */
const TOKEN = /(?:"(?:[^"\\]|\\.)*"|[^\s"\\]|\\.)+/gs;
/** Character-strings in quotes, which need no space between them. */
const STRINGS = /^(?:"(?:[^"\\]|\\.)*"\s*)+$/s;
const STRING = /"(?:[^"\\]|\\.)*"/gs;

/** Reads one token, or all that follow; null when it is not of that form. */
type Field = (token: string) => string | null;
type Form = (text: string) => string | null;

const number: Field = token => (/^\d{1,10}$/.test(token) ? String(Number(token)) : null);
const word: Field = token => (/^[a-z\d]+$/i.test(token) ? token : null);
/** A hyphen is a name that an exporter lost. */
const name: Field = token => (token === '-' ? token : nameFromText(token));
const mnemonic: Field = token => {
  const rrtype = rrtypeNumber(token);
  return rrtype === null ? null : rrtypeName(rrtype);
};
/** Time of a signature: as a date, or in seconds since 1970 (RFC 4034 section 3.2). */
const time: Field = token =>
  /^\d{14}$/.test(token)
    ? token
    : /^\d{1,10}$/.test(token)
      ? new Date(Number(token) * 1000).toISOString().replace(/\D/g, '').slice(0, 14)
      : null;
const string: Field = token => {
  const octets = octetsOf(/^".*"$/s.test(token) ? token.slice(1, -1) : token);
  return octets === null ? null : quotedText(octets);
};
const hex: Field = token => (/^(?:[\da-f]{2})+$/i.test(token) ? token.toUpperCase() : null);
const salt: Field = token => (token === '-' ? token : hex(token));
const base32: Field = token => (/^[\da-v]+=*$/i.test(token) ? token.toLowerCase().replace(/=+$/, '') : null);
const base64: Field = token =>
  /^[a-z\d+/]+=*$/i.test(token) ? Buffer.from(token, 'base64').toString('base64') : null;

/** What the tokens after the fixed ones are: one value in pieces, or a list. */
type Rest = (tokens: readonly string[]) => string | null;

const joined =
  (field: Field): Rest =>
  tokens =>
    field(tokens.join(''));

/** The types of NSEC and NSEC3, which stand in the order of their numbers on the wire. */
const types: Rest = tokens => {
  const numbers = tokens.map(rrtypeNumber);
  if (numbers.includes(null)) return null;
  return [...new Set(numbers.map(Number))]
    .sort((a, b) => a - b)
    .map(rrtypeName)
    .join(' ');
};

/** Parameters of SVCB that are written without quotes. */
const BARE = /^(?:mandatory|port|ipv4hint|ipv6hint|ech|tls-supported-groups)$/;

const parameters: Rest = tokens => {
  const written: string[] = [];
  for (const token of tokens) {
    const [, key = '', value] = /^([a-z\d-]+)(?:=(.*))?$/is.exec(token) ?? [];
    const text = value === undefined || value === '' ? '' : string(value);
    if (key === '' || text === null) return null;
    const bare = text.slice(1, -1);
    const isBare = BARE.test(key.toLowerCase()) && /^[!#-[\]-~]+$/.test(bare);
    const shown = key.toLowerCase() === 'ipv6hint' ? addresses(bare) : bare;
    written.push(text === '' ? key.toLowerCase() : `${key.toLowerCase()}=${isBare ? shown : text}`);
  }
  return written.join(' ');
};

function addresses(list: string): string {
  return list
    .split(',')
    .map(address => (isIPv6(address) && !address.includes('%') ? addressFromText(address).text : address))
    .join(',');
}

function form(fields: readonly Field[], rest?: Rest): Form {
  return text => {
    const tokens = text.match(TOKEN) ?? [];
    if (rest === undefined ? tokens.length !== fields.length : tokens.length < fields.length) return null;
    const read = fields.map((field, i) => field(tokens[i]!)); // as many or more
    if (rest !== undefined && tokens.length > fields.length) read.push(rest(tokens.slice(fields.length)));
    return read.includes(null) ? null : read.join(' ');
  };
}

/** Several systems write a text without its quotes: then it is one string, spaces and all. */
const texts: Form = text => {
  if (!STRINGS.test(text)) return quotedText(octetsOf(text) ?? latin1(text));
  const strings = (text.match(STRING) ?? []).map(string);
  return strings.includes(null) ? null : strings.join(' ');
};

const numberAndName = form([number, name]);
const twoNames = form([name, name]);
const digest = form([number, number, number], joined(hex));
const key = form([number, number, number], joined(base64));
const service = form([number, name], parameters);

const FORMS: Readonly<Record<string, Form>> = {
  SOA: form([name, name, number, number, number, number, number]),
  MX: numberAndName,
  AFSDB: numberAndName,
  RT: numberAndName,
  KX: numberAndName,
  MINFO: twoNames,
  RP: twoNames,
  SRV: form([number, number, number, name]),
  TXT: texts,
  SPF: texts,
  HINFO: form([string, string]),
  NAPTR: form([number, number, string, string, string, name]),
  SSHFP: form([number, number], joined(hex)),
  TLSA: digest,
  SMIMEA: digest,
  DS: digest,
  CDS: digest,
  DNSKEY: key,
  CDNSKEY: key,
  RRSIG: form([mnemonic, number, number, number, time, time, number, name], joined(base64)),
  NSEC: form([name], types),
  NSEC3: form([number, number, number, salt, base32], types),
  NSEC3PARAM: form([number, number, number, salt]),
  URI: form([number, number, string]),
  CAA: form([number, word, string]),
  SVCB: service,
  HTTPS: service,
};

/** Keeps a text to one line of printable ASCII. */
function printable(text: string): string {
  return latin1(text).replace(/[^ -~]/g, octet => `\\${String(octet.charCodeAt(0)).padStart(3, '0')}`);
}
