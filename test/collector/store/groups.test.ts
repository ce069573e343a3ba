import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Address, MappedFlow, RrRow } from '../../../collector/map/rows.ts';
import { copyGroups } from '../../../collector/store/committer.ts';
import { Groups } from '../../../collector/store/groups.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';

const A = 1;
const NS = 2;
const SOA = 6;
const CLIENT = 0x0a000001;
const TIME = Date.UTC(2026, 10, 1, 12) * 1000;

let database: TestDatabase;

beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(() => database.drop());

type Part = Partial<RrRow> & Pick<RrRow, 'rrname' | 'rrtype'>;

const record = (part: Part): RrRow => ({
  ttl: 60,
  dns_id: 1,
  section: 1,
  rcode: 0,
  origin: 0,
  qr: true,
  authoritative: false,
  rdata: null,
  rdata_ip: null,
  ...part,
});
const a = (rrname: string, ip: number, part: Partial<RrRow> = {}) =>
  record({
    rrname,
    rrtype: A,
    rdata: [24, 16, 8, 0].map(shift => (ip >>> shift) & 255).join('.'),
    rdata_ip: ip,
    ...part,
  });
const question = (rrname: string, qr = false) => record({ rrname, rrtype: A, section: 0, qr });

function flowOf(rrs: readonly RrRow[], { time = TIME, client = CLIENT as Address } = {}): MappedFlow {
  // of the flow only its start is grouped by
  return {
    flow: { start_time: time } as MappedFlow['flow'],
    isPacketRecord: false,
    client,
    resolver: 0x0a000035,
    rrs,
  };
}

async function store(flows: readonly MappedFlow[]): Promise<void> {
  const groups = new Groups();
  for (const flow of flows) groups.add(flow);
  const client = await database.pool.connect();
  try {
    await client.query('begin');
    await copyGroups(client, groups);
    await client.query('commit');
  } finally {
    client.release();
  }
}

async function select(sql: string): Promise<unknown[]> {
  return (await database.pool.query({ text: sql, rowMode: 'array' })).rows.map(row =>
    row.length === 1 ? row[0] : row,
  );
}

describe('bailiwick', () => {
  const cases: readonly [string, string, readonly RrRow[], string][] = [
    ['the registered domain, when the message names no zone', 'www.example.co.uk.', [], 'example.co.uk.'],
    [
      'the owner of an NS set that encloses the name',
      'www.a.example.com.',
      [record({ rrname: 'a.example.com.', rrtype: NS, rdata: 'ns1.example.com.', section: 2 })],
      'a.example.com.',
    ],
    [
      'the closest of several',
      'www.a.example.com.',
      [
        record({ rrname: 'com.', rrtype: NS, rdata: 'a.gtld.example.', section: 2 }),
        record({ rrname: 'a.example.com.', rrtype: SOA, rdata: 'ns1. host. 1 2 3 4 5', section: 2 }),
      ],
      'a.example.com.',
    ],
    [
      'the root, when a root server refers',
      'com.',
      [record({ rrname: '.', rrtype: NS, rdata: 'a.root-servers.net.', section: 2 })],
      '.',
    ],
    [
      'not a zone beside it',
      'www.example.com.',
      [record({ rrname: 'ample.com.', rrtype: NS, rdata: 'ns1.ample.com.', section: 2 })],
      'example.com.',
    ],
    [
      'not behind an escaped dot',
      'www\\.b.example.com.',
      [record({ rrname: 'b.example.com.', rrtype: NS, rdata: 'ns.example.com.', section: 2 })],
      'example.com.',
    ],
    [
      'not from another message of the flow',
      'www.a.example.com.',
      [record({ rrname: 'a.example.com.', rrtype: NS, rdata: 'ns1.example.com.', section: 2, dns_id: 2 })],
      'example.com.',
    ],
    ['the name itself, when it has no domain', 'localhost.', [], 'localhost.'],
  ];
  it.each(cases)('is %s', async (_, rrname, others, bailiwick) => {
    await store([flowOf([question(rrname), a(rrname, 0xc0000201), ...others])]);
    expect(await select(`select bailiwick from rrset where rrtype = 1`)).toEqual([bailiwick]);
  });
});

describe('a set', () => {
  it('is the same in any order of its values, and stands in the order of the wire', async () => {
    const [low, high] = [a('x.example.', 0x0a000002), a('x.example.', 0xc0000201)];
    await store([flowOf([low, high]), flowOf([high, low]), flowOf([high])]);
    expect(await select(`select rdata, count from rrset order by count desc`)).toEqual([
      [['10.0.0.2', '192.0.2.1'], '2'],
      [['192.0.2.1'], '1'],
    ]);
    expect(await select(`select rdata, count from rdata order by rdata_ip`)).toEqual([
      ['10.0.0.2', '2'],
      ['192.0.2.1', '3'],
    ]);
  });

  it('of names has the shorter first, then by label lengths and octets', async () => {
    const ns = (rdata: string) => record({ rrname: 'example.', rrtype: NS, rdata });
    await store([
      flowOf(['ns10.example.', 'b.aa.example.', 'ns2.example.', 'bb.a.example.', 'ns1.example.'].map(ns)),
    ]);
    expect(await select('select rdata from rrset')).toEqual([
      ['ns1.example.', 'ns2.example.', 'b.aa.example.', 'bb.a.example.', 'ns10.example.'],
    ]);
  });

  it('holds a value once, whoever sent it', async () => {
    await store([flowOf([a('x.example.', 1), a('x.example.', 1, { origin: 1 })])]);
    expect(await select('select rdata, count from rrset')).toEqual([[['0.0.0.1'], '1']]);
  });

  it('is counted by UTC day until days are merged, and once in the view', async () => {
    const day = 86_400_000_000;
    await store([0, 1, day, day + 5].map(later => flowOf([a('x.example.', 1)], { time: TIME + later })));
    expect(await select('select count(*)::integer from rrset_gravel')).toEqual([2]);
    expect(await select(`select count, time_last - time_first = '1 day 00:00:00.000005' from rrset`)).toEqual(
      [['4', true]],
    );
  });

  it('leaves out queries, pseudo-types, lost names and lost values', async () => {
    await store([
      flowOf([
        a('q.example.', 1, { qr: false }),
        record({ rrname: '.', rrtype: 41, rdata: 'x', section: 3 }),
        record({ rrname: null, rrtype: NS, rdata: 'ns.example.' }),
        record({ rrname: 'x.example.', rrtype: NS }),
      ]),
    ]);
    expect(await select('select * from rrset')).toEqual([]);
  });
});

it('questions count once a query, those of a response only where no query was seen', async () => {
  const ipv6 = Buffer.from('20010db8000000000000000000000001', 'hex');
  await store([
    flowOf([question('both.example.'), question('both.example.', true)]),
    flowOf([question('answer.example.', true)]),
    flowOf([question('both.example.')], { client: ipv6 }),
  ]);
  expect(await select('select rrname, host(client), count from asked order by 1, client')).toEqual([
    ['answer.example.', '10.0.0.1', '1'],
    ['both.example.', '10.0.0.1', '1'],
    ['both.example.', '2001:db8::1', '1'],
  ]);
  expect(await select('select rrname from dns_name order by 1')).toEqual([
    'answer.example.',
    'both.example.',
  ]);
});

it('values point to names: the exchange of MX, the target of SRV, not the text of TXT', async () => {
  const of = (rrtype: number, rdata: string) => record({ rrname: 'x.example.', rrtype, rdata });
  await store([
    flowOf([
      of(15, '10 mx.example.'),
      of(33, '0 5 5060 sip.example.'),
      of(16, '"mx.example."'),
      of(5, 'y.example.'),
      of(15, '10 -'),
    ]),
  ]);
  expect(await select('select rdata, rdata_name from rdata order by 1')).toEqual([
    ['0 5 5060 sip.example.', 'sip.example.'],
    ['10 mx.example.', 'mx.example.'],
    ['y.example.', 'y.example.'],
  ]);
});

it('ten thousand different sets, seen again in another order, are ten thousand rows that count two', async () => {
  const flows = Array.from({ length: 10_000 }, (_, i) => flowOf([a(`h${i % 100}.example.`, i)]));
  await store([...flows, ...flows.toReversed()]);
  expect(await select('select count, count(*)::integer from rrset group by 1')).toEqual([['2', 10_000]]);
});
