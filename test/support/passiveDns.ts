import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { importCof } from '../../collector/cof/importCof.ts';

/** Puts records in the Common Output Format into the database, as observations of another passive DNS. */
export async function importRecords(
  pool: pg.Pool,
  records: readonly object[],
  source = 'known',
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'dnstrail-cof-'));
  try {
    const path = join(folder, 'records.ndjson');
    writeFileSync(path, records.map(record => `${JSON.stringify(record)}\n`).join(''));
    const { status, rejected } = await importCof(pool, path, { source });
    if (status !== 'imported' || rejected > 0)
      throw new Error(`${rejected} records were rejected, ${status}`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The objects that the examples of DNSDB's documents and of our tests are about. */
export const knownRecords: readonly object[] = [
  {
    count: 120,
    time_first: 1700000000,
    time_last: 1705000000,
    rrname: 'www.example.com.',
    rrtype: 'A',
    bailiwick: 'example.com.',
    rdata: ['192.0.2.10'],
  },
  {
    count: 30,
    time_first: 1705000100,
    time_last: 1710000000,
    rrname: 'www.example.com.',
    rrtype: 'A',
    bailiwick: 'example.com.',
    rdata: ['198.51.100.2', '192.0.2.10'],
  },
  {
    count: 900,
    time_first: 1690000000,
    time_last: 1710000500,
    rrname: 'example.com.',
    rrtype: 'NS',
    bailiwick: 'com.',
    rdata: ['ns1.example.net.', 'ns2.example.net.'],
  },
  {
    count: 77,
    time_first: 1695000000,
    time_last: 1709000000,
    rrname: 'example.com.',
    rrtype: 'NS',
    bailiwick: 'example.com.',
    rdata: ['ns1.example.net.', 'ns2.example.net.'],
  },
  {
    count: 640,
    zone_time_first: 1650000000,
    zone_time_last: 1709900000,
    rrname: 'example.com.',
    rrtype: 'NS',
    bailiwick: 'com.',
    rdata: ['ns1.example.net.', 'ns2.example.net.'],
  },
  {
    count: 9,
    time_first: 1700000000,
    time_last: 1700000009,
    rrname: 'example.com.',
    rrtype: 'MX',
    bailiwick: 'example.com.',
    rdata: ['10 mail.example.net.'],
  },
  {
    count: 10,
    time_first: 1700000000,
    time_last: 1700000010,
    rrname: 'example.com.',
    rrtype: 'TXT',
    bailiwick: 'example.com.',
    rdata: ['"v=spf1 -all"'],
  },
  {
    count: 5,
    time_first: 1700000000,
    time_last: 1700000010,
    rrname: 'example.com.',
    rrtype: 'DS',
    bailiwick: 'com.',
    rdata: ['12345 8 2 ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789'],
  },
  {
    count: 3,
    time_first: 1700000000,
    time_last: 1700000010,
    rrname: 'example.com.',
    rrtype: 'AAAA',
    bailiwick: 'example.com.',
    rdata: ['2001:db8::10'],
  },
  {
    count: 4,
    time_first: 1700000000,
    time_last: 1700000010,
    rrname: 'mail.example.com.',
    rrtype: 'CNAME',
    bailiwick: 'example.com.',
    rdata: ['www.example.com.'],
  },
  {
    count: 6,
    time_first: 1700000000,
    time_last: 1700000010,
    rrname: 'notexample.com.',
    rrtype: 'A',
    bailiwick: 'notexample.com.',
    rdata: ['203.0.113.1'],
  },
  {
    count: 7,
    time_first: 1700000000,
    time_last: 1700000010,
    rrname: 'not-example.com.',
    rrtype: 'A',
    bailiwick: 'not-example.com.',
    rdata: ['203.0.113.2'],
  },
  {
    count: 8,
    time_first: 1700000000,
    time_last: 1700000010,
    rrname: 'www.example.co.test.',
    rrtype: 'A',
    bailiwick: 'example.co.test.',
    rdata: ['203.0.113.3'],
  },
  {
    count: 1,
    time_first: 1700000000,
    time_last: 1700000010,
    rrname: 'www.examples.com.',
    rrtype: 'A',
    bailiwick: 'examples.com.',
    rdata: ['203.0.113.4'],
  },
  {
    count: 11,
    time_first: 1700000000,
    time_last: 1700000010,
    rrname: '.',
    rrtype: 'NS',
    bailiwick: '.',
    rdata: ['a.root.test.'],
  },
  {
    count: 12,
    time_first: 1700000000,
    time_last: 1700000010,
    rrname: '0/25.2.0.192.in-addr.arpa.',
    rrtype: 'NS',
    bailiwick: '2.0.192.in-addr.arpa.',
    rdata: ['ns.example.org.'],
  },
  {
    count: 13,
    time_first: 1700000000,
    time_last: 1700000010,
    rrname: 'xn--bcher-kva.example.',
    rrtype: 'A',
    bailiwick: 'example.',
    rdata: ['203.0.113.5'],
  },
  {
    count: 14,
    time_first: 1700000000,
    time_last: 1700000010,
    rrname: 'exa\\032mple.com.',
    rrtype: 'A',
    bailiwick: 'com.',
    rdata: ['203.0.113.6'],
  },
  {
    count: 15,
    time_first: 1700000000,
    time_last: 1700000010,
    rrname: 'a+b&c.example.com.',
    rrtype: 'A',
    bailiwick: 'example.com.',
    rdata: ['203.0.113.7'],
  },
  {
    count: 16,
    time_first: 1700000000,
    time_last: 1700000010,
    rrname: '*.wild.example.',
    rrtype: 'A',
    bailiwick: 'example.',
    rdata: ['203.0.113.8'],
  },
  {
    count: 17,
    time_first: 1700000000,
    time_last: 1700000010,
    rrname: '_sip._tcp.example.org.',
    rrtype: 'SRV',
    bailiwick: 'example.org.',
    rdata: ['5 6 5060 sip.example.org.'],
  },
  {
    count: 18,
    time_first: 1700000000,
    time_last: 1700000010,
    rrname: 'odd.example.org.',
    rrtype: 'TYPE65280',
    bailiwick: 'example.org.',
    rdata: ['\\# 3 ABCDEF'],
  },
  {
    count: 19,
    time_first: 1700000000,
    time_last: 1700000010,
    rrname: '\\255\\000.example.org.',
    rrtype: 'TXT',
    bailiwick: 'example.org.',
    rdata: ['"\\000\\255 \\"q\\""'],
  },
];
