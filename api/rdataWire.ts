import { octetsOf } from '../common/presentation.ts';
import { rrtypeName, rrtypeNumber } from '../common/rrtypes.ts';

/** Writes one field from its token; null when it is not of that form. */
type Field = (token: string) => Buffer | null;

const integer =
  (octets: 1 | 2 | 4): Field =>
  token => {
    if (!/^\d{1,10}$/.test(token) || Number(token) >= 256 ** octets) return null;
    const field = Buffer.alloc(octets);
    field.writeUIntBE(Number(token), 0, octets);
    return field;
  };
const [u8, u16, u32] = [integer(1), integer(2), integer(4)];
const name: Field = token => (token === '.' || token.endsWith('.') ? wireOfName(token) : null);
const hex: Field = token => (/^(?:[\da-f]{2})*$/i.test(token) ? Buffer.from(token, 'hex') : null);
const base64: Field = token => Buffer.from(token, 'base64');
const unquoted = (token: string) => octetsOf(/^".*"$/s.test(token) ? token.slice(1, -1) : token);
const string: Field = token => {
  const octets = unquoted(token);
  return octets === null || octets.length > 255
    ? null
    : Buffer.from(String.fromCharCode(octets.length) + octets, 'latin1');
};
const text: Field = token => {
  const octets = unquoted(token);
  return octets === null ? null : Buffer.from(octets, 'latin1');
};
const type: Field = token => u16(String(rrtypeNumber(token) ?? ''));

/** What follows the tokens with fields of their own: one value that may be in pieces, or strings without end. */
interface Form {
  readonly fields: readonly Field[];
  readonly rest?: { readonly field: Field; readonly joined: boolean };
}

const form = (...fields: Field[]): Form => ({ fields });
const followed = (field: Field, joined: boolean, ...fields: Field[]): Form => ({
  fields,
  rest: { field, joined },
});
const [numberAndName, twoNames, oneName] = [form(u16, name), form(name, name), form(name)];
const strings = followed(string, false, string);
const digest = followed(hex, true, u8, u8, u8);
const delegation = followed(hex, true, u16, u8, u8);
const key = followed(base64, true, u16, u8, u8);

const FORMS: Readonly<Record<string, Form>> = {
  NS: oneName,
  MD: oneName,
  MF: oneName,
  CNAME: oneName,
  MB: oneName,
  MG: oneName,
  MR: oneName,
  PTR: oneName,
  DNAME: oneName,
  MX: numberAndName,
  AFSDB: numberAndName,
  RT: numberAndName,
  KX: numberAndName,
  MINFO: twoNames,
  RP: twoNames,
  SOA: form(name, name, u32, u32, u32, u32, u32),
  SRV: form(u16, u16, u16, name),
  TXT: strings,
  SPF: strings,
  HINFO: form(string, string),
  NAPTR: form(u16, u16, string, string, string, name),
  SSHFP: followed(hex, true, u8, u8),
  TLSA: digest,
  SMIMEA: digest,
  DS: delegation,
  CDS: delegation,
  DNSKEY: key,
  CDNSKEY: key,
  RRSIG: followed(base64, true, type, u8, u8, u32, u32, u32, u16, name),
  CAA: form(u8, string, text),
  URI: form(u16, u16, text),
};

/** Zone file tokens: with spaces in quotes only, or escaped. */
const TOKEN = /(?:"(?:[^"\\]|\\.)*"|[^\s"\\]|\\.)+/gs;

/**
 * The wire form of rdata that is stored in presentation form, names in lower case and not compressed (RFC 3597 section 7).
 * @returns null for types whose form is not known here, and for values of which an exporter left out parts
 */
export function rdataWire(rrtype: number, rdata: string): Buffer | null {
  const generic = /^\\# \d+(?: ([\dA-F]+))?$/.exec(rdata);
  if (generic !== null) return Buffer.from(generic[1] ?? '', 'hex');
  if (rrtype === 64 || rrtype === 65) return wireOf(numberAndName, (rdata.match(TOKEN) ?? []).slice(0, 2)); // without parameters
  const known = FORMS[rrtypeName(rrtype)];
  return known === undefined ? null : wireOf(known, rdata.match(TOKEN) ?? []);
}

function wireOf({ fields, rest }: Form, tokens: readonly string[]): Buffer | null {
  const more = tokens.slice(fields.length);
  if (tokens.length < fields.length || (rest === undefined && more.length > 0)) return null;
  const parts = fields.map((field, i) => field(tokens[i] as string)); // as many or more
  if (rest !== undefined && more.length > 0)
    parts.push(...(rest.joined ? [more.join('')] : more).map(rest.field));
  return parts.every(part => part !== null) ? Buffer.concat(parts) : null;
}

/** A canonical name in wire form. */
function wireOfName(canonical: string): Buffer | null {
  let wire = '';
  for (const [, escaped = ''] of canonical.matchAll(/((?:\\\d{3}|\\.|[^.\\])+)\./g)) {
    const label = octetsOf(escaped);
    if (label === null || label.length > 63) return null;
    wire += String.fromCharCode(label.length) + label;
  }
  return Buffer.from(`${wire}\0`, 'latin1');
}
