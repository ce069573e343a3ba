import type { DnsMessage, DnsRecord } from './payload.ts';
import type { Notes, RrRow } from './rows.ts';

const QUESTION = 0;
const TXT = 16;

/**
 * Takes from decoded payload what the exporter's list lacks: values that it left out, the further strings of a TXT, and
 * records of messages that it could not decode (HTTPS, SVCB, CAA, ANY, long TCP answers …), which become rows of origin 1.
 * The list's own rows stay, so that counts by origin can be compared with the exporter's.
 * @param rows the exporter's rows of the flow; rows are added and completed in place
 */
export function mergePayload(rows: RrRow[], messages: readonly DnsMessage[], notes: Notes): void {
  const unmatched = new Set(rows);
  for (const message of messages) {
    let isNew = true;
    for (const record of message.records) {
      // a response repeats the question of its query: the exporter keeps it only with an error, and so do we
      if (record.section === QUESTION && message.qr && message.rcode === 0 && hasQuestion(rows, record)) continue;
      const row = matching(unmatched, message, record);
      if (row === undefined) {
        rows.push(rowOf(message, record));
        continue;
      }
      isNew = false;
      unmatched.delete(row);
      if (row.rrname === null) row.rrname = record.rrname;
      if (record.rdata !== null && (row.rdata === null || (row.rrtype === TXT && row.rdata !== record.rdata))) {
        row.rdata = record.rdata;
        notes.count('rdata_from_payload');
      }
    }
    if (isNew) notes.count('payload_only_messages');
  }
}

function hasQuestion(rows: readonly RrRow[], { rrname, rrtype }: DnsRecord): boolean {
  return rows.some(row => row.section === QUESTION && row.rrtype === rrtype && row.rrname === rrname);
}

/** The exporter's row of this record: same message, section, type, owner and TTL; with a value of its own, the same value. */
function matching(rows: ReadonlySet<RrRow>, message: DnsMessage, record: DnsRecord): RrRow | undefined {
  for (const row of rows) {
    const isSame =
      row.qr === message.qr &&
      row.dns_id === message.id &&
      row.section === record.section &&
      row.rrtype === record.rrtype &&
      row.ttl === record.ttl &&
      (row.rrname === record.rrname || row.rrname === null) &&
      (row.rdata === record.rdata || row.rdata === null || row.rrtype === TXT || row.rdata.includes('-'));
    if (isSame) return row;
  }
  return undefined;
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
