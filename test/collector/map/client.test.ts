import { describe, expect, it } from 'vitest';
import { sourceIsResolver, touchesDnsPort } from '../../../collector/map/client.ts';
import type { FlowRow } from '../../../collector/map/rows.ts';
import { field, u16, u32 } from '../../support/ipfixBuilder.ts';
import { addressText, flowRow, mapFixture, REVERSE, udpFlow, withCells } from './mapStream.ts';

/** A flow between two ports, with reverse packets if it is a biflow. */
const flow = (source: number, destination: number, reversePackets?: number): FlowRow =>
  flowRow(
    withCells(
      udpFlow,
      [field(7, 2), u16(source)],
      [field(11, 2), u16(destination)],
      ...(reversePackets === undefined ? [] : [[field(86, 4, REVERSE), u32(reversePackets)] as const]),
    ),
  );

const query = { qr: false };
const response = { qr: true };

describe('sourceIsResolver', () => {
  it.each([
    ['a biflow to port 53', flow(40000, 53, 1), [query, response], false],
    ['a query without answer', flow(40000, 53), [query], false],
    ['a query without answer in a biflow record', flow(40000, 53, 0), [query], false],
    ['an answer in a uniflow', flow(53, 40000), [response], true],
    ['an answer without query in a biflow record', flow(53, 40000, 0), [response], true],
    ['a biflow whose answer came first', flow(53, 40000, 1), [response, query], true],
    ['a query that a server sends from port 53', flow(53, 53), [query], false],
    ['an answer between ports 53', flow(53, 53), [response], true],
    ['a biflow between ports 53', flow(53, 53, 1), [query, response], false],
    ['a multicast DNS query', flow(5353, 5353), [query], false],
    ['a multicast DNS response', flow(5353, 5353), [response, response], true],
    ['a one-shot multicast query', flow(40000, 5353), [query], false],
    ['a unicast response to it', flow(5353, 40000), [response], true],
    ['an LLMNR query', flow(40000, 5355), [query], false],
    ['an LLMNR response', flow(5355, 40000), [response], true],
    ['DNS over TLS', flow(40000, 853, 9), [], false],
    ['DNS over TLS seen from its answers on', flow(853, 40000, 9), [], true],
    ['a resolver asked from port 5353', flow(5353, 53, 1), [query, response], false],
    ['a resolver that answers port 5353', flow(53, 5353), [response], true],
    ['a biflow between odd ports', flow(40000, 8053, 1), [query, response], false],
    ['an answer between odd ports', flow(8053, 40000), [response], true],
    ['a query between odd ports', flow(40000, 8053), [query], false],
    ['a uniflow without messages between odd ports', flow(8053, 40000), [], false],
    ['a uniflow with both between odd ports', flow(40000, 8053), [query, response], false],
  ])('tells it for %s', (_, row, messages, isResolver) => {
    expect(sourceIsResolver(row, messages)).toBe(isResolver);
  });
});

describe('touchesDnsPort', () => {
  it.each([53, 853, 5353, 5355])('knows port %d at either end', port => {
    expect([flow(port, 40000), flow(40000, port)].map(touchesDnsPort)).toEqual([true, true]);
  });

  it('knows no other', () => expect(touchesDnsPort(flow(5354, 54))).toBe(false));
});

describe('client and resolver of YAF flows', () => {
  const ends = (name: string) =>
    mapFixture(name).flows.flatMap(({ flow: row, client, resolver, rrs }) =>
      rrs.map(({ qr }) => ({
        qr,
        ports: [row.src_port, row.dst_port],
        client: addressText(client),
        resolver: addressText(resolver),
      })),
    );
  const pairs = (name: string) =>
    new Set(
      ends(name).flatMap(({ ports, client, resolver }) =>
        ports.includes(53) ? [`${client} ${resolver}`] : [],
      ),
    );

  it('are the same whether query and response share a record or not', () => {
    expect(pairs('yaf2164-small-uniflow')).toEqual(pairs('yaf2164-small'));
    expect(pairs('yaf2164-small').size).toBeGreaterThan(20);
  });

  it('are the sender and the group of a multicast query, the group and the sender of a response', () => {
    const multicast = ends('yaf2164-small').filter(({ ports }) => ports.every(port => port === 5353));
    const group = ['224.0.0.251', 'ff0200000000000000000000000000fb'];
    expect(multicast.map(({ qr }) => qr)).toContain(true);
    for (const { qr, client, resolver } of multicast) expect(group).toContain(qr ? client : resolver);
  });
});
