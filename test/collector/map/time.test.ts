import { describe, expect, it } from 'vitest';
import {
  dataSet,
  field,
  message,
  optionsTemplate,
  optionsTemplateSet,
  u16,
  u32,
  u64,
} from '../../support/ipfixBuilder.ts';
import {
  type Cell,
  flowRow,
  mapFixture,
  mapStream,
  ntp,
  START_MS,
  streamOf,
  udpFlow,
  withCells,
  without,
} from './mapStream.ts';

const START_S = Math.floor(START_MS / 1000);
const START_US = START_S * 1_000_000;
/** streamOf exports a minute after the start. */
const EXPORT_US = START_US + 60_000_000;
const timeless = without(udpFlow, 152, 153);
const times = (...cells: readonly Cell[]) => {
  const { start_time, end_time } = flowRow(withCells(timeless, ...cells));
  return [start_time - START_US, end_time === null ? null : end_time - START_US];
};
/** Options record of softflowd: metering process, when it started, sampling. */
const softflowdOptions = (observationDomainId: number, startedMs: number) =>
  message(
    [
      optionsTemplateSet(
        optionsTemplate(256, [field(143, 4)], [field(160, 8), field(304, 2), field(305, 2), field(306, 4)]),
      ),
      dataSet(256, u32(4711), u64(startedMs), u16(1), u16(1), u32(0)),
    ],
    { observationDomainId },
  );
const sinceStarted: readonly Cell[] = [
  [field(22, 4), u32(5000)],
  [field(21, 4), u32(6500)],
];

describe('times of a flow', () => {
  it('are seconds', () => {
    expect(times([field(150, 4), u32(START_S)], [field(151, 4), u32(START_S + 2)])).toEqual([0, 2_000_000]);
  });

  it('are milliseconds rather than seconds, wherever they stand', () => {
    expect(times([field(150, 4), u32(START_S)], [field(152, 8), u64(START_S * 1000 + 7)])).toEqual([
      7000,
      null,
    ]);
  });

  it('are NTP fractions in microsecond elements, rounded to the nearest microsecond', () => {
    const micro = [field(154, 8), ntp(START_S, 0x8000_0000)] as const;
    expect(times([field(152, 8), u64(0)], micro)).toEqual([500_000, null]);
    // 4295 / 2^32 s is 1.00001 µs, 2147 / 2^32 s just below half a microsecond
    expect(times([field(154, 8), ntp(START_S, 4295)], [field(155, 8), ntp(START_S, 2147)])).toEqual([1, 0]);
  });

  it('are NTP fractions in nanosecond elements', () => {
    const cells = [
      [field(156, 8), ntp(START_S, 0x4000_0000)],
      [field(157, 8), ntp(START_S + 1, 0xffff_ffff)],
    ] as const;
    expect(times(...cells)).toEqual([250_000, 2_000_000]);
  });

  it('are counted back from the export time in delta elements', () => {
    expect(times([field(158, 4), u32(2_000_000)], [field(159, 4), u32(500_001)])).toEqual([
      58_000_000, 59_499_999,
    ]);
  });

  it('are counted from the start of the exporter, which the record may say', () => {
    const cells = [[field(160, 8), u64(START_S * 1000)], ...sinceStarted] as const;
    expect(times(...cells)).toEqual([5_000_000, 6_500_000]);
  });

  it('are counted from the start of the exporter, which an options record may say, for its observation domain', () => {
    const options = [softflowdOptions(0, START_S * 1000), softflowdOptions(7, 0)];
    const { flows, kinds, notes } = mapStream(
      Buffer.concat([...options, streamOf(withCells(timeless, ...sinceStarted))]),
    );
    expect(flows[0]?.flow).toMatchObject({
      start_time: START_US + 5_000_000,
      end_time: START_US + 6_500_000,
    });
    expect([kinds, notes]).toEqual([{ option: 2, flow: 1 }, {}]);
  });

  it('need no more than one end and the duration', () => {
    expect(times([field(152, 8), u64(START_S * 1000)], [field(161, 4), u32(1500)])).toEqual([0, 1_500_000]);
    expect(times([field(153, 8), u64(START_S * 1000)], [field(161, 4), u32(1500)])).toEqual([-1_500_000, 0]);
  });

  it('fall back to the end, then to the export time, and are counted as missing', () => {
    const counted = (...cells: readonly Cell[]) => {
      const { flows, notes } = mapStream(streamOf(withCells(timeless, ...cells)));
      return [flows[0]?.flow.start_time, flows[0]?.flow.end_time, notes];
    };
    const missing = { clock_missing: 1 };
    expect(counted([field(151, 4), u32(START_S)])).toEqual([START_US, START_US, missing]);
    expect(counted()).toEqual([EXPORT_US, null, missing]);
    expect(counted(...sinceStarted)).toEqual([EXPORT_US, null, missing]);
  });

  it('of an impossible clock are passed on', () => {
    expect(times([field(152, 8), u64(2n ** 64n - 1n)])[0]).toBeGreaterThan(1e21);
  });

  it('of YAF are the same to the millisecond whichever precision was asked for', () => {
    const starts = (name: string) =>
      mapFixture(name).flows.map(({ flow }) => Math.floor(flow.start_time / 1000));
    const milliseconds = starts('yaf2122-small');
    expect(starts('yaf2164-small-nano').toSorted()).toEqual(milliseconds.toSorted());
    expect(starts('yaf2164-small').toSorted()).toEqual(milliseconds.toSorted());
    expect(
      mapFixture('yaf2164-small').flows.filter(({ flow }) => flow.start_time % 1000 !== 0).length,
    ).toBeGreaterThan(200);
  });
});
