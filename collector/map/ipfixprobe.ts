import { isIP } from 'node:net';
import { canonicalName, canonicalText } from '../../common/dnsName.ts';
import { ROOT_TYPES } from '../../common/rrtypes.ts';
import type { DataRecord, Template } from '../ipfix/index.ts';
import { addressFromText } from './address.ts';
import { dnsPortRank } from './client.ts';
import type { FlowRow, Notes, RrRow } from './rows.ts';
import { integerAt, octetString } from './value.ts';

/** CESNET, the makers of ipfixprobe. */
const CESNET_PEN = 8057;
/** ipfixprobe cuts names and texts to its buffers, the final NUL included. */
const NAME_BUFFER = 127;
const TEXT_BUFFER = 159;
const Type = { A: 1, NS: 2, CNAME: 5, SOA: 6, PTR: 12, MX: 15, TXT: 16, AAAA: 28, SRV: 33 } as const;

/** Where ipfixprobe's flat DNS elements stand. */
export interface IpfixprobePlan {
  readonly rcode: number;
  readonly name: number;
  readonly qtype: number;
  readonly ttl: number;
  readonly rdata: number;
  readonly id: number;
  readonly answers: number;
}

export function ipfixprobePlan(template: Template): IpfixprobePlan | null {
  const at = (id: number) => template.indexOf(CESNET_PEN, id);
  if (at(2) < 0 || at(3) < 0) return null;
  return { rcode: at(1), name: at(2), qtype: at(3), ttl: at(5), rdata: at(7), id: at(10), answers: at(14) };
}

/**
 * One DNS message in ipfixprobe's flat elements: its question, and of its answers the first, as printed text.
 * There is no QR bit: the side with the surer DNS port answers; where that does not tell, what has answers or a response
 * code is a response. The answer's type is not sent: a text that cannot be the rdata of the QTYPE is an alias.
 */
export function ipfixprobeRows(
  plan: IpfixprobePlan,
  { values }: DataRecord,
  flow: FlowRow,
  notes: Notes,
): RrRow[] {
  const qtype = integerAt(values, plan.qtype) ?? 0;
  if (qtype === 0) return []; // no question was decoded
  const rcode = integerAt(values, plan.rcode) ?? 0;
  const answers = integerAt(values, plan.answers) ?? 0;
  const [source, destination] = [dnsPortRank(flow.src_port), dnsPortRank(flow.dst_port)];
  const message = {
    dns_id: integerAt(values, plan.id),
    rcode,
    origin: 0,
    qr: source === destination ? answers > 0 || rcode > 0 : source < destination,
    authoritative: null,
    rrname: ownerName(untilNul(octetString(values[plan.name])), qtype),
  } as const;
  if (message.rrname === null) notes.count('unknown_owner_name');
  const question: RrRow = { ...message, section: 0, ttl: 0, rrtype: qtype, rdata: null, rdata_ip: null };
  // 251 to 255 are questions only (RFC 1035 section 3.2.3): the answer's type cannot be guessed from them
  if (answers === 0 || (qtype >= 251 && qtype <= 255)) return [question];
  const answer = answerOf(octetString(values[plan.rdata]), qtype);
  return [question, { ...message, section: 1, ttl: integerAt(values, plan.ttl), rdata_ip: null, ...answer }];
}

function ownerName(octets: string, type: number): string | null {
  if (octets === '') return ROOT_TYPES.has(type) ? '.' : null;
  return octets.length >= NAME_BUFFER ? null : canonicalName(octets);
}

function answerOf(
  printed: string,
  qtype: number,
): Pick<RrRow, 'rrtype' | 'rdata'> & Partial<Pick<RrRow, 'rdata_ip'>> {
  const words = printed.split(' ');
  const isWhole = printed.length < TEXT_BUFFER;
  /** A part that was cut is a hyphen, a value that was cut unknown. */
  const name = (octets = '') => (!isWhole ? '-' : octets === '' ? '.' : (canonicalName(octets) ?? '-'));
  const alias = { rrtype: Type.CNAME, rdata: isWhole ? name(printed) : null };
  switch (qtype) {
    case Type.A:
    case Type.AAAA: {
      if (isIP(printed) !== (qtype === Type.A ? 4 : 6)) return alias;
      const { text, address } = addressFromText(printed);
      return { rrtype: qtype, rdata: text, rdata_ip: address };
    }
    case Type.NS:
    case Type.CNAME:
    case Type.PTR:
      return { rrtype: qtype, rdata: isWhole ? name(printed) : null };
    case Type.SOA:
      if (words.length !== 7) return alias;
      return { rrtype: qtype, rdata: [name(words[0]), name(words[1]), ...words.slice(2)].join(' ') };
    case Type.MX:
      return words.length === 2 ? { rrtype: qtype, rdata: `${words[0]} ${name(words[1])}` } : alias;
    case Type.TXT:
      return { rrtype: qtype, rdata: canonicalText(printed) };
    case Type.SRV: {
      // printed as: service protocol name target priority weight port
      const [target, ...numbers] = words.slice(3);
      return words.length === 7 ? { rrtype: qtype, rdata: `${numbers.join(' ')} ${name(target)}` } : alias;
    }
    default:
      return { rrtype: qtype, rdata: null };
  }
}

/** ipfixprobe ends names at the first NUL. */
function untilNul(octets: string): string {
  const end = octets.indexOf('\0');
  return end < 0 ? octets : octets.slice(0, end);
}
