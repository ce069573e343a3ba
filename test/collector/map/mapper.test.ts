import { describe, expect, it } from 'vitest';
import { field, u8, u16 } from '../../support/ipfixBuilder.ts';
import { mapFixture, mapStream, rrsOf, streamOf, udpFlow, withCells } from './mapStream.ts';
import { multiList, payloadEntry, payloadTemplate } from './yafRecords.ts';

describe('Mapper', () => {
  it('tells the packet records of --udp-uniflow from the flows that count their packets too', () => {
    const { flows } = mapFixture('yaf2164-small-udpuniflow');
    const packets = flows.filter(({ isPacketRecord }) => isPacketRecord);
    const ordinary = flows.filter(({ isPacketRecord }) => !isPacketRecord);
    expect([packets.length, ordinary.length]).toEqual([278, 208]);
    expect(new Set(packets.map(({ flow }) => flow.packets))).toEqual(new Set([1]));
    const plain = mapFixture('yaf2164-small').flows;
    const sum = (all: typeof flows) =>
      all.reduce((packetCount, { flow }) => packetCount + Number(flow.packets), 0);
    expect(sum(ordinary)).toBe(sum(plain));
    // what was in the flows is in the packets, and more: every message of a socket
    expect(rrsOf({ ...mapFixture('yaf2164-small'), flows: packets }).length).toBeGreaterThan(727);
    expect(
      ordinary.filter(({ flow, rrs }) => flow.dst_port === 53 && flow.protocol === 17 && rrs.length > 0),
    ).toEqual([]);
  });

  it('knows a packet record with the continuation bit', () => {
    const { flows } = mapStream(streamOf(withCells(udpFlow, [field(136, 1), u8(0x9f)])));
    expect(flows).toMatchObject([{ isPacketRecord: true, flow: { end_reason: 31 } }]);
  });

  it('gives the same RRs from biflows and uniflows', () => {
    const key = (name: string) =>
      rrsOf(mapFixture(name))
        .map(row => JSON.stringify(row))
        .toSorted();
    expect(key('yaf2164-small-uniflow')).toEqual(key('yaf2164-small'));
  });

  it.each(['silk', 'nano', 'ip6all', 'mac-delta', 'stats-entropy', 'odid-if', 'metadata'])(
    'gives the same RRs with the options of yaf2164-small-%s',
    options => {
      expect(rrsOf(mapFixture(`yaf2164-small-${options}`))).toEqual(rrsOf(mapFixture('yaf2164-small')));
    },
  );

  it('gives flows without RRs where the exporter does not decode DNS', () => {
    const { flows } = mapFixture('yaf2164-small-flowonly');
    expect([flows.length, flows.flatMap(({ rrs }) => rrs)]).toEqual([208, []]);
  });

  it('has no note of good streams', () => {
    for (const name of ['yaf271-small', 'yaf2122-small', 'yaf2164-small', 'yaf3-small', 'yaf2122-vlan'])
      expect(mapFixture(name).notes, name).toEqual({});
  });

  describe('with payload', () => {
    // q. A IN, a query
    const query = Buffer.from('123401000001000000000000 01710000010001'.replace(' ', ''), 'hex');
    const payloadOf = (ports: readonly [number, number], payload = query, ...label: readonly number[]) => {
      const cells = withCells(
        udpFlow,
        [field(7, 2), u16(ports[0])],
        [field(11, 2), u16(ports[1])],
        ...label.map(number => [field(33, 2, 6871), u16(number)] as const),
      );
      return mapStream(streamOf([...cells, multiList(payloadEntry(payload, ''))], [payloadTemplate]));
    };

    it.each([53, 5353, 5355])('decodes it at port %d', port => {
      expect(rrsOf(payloadOf([40000, port]))).toMatchObject([{ rrname: 'q.', origin: 1 }]);
      expect(rrsOf(payloadOf([port, 40000]))).toHaveLength(1);
    });

    it('decodes it at any port of a flow that is labelled DNS, and nowhere else', () => {
      expect(rrsOf(payloadOf([40000, 8053], query, 53))).toHaveLength(1);
      expect(payloadOf([40000, 8053], query, 80)).toMatchObject({ flows: [{ rrs: [] }], notes: {} });
      expect(payloadOf([40000, 8053])).toMatchObject({ flows: [{ rrs: [] }], notes: {} });
    });

    it('leaves that of DNS over TLS alone', () => {
      expect(payloadOf([40000, 853])).toMatchObject({ flows: [{ rrs: [] }], notes: {} });
      expect(payloadOf([853, 53])).toMatchObject({ flows: [{ rrs: [] }], notes: {} });
    });

    it('counts payload at a DNS port that is not DNS', () => {
      expect(payloadOf([40000, 53], Buffer.from('GET / HTTP/1.1'))).toMatchObject({
        flows: [{ rrs: [] }],
        notes: { payload_undecodable: 1 },
      });
    });

    it('reads it in the flow record itself too', () => {
      const cells = withCells(udpFlow, [field(18, query.length, 6871), query]);
      expect(rrsOf(mapStream(streamOf(cells)))).toMatchObject([{ rrname: 'q.', origin: 1 }]);
    });

    it('takes client and resolver from what the payload says where ports do not tell', () => {
      const response = Buffer.from(query);
      response[2] = 0x81;
      const [flow] = payloadOf([40000, 8053], response, 53).flows;
      expect([flow?.client, flow?.resolver]).toEqual([flow?.flow.dst, flow?.flow.src]);
    });
  });
});
