import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
  await database.pool.query(`
    select ensure_partitions(array['2026-01-01', '2026-01-02']::date[]);
    insert into exporter (name, observation_domain_id) values ('sensor', 7);
    insert into flow (start_time, end_time, flow_id, octets, packets, reverse_octets, exporter_id, src_port, dst_port, vlan,
      rtt_ms, protocol, end_reason, tcp_flags, src, dst, src_mac)
    values
      ('2026-01-01 10:00:00.1234', '2026-01-01 10:00:01.5', 4294967297, 60, 1, 120, 1, 40000, 53, 3,
        12, 6, 3, 27, '192.0.2.1', '192.0.2.53', '02:00:00:00:00:01'),
      ('2026-01-02 10:00:00', null, 4294967298, 70, 1, null, 1, 40001, 53, 0,
        null, 17, 1, null, '2001:db8::1', '2001:db8::53', null);
    insert into flow_packet (start_time, flow_id, exporter_id, src_port, dst_port, protocol, end_reason, src, dst)
    values ('2026-01-02 11:00:00', 4294967299, 1, 40002, 5353, 17, 31, '192.0.2.2', '224.0.0.251');
    insert into dns_rr (time, flow_id, ttl, dns_id, rrtype, exporter_id, section, rcode, origin, qr, authoritative, client,
      resolver, rrname, rdata, rdata_ip)
    values
      ('2026-01-01 10:00:00.1234', 4294967297, 300, 99, 1, 1, 1, 0, 0, true, true, '192.0.2.1',
        '192.0.2.53', 'www.example.com.', '198.51.100.7', '198.51.100.7'),
      ('2026-01-02 11:00:00', 4294967299, 0, 100, 28, 1, 0, 0, 0, false, null, '192.0.2.2',
        '224.0.0.251', 'printer.local.', null, null),
      ('2026-01-02 12:00:00', 4294967300, 0, 101, 65280, 1, 0, 3, 1, true, false, '192.0.2.3',
        '192.0.2.53', 'gone.example.', null, null);`);
});

afterAll(() => database.drop());

async function rows(query: string): Promise<unknown[]> {
  return (await database.pool.query(query)).rows;
}

describe('dns', () => {
  test('answers a query written for the older tables, joined with flows by id', async () => {
    const query = `
      select flows.srcip4, dns.rrname, dns.rrval, dns.type, dns.auth, dns.nx, dns.ttl, flows.flowStartMilliseconds
      from dns join flows on dns.id = flows.id
      where dns.qr = 'R' and dns.rrname = 'www.example.com.'`;
    expect(await rows(query)).toEqual([
      {
        srcip4: '192.0.2.1',
        rrname: 'www.example.com.',
        rrval: '198.51.100.7',
        type: 1,
        auth: 1,
        nx: 0,
        ttl: '300',
        flowstartmilliseconds: String(Date.parse('2026-01-01T10:00:00.123Z')),
      },
    ]);
  });

  test('takes addresses and ports from the flow or the one-packet record, else what the record itself knows', async () => {
    expect(
      await rows(
        'select qr, sip, sport, dip, dport, protocol, vlan, obid, section, name, val, dns_id from dns order by stime',
      ),
    ).toEqual([
      {
        qr: 'R',
        sip: '192.0.2.1',
        sport: 40000,
        dip: '192.0.2.53',
        dport: 53,
        protocol: 6,
        vlan: 3,
        obid: '7',
        section: 1,
        name: 'www.example.com.',
        val: '198.51.100.7',
        dns_id: 99,
      },
      {
        qr: 'Q',
        sip: '192.0.2.2',
        sport: 40002,
        dip: '224.0.0.251',
        dport: 5353,
        protocol: 17,
        vlan: null,
        obid: '7',
        section: 0,
        name: 'printer.local.',
        val: null,
        dns_id: 100,
      },
      {
        qr: 'R',
        sip: '192.0.2.53',
        sport: null,
        dip: '192.0.2.3',
        dport: null,
        protocol: null,
        vlan: null,
        obid: '7',
        section: 0,
        name: 'gone.example.',
        val: null,
        dns_id: 101,
      },
    ]);
  });
});

test('flows has the flow records, one-packet records left out, with units of the older tables', async () => {
  const columns =
    'id, srcip4, sip, duration, rtt, pkt, oct, roct, mac, uflags, vlan, reason, collector, obid';
  expect(await rows(`select ${columns} from flows order by stime`)).toEqual([
    {
      id: '4294967297',
      srcip4: '192.0.2.1',
      sip: '192.0.2.1',
      duration: '1.377',
      rtt: '0.012',
      pkt: '1',
      oct: '60',
      roct: '120',
      mac: '02:00:00:00:00:01',
      uflags: 'APSF',
      vlan: 3,
      reason: 'eof',
      collector: 'sensor',
      obid: '7',
    },
    {
      id: '4294967298',
      srcip4: null,
      sip: '2001:db8::1',
      duration: null,
      rtt: null,
      pkt: '1',
      oct: '70',
      roct: null,
      mac: null,
      uflags: null,
      vlan: 0,
      reason: 'idle',
      collector: 'sensor',
      obid: '7',
    },
  ]);
});

test('dns_named has the names beside the codes', async () => {
  const columns = 'rrname, rrtype_name, section_name, rcode_name, exporter_name, observation_domain_id';
  expect(
    await rows(
      `select ${columns} from dns_named where rrtype = rrtype_number('A') or rcode > 0 order by time`,
    ),
  ).toEqual([
    {
      rrname: 'www.example.com.',
      rrtype_name: 'A',
      section_name: 'answer',
      rcode_name: 'NOERROR',
      exporter_name: 'sensor',
      observation_domain_id: '7',
    },
    {
      rrname: 'gone.example.',
      rrtype_name: 'TYPE65280',
      section_name: 'question',
      rcode_name: 'NXDOMAIN',
      exporter_name: 'sensor',
      observation_domain_id: '7',
    },
  ]);
});

test.each([
  ['dns_named', 'time', ['dns_rr_20260101']],
  ['flows', 'stime', ['flow_20260101']],
  ['dns', 'stime', ['dns_rr_20260101', 'flow_20260101', 'flow_packet_20260101']],
])('a day of %s reads only the partitions of that day', async (view, column, partitions) => {
  const client = await database.pool.connect();
  try {
    await client.query('set enable_partitionwise_join = on'); // a setting of the embedded server
    const { rows: plan } = await client.query(
      `explain (format json) select * from ${view} where ${column} >= '2026-01-01' and ${column} < '2026-01-02'`,
    );
    const read = JSON.stringify(plan).match(/(?<="Relation Name":")(flow|dns_rr)\w+/g);
    expect(read?.sort()).toEqual(partitions);
  } finally {
    client.release();
  }
});
