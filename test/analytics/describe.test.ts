import { expect, test } from 'vitest';
import { describeRetained, describeSealed } from '../../analytics/describe.ts';

const plan = {
  days: 3,
  usedBytes: 3_200_000_000,
  drop: [
    { day: '2026-01-01', bytes: 1_200_000_000, rows: 9, because: 'age' },
    { day: '2026-01-02', bytes: 900_000, rows: 9, because: 'bytes' },
  ],
  freedBytes: 1_200_900_000,
  growthPerDay: 999,
  daysUntilLimit: null,
  daysUntilDiskFull: null,
} as const;

test('a dry run says what would go', () => {
  expect(describeRetained({ ...plan, dropped: [] }, true)).toBe(
    `3 days of partitions take 3.2 GB
would drop 2026-01-01 (1.2 GB, too old)
would drop 2026-01-02 (900.0 kB, too much)
that would free 1.2 GB
growth: 999 B a day`,
  );
});

test('what was dropped is told with its archive, and what was in use', () => {
  const text = describeRetained({ ...plan, dropped: [{ day: '2026-01-01', archive: '/a/b' }] }, false);
  expect(text).toContain('dropped 2026-01-01 (1.2 GB, too old), archived in /a/b');
  expect(text).toContain('in use, not dropped: 2026-01-02');
});

test('the day on which it gets full is named', () => {
  const text = describeRetained({ ...plan, daysUntilLimit: 10, daysUntilDiskFull: 1e12, dropped: [] }, true);
  expect(text).toMatch(/the limit is reached in 10 days \(\d{4}-\d\d-\d\d\)/);
  expect(text).toContain('the disk is full in 1000000000000 days');
});

test('sealing says what was sealed', () => {
  expect(describeSealed([])).toContain('nothing to seal');
  expect(describeSealed([{ name: 'dns_rr_20240611', bytes: 17_000_000, milliseconds: 1234 }])).toBe(
    'sealed dns_rr_20240611 (17.0 MB) in 1.2 s',
  );
});
