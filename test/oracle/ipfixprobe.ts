/**
 * Rows of CESNET ipfixprobe's records, which hold at most one DNS message in flat elements of PEN 8057: names in text
 * without trailing dot and without escapes, and the first answer RR as printed text.
 *
 * What can be known, and the rules made of it
 * - There is no QR bit. If exactly one side has the best ranked DNS port (53, 853, 5353, 5355) the message is a response
 *   when that side is the source; otherwise when it has answers or a response code.
 * - One question row always: section 0, TTL 0, type = element 3. The name is cut to 127 octets and at a NUL: a name of 127
 *   octets is null (its end, the registered domain, is gone), an empty one is the root for NS, SOA, DS, RRSIG, NSEC and
 *   DNSKEY, else null.
 * - One answer row if the answer count is above 0: section 1, the question's name, TTL of element 5. Its type is not sent,
 *   only the QTYPE. A text that has the form of the QTYPE's rdata is of that type; for A, AAAA, MX, SOA and SRV another text
 *   can only be an alias: CNAME (it may have been a DNAME). For QTYPEs 251–255 the type is unknown: no answer row.
 * - SRV is printed as `service proto name target priority weight port`. TXT is taken whole. Texts are cut to 159 octets:
 *   rdata that is such a name is null, a part that is one is a hyphen. Other types, and `(not_impl)`, have no value: null.
 * - The AA bit is not sent: null.
 */
import { isIP } from 'node:net';
import { type OracleRecord, text } from './ipfix2json.ts';
import { address, canonical, octetsOf, quoted } from './presentation.ts';
import type { ExpectedFlow, ExpectedRr } from './rows.ts';

/** Position of the element among the unknown ones of the record (the order of the template). */
const element = {
  answerCount: 0,
  rcode: 1,
  qtype: 2,
  ttl: 4,
  dnsId: 8,
  name: 9,
  rdata: 10,
} as const;

type Rr = Omit<ExpectedRr, 'time' | 'carrier' | 'client' | 'resolver'>;

const dnsPorts: readonly (number | null)[] = [53, 853, 5353, 5355];
const rootTypes = [2, 6, 43, 46, 47, 48];

/** Question and answer rows of one record; none if it has no DNS elements. */
export function ipfixprobeRrs(record: OracleRecord, flow: ExpectedFlow): Rr[] {
  const hex = (index: number) => text(record, `unknown ${index}`);
  if (hex(element.rdata) === null) return [];
  const unsigned = (index: number) => Number.parseInt(hex(index)!, 16);
  const [qtype, answers, rcode] = [
    unsigned(element.qtype),
    unsigned(element.answerCount),
    unsigned(element.rcode),
  ];
  const message = {
    dns_id: unsigned(element.dnsId),
    rcode,
    origin: 0,
    qr: isResponse(flow, answers > 0 || rcode > 0),
    authoritative: null,
    rrname: ownerName(octetsOf(hex(element.name)!), qtype),
  };
  const question = { ...message, section: 0, ttl: '0', rrtype: qtype, rdata: null, rdata_ip: null };
  if (answers === 0 || (qtype >= 251 && qtype <= 255)) return [question];
  const answer = answerOf(octetsOf(hex(element.rdata)!), qtype);
  return [question, { ...message, section: 1, ttl: String(unsigned(element.ttl)), ...answer }];
}

function isResponse(flow: ExpectedFlow, answered: boolean): boolean {
  const port = dnsPorts.find(candidate => candidate === flow.src_port || candidate === flow.dst_port);
  const isServer = [flow.src_port, flow.dst_port].map(candidate => candidate === port);
  return port === undefined || isServer[0] === isServer[1] ? answered : isServer[0]!;
}

function ownerName(raw: string, type: number): string | null {
  if (raw === '') return rootTypes.includes(type) ? '.' : null;
  return raw.length >= 127 ? null : canonical(raw, false);
}

function answerOf(printed: string, qtype: number): Pick<Rr, 'rrtype' | 'rdata' | 'rdata_ip'> {
  const words = printed.split(' ');
  const name = (raw = '') => (printed.length >= 159 ? null : raw === '' ? '.' : canonical(raw, false));
  const of = (rrtype: number, rdata: string | null) => ({ rrtype, rdata, rdata_ip: null });
  const withName = (numbers: string, target: string | null) => `${numbers} ${target ?? '-'}`;
  const alias = () => of(5, name(printed));
  switch (qtype) {
    case 1:
    case 28: {
      if (isIP(printed) !== (qtype === 1 ? 4 : 6)) return alias();
      return { rrtype: qtype, rdata: address(printed), rdata_ip: address(printed) };
    }
    case 2:
    case 5:
    case 12:
      return of(qtype, name(printed));
    case 6:
      return words.length === 7
        ? of(6, [name(words[0]), name(words[1]), ...words.slice(2)].join(' '))
        : alias();
    case 15:
      return words.length === 2 ? of(15, withName(words[0]!, name(words[1]))) : alias();
    case 16:
      return of(16, quoted(printed, false));
    case 33: {
      const [target, ...numbers] = words.slice(3);
      return words.length === 7 ? of(33, withName(numbers.join(' '), name(target))) : alias();
    }
    default:
      return of(qtype, null);
  }
}
