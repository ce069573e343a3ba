/**
 * What the tables must hold after a file was loaded, worked out from what other programs made of that file
 * (`ipfix2json`, and ipfixprobe's own text output), never from the collector's code.
 *
 * Rules for flows
 * - A data record is a flow if it has element 4 (protocol) and a transport port; an option if it describes the exporter, an
 *   element or a template; otherwise it is neither (super_mediator's flat DNS records).
 * - flowEndReason 31 (after masking 0x7f): the record goes to flow_packet instead of flow.
 * - Times: microseconds (IE 154/155), else nanoseconds (156/157), else milliseconds (152/153). NTP fractions are **rounded
 *   to the nearest microsecond**: libfixbuf cuts them to multiples of 0.48 µs, so cutting once more would lose one.
 *   (ipfixprobe's fractions are a millionth too big: its times are up to 1 µs late, and stay so.)
 * - Counters: totals, else deltas. A column is null where its element is absent; 0 stays 0.
 * - TCP flags: initial | union, in the flow record or in the list entry of TCP; MAC addresses likewise.
 * - IPv4-mapped IPv6 addresses of flow ends become IPv4; those in AAAA rdata stay what they are.
 *
 * Client and resolver
 * - Rank of ports: 53, 853, 5353, 5355. The one side that has the best ranked port is the resolver.
 * - Both or neither: a uniflow (no reverse packets) whose DNS records are all responses has the source as resolver;
 *   otherwise the source is the client.
 *
 * Rules for DNS records of YAF
 * - Type 0 is a filler and dropped (it may have section and qr set).
 * - Escapes are taken back for 2.16 and 3; 2.7 and 2.12 do not escape: every dot separates labels, a backslash is itself.
 *   (Their streams can be told apart: only 2.7 and 2.12 send a template with both octetTotalCount and octetDeltaCount.)
 * - Empty owner name: the root in 2.16 and 3. In 2.7 and 2.12 the root for question entries and for NS, SOA, DS, RRSIG,
 *   NSEC and DNSKEY, else null. A name with an empty label (`many.big..`) has lost labels: null.
 * - Empty name inside rdata: the root. A damaged one: a hyphen, or null if it is all of the rdata.
 * - rdata is null for an empty list, whatever the type.
 * - RRSIG of 2.x: key tag and type covered are swapped. A signature of an odd number of octets (2.7 and 2.12 send one too
 *   many) loses its last; no algorithm has odd ones.
 * - Parts that were not sent (DS digest and DNSKEY key of 2.16, RRSIG signature that found no room, NSEC3 flags of 2.x) are
 *   hyphens; missing type bit maps are left out. Hexadecimal in upper case; the next hash of NSEC3 in lower case, because it
 *   is a label of an owner name.
 */

import { findFile, listed, number, type OracleRecord, readDataRecords, text } from './ipfix2json.ts';
import { ipfixprobeRrs } from './ipfixprobe.ts';
import { nearestMicroseconds } from './ntp.ts';
import {
  address,
  base32hex,
  base64,
  bitMapTypes,
  canonical,
  endpoint,
  hexadecimal,
  octetsOf,
  quoted,
  signatureTime,
  typeName,
} from './presentation.ts';
import { carrierOf, type ExpectedFlow, type ExpectedRows, type ExpectedRr } from './rows.ts';

/** Where the oracles are unless said otherwise. */
export const sharedFixtures = new URL('../../../shared/fixtures/', import.meta.url).pathname;

/** What is particular to an exporter. */
interface Dialect {
  /** Escapes octets of names and TXT. */
  readonly escapes: boolean;
  /** Has key tag and type covered of RRSIG in each other's place. */
  readonly swapsKeyTag: boolean;
}

/** `name` begins with the exporter; the three connections of tcp-reconnect were made by 2.16.4, 3.0 and 2.12.2. */
function dialectOf(name: string): Dialect {
  const old = /yaf2(7|12)|conn3$/.test(name);
  const version3 = /yaf3|conn2$/.test(name);
  return { escapes: !old, swapsKeyTag: !version3 };
}

/**
 * Rows, and counts of the ledger, that belong to `name`.ipfix.
 * @param name file name without `.ipfix`
 * @param directory that holds `name`.oracle.ndjson, plain or .gz
 */
export function expectedRows(name: string, directory: string = sharedFixtures): ExpectedRows {
  const path = findFile(`${directory}/${name}.oracle.ndjson`);
  if (path === undefined) throw new Error(`no oracle for ${name} in ${directory}`);
  const records = readDataRecords(path);
  const flowRecords = records.filter(isFlow);
  const cutTimes = flowRecords.some(record => 'flowStartMicroseconds' in record);
  const cutFlows = flowRecords.map(flowOf);
  const flows = cutTimes ? roundTimes(cutFlows, findFile(`${directory}/${name}.ipfix`)!) : cutFlows;
  const lists = flowRecords.map(dnsEntries);
  const entries = lists.flat();
  const dialect = dialectOf(name);
  const isPacket = (flow: ExpectedFlow) => flow.end_reason === 31;
  return {
    dataRecords: records.length,
    optionRecords: records.filter(isOption).length,
    otherRecords: records.filter(record => !isFlow(record) && !isOption(record)).length,
    fillers: entries.filter(isFiller).length,
    sections: [0, 1, 2, 3].map(
      section => entries.filter(entry => number(entry, 'dnsSection') === section).length,
    ),
    flows: flows.filter(flow => !isPacket(flow)),
    packets: flows.filter(isPacket),
    rrs: flows.flatMap((flow, index) => {
      const known = lists[index]!.filter(entry => !isFiller(entry)).map(entry => rrOf(entry, dialect));
      const rrs = name.startsWith('ipfixprobe') ? ipfixprobeRrs(flowRecords[index]!, flow) : known;
      const carrier = carrierOf(isPacket(flow) ? 'flow_packet' : 'flow', flow);
      const responses = rrs.map(rr => rr.qr);
      return rrs.map(rr => ({
        time: flow.start_time,
        carrier,
        ...rr,
        ...clientAndResolver(flow, responses),
      }));
    }),
  };
}

const isFiller = (entry: OracleRecord): boolean => number(entry, 'dnsRRType') === 0;

const isFlow = (record: OracleRecord): boolean =>
  number(record, 'protocolIdentifier') !== null && number(record, 'sourceTransportPort') !== null;

const isOption = (record: OracleRecord): boolean =>
  number(record, 'exportingProcessId', 'informationElementId', 'templateId') !== null;

/** Entries of the DNS list: directly in the flow record (3.x) or one list deeper (2.x). */
const dnsEntries = (record: OracleRecord): OracleRecord[] =>
  [record, ...listed(record, '0xce00')].flatMap(level => listed(level, '0xcf00'));

// ---------------------------------------------------------------------------------------------------------- flows

function flowOf(record: OracleRecord): ExpectedFlow {
  const tcp = listed(record, '0xc003', '0xc013')[0] ?? record;
  const mac = listed(record, '0xc004', '0xc014')[0] ?? record;
  const endReason = number(record, 'flowEndReason');
  return {
    start_time: time(record, 'flowStart')!,
    end_time: time(record, 'flowEnd'),
    octets: counter(record, 'octetTotalCount', 'octetDeltaCount'),
    packets: counter(record, 'packetTotalCount', 'packetDeltaCount'),
    reverse_octets: counter(record, 'reverseOctetTotalCount', 'reverseOctetDeltaCount'),
    reverse_packets: counter(record, 'reversePacketTotalCount', 'reversePacketDeltaCount'),
    src_port: number(record, 'sourceTransportPort'),
    dst_port: number(record, 'destinationTransportPort'),
    vlan: number(record, 'vlanId'),
    application: number(record, 'silkAppLabel'),
    rtt_ms: number(record, 'reverseFlowDeltaMilliseconds'),
    ingress: counter(record, 'ingressInterface'),
    egress: counter(record, 'egressInterface'),
    protocol: number(record, 'protocolIdentifier'),
    end_reason: endReason === null ? null : endReason & 0x7f,
    attributes: number(record, 'flowAttributes'),
    reverse_attributes: number(record, 'reverseFlowAttributes'),
    tcp_flags: union(tcp, 'initialTCPFlags', 'unionTCPFlags') ?? number(record, 'tcpControlBits'),
    reverse_tcp_flags:
      union(tcp, 'reverseInitialTCPFlags', 'reverseUnionTCPFlags') ?? number(record, 'reverseTcpControlBits'),
    tos: number(record, 'ipClassOfService'),
    src: end(record, 'source'),
    dst: end(record, 'destination'),
    src_mac: text(mac, 'sourceMacAddress'),
    dst_mac: text(mac, 'destinationMacAddress'),
  };
}

function counter(record: OracleRecord, ...elements: readonly string[]): string | null {
  const value = number(record, ...elements);
  return value === null ? null : String(value);
}

function union(record: OracleRecord, initial: string, following: string): number | null {
  const [first, rest] = [number(record, initial), number(record, following)];
  return first === null && rest === null ? null : (first ?? 0) | (rest ?? 0);
}

function end(record: OracleRecord, side: 'source' | 'destination'): string | null {
  const found = text(record, `${side}IPv4Address`, `${side}IPv6Address`);
  return found === null ? null : endpoint(found);
}

/** Microseconds since the epoch; those of IE 154/155 are cut to whole ones. */
function time(record: OracleRecord, element: 'flowStart' | 'flowEnd'): string | null {
  const printed = text(
    record,
    ...['Microseconds', 'Nanoseconds', 'Milliseconds'].map(unit => element + unit),
  );
  if (printed === null) return null;
  const [, seconds, fraction] = /^(.{19})\.(\d+)Z$/.exec(printed)!;
  const nanoseconds = BigInt(fraction!.padEnd(9, '0'));
  return String(BigInt(Date.parse(`${seconds!.replace(' ', 'T')}Z`)) * 1000n + (nanoseconds + 500n) / 1000n);
}

/** The same flows, with times of IE 154/155 rounded instead of cut. */
function roundTimes(flows: readonly ExpectedFlow[], path: string): ExpectedFlow[] {
  const cut = flows.flatMap(flow => [flow.start_time, flow.end_time]).filter(time => time !== null);
  const nearest = nearestMicroseconds(path, new Set(cut));
  return flows.map(flow => ({
    ...flow,
    start_time: nearest.get(flow.start_time) ?? flow.start_time,
    end_time: nearest.get(flow.end_time ?? '') ?? flow.end_time,
  }));
}

// ---------------------------------------------------------------------------------------------- client and resolver

const dnsPorts: readonly (number | null)[] = [53, 853, 5353, 5355];

/** Index of the port in the ranking, 4 for any other. */
const rank = (port: number | null): number => (dnsPorts.indexOf(port) + 5) % 5;

function clientAndResolver(
  flow: ExpectedFlow,
  responses: readonly boolean[],
): Pick<ExpectedRr, 'client' | 'resolver'> {
  const [source, destination] = [rank(flow.src_port), rank(flow.dst_port)];
  const uniflow = flow.reverse_packets === null || flow.reverse_packets === '0';
  const fromResolver = source === destination ? uniflow && !responses.includes(false) : source < destination;
  return fromResolver ? { client: flow.dst, resolver: flow.src } : { client: flow.src, resolver: flow.dst };
}

// ------------------------------------------------------------------------------------------------ resource records

/** Types of which an empty owner name can only be the root: NS SOA DS RRSIG NSEC DNSKEY. */
const rootTypes = [2, 6, 43, 46, 47, 48];

function rrOf(entry: OracleRecord, dialect: Dialect) {
  const type = number(entry, 'dnsRRType')!;
  const section = number(entry, 'dnsSection')!;
  const rawName = text(entry, 'dnsName')!;
  const isRoot = rawName === '' && (dialect.escapes || section === 0 || rootTypes.includes(type));
  const detail = Object.entries(entry).find(([key]) => key.startsWith('template:'))![1] as OracleRecord[];
  const sent = detail[0] !== undefined && Object.keys(detail[0]).length > 0 ? detail[0] : undefined;
  const ip = sent && text(sent, 'dnsA', 'dnsAAAA', 'sourceIPv4Address', 'sourceIPv6Address');
  return {
    ttl: String(number(entry, 'dnsTTL')),
    dns_id: number(entry, 'dnsId'),
    rrtype: type,
    section,
    rcode: number(entry, 'dnsResponseCode'),
    origin: 0,
    qr: number(entry, 'dnsQueryResponse') === 1,
    authoritative: number(entry, 'dnsAuthoritative') === 1,
    rrname: isRoot ? '.' : rawName === '' ? null : canonical(rawName, dialect.escapes),
    rdata: sent === undefined ? null : rdataOf(type, sent, dialect),
    rdata_ip: ip ? address(ip) : null,
  };
}

function rdataOf(type: number, detail: OracleRecord, dialect: Dialect): string | null {
  const value = (...elements: string[]) => number(detail, ...elements) ?? '-';
  const octets = (...elements: string[]) => text(detail, ...elements) ?? '';
  const wholeName = (raw: string) => (raw === '' ? '.' : canonical(raw, dialect.escapes));
  const name = (element: string) => wholeName(octets(element)) ?? '-';
  switch (type) {
    case 1:
    case 28:
      return address(octets('dnsA', 'dnsAAAA', 'sourceIPv4Address', 'sourceIPv6Address'));
    case 2:
    case 5:
    case 12:
      return wholeName(octets('dnsNSDName', 'dnsCNAME', 'dnsPTRDName'));
    case 6: {
      const numbers = ['Serial', 'Refresh', 'Retry', 'Expire', 'Minimum'].map(part => value(`dnsSOA${part}`));
      return [name('dnsSOAMName'), name('dnsSOARName'), ...numbers].join(' ');
    }
    case 15:
      return `${value('dnsMXPreference')} ${name('dnsMXExchange')}`;
    case 16:
      return quoted(octets('dnsTXTData'), dialect.escapes);
    case 33:
      return `${value('dnsSRVPriority')} ${value('dnsSRVWeight')} ${value('dnsSRVPort')} ${name('dnsSRVTarget')}`;
    case 43: {
      const parts = [value('dnsKeyTag', 'dnsDSKeyTag'), value('dnsAlgorithm', 'dnsDSAlgorithm')];
      return [...parts, value('dnsDSDigestType'), hexadecimal(octets('dnsDSDigest'))].join(' ');
    }
    case 46:
      return rrsig(detail, name('dnsRRSIGSigner'), dialect);
    case 47: {
      const next = wholeName(octetsOf(octets('dnsHashData', 'dnsNSECNextDomainName'))) ?? '-';
      return [next, ...bitMapTypes(octets('dnsNSECTypeBitMaps'))].join(' ');
    }
    case 48: {
      const parts = [value('dnsDNSKEYFlags'), value('protocolIdentifier', 'dnsDNSKEYProtocol')];
      return [
        ...parts,
        value('dnsAlgorithm', 'dnsDNSKEYAlgorithm'),
        base64(octets('dnsDNSKEYPublicKey')),
      ].join(' ');
    }
    case 50:
    case 51: {
      const prefix = type === 50 ? 'dnsNSEC3' : 'dnsNSEC3PARAM';
      const parts = [value('dnsAlgorithm', `${prefix}Algorithm`), value(`${prefix}Flags`)];
      parts.push(
        value('dnsIterations', `${prefix}Iterations`),
        hexadecimal(octets('dnsSalt', `${prefix}Salt`)),
      );
      if (type === 51) return parts.join(' ');
      const next = base32hex(octets('dnsHashData', 'dnsNSEC3NextHashedOwnerName')) || '-';
      return [...parts, next, ...bitMapTypes(octets('dnsNSEC3TypeBitMaps'))].join(' ');
    }
    default:
      return null;
  }
}

function rrsig(detail: OracleRecord, signer: string, dialect: Dialect): string {
  const [tag, covered] = [
    number(detail, 'dnsKeyTag', 'dnsRRSIGKeyTag')!,
    number(detail, 'dnsRRSIGTypeCovered')!,
  ];
  const signature = text(detail, 'dnsRRSIGSignature')!;
  return [
    typeName(dialect.swapsKeyTag ? tag : covered),
    number(detail, 'dnsAlgorithm', 'dnsRRSIGAlgorithm'),
    number(detail, 'dnsRRSIGLabels'),
    number(detail, 'dnsTTL', 'dnsRRSIGOriginalTTL'),
    signatureTime(number(detail, 'dnsRRSIGSignatureExpiration')!),
    signatureTime(number(detail, 'dnsRRSIGSignatureInception')!),
    dialect.swapsKeyTag ? covered : tag,
    signer,
    base64((signature.length / 2) % 2 === 1 ? signature.slice(0, -2) : signature),
  ].join(' ');
}
