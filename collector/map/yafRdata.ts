import { canonicalName, canonicalText } from '../../common/dnsName.ts';
import { CERT_PEN, type DataRecord, ipv4Text, ipv6Text, type Template, type Value } from '../ipfix/index.ts';
import {
  dnskeyRdata,
  dsRdata,
  mxRdata,
  nsec3paramRdata,
  nsec3Rdata,
  nsecRdata,
  rrsigRdata,
  soaRdata,
  srvRdata,
  trimSignature,
} from './rdata.ts';
import type { Address, Notes } from './rows.ts';
import { integer, octetString } from './value.ts';

/** Value of a resource record. `rdata` is null where what the exporter sent is damaged. */
export interface Rdata {
  readonly rdata: string | null;
  readonly rdata_ip: Address | null;
}

export type RdataReader = (record: DataRecord, rrtype: number, notes: Notes) => Rdata;

const NSEC3PARAM = 51;
const EMPTY = Buffer.alloc(0);

/**
 * Makes the reader of the rdata records of one template, chosen by the elements it has (all of PEN 6871 but for the
 * addresses that YAF 2.x sends in IANA's). Both layouts, 2.x and 3.x, see the tables of YAF's DNS templates.
 * @returns null for a template without any known rdata element
 */
export function rdataReader(template: Template): RdataReader | null {
  const cert = (...ids: number[]) => Math.max(...ids.map(id => template.indexOf(CERT_PEN, id)));
  const ipv4 = cert(302) >= 0 ? cert(302) : template.indexOf(0, 8);
  if (ipv4 >= 0) return ({ values }) => ipv4Rdata(values[ipv4]);
  const ipv6 = cert(303) >= 0 ? cert(303) : template.indexOf(0, 27);
  if (ipv6 >= 0) return ({ values }) => ipv6Rdata(values[ipv6]);
  const name = cert(180, 183, 184);
  if (name >= 0) return ({ values }) => nameRdata(octetString(values[name]));
  const txt = cert(208);
  if (txt >= 0) return ({ values }) => text(canonicalText(octetString(values[txt])));
  if (cert(182) >= 0) {
    const [preference, exchange] = [cert(181), cert(182)];
    return ({ values: v }) => text(mxRdata(int(v[preference]), octetString(v[exchange])));
  }
  if (cert(214) >= 0) {
    const [mname, rname] = [cert(214), cert(215)];
    const [serial, refresh, retry, expire, minimum] = [cert(209), cert(210), cert(211), cert(212), cert(213)];
    return ({ values: v }) =>
      text(
        soaRdata(
          octetString(v[mname]),
          octetString(v[rname]),
          int(v[serial]),
          int(v[refresh]),
          int(v[retry]),
          int(v[expire]),
          int(v[minimum]),
        ),
      );
  }
  if (cert(219) >= 0) {
    const [priority, weight, port, target] = [cert(216), cert(217), cert(218), cert(219)];
    return ({ values: v }) =>
      text(srvRdata(int(v[priority]), int(v[weight]), int(v[port]), octetString(v[target])));
  }
  if (cert(231) >= 0) {
    const [tag, algorithm, digestType, digest] = [cert(434, 228), cert(433, 227), cert(238), cert(231)];
    return ({ values: v }) =>
      text(dsRdata(int(v[tag]), int(v[algorithm]), int(v[digestType]), bytes(v[digest])));
  }
  if (cert(230) >= 0) return rrsigReader(cert);
  if (cert(232) >= 0) {
    const protocol = cert(304) >= 0 ? cert(304) : template.indexOf(0, 4);
    const [flags, algorithm, key] = [cert(241), cert(423, 227), cert(232)];
    return ({ values: v }) =>
      text(dnskeyRdata(int(v[flags]), int(v[protocol]), int(v[algorithm]), bytes(v[key])));
  }
  if (cert(439, 444, 233) >= 0) return nsec3Reader(cert);
  const next = cert(445, 234);
  if (next >= 0) {
    const bitMaps = cert(446);
    return ({ values: v }) =>
      text(nsecRdata(octetString(v[next]), bitMaps < 0 ? undefined : bytes(v[bitMaps])));
  }
  return null;
}

function rrsigReader(cert: (...ids: number[]) => number): RdataReader {
  // 2.x puts the key tag into typeCovered and the other way round; 3.x has elements of its own (448) and is right
  const isVersion2 = cert(448) < 0;
  const [tag, covered] = isVersion2 ? [cert(240), cert(228)] : [cert(448), cert(240)];
  const [ttl, algorithm, labels] = [cert(449, 199), cert(447, 227), cert(239)];
  const [inception, expiration, signer, signature] = [cert(237), cert(236), cert(229), cert(230)];
  return ({ values: v }, _rrtype, notes) => {
    if (isVersion2) notes.count('rrsig_repaired');
    const octetsOfSignature = bytes(v[signature]);
    const number = int(v[algorithm]);
    return text(
      rrsigRdata({
        typeCovered: int(v[covered]),
        algorithm: number,
        labels: int(v[labels]),
        originalTtl: int(v[ttl]),
        expiration: int(v[expiration]),
        inception: int(v[inception]),
        keyTag: int(v[tag]),
        signer: octetString(v[signer]),
        signature: isVersion2 ? trimSignature(number, octetsOfSignature) : octetsOfSignature,
      }),
    );
  };
}

/** 2.x uses one template for NSEC3 and NSEC3PARAM, without flags; 3.x two, with them. */
function nsec3Reader(cert: (...ids: number[]) => number): RdataReader {
  const isParameters = cert(444) >= 0;
  const [salt, next, iterations] = [cert(444, 439, 233), cert(438, 234), cert(443, 437, 235)];
  const [algorithm, flags, bitMaps] = isParameters
    ? [cert(441), cert(442), -1]
    : [cert(435, 227), cert(436), cert(440)];
  return ({ values: v }, rrtype) => {
    const flagsValue = flags < 0 ? undefined : int(v[flags]);
    const head = [int(v[algorithm]), flagsValue, int(v[iterations]), bytes(v[salt])] as const;
    if (isParameters || rrtype === NSEC3PARAM) return text(nsec3paramRdata(...head));
    return text(nsec3Rdata(...head, bytes(v[next]), bitMaps < 0 ? undefined : bytes(v[bitMaps])));
  };
}

function ipv4Rdata(value: Value | undefined): Rdata {
  return typeof value === 'number' ? { rdata: ipv4Text(value), rdata_ip: value } : text(null);
}

function ipv6Rdata(value: Value | undefined): Rdata {
  if (!Buffer.isBuffer(value) || value.length !== 16) return text(null);
  return { rdata: ipv6Text(value, 0), rdata_ip: value };
}

/** rdata that is one name: a damaged one says nothing. */
function nameRdata(name: string): Rdata {
  return text(name === '' ? '.' : canonicalName(name));
}

function text(rdata: string | null): Rdata {
  return { rdata, rdata_ip: null };
}

function int(value: Value | undefined): number {
  return integer(value) ?? 0;
}

function bytes(value: Value | undefined): Buffer {
  if (Buffer.isBuffer(value)) return value;
  return typeof value === 'string' ? Buffer.from(value, 'latin1') : EMPTY;
}
