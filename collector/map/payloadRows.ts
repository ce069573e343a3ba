import type { DnsMessage, DnsRecord } from './payload.ts';
import type { Notes, RrRow } from './rows.ts';

const QUESTION = 0;
const TXT = 16;
const NSEC = 47;
const NSEC3 = 50;
/** What rdata.ts writes for a part that the exporter did not send. */
const MISSING = '-';
/** How rdata begins that is malformed, or of a type without presentation form (RFC 3597 section 5). */
const GENERIC = '\\# ';
/**
 * How far to look for a record's row. Both sides keep the order of the message, so the first is nearly always right; the
 * bound keeps a message of thousands of records that the exporter reads otherwise than we do from costing their square.
 */
const LOOK_AHEAD = 64;

/**
 * Takes from decoded payload what the exporter's list lacks: values that it left out, the further strings of a TXT, and
 * records of messages that it could not decode (HTTPS, SVCB, CAA, ANY, long TCP answers …), which become rows of origin 1.
 * The list's own rows stay, so that counts by origin can be compared with the exporter's.
 * @param rows the exporter's rows of the flow; rows are added and completed in place
 * @param messages of both directions of the flow, in the order of the exporter: source's first
 */
export function mergePayload(rows: RrRow[], messages: readonly DnsMessage[], notes: Notes): void {
  const listed = Map.groupBy(rows, row => messageKey(row.qr, row.dns_id));
  const questions = new Set(rows.filter(({ section }) => section === QUESTION).map(questionKey));
  for (const message of messages) {
    const open = listed.get(messageKey(message.qr, message.id)) ?? [];
    const before = { open: open.length, rows: rows.length };
    for (const record of message.records) {
      const row = take(open, record);
      if (row !== undefined) {
        if (complete(row, record)) notes.count('rdata_from_payload');
        continue;
      }
      if (record.section === QUESTION) {
        // a response repeats the question of its query: the exporter keeps it only with an error, and so do we
        if (message.qr && message.rcode === 0 && questions.has(questionKey(record))) continue;
        questions.add(questionKey(record));
      }
      rows.push(rowOf(message, record));
    }
    if (open.length === before.open && rows.length > before.rows) notes.count('payload_only_messages');
  }
}

const messageKey = (qr: boolean, id: number | null) => (qr ? 65536 : 0) + (id ?? -1);

const questionKey = ({ rrtype, rrname }: { rrtype: number; rrname: string | null }) =>
  `${rrtype} ${rrname === null ? '' : withoutBackslashes(rrname)}`;

/** Takes the exporter's row of this record out of the rows of its message. */
function take(open: RrRow[], record: DnsRecord): RrRow | undefined {
  const end = Math.min(open.length, LOOK_AHEAD);
  for (let i = 0; i < end; i++) {
    if (isSame(open[i]!, record)) return open.splice(i, 1)[0]; // i < open.length
  }
  return undefined;
}

function isSame(row: RrRow, record: DnsRecord): boolean {
  return (
    row.section === record.section &&
    row.rrtype === record.rrtype &&
    row.ttl === record.ttl &&
    (row.rrname === null || isSameText(row.rrname, record.rrname)) &&
    (row.rdata === null ||
      row.rdata === record.rdata ||
      (record.rdata !== null && isPartOf(row.rdata, record.rdata, row.rrtype)))
  );
}

/** Whether what the exporter sent of a value agrees with the whole: it may lack parts, and cut texts. */
function isPartOf(sent: string, whole: string, rrtype: number): boolean {
  // exporters read malformed rdata as far as it goes
  if (whole.startsWith(GENERIC)) return true;
  // the first string only, and of that what found room: without its closing quote the beginning of the whole
  if (rrtype === TXT) return withoutBackslashes(whole).startsWith(withoutBackslashes(sent.slice(0, -1)));
  const [parts, all] = [sent.split(' '), whole.split(' ')];
  const mayLackBitMaps = rrtype === NSEC || rrtype === NSEC3;
  if (mayLackBitMaps ? parts.length > all.length : parts.length !== all.length) return false;
  return parts.every((part, i) => part === MISSING || isSameText(part, all[i] as string)); // as many or more
}

/** YAF 2.7 and 2.12 do not escape, so that an escape is read into raw octets, or a dot in a label ends it. */
function isSameText(sent: string, whole: string): boolean {
  return sent === whole || withoutBackslashes(sent) === withoutBackslashes(whole);
}

function withoutBackslashes(text: string): string {
  return text.includes('\\') ? text.replaceAll('\\', '') : text;
}

/** Writes into the exporter's row what is better in the payload. @returns whether that is rdata */
function complete(row: RrRow, { rrname, rdata, address }: DnsRecord): boolean {
  row.rrname = rrname;
  if (rdata === null || rdata === row.rdata || (row.rdata !== null && rdata.startsWith(GENERIC)))
    return false;
  row.rdata = rdata;
  row.rdata_ip = address;
  return true;
}

function rowOf(message: DnsMessage, record: DnsRecord): RrRow {
  return {
    ttl: record.ttl,
    dns_id: message.id,
    rrtype: record.rrtype,
    section: record.section,
    rcode: message.rcode,
    origin: 1,
    qr: message.qr,
    authoritative: message.authoritative,
    rrname: record.rrname,
    rdata: record.rdata,
    rdata_ip: record.address,
  };
}
