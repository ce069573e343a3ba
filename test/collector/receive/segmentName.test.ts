import { expect, test } from 'vitest';
import { parseSegmentName, segmentName } from '../../../collector/receive/segmentName.ts';

const startedAt = new Date('2026-11-21T05:42:00.123Z');

test.each([
  ['192.0.2.1', '20261121T054200.123Z_192.0.2.1_40000_0a1b2c3d_00007.ipfix'],
  ['2001:db8::1', '20261121T054200.123Z_2001:db8::1_40000_0a1b2c3d_00007.ipfix'],
  ['fe80::1%eth0', '20261121T054200.123Z_fe80::1%eth0_40000_0a1b2c3d_00007.ipfix'],
])('a segment of %s has its name, and the name reads back', (peerAddress, name) => {
  const info = { startedAt, peerAddress, peerPort: 40000, session: '0a1b2c3d', segment: 7 };
  expect(segmentName(info)).toBe(name);
  expect(parseSegmentName(name)).toEqual(info);
});

test('the names of one session sort in the order of its segments', () => {
  const name = (ms: number, segment: number): string =>
    segmentName({
      startedAt: new Date(startedAt.getTime() + ms),
      peerAddress: '192.0.2.1',
      peerPort: 1,
      session: '00000000',
      segment,
    });
  const names = [name(0, 0), name(0, 1), name(5, 2), name(60_000, 10)];
  expect(names.toSorted()).toEqual(names);
});

test.each([
  '.lock',
  'capture.ipfix',
  '20261121T054200.123Z_192.0.2.1_40000_0a1b2c3d_00007.ipfix.gz',
  '20261121T054200.123Z_192.0.2.1_40000_0a1b2c3_00007.ipfix',
  '20269921T054200.123Z_192.0.2.1_40000_0a1b2c3d_00007.ipfix',
  '20261121T054200.123Z_../../etc_40000_0a1b2c3d_00007.ipfix',
])('%s is not the name of a segment', name => {
  expect(parseSegmentName(name)).toBeNull();
});
