import { describe, expect, it } from 'vitest';
import {
  dataSet,
  field,
  message,
  octets,
  optionsTemplate,
  optionsTemplateSet,
  subTemplateList,
  template,
  templateSet,
  u16,
  u32,
  u64,
  VARIABLE,
  variableLong,
} from '../../support/ipfixBuilder.ts';
import { addressText, CERT, mapFixture, mapStream } from './mapStream.ts';

describe('options records', () => {
  it.each(['yaf271-small', 'yaf2122-small', 'yaf2164-small', 'yaf3-small'])(
    'with the statistics of %s become a row, whatever the number of scope fields',
    name => {
      const { statistics } = mapFixture(name);
      expect(statistics).toHaveLength(1);
      const [row] = statistics;
      expect(row).toMatchObject({
        exported_flows: 208,
        packets: 532,
        dropped_packets: 0,
        ignored_packets: 0,
        not_sent_packets: 0,
      });
      expect(row?.system_init_time).toBeGreaterThan(1.7e15);
      expect(row?.exporting_process).toBeTypeOf('number');
      expect(addressText(row?.exporter_address ?? null)).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
      // 2.7.1 does not say when it observed them
      if (name === 'yaf271-small') expect(row?.time).toBeNull();
      else expect(row?.time).toBeGreaterThan(1.7e15);
    },
  );

  it('with statistics of other elements leave those columns null', () => {
    const stream = message([
      optionsTemplateSet(optionsTemplate(256, [field(144, 4)], [field(41, 8), field(42, 8)])),
      dataSet(256, u32(4711), u64(10), u64(2n ** 64n - 1n)),
    ]);
    expect(mapStream(stream).statistics).toMatchObject([
      {
        exporting_process: 4711,
        exported_flows: 2n ** 64n - 1n,
        packets: null,
        time: null,
        exporter_address: null,
      },
    ]);
  });

  it('that are tombstones become a row with the tools that passed them on', () => {
    for (const name of ['yaf2122-small', 'yaf2164-small', 'yaf3-small']) {
      const { tombstones } = mapFixture(name);
      expect(tombstones, name).toHaveLength(1);
      expect(tombstones[0]?.configured_id, name).toBe(0);
      expect(tombstones[0]?.time, name).toBeGreaterThan(1.7e15);
      expect(tombstones[0]?.tools, name).toHaveLength(1);
    }
    expect(mapFixture('yaf271-small').tombstones).toEqual([]);
  });

  it.each([551, 552])('that are tombstones may name the exporter in element %d', id => {
    const tools = octets(u32(3), u32(1_718_000_000), u32(4), u32(1_718_000_001));
    const stream = message([
      templateSet(template(0xd005, [field(553, 4, CERT), field(322, 4)])),
      optionsTemplateSet(
        optionsTemplate(
          0xd004,
          [field(149, 4), field(144, 4), field(id, 2, CERT)],
          [field(210, 6), field(550, 4, CERT), field(322, 4), field(554, VARIABLE, CERT)],
        ),
      ),
      dataSet(
        0xd004,
        octets(u32(0), u32(4711), u16(12), Buffer.alloc(6), u32(99), u32(1_718_000_000)),
        variableLong(subTemplateList(0xd005, [tools])),
      ),
    ]);
    expect(mapStream(stream).tombstones).toEqual([
      {
        tombstone_id: 99,
        configured_id: 12,
        time: 1_718_000_000_000_000,
        tools: [
          { tool: 3, time: '2024-06-10T06:13:20.000Z' },
          { tool: 4, time: '2024-06-10T06:13:21.000Z' },
        ],
      },
    ]);
  });

  it('that describe elements and templates are options without a row', () => {
    const metadata = mapFixture('yaf2164-small-metadata');
    expect(metadata.kinds).toEqual({ option: 489, flow: 208, statistics: 1, tombstone: 1 });
    expect(metadata.flows).toEqual(mapFixture('yaf2164-small').flows);
  });

  it('are no flows though they hold addresses', () => {
    const stream = message([
      optionsTemplateSet(optionsTemplate(256, [field(149, 4)], [field(8, 4), field(12, 4)])),
      dataSet(256, u32(0), u32(1), u32(2)),
    ]);
    expect(mapStream(stream).kinds).toEqual({ option: 1 });
  });
});

describe('records that are neither flows nor options', () => {
  it('are the flat DNS records of super_mediator, though they hold an address', () => {
    const { kinds, flows } = mapFixture('sm18-dedup-behaviour');
    expect([kinds, flows]).toEqual([{ other: 810 }, []]);
  });
});
