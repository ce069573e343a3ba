import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type DnsMessage, type DnsRecord, decodePayload } from '../../../collector/map/payload.ts';
import {
  dnskeyRdata,
  dsRdata,
  nsec3paramRdata,
  nsec3Rdata,
  nsecRdata,
  rrsigRdata,
  trimSignature,
} from '../../../collector/map/rdata.ts';
import { canonicalName } from '../../../common/dnsName.ts';
import { rrtypeName } from '../../../common/rrtypes.ts';

const hex = (text: string) => Buffer.from(text.replaceAll(':', ''), 'hex');

const fixtures = new URL('../../../../shared/fixtures/', import.meta.url);
const hasFixtures = existsSync(fixtures);

type Fields = Readonly<Record<string, unknown>>;

/** A packet as tshark prints it with -T ek. */
interface Packet {
  readonly number: string;
  readonly payload: Buffer;
  readonly transport: 'udp' | 'tcp';
  readonly dns: Fields;
}

function jsonLines(file: string): unknown[] {
  const url = new URL(file, fixtures);
  const text = (file.endsWith('.gz') ? gunzipSync(readFileSync(url)) : readFileSync(url)).toString('utf8');
  return text.split('\n').flatMap(line => (line === '' ? [] : [JSON.parse(line)]));
}

/** DNS packets of a capture: UDP reassembled, and TCP segments that hold exactly one message. */
function capturedPackets(capture: string): Packet[] {
  const packets = jsonLines(`${capture}.tshark.ndjson.gz`) as { layers?: Record<string, Fields> }[];
  return packets.flatMap(({ layers }) => {
    const { frame, udp, tcp, dns } = layers ?? {};
    const payload = hex(String(udp?.udp_udp_payload ?? tcp?.tcp_tcp_payload ?? ''));
    if (!frame || !dns || payload.length === 0) return [];
    if (tcp && Number(dns.dns_dns_length) !== payload.length - 2) return [];
    const number = `${capture} ${frame.frame_frame_number}`;
    return [{ number, payload, transport: udp ? 'udp' : 'tcp', dns }];
  });
}

/** The values of a field that tshark repeats for each occurrence in the packet. */
function valuesOf(dns: Fields, field: string): string[] {
  const value = dns[`dns_dns_${field}`];
  if (value === undefined) return [];
  return (Array.isArray(value) ? value : [value]).map(item => (item === null ? '' : String(item)));
}

/** A name or text as tshark prints it, which loses the dots inside labels and octets that are no UTF-8. */
function asTshark(presentation: string): string {
  const octets = presentation.replace(/\\(\d{3})|\\(.)/g, (_, code, character) =>
    code ? String.fromCharCode(Number(code)) : character,
  );
  const text = Buffer.from(octets, 'latin1').toString('utf8').replace('\n', '\\n');
  return text.replace(/[\0-\x1f]/g, octet => `\\${octet.charCodeAt(0).toString(8).padStart(3, '0')}`);
}

const asTsharkName = (name: string) => (name === '.' ? '<root>' : asTshark(name.slice(0, -1)).toLowerCase());
const plainHex = (text: string) => text.replaceAll(':', '').toUpperCase();
const base64 = (text: string) => hex(text).toString('base64');
const timeOf = (text: string) => text.replace(/\D/g, '').slice(0, 14);
const unquote = (text: string) => asTshark(text.slice(1, -1));

type Compare = readonly [field: string, ours: (part: string) => string, theirs?: (value: string) => string];
const same = (text: string) => text;
const asName = (field: string): Compare => [field, asTsharkName, value => value.toLowerCase()];
const asNumber = (field: string): Compare => [field, same];

/** For each type the parts of its rdata, between spaces, and the fields of tshark that hold the same. */
const RDATA_FIELDS: Readonly<Record<string, readonly Compare[]>> = {
  A: [asNumber('a')],
  AAAA: [asNumber('aaaa')],
  NS: [asName('ns')],
  CNAME: [asName('cname')],
  PTR: [asName('ptr_domain_name')],
  DNAME: [asName('dname')],
  MX: [asNumber('mx_preference'), asName('mx_mail_exchange')],
  SOA: [
    asName('soa_mname'),
    asName('soa_rname'),
    ...['serial_number', 'refresh_interval', 'retry_interval', 'expire_limit', 'minimum_ttl'].map(field =>
      asNumber(`soa_${field}`),
    ),
  ],
  SRV: [...['priority', 'weight', 'port'].map(field => asNumber(`srv_${field}`)), asName('srv_target')],
  RP: [asName('rp_mailbox'), asName('rp_txt_rr')],
  HINFO: [
    ['hinfo_cpu', unquote],
    ['hinfo_os', unquote],
  ],
  NAPTR: [
    asNumber('naptr_order'),
    asNumber('naptr_preference'),
    ['naptr_flags', unquote],
    ['naptr_service', unquote],
    ['naptr_regex', unquote],
    asName('naptr_replacement'),
  ],
  SSHFP: [
    asNumber('sshfp_algorithm'),
    asNumber('sshfp_fingerprint_type'),
    ['sshfp_fingerprint', same, plainHex],
  ],
  TLSA: [
    ...['certificate_usage', 'selector', 'matching_type'].map(field => asNumber(`tlsa_${field}`)),
    ['tlsa_certificate_association_data', same, plainHex],
  ],
  DS: [
    ['ds_key_id', same, value => String(Number(value))],
    asNumber('ds_algorithm'),
    asNumber('ds_digest_type'),
    ['ds_digest', same, plainHex],
  ],
  DNSKEY: [
    ['dnskey_flags', same, value => String(Number(value))],
    asNumber('dnskey_protocol'),
    asNumber('dnskey_algorithm'),
    ['dnskey_public_key', same, base64],
  ],
  RRSIG: [
    ['rrsig_type_covered', same, value => rrtypeName(Number(value))],
    ...['algorithm', 'labels', 'original_ttl'].map(field => asNumber(`rrsig_${field}`)),
    ['rrsig_signature_expiration', same, timeOf],
    ['rrsig_signature_inception', same, timeOf],
    asNumber('rrsig_key_tag'),
    asName('rrsig_signers_name'),
    ['rrsig_signature', same, base64],
  ],
  NSEC: [asName('nsec_next_domain_name')],
  NSEC3: [
    asNumber('nsec3_algo'),
    ['nsec3_flags', same, value => String(Number(value))],
    asNumber('nsec3_iterations'),
    ['nsec3_salt_value', same, plainHex],
    asNumber('nsec3_hash_value'),
  ],
  NSEC3PARAM: [
    asNumber('nsec3_algo'),
    ['nsec3_flags', same, value => String(Number(value))],
    asNumber('nsec3_iterations'),
    ['nsec3_salt_value', same, plainHex],
  ],
};

/** Character-strings and other quoted parts may hold spaces. */
const partsOf = (rdata: string): string[] => rdata.match(/"(?:\\.|[^"\\])*"|\S+/g) ?? [];

/** The types that tshark lists for these records: each record's own, and those in its bit maps. */
function typesWithBitMaps({ rrtype, rdata }: DnsRecord): string[] {
  const skipped = { NSEC: 1, NSEC3: 5 }[rrtypeName(rrtype)];
  const inBitMaps = skipped === undefined || rdata === null ? [] : partsOf(rdata).slice(skipped);
  return [rrtypeName(rrtype), ...inBitMaps];
}

const isSrv = ({ rrtype }: DnsRecord) => rrtypeName(rrtype) === 'SRV';
/** tshark ends texts at NUL, and takes them for ASCII. */
const asTsharkText = (text: string) =>
  unquote(text.replace(/\\000.*"$/, '"').replace(/\\(?:12[89]|1[3-9]\d|2\d\d)/g, '\\239\\191\\189'));

/** Compares all that tshark says of a packet. @returns how many values of rdata were compared */
function expectAsTshark({ records }: DnsMessage, dns: Fields): number {
  const questions = records.filter(({ section }) => section === 0);
  const answers = records.filter(({ section }) => section !== 0);
  const rrLines = [dns.text as string | string[]].flat().slice(questions.length);
  // tshark lists the owner of an SRV record elsewhere, in its parts
  const named = rrLines.filter(line => !line.includes(': type SRV, '));
  const lowerCase = (names: string[]) => names.map(name => name.toLowerCase());

  expect(questions.map(({ rrname }) => asTsharkName(rrname))).toEqual(lowerCase(valuesOf(dns, 'qry_name')));
  expect(questions.map(({ rrtype }) => String(rrtype))).toEqual(valuesOf(dns, 'qry_type'));
  expect(questions.map(({ rrclass }) => rrclass)).toEqual(valuesOf(dns, 'qry_class').map(Number));
  const names = valuesOf(dns, 'resp_name').filter((_, i) => !named[i]?.endsWith(': type OPT'));
  const [srv, others] = [answers.filter(isSrv), answers.filter(record => !isSrv(record))];
  expect(others.map(({ rrname }) => asTsharkName(rrname))).toEqual(lowerCase(names));
  const [services, protocols, bases] = ['service', 'proto', 'name'].map(part => valuesOf(dns, `srv_${part}`));
  const srvNames = (services ?? []).map((service, i) => `${service}.${protocols?.[i]}.${bases?.[i]}`);
  expect(srv.map(({ rrname }) => asTsharkName(rrname))).toEqual(lowerCase(srvNames));
  const types = valuesOf(dns, 'resp_type').filter(type => type !== '41');
  expect(answers.flatMap(typesWithBitMaps)).toEqual(types.map(type => rrtypeName(Number(type))));
  expect(answers.map(({ ttl }) => String(ttl))).toEqual(valuesOf(dns, 'resp_ttl'));
  expect(answers.map(({ rrclass }) => rrclass)).toEqual(valuesOf(dns, 'resp_class').map(Number));
  for (const [section, field] of ['queries', 'answers', 'auth_rr'].entries()) {
    const count = records.filter(record => record.section === section).length;
    expect(String(count)).toBe(valuesOf(dns, `count_${field}`)[0]);
  }

  let compared = 0;
  const used: Record<string, number> = {};
  const nextValue = (field: string) => {
    used[field] = (used[field] ?? 0) + 1;
    return valuesOf(dns, field)[used[field] - 1];
  };
  for (const { rrtype, rdata } of answers) {
    const parts = partsOf(rdata ?? '');
    if (rrtypeName(rrtype) === 'TXT') {
      expect(parts.map(asTsharkText)).toEqual(parts.map(() => nextValue('txt')));
      compared += parts.length;
    }
    for (const [i, [field, ours, theirs = same]] of (RDATA_FIELDS[rrtypeName(rrtype)] ?? []).entries()) {
      expect(ours(parts[i] ?? '')).toBe(theirs(nextValue(field) ?? 'no such value'));
      compared++;
    }
  }
  return compared;
}

/** What YAF 2.x leaves out: the flags of NSEC3 and NSEC3PARAM, and type bit maps. */
function asVersion2(rrtype: number, rdata: string): string {
  const parts = partsOf(rdata);
  switch (rrtypeName(rrtype)) {
    case 'NSEC':
      return parts.slice(0, 1).join(' ');
    case 'NSEC3':
      return parts.with(1, '-').slice(0, 5).join(' ');
    case 'NSEC3PARAM':
      return parts.with(1, '-').join(' ');
    default:
      return rdata;
  }
}

/** The DNSSEC records in libfixbuf's rendering of an export, as `owner TYPE rdata`; those without signature left out. */
function exportedRecords(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  const { dnsRRType, dnsName, ...others } = value as Fields;
  const nested = Object.values(value).flatMap(exportedRecords);
  const [detail] = Object.entries(others).flatMap(([key, list]) =>
    key.startsWith('template:0xce') && Array.isArray(list) ? (list as Fields[]) : [],
  );
  const rdata = detail && Object.keys(detail).length > 0 && exportedRdata(detail, Number(dnsRRType));
  if (typeof dnsName !== 'string' || !rdata) return nested;
  return [`${canonicalName(dnsName) ?? '.'} ${rrtypeName(Number(dnsRRType))} ${rdata}`, ...nested];
}

function exportedRdata(detail: Fields, rrtype: number): string | null {
  const has = (name: string) => name in detail;
  const number = (...names: string[]) => Number(detail[names.find(has) ?? '']);
  const octets = (...names: string[]) => hex(String(detail[names.find(has) ?? ''] ?? ''));
  const isVersion2 = has('dnsKeyTag') || has('dnsAlgorithm') || has('dnsHashData');
  const optional = (name: string) => (has(name) ? octets(name) : undefined);
  switch (rrtypeName(rrtype)) {
    case 'DS':
      return dsRdata(
        number('dnsKeyTag', 'dnsDSKeyTag'),
        number('dnsAlgorithm', 'dnsDSAlgorithm'),
        number('dnsDSDigestType'),
        octets('dnsDSDigest'),
      );
    case 'DNSKEY':
      return dnskeyRdata(
        number('dnsDNSKEYFlags'),
        number('protocolIdentifier', 'dnsDNSKEYProtocol'),
        number('dnsAlgorithm', 'dnsDNSKEYAlgorithm'),
        octets('dnsDNSKEYPublicKey'),
      );
    case 'RRSIG': {
      const algorithm = number('dnsAlgorithm', 'dnsRRSIGAlgorithm');
      const signature = octets('dnsRRSIGSignature');
      if (signature.length === 0) return null;
      return rrsigRdata({
        typeCovered: number(isVersion2 ? 'dnsKeyTag' : 'dnsRRSIGTypeCovered'),
        algorithm,
        labels: number('dnsRRSIGLabels'),
        originalTtl: number('dnsTTL', 'dnsRRSIGOriginalTTL'),
        expiration: number('dnsRRSIGSignatureExpiration'),
        inception: number('dnsRRSIGSignatureInception'),
        keyTag: number(isVersion2 ? 'dnsRRSIGTypeCovered' : 'dnsRRSIGKeyTag'),
        signer: String(detail.dnsRRSIGSigner),
        signature: isVersion2 ? trimSignature(algorithm, signature) : signature,
      });
    }
    case 'NSEC':
      return nsecRdata(
        octets('dnsHashData', 'dnsNSECNextDomainName').toString('latin1'),
        optional('dnsNSECTypeBitMaps'),
      );
    case 'NSEC3':
      return nsec3Rdata(
        number('dnsAlgorithm', 'dnsNSEC3Algorithm'),
        has('dnsNSEC3Flags') ? number('dnsNSEC3Flags') : undefined,
        number('dnsIterations', 'dnsNSEC3Iterations'),
        octets('dnsSalt', 'dnsNSEC3Salt'),
        octets('dnsHashData', 'dnsNSEC3NextHashedOwnerName'),
        optional('dnsNSEC3TypeBitMaps'),
      );
    case 'NSEC3PARAM':
      return nsec3paramRdata(
        number('dnsAlgorithm', 'dnsNSEC3PARAMAlgorithm'),
        has('dnsNSEC3PARAMFlags') ? number('dnsNSEC3PARAMFlags') : undefined,
        number('dnsIterations', 'dnsNSEC3PARAMIterations'),
        octets('dnsSalt', 'dnsNSEC3PARAMSalt'),
      );
    default:
      return null;
  }
}

describe.skipIf(!hasFixtures)('against captures (skipped where ../shared/fixtures is absent)', () => {
  it.each([
    ['small', 278, 868],
    ['names', 56, 178],
    ['dnssec', 146, 1971],
    ['big', 130, 2215],
    ['behaviour', 1188, 3627],
  ])('decodes %s as tshark does', (capture, packetCount, valueCount) => {
    const packets = capturedPackets(capture).filter(({ dns }) => valuesOf(dns, 'flags_opcode')[0] === '0');
    let compared = 0;
    for (const { number, payload, transport, dns } of packets) {
      const messages = decodePayload(payload, transport);
      expect(messages, number).toHaveLength(1);
      const [message] = messages;
      if (!message) continue;
      expect(message, number).toMatchObject({
        truncated: false,
        id: Number(valuesOf(dns, 'id')[0]),
        qr: valuesOf(dns, 'flags_response')[0] === 'true',
        rcode: Number(valuesOf(dns, 'flags_rcode')[0] ?? 0),
      });
      compared += expectAsTshark(message, dns);
    }
    expect(packets).toHaveLength(packetCount);
    expect(compared).toBe(valueCount);
  });

  it.each([
    ['3.0', 'yaf3-dnssec-on.oracle.ndjson.gz', 214],
    ['2.12', 'tcp-reconnect-conn3.oracle.ndjson.gz', 193],
  ])('decodes what YAF %s exports, written by the functions for exporters', (_, oracle, count) => {
    const decoded = new Set<string>();
    for (const { payload, transport } of capturedPackets('dnssec')) {
      for (const { rrname, rrtype, rdata } of decodePayload(payload, transport)[0]?.records ?? []) {
        if (rdata === null) continue;
        decoded.add(`${rrname} ${rrtypeName(rrtype)} ${rdata}`);
        decoded.add(`${rrname} ${rrtypeName(rrtype)} ${asVersion2(rrtype, rdata)}`);
      }
    }
    const exported = exportedRecords(jsonLines(oracle));
    for (const record of exported) expect(decoded).toContain(record);
    expect(exported).toHaveLength(count);
  });

  it('tells messages from rubbish in malformed as tshark does', () => {
    const decoded = capturedPackets('malformed').map(({ number, payload }) => [
      number,
      decodePayload(payload, 'udp')[0]?.records.length ?? null,
    ]);
    // 21 to 24: octets after the message; 9 to 20: rubbish; 25 to 28: UPDATE and NOTIFY
    expect(decoded.filter(([, records]) => records !== null)).toEqual([
      ['malformed 21', 1],
      ['malformed 22', 7],
      ['malformed 23', 1],
      ['malformed 24', 7],
    ]);
    expect(decoded).toHaveLength(20);
  });

  it('gives of every payload cut to any length the first records of the whole', () => {
    for (const { number, payload, transport } of ['small', 'names', 'dnssec', 'big'].flatMap(
      capturedPackets,
    )) {
      const whole = decodePayload(payload, transport)[0];
      for (const length of [12, 40, 100, 200, payload.length - 1]) {
        const cut = decodePayload(payload.subarray(0, length), transport)[0];
        const records = cut?.records ?? [];
        expect(records, number).toEqual(whole?.records.slice(0, records.length));
        if (cut && length < payload.length) expect(cut.truncated, number).toBe(true);
      }
    }
  });

  it('never throws and writes printable ASCII, whatever octets of a payload are changed', () => {
    const payloads = ['small', 'dnssec'].flatMap(capturedPackets).map(({ payload }) => payload);
    const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(fc.constantFrom(...payloads), changes, (payload, changed) => {
        const mutant = Buffer.from(payload);
        for (const [at, octet] of changed) mutant[at % mutant.length] = octet;
        const records = decodePayload(mutant, 'udp').flatMap(message => message.records);
        for (const { rrname, rdata } of records) expect(rrname + (rdata ?? '')).toMatch(/^[ -~]+$/);
      }),
      { numRuns: 2000 },
    );
  });
});
