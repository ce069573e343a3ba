/**
 * rdata as it stands in a DNS message, to presentation form.
 *
 * dns-packet decodes what it decodes octet by octet: TXT, DS, TLSA. Not the rest: it gives names as UTF-8 with dots in
 * labels unescaped, loses octets of HINFO, NAPTR and CAA to UTF-8, trusts the hash type of SSHFP for the length,
 * drops the protocol of DNSKEY, names newer types UNKNOWN_n in NSEC and RRSIG, and does not know SVCB, HTTPS and URI.
 */
import { ds, tlsa, txt } from 'dns-packet';
import { nameFromWire, quotedText } from '../../common/dnsName.ts';
import { rrtypeName } from '../../common/rrtypes.ts';
import { ipv4Text, ipv6Text } from '../ipfix/index.ts';
import * as present from './rdata.ts';

/** The record codecs that @types/dns-packet leaves out. They read from the RDLENGTH field on. */
declare module 'dns-packet' {
  export const ds: { decode(field: Buffer): DsData };
  export const tlsa: { decode(field: Buffer): TlsaData };
  export const txt: { decode(field: Buffer): Buffer[] };
}

const IN = 1;

/**
 * The presentation form of one RR's rdata, all names canonical.
 * @param message begins at the DNS header, as compression pointers count from there
 * @param start offset of the rdata; its length field (RDLENGTH) is the two octets before
 * @param end offset after it, within the message
 * @returns `\# length hex` (RFC 3597 §5) for types not known here and for malformed rdata; never throws
 */
export function rdataFromWire(
  message: Buffer,
  start: number,
  end: number,
  rrtype: number,
  rrclass: number,
): string {
  const format = FORMATS[rrtypeName(rrtype)];
  // the address types are defined for class IN alone; a Chaosnet A is something else (RFC 1035 §3.4)
  if (format && (rrclass === IN || !CLASS_IN_ONLY.has(rrtype))) {
    const rdata = new RdataReader(message, start, end);
    try {
      const text = format(rdata);
      if (rdata.at === end) return text;
    } catch {
      // malformed: given as octets below, so that nothing is lost
    }
  }
  return end === start ? '\\# 0' : `\\# ${end - start} ${message.toString('hex', start, end).toUpperCase()}`;
}

const CLASS_IN_ONLY: ReadonlySet<number> = new Set([1, 28]);

/** Reads the fields of one RR's rdata in their order; each method throws RangeError where the rdata ends too early. */
class RdataReader {
  at: number;
  readonly message: Buffer;
  readonly start: number;
  readonly end: number;

  constructor(message: Buffer, start: number, end: number) {
    this.message = message;
    this.start = start;
    this.end = end;
    this.at = start;
  }

  private take(length: number): number {
    const from = this.at;
    if (from + length > this.end) throw new RangeError('rdata is too short');
    this.at += length;
    return from;
  }

  u8(): number {
    return this.message.readUInt8(this.take(1));
  }

  u16(): number {
    return this.message.readUInt16BE(this.take(2));
  }

  u32(): number {
    return this.message.readUInt32BE(this.take(4));
  }

  octets(length: number): Buffer {
    const from = this.take(length);
    return this.message.subarray(from, from + length);
  }

  rest(): Buffer {
    return this.octets(this.end - this.at);
  }

  name(): string {
    const found = nameFromWire(this.message, this.at);
    if (!found || found.next > this.end) throw new RangeError('name in rdata is malformed');
    this.at = found.next;
    return found.name;
  }

  /** A character-string in quotes (RFC 1035 §3.3). */
  text(): string {
    return quoted(this.octets(this.u8()));
  }

  /** NSEC's and NSEC3's last field, checked. */
  bitMaps(): Buffer {
    const bitMaps = this.rest();
    if (!present.readTypeBitMaps(bitMaps)) throw new RangeError('type bit maps are malformed');
    return bitMaps;
  }

  /** The whole rdata with its length before it, as dns-packet wants it. */
  field(): Buffer {
    this.at = this.end;
    return this.message.subarray(this.start - 2, this.end);
  }
}

type Format = (rdata: RdataReader) => string;

const quoted = (octets: Buffer) => quotedText(octets.toString('latin1'));

function hex(octets: Buffer): string {
  if (octets.length === 0) throw new RangeError('nothing to write in hexadecimal');
  return octets.toString('hex').toUpperCase();
}

const name: Format = rdata => rdata.name();
const numberAndName: Format = rdata => present.mxRdata(rdata.u16(), rdata.name());
const twoNames: Format = rdata => `${rdata.name()} ${rdata.name()}`;

const texts: Format = rdata => {
  const strings = txt.decode(rdata.field());
  if (strings.length === 0) throw new RangeError('no character-string');
  return strings.map(quoted).join(' ');
};

const dsFormat: Format = rdata => {
  const { keyTag, algorithm, digestType, digest } = ds.decode(rdata.field());
  return present.dsRdata(keyTag, algorithm, digestType, digest);
};

const dnskey: Format = rdata => present.dnskeyRdata(rdata.u16(), rdata.u8(), rdata.u8(), rdata.rest());

const tlsaFormat: Format = rdata => {
  const { usage, selector, matchingType, certificate } = tlsa.decode(rdata.field());
  return `${usage} ${selector} ${matchingType} ${hex(certificate)}`;
};

const caa: Format = rdata => {
  const flags = rdata.u8();
  const tag = rdata.octets(rdata.u8()).toString('latin1');
  if (!/^[a-z\d]+$/i.test(tag)) throw new RangeError('CAA tag is not alphanumeric'); // RFC 8659 §4.1
  return `${flags} ${tag} ${quoted(rdata.rest())}`;
};

/** How the rdata of each type is read and written; types that RFC 3597 §4 lets compress names are all here. */
const FORMATS: Readonly<Record<string, Format>> = {
  A: rdata => ipv4Text(rdata.u32()),
  AAAA: rdata => ipv6Text(rdata.octets(16), 0),
  NS: name,
  MD: name,
  MF: name,
  CNAME: name,
  MB: name,
  MG: name,
  MR: name,
  PTR: name,
  DNAME: name,
  MX: numberAndName,
  AFSDB: numberAndName,
  RT: numberAndName,
  KX: numberAndName,
  MINFO: twoNames,
  RP: twoNames,
  SOA: rdata => {
    const [mname, rname] = [rdata.name(), rdata.name()];
    return present.soaRdata(mname, rname, rdata.u32(), rdata.u32(), rdata.u32(), rdata.u32(), rdata.u32());
  },
  SRV: rdata => present.srvRdata(rdata.u16(), rdata.u16(), rdata.u16(), rdata.name()),
  TXT: texts,
  SPF: texts,
  HINFO: rdata => `${rdata.text()} ${rdata.text()}`,
  NAPTR: rdata =>
    `${rdata.u16()} ${rdata.u16()} ${rdata.text()} ${rdata.text()} ${rdata.text()} ${rdata.name()}`,
  SSHFP: rdata => `${rdata.u8()} ${rdata.u8()} ${hex(rdata.rest())}`,
  TLSA: tlsaFormat,
  SMIMEA: tlsaFormat,
  URI: rdata => `${rdata.u16()} ${rdata.u16()} ${quoted(rdata.rest())}`,
  CAA: caa,
  DS: dsFormat,
  CDS: dsFormat,
  DNSKEY: dnskey,
  CDNSKEY: dnskey,
  RRSIG: rdata =>
    present.rrsigRdata({
      typeCovered: rdata.u16(),
      algorithm: rdata.u8(),
      labels: rdata.u8(),
      originalTtl: rdata.u32(),
      expiration: rdata.u32(),
      inception: rdata.u32(),
      keyTag: rdata.u16(),
      signer: rdata.name(),
      signature: rdata.rest(),
    }),
  NSEC: rdata => present.nsecRdata(rdata.name(), rdata.bitMaps()),
  NSEC3: rdata => {
    const [algorithm, flags, iterations] = [rdata.u8(), rdata.u8(), rdata.u16()];
    const salt = rdata.octets(rdata.u8());
    const nextHashedOwner = rdata.octets(rdata.u8());
    return present.nsec3Rdata(algorithm, flags, iterations, salt, nextHashedOwner, rdata.bitMaps());
  },
  NSEC3PARAM: rdata => present.nsec3paramRdata(rdata.u8(), rdata.u8(), rdata.u16(), rdata.octets(rdata.u8())),
  SVCB: svcb,
  HTTPS: svcb,
};

/** SVCB and HTTPS (RFC 9460 §2.1): `priority target key=value …`, quoted as BIND does. */
function svcb(rdata: RdataReader): string {
  let text = `${rdata.u16()} ${rdata.name()}`;
  let lastKey = -1;
  while (rdata.at < rdata.end) {
    const key = rdata.u16();
    if (key <= lastKey) throw new RangeError('SvcParamKeys are not in order');
    lastKey = key;
    const length = rdata.u16();
    const value = svcParamValue(key, new RdataReader(rdata.octets(length), 0, length));
    text += value === '' ? ` ${svcParamKey(key)}` : ` ${svcParamKey(key)}=${value}`;
  }
  return text;
}

/** Names of the IANA registry "Service Parameter Keys (SvcParamKeys)", by number. */
const SVC_PARAM_KEYS: readonly string[] = [
  'mandatory',
  'alpn',
  'no-default-alpn',
  'port',
  'ipv4hint',
  'ech',
  'ipv6hint',
  'dohpath',
  'ohttp',
  'tls-supported-groups',
];

const svcParamKey = (key: number) => SVC_PARAM_KEYS[key] ?? `key${key}`;

function svcParamValue(key: number, value: RdataReader): string {
  switch (svcParamKey(key)) {
    case 'mandatory':
      return listOf(value, item => svcParamKey(item.u16()));
    case 'alpn': {
      // a comma or backslash inside an item is escaped twice: in the list, then in the text (RFC 9460 §A.1)
      const list = listOf(value, item => item.octets(item.u8()).toString('latin1').replace(/[\\,]/g, '\\$&'));
      return quotedText(list);
    }
    case 'port': {
      const port = String(value.u16());
      if (value.at < value.end) throw new RangeError('port is too long');
      return port;
    }
    case 'ipv4hint':
      return listOf(value, item => ipv4Text(item.u32()));
    case 'ipv6hint':
      return listOf(value, item => ipv6Text(item.octets(16), 0));
    case 'ech':
      return value.rest().toString('base64');
    case 'tls-supported-groups':
      return listOf(value, item => String(item.u16()));
    default: {
      const octets = value.rest();
      return octets.length === 0 ? '' : quoted(octets);
    }
  }
}

function listOf(value: RdataReader, item: Format): string {
  const items: string[] = [];
  while (value.at < value.end) items.push(item(value));
  return items.join(',');
}
