import { expect, it } from 'vitest';
import { readNewest } from '../../api/v1/newest.ts';

const HOUR_MS = 3_600_000;
const day = Date.UTC(2026, 2, 2);

/** Rows at these times, each the microseconds since 1970; and which times were asked for, in hours of the day. */
function stored(times: readonly number[]) {
  const asked: (readonly [number, number | null])[] = [];
  const read = (before: string | undefined) => async (since: Date, until: Date | null, limit: number) => {
    asked.push([(since.getTime() - day) / HOUR_MS, until && (until.getTime() - day) / HOUR_MS]);
    return times
      .filter(time => time >= since.getTime() && (until === null || time < until.getTime()))
      .filter(time => before === undefined || time * 1000 < Number(before))
      .sort((a, b) => b - a)
      .slice(0, limit);
  };
  return { asked, read };
}

const since = new Date(day);
const until = new Date(day + 24 * HOUR_MS);
const everyMinute = Array.from({ length: 24 * 60 }, (_, i) => day + i * 60_000);

it('reads no more of the past than holds the rows of a page', async () => {
  const { asked, read } = stored(everyMinute);
  const rows = await readNewest({ since, until, limit: 10, before: undefined }, read(undefined));
  expect(rows).toEqual(everyMinute.slice(-10).reverse());
  expect(asked).toEqual([[23.75, 24]]);
});

it('reads all of it, in parts that touch, when there are few', async () => {
  const { asked, read } = stored([day, day + HOUR_MS]);
  const rows = await readNewest({ since, until, limit: 10, before: undefined }, read(undefined));
  expect(rows).toEqual([day + HOUR_MS, day]);
  expect(asked).toEqual([
    [23.75, 24],
    [22.75, 23.75],
    [18.75, 22.75],
    [2.75, 18.75],
    [0, 2.75],
  ]);
});

it('has no end without one: rows may be of a time to come', async () => {
  const toCome = Date.now() + 24 * HOUR_MS;
  const { asked, read } = stored([toCome]);
  const rows = await readNewest(
    { since: new Date(), until: undefined, limit: 1, before: undefined },
    read(undefined),
  );
  expect(rows).toEqual([toCome]);
  expect(asked[0]?.[1]).toBeNull();
});

it.each([1, 7, 59, 1000])('goes on where a page of %i ended', async limit => {
  const { read } = stored(everyMinute);
  const all: number[] = [];
  for (let before: string | undefined; ; ) {
    const rows = await readNewest({ since, until, limit, before }, read(before));
    all.push(...rows);
    if (rows.length < limit) break;
    before = String(rows.at(-1)! * 1000); // a page that is full has rows
    if (all.length > everyMinute.length) break;
  }
  expect(all).toEqual(everyMinute.toReversed());
});
