import { describe, expect, it } from 'vitest';
import { field, type Octets, u8, u16, u32, VARIABLE, variable } from '../../support/ipfixBuilder.ts';
import {
  addressText,
  type Cell,
  mapFixture,
  mapStream,
  rrsOf,
  streamOf,
  udpFlow,
  withCells,
} from './mapStream.ts';

const cesnet = (id: number, length: number) => field(id, length, 8057);

interface Message {
  readonly name?: Octets;
  readonly qtype?: number;
  readonly rdata?: Octets;
  readonly rcode?: number;
  readonly answers?: number;
  readonly ttl?: number;
}

/** A flow record of ipfixprobe with one DNS message, from the server unless `cells` say otherwise. */
function probe(dns: Message, ...cells: readonly Cell[]) {
  const { name = 'www.example', qtype = 1, rdata = '', rcode = 0, answers = 0, ttl = 60 } = dns;
  const fromServer: readonly Cell[] = [
    [field(7, 2), u16(53)],
    [field(11, 2), u16(40000)],
  ];
  const elements: readonly Cell[] = [
    [cesnet(14, 2), u16(answers)],
    [cesnet(1, 1), u8(rcode)],
    [cesnet(2, VARIABLE), variable(name)],
    [cesnet(3, 2), u16(qtype)],
    [cesnet(4, 2), u16(1)],
    [cesnet(5, 4), u32(ttl)],
    [cesnet(6, 2), u16(rdata.length)],
    [cesnet(7, VARIABLE), variable(rdata)],
    [cesnet(10, 2), u16(0x2dd7)],
  ];
  return mapStream(streamOf(withCells(withCells([...udpFlow, ...elements], ...fromServer), ...cells)));
}

const answer = (qtype: number, rdata: Octets) => rrsOf(probe({ qtype, rdata, answers: 1 }))[1];

describe('flat DNS elements of ipfixprobe', () => {
  it('give the question and the first answer of a response', () => {
    const stream = probe({ rdata: '192.0.2.80', answers: 3, ttl: 300 });
    const common = {
      dns_id: 0x2dd7,
      rcode: 0,
      origin: 0,
      qr: true,
      authoritative: null,
      rrname: 'www.example.',
      rrtype: 1,
    };
    expect(rrsOf(stream)).toEqual([
      { ...common, section: 0, ttl: 0, rdata: null, rdata_ip: null },
      { ...common, section: 1, ttl: 300, rdata: '192.0.2.80', rdata_ip: 0xc0000250 },
    ]);
    expect(stream.flows.map(({ client, resolver }) => [client, resolver].map(addressText))).toEqual([
      ['198.51.100.53', '192.0.2.1'],
    ]);
  });

  it('give the question alone of a query and of an error', () => {
    const toServer: readonly Cell[] = [
      [field(7, 2), u16(40000)],
      [field(11, 2), u16(53)],
    ];
    expect(rrsOf(probe({}, ...toServer))).toMatchObject([{ section: 0, qr: false }]);
    expect(rrsOf(probe({ rcode: 3 }))).toMatchObject([{ section: 0, qr: true, rcode: 3 }]);
  });

  it('are a response between equal ports when they hold an answer or a response code', () => {
    const mdns: readonly Cell[] = [
      [field(7, 2), u16(5353)],
      [field(11, 2), u16(5353)],
    ];
    const qr = (message: Message) => rrsOf(probe(message, ...mdns)).map(row => row.qr);
    expect(qr({})).toEqual([false]);
    expect(qr({ rcode: 5 })).toEqual([true]);
    expect(qr({ answers: 1, rdata: '192.0.2.1' })).toEqual([true, true]);
  });

  it.each([
    [
      'an alias in the answer to an A query',
      1,
      'web.example',
      { rrtype: 5, rdata: 'web.example.', rdata_ip: null },
    ],
    ['an IPv4 address in the answer to an AAAA query', 28, '192.0.2.1', { rrtype: 5, rdata: '192.0.2.1.' }],
    ['AAAA', 28, '2001:DB8:0::1', { rrtype: 28, rdata: '2001:db8::1' }],
    ['AAAA with an IPv4 tail', 28, '::ffff:192.0.2.1', { rrtype: 28, rdata: '::ffff:192.0.2.1' }],
    ['NS', 2, 'NS1.example', { rrtype: 2, rdata: 'ns1.example.' }],
    ['PTR', 12, 'host.example', { rrtype: 12, rdata: 'host.example.' }],
    ['MX', 15, '10 mx.example', { rrtype: 15, rdata: '10 mx.example.' }],
    ['the null MX', 15, '0 ', { rrtype: 15, rdata: '0 .' }],
    [
      'SOA',
      6,
      'ns.example admin.example 1 2 3 4 5',
      { rrtype: 6, rdata: 'ns.example. admin.example. 1 2 3 4 5' },
    ],
    [
      'SRV',
      33,
      '_sip _tcp example.com sip.example 10 60 5060',
      { rrtype: 33, rdata: '10 60 5060 sip.example.' },
    ],
    ['TXT', 16, 'v=spf1 -all', { rrtype: 16, rdata: '"v=spf1 -all"' }],
    ['an alias in the answer to an MX query', 15, 'mail.example', { rrtype: 5, rdata: 'mail.example.' }],
    ['a type that it does not print', 65, '', { rrtype: 65, rdata: null }],
    ['a name cut to the buffer', 5, 'a'.repeat(159), { rrtype: 5, rdata: null }],
    ['an exchange cut to the buffer', 15, `10 ${'a'.repeat(156)}`, { rrtype: 15, rdata: '10 -' }],
  ])('write %s', (_, qtype, rdata, row) => {
    expect(answer(qtype, rdata)).toMatchObject(row);
  });

  it('give no answer to ANY: its type cannot be told', () => {
    expect(rrsOf(probe({ qtype: 255, rdata: '192.0.2.1', answers: 2 }))).toHaveLength(1);
  });

  it('have no name where it was cut, and the root only for types that the root has', () => {
    const named = (message: Message) => {
      const stream = probe(message);
      return [rrsOf(stream)[0]?.rrname, stream.notes.unknown_owner_name];
    };
    expect(named({ name: 'a'.repeat(127) })).toEqual([null, 1]);
    expect(named({ name: '' })).toEqual([null, 1]);
    expect(named({ name: '', qtype: 2 })).toEqual(['.', undefined]);
    expect(named({ name: 'www.example\0rest' })).toEqual(['www.example.', undefined]);
  });

  it('give no row where they hold nothing', () => {
    const { flows, notes } = probe({ name: '', qtype: 0 });
    expect([flows[0]?.rrs, notes]).toEqual([[], {}]);
  });

  it('of whole captures give flows with the questions of either direction', () => {
    const { flows, kinds } = mapFixture('ipfixprobe-small');
    expect(kinds).toEqual({ flow: 347 });
    const dns = flows.filter(({ rrs }) => rrs.length > 0);
    expect(new Set(dns.map(({ rrs }) => rrs[0]?.section))).toEqual(new Set([0]));
    for (const { flow, client, resolver, rrs } of dns) {
      if (flow.src_port !== 53 && flow.dst_port !== 53) continue;
      expect([client, resolver]).toEqual(rrs[0]?.qr ? [flow.dst, flow.src] : [flow.src, flow.dst]);
    }
  });
});
