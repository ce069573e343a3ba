import { describe, expect, it } from 'vitest';
import type { FlowRow } from '../../../collector/map/rows.ts';
import {
  dataSet,
  field,
  ipv4,
  message,
  template,
  templateSet,
  u8,
  u16,
  u32,
  u64,
} from '../../support/ipfixBuilder.ts';
import {
  addressText,
  CERT,
  type Cell,
  flowRow,
  ipv6,
  mapFixture,
  mapStream,
  REVERSE,
  streamOf,
  udpFlow,
  withCells,
  without,
} from './mapStream.ts';
import { multiList, tcpEntry, tcpTemplate } from './yafRecords.ts';

const flowsOf = (name: string): FlowRow[] => mapFixture(name).flows.map(({ flow }) => flow);
const udp = (...cells: readonly Cell[]) => flowRow(withCells(udpFlow, ...cells));

describe('addresses of a flow', () => {
  const v6Cells: readonly Cell[] = [
    [field(27, 16), ipv6('20010db8000000000000000000000001')],
    [field(28, 16), ipv6('20010db8000000000000000000000053')],
  ];
  const ends = (...cells: readonly Cell[]) => {
    const { src, dst } = flowRow(cells);
    return [addressText(src), addressText(dst)];
  };

  it('are IPv6', () => {
    expect(ends(...without(udpFlow, 8, 12), ...v6Cells)).toEqual([
      '20010db8000000000000000000000001',
      '20010db8000000000000000000000053',
    ]);
  });

  it('are IPv4 where IPv6 elements hold IPv4-mapped ones, and only there', () => {
    const mapped: readonly Cell[] = [
      [field(27, 16), ipv6('00000000000000000000ffffc0000201')],
      [field(28, 16), ipv6('0000000000000000000000000000ffff')],
    ];
    expect(ends(...without(udpFlow, 8, 12), ...mapped)).toEqual(['192.0.2.1', `${'0'.repeat(28)}ffff`]);
  });

  it('are those of --force-ip6-export as without it', () => {
    const ofFlows = (name: string) =>
      flowsOf(name).map(({ src, dst, src_port }) => `${addressText(src)} ${addressText(dst)} ${src_port}`);
    expect(ofFlows('yaf2164-small-ip6all')).toEqual(ofFlows('yaf2164-small'));
  });

  it('are the IPv4 ones of a record with both families, unless those are zero', () => {
    expect(ends(...udpFlow, ...v6Cells)).toEqual(['192.0.2.1', '198.51.100.53']);
    const zero = ipv4('0.0.0.0');
    const cells = withCells([...udpFlow, ...v6Cells], [field(8, 4), zero], [field(12, 4), zero]);
    expect(ends(...cells)).toEqual(['20010db8000000000000000000000001', '20010db8000000000000000000000053']);
  });

  it('are of one family where the IPv4 source alone is zero, as in DHCP', () => {
    const unset = (id: number): Cell => [field(id, 16), Buffer.alloc(16)];
    const dhcp = withCells(udpFlow, [field(8, 4), ipv4('0.0.0.0')], [field(12, 4), ipv4('255.255.255.255')]);
    expect(ends(...dhcp, unset(27), unset(28))).toEqual(['0.0.0.0', '255.255.255.255']);
  });

  it.each([
    ['no source', without(udpFlow, 8)],
    ['no destination', without(udpFlow, 12)],
    ['a source of one family and a destination of the other', [...without(udpFlow, 12), v6Cells[1]!]],
    ['an address of three octets', withCells(udpFlow, [field(8, 3), [192, 0, 2]])],
  ])('make no flow of a record with %s', (_, cells) => {
    expect(mapStream(streamOf(cells)).kinds).toEqual({ other: 1 });
  });
});

describe('counters of a flow', () => {
  const total = (octets: Cell[1], packets: Cell[1]): readonly Cell[] => [
    [field(85, octets.length), octets],
    [field(86, packets.length), packets],
  ];
  const delta: readonly Cell[] = [
    [field(1, 4), u32(700)],
    [field(2, 4), u32(3)],
  ];

  it('are the totals, in 4 or 8 octets', () => {
    expect(udp(...total(u32(4_000_000_000), u32(9)))).toMatchObject({ octets: 4_000_000_000, packets: 9 });
    expect(udp(...total(u64(2 ** 40), u64(9)))).toMatchObject({ octets: 2 ** 40, packets: 9 });
  });

  it('are the deltas, and rather than the totals: those count earlier records of a long flow again', () => {
    expect(udp(...delta)).toMatchObject({ octets: 700, packets: 3 });
    expect(udp(...total(u32(9000), u32(90)), ...delta)).toMatchObject({ octets: 700, packets: 3 });
  });

  it('of the reverse direction are under the enterprise number of RFC 5103', () => {
    const totals: readonly Cell[] = [
      [field(85, 4, REVERSE), u32(190)],
      [field(86, 4, REVERSE), u32(0)],
    ];
    expect(udp(...totals)).toMatchObject({ octets: null, reverse_octets: 190, reverse_packets: 0 });
    expect(udp([field(1, 4, REVERSE), u32(5)])).toMatchObject({ reverse_octets: 5, reverse_packets: null });
  });

  it('stay exact up to 2^63 and are unknown, and counted, beyond', () => {
    const exact = 2n ** 63n - 1n;
    expect(udp(...total(u64(exact), u64(2n ** 53n + 1n)))).toMatchObject({
      octets: exact,
      packets: 2n ** 53n + 1n,
    });
    const { flows, notes } = mapStream(streamOf([...udpFlow, ...total(u64(2n ** 63n), u64(1))]));
    expect(flows[0]?.flow).toMatchObject({ octets: null, packets: 1 });
    expect(notes).toEqual({ counter_out_of_range: 1 });
  });

  it('of YAF --delta are those without it', () => {
    const ofFlows = (name: string) =>
      flowsOf(name).map(flow => [flow.octets, flow.packets, flow.reverse_octets, flow.reverse_packets]);
    expect(ofFlows('yaf2164-small-mac-delta')).toEqual(ofFlows('yaf2164-small'));
  });
});

describe('TCP flags of a flow', () => {
  const tcp = withCells(udpFlow, [field(4, 1), u8(6)]);

  it('are the union of the first and the later packets, from the entry of the multi list', () => {
    const stream = streamOf([...tcp, multiList(tcpEntry(0x02, 0x19, 0x12, 0x11))], [tcpTemplate]);
    expect(mapStream(stream).flows[0]?.flow).toMatchObject({ tcp_flags: 0x1b, reverse_tcp_flags: 0x13 });
  });

  it('are those of the flow record where it has them, as with --silk and in 3.x', () => {
    const inRecord: readonly Cell[] = [
      [field(14, 1, CERT), u8(0x02)],
      [field(15, 1, CERT), u8(0x10)],
      [field(14 | 0x4000, 1, CERT), u8(0x12)],
      [field(15 | 0x4000, 1, CERT), u8(0)],
    ];
    const stream = streamOf([...tcp, ...inRecord, multiList(tcpEntry(1, 1, 1, 1))], [tcpTemplate]);
    expect(mapStream(stream).flows[0]?.flow).toMatchObject({ tcp_flags: 0x12, reverse_tcp_flags: 0x12 });
  });

  it('are tcpControlBits of one or two octets, without the data offset that those may hold', () => {
    expect(udp([field(6, 1), u8(0x1b)])).toMatchObject({ tcp_flags: 0x1b, reverse_tcp_flags: null });
    expect(udp([field(6, 2), u16(0x5112)], [field(6, 2, REVERSE), u16(0x8004)])).toMatchObject({
      tcp_flags: 0x112,
      reverse_tcp_flags: 0x004,
    });
  });

  it('are unknown where the exporter sends none', () => {
    expect(udp()).toMatchObject({ tcp_flags: null, reverse_tcp_flags: null });
  });

  it.each(['yaf2164-small-silk', 'yaf3-small'])('of %s are those of a plain export', name => {
    const ofFlows = (fixture: string) =>
      flowsOf(fixture).flatMap(({ protocol, tcp_flags, reverse_tcp_flags }) =>
        protocol === 6 ? [[tcp_flags, reverse_tcp_flags]] : [],
      );
    const plain = ofFlows('yaf2164-small');
    expect(ofFlows(name)).toEqual(plain);
    expect(plain).toHaveLength(20);
    expect(plain.flat()).not.toContain(0);
  });
});

describe('other columns of a flow', () => {
  it('end_reason has no continuation bit', () => {
    expect(udp([field(136, 1), u8(0x82)]).end_reason).toBe(2);
    expect(udp([field(136, 1), u8(0x1f)]).end_reason).toBe(31);
    expect(udp().end_reason).toBeNull();
  });

  it('dst_port of ICMP is type and code, from the port or from the ICMP element', () => {
    const icmp = withCells(udpFlow, [field(4, 1), u8(1)], [field(7, 2), u16(0)], [field(11, 2), u16(0x0303)]);
    expect(flowRow(icmp)).toMatchObject({ src_port: 0, dst_port: 0x0303 });
    expect(flowRow([...without(icmp, 11), [field(32, 2), u16(0x0303)]])).toMatchObject({ dst_port: 0x0303 });
    expect(flowRow(withCells(icmp, [field(11, 2), u16(0)], [field(32, 2), u16(0x0800)]))).toMatchObject({
      dst_port: 0x0800,
    });
    const v6 = withCells(without(icmp, 11), [field(4, 1), u8(58)], [field(139, 2), u16(0x8000)]);
    expect(flowRow(v6)).toMatchObject({ dst_port: 0x8000 });
    expect(flowRow(icmp.map(cell => (cell[0].id === 11 ? [field(11, 2), u16(0)] : cell)))).toMatchObject({
      dst_port: 0,
    });
  });

  it('dst_port of UDP is not the ICMP element that a template of all protocols may have', () => {
    expect(udp([field(32, 2), u16(0x0303)])).toMatchObject({ dst_port: 53 });
    expect(flowRow([...without(udpFlow, 11), [field(32, 2), u16(0x0303)]])).toMatchObject({ dst_port: null });
  });

  it('of ICMP in YAF flows are an error and echo requests and replies', () => {
    const icmp = flowsOf('yaf2164-small').filter(({ protocol }) => protocol === 1 || protocol === 58);
    expect(new Set(icmp.map(({ src_port }) => src_port))).toEqual(new Set([0]));
    expect(icmp.map(({ dst_port }) => dst_port)).toEqual(expect.arrayContaining([0x0303, 0x0800, 0]));
  });

  it('rtt_ms is null where it is no signed 32 bit number', () => {
    expect(udp([field(21, 4, CERT), u32(2)]).rtt_ms).toBe(2);
    expect(udp([field(21, 4, CERT), u32(0xffff_fffe)]).rtt_ms).toBeNull();
  });

  it('attributes are those of either direction', () => {
    const cells: readonly Cell[] = [
      [field(40, 2, CERT), u16(8)],
      [field(40 | 0x4000, 2, CERT), u16(1)],
    ];
    expect(udp(...cells)).toMatchObject({ attributes: 8, reverse_attributes: 1 });
  });

  it('do not depend on the order of the fields nor on the template id', () => {
    const row = flowRow(udpFlow);
    expect(flowRow(udpFlow.toReversed())).toEqual(row);
    expect(mapStream(streamOf(udpFlow.toReversed(), [], 256)).flows[0]?.flow).toEqual(row);
  });

  it('are read anew when a template of the same id replaces another', () => {
    const second = withCells(udpFlow, [field(58, 2), u16(7)]).toReversed();
    const { flows } = mapStream(Buffer.concat([streamOf(udpFlow), streamOf(second)]));
    expect(flows.map(({ flow }) => flow.vlan)).toEqual([null, 7]);
    expect({ ...flows[1]?.flow, vlan: null }).toEqual(flows[0]?.flow);
  });

  it('MAC addresses are in the list entry of YAF --mac and in the record of pmacct', () => {
    const macs = (flow: FlowRow) => [flow.src_mac?.length, flow.dst_mac?.length];
    for (const name of ['yaf2164-small-mac-delta', 'pmacct-small', 'yaf2122-vlan']) {
      expect(new Set(flowsOf(name).map(flow => macs(flow).join()))).toEqual(new Set(['6,6']));
    }
    expect(flowsOf('yaf2164-small').flatMap(macs)).toEqual(Array(416).fill(undefined));
  });

  it('ingress and egress are those of --ingress and --egress', () => {
    const { flows } = mapFixture('yaf2164-small-odid-if');
    expect(new Set(flows.map(({ flow }) => `${flow.ingress} ${flow.egress}`))).toEqual(new Set(['7 9']));
  });

  it('vlan is the tag of the frames', () => {
    expect(new Set(flowsOf('yaf2122-vlan').map(({ vlan }) => vlan)).size).toBeGreaterThan(1);
    expect(new Set(flowsOf('yaf2164-small').map(({ vlan }) => vlan))).toEqual(new Set([0]));
  });

  it('are the same with flow statistics and entropy beside them', () => {
    expect(flowsOf('yaf2164-small-stats-entropy')).toEqual(flowsOf('yaf2164-small'));
  });

  it('are complete in the flows of pmacct, without DNS', () => {
    const { flows, kinds, notes } = mapFixture('pmacct-small');
    expect([kinds, notes]).toEqual([{ flow: 330 }, {}]);
    const incomplete = flows.filter(
      ({ flow, rrs }) =>
        rrs.length > 0 ||
        [flow.octets, flow.packets, flow.src_port, flow.dst_port, flow.end_time].includes(null),
    );
    expect(incomplete).toEqual([]);
  });

  it('are kept apart for records of one set', () => {
    const fields = udpFlow.map(([specifier]) => specifier);
    const record = (port: number) =>
      Buffer.concat(
        withCells(udpFlow, [field(7, 2), u16(port)]).map(([, value]) => Buffer.from(value as Buffer)),
      );
    const stream = message([templateSet(template(256, fields)), dataSet(256, record(1), record(2))]);
    expect(mapStream(stream).flows.map(({ flow }) => flow.src_port)).toEqual([1, 2]);
  });
});
