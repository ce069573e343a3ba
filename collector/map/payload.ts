/**
 * DNS messages (RFC 1035 §4) from the payload octets that an exporter captured, which may be cut short: YAF with
 * `--export-payload --max-export=200` keeps the first 200. dns-packet does not serve here: it throws on the first cut
 * record, and gives names as UTF-8 with the dots inside labels unescaped.
 */
import { nameFromWire } from '../../common/dnsName.ts';
import { rdataFromWire } from './rdataFromWire.ts';
import type { Address } from './rows.ts';

/** A question entry (section 0: ttl 0, rdata null) or resource record. */
export interface DnsRecord {
  /** 0 question, 1 answer, 2 authority, 3 additional. */
  readonly section: 0 | 1 | 2 | 3;
  readonly rrname: string;
  readonly rrtype: number;
  /** Without the top bit, a flag in multicast DNS (RFC 6762 §10.2, §18.12). */
  readonly rrclass: number;
  /** Seconds. */
  readonly ttl: number;
  /** Presentation form; `\# length hex` (RFC 3597 §5) for types not known here and for malformed rdata. */
  readonly rdata: string | null;
  /** The address, for A and AAAA. */
  readonly address: Address | null;
}

/** A message of opcode QUERY and its complete records in their order; OPT pseudo records are left out. */
export interface DnsMessage {
  readonly id: number;
  readonly qr: boolean;
  readonly opcode: number;
  /** The four bits of the header; the extension in OPT (RFC 6891 §6.1.3) is not added. */
  readonly rcode: number;
  readonly authoritative: boolean;
  /** The header announces more records than could be read: the capture ended, or a record is malformed. */
  readonly truncated: boolean;
  readonly records: readonly DnsRecord[];
}

const HEADER_LENGTH = 12;
const MIN_QUESTION_LENGTH = 5;
const MIN_RECORD_LENGTH = 11;
const MAX_MESSAGE_LENGTH = 65535;
const SECTIONS = [0, 1, 2, 3] as const;
const OPT = 41;
const A = 1;
const AAAA = 28;
/** IN, CS, CH, HS, NONE, ANY (RFC 6895 §3.2). */
const CLASSES: ReadonlySet<number> = new Set([1, 2, 3, 4, 254, 255]);

/**
 * Decodes the DNS messages in one direction's captured payload.
 * @param payload the first octets of a UDP datagram, or of a TCP stream: there each message follows its
 * length in two octets (RFC 7766 §8)
 * @returns no message for what is not DNS, and none for opcodes other than QUERY: the sections of UPDATE (RFC 2136)
 * mean other things, and NOTIFY carries no answers. Never throws.
 */
export function decodePayload(payload: Buffer, transport: 'udp' | 'tcp'): DnsMessage[] {
  const messages: DnsMessage[] = [];
  if (transport === 'udp') {
    const message = decodeMessage(payload, MAX_MESSAGE_LENGTH);
    return message ? [message] : [];
  }
  for (let at = 0; at + 2 <= payload.length; ) {
    const length = payload.readUInt16BE(at);
    const message = decodeMessage(payload.subarray(at + 2, at + 2 + length), length);
    if (!message) break;
    messages.push(message);
    at += 2 + length;
  }
  return messages;
}

/** @param fullLength octets of the message before it was cut, or the most it can have had */
function decodeMessage(octets: Buffer, fullLength: number): DnsMessage | null {
  if (octets.length < HEADER_LENGTH) return null;
  const flags = octets.readUInt16BE(2);
  const opcode = (flags >> 11) & 15;
  const counts = SECTIONS.map(section => octets.readUInt16BE(4 + 2 * section));
  const [questions = 0, answers = 0, authorities = 0, additionals = 0] = counts;
  const announced = questions + answers + authorities + additionals;
  const leastLength = questions * MIN_QUESTION_LENGTH + (announced - questions) * MIN_RECORD_LENGTH;
  if (opcode !== 0 || HEADER_LENGTH + leastLength > fullLength) return null;

  const records: DnsRecord[] = [];
  let read = 0;
  let at = HEADER_LENGTH;
  reading: for (const section of SECTIONS) {
    for (let left = counts[section] ?? 0; left > 0; left--) {
      const entry = readEntry(octets, at, section);
      if (!entry) break reading;
      if (read === 0 && !isPlausible(entry.record)) return null;
      if (entry.record.rrtype !== OPT || section === 0) records.push(entry.record);
      at = entry.next;
      read++;
    }
  }
  // Without one entry there is nothing to tell DNS from other octets, nor anything to store.
  if (read === 0) return null;
  return {
    id: octets.readUInt16BE(0),
    qr: flags >> 15 === 1,
    opcode,
    rcode: flags & 15,
    authoritative: ((flags >> 10) & 1) === 1,
    truncated: read < announced,
    records,
  };
}

/** Whether what was read as the first entry looks like one; OPT keeps a size where others have their class. */
function isPlausible({ rrtype, rrclass }: DnsRecord): boolean {
  return rrtype !== 0 && (CLASSES.has(rrclass) || rrtype === OPT);
}

/** Reads a question or a resource record (RFC 1035 §4.1.2, §4.1.3). @returns null when it is cut or its name malformed */
function readEntry(
  octets: Buffer,
  at: number,
  section: DnsRecord['section'],
): { record: DnsRecord; next: number } | null {
  const owner = nameFromWire(octets, at);
  if (!owner) return null;
  const { name: rrname, next: fixed } = owner;
  if (fixed + (section === 0 ? 4 : 10) > octets.length) return null;
  const rrtype = octets.readUInt16BE(fixed);
  const rrclass = octets.readUInt16BE(fixed + 2) & 0x7fff;
  if (section === 0) {
    return {
      record: { section, rrname, rrtype, rrclass, ttl: 0, rdata: null, address: null },
      next: fixed + 4,
    };
  }
  const ttl = octets.readUInt32BE(fixed + 4);
  const start = fixed + 10;
  const end = start + octets.readUInt16BE(start - 2);
  if (end > octets.length) return null;
  const rdata = rdataFromWire(octets, start, end, rrtype, rrclass);
  const isGeneric = rdata.startsWith('\\'); // malformed, or not of the internet's classes
  return {
    record: {
      section,
      rrname,
      rrtype,
      rrclass,
      ttl,
      rdata,
      address: isGeneric ? null : addressOf(octets, start, rrtype),
    },
    next: end,
  };
}

/** The address that well-formed rdata of type A or AAAA holds. */
function addressOf(octets: Buffer, start: number, rrtype: number): Address | null {
  if (rrtype === A) return octets.readUInt32BE(start);
  return rrtype === AAAA ? octets.subarray(start, start + 16) : null;
}
