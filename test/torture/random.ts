/** Source of reproducible chance: the same seed gives the same sequence (mulberry32). */
export interface Random {
  readonly seed: number;
  /** 0 ≤ value < 1. */
  next(): number;
  /** Whole number, both ends included. */
  between(least: number, most: number): number;
  pick<T>(from: readonly T[]): T;
}

/** @param seed default from the clock; print it, so that what it found can be had again */
export function createRandom(seed: number = Date.now() >>> 0): Random {
  let state = seed;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (least: number, most: number): number => least + Math.floor(next() * (most - least + 1));
  return {
    seed,
    next,
    between,
    pick: from => from[between(0, from.length - 1)]!, // an index of the array
  };
}
