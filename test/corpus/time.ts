import { exponential, type Random } from './chance.ts';

/** Microseconds; so are all times of the corpus. */
export const SECOND = 1e6;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** Times are in [from, to), microseconds since the Unix epoch. */
export interface Period {
  readonly from: number;
  readonly to: number;
}

/**
 * Moments at random (a Poisson process).
 * @param perDay at full weight
 * @param weight 0 to 1: how much of that rate holds at a time
 */
export function* moments(
  random: Random,
  { from, to }: Period,
  perDay: number,
  weight: (at: number) => number = () => 1,
): Generator<number, void> {
  const gap = DAY / perDay;
  for (let at = from + exponential(random, gap); at < to; at += exponential(random, gap))
    if (random.next() < weight(at)) yield Math.floor(at);
}

/** A period again and again, each time longer or shorter by up to `jitter` of it; begins anywhere in the first one. */
export function* ticks(
  random: Random,
  { from, to }: Period,
  period: number,
  jitter: number,
): Generator<number, void> {
  for (let at = from + random.next() * period; at < to; at += period * (1 + jitter * (2 * random.next() - 1)))
    yield Math.floor(at);
}

/** So many moments in a period, in their order. */
export function scattered(random: Random, { from, to }: Period, count: number): number[] {
  return Array.from({ length: count }, () => Math.floor(from + random.next() * (to - from))).sort(
    (a, b) => a - b,
  );
}
