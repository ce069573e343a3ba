import { createRandom, type Random } from '../torture/random.ts';

export type { Random };

/** A sequence of its own for each purpose, so that what one draws does not shift what another gets. */
export function randomOf(seed: number, ...purpose: readonly (string | number)[]): Random {
  return createRandom(hashOf(`${seed}/${purpose.join('/')}`));
}

/** 32 bits of a text (FNV-1a, and mixed, for its last characters reach few bits). */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return mix(hash);
}

/** Scatters the bits of a number (the last steps of MurmurHash3, public domain). */
export function mix(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Exponentially distributed, of this mean. */
export function exponential(random: Random, mean: number): number {
  return -Math.log(1 - random.next()) * mean;
}

/** Log-normally distributed, of this median; one in six is above `spread` times the median. */
export function logNormal(random: Random, median: number, spread: number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
  return median * spread ** normal;
}

/** So many different ones of a list, or all of it. */
export function sample<T>(random: Random, from: readonly T[], count: number): T[] {
  const left = [...from];
  return Array.from({ length: Math.min(count, left.length) }, (_, i) => {
    const at = random.between(i, left.length - 1);
    const taken = left[at]!; // i < count <= length
    left[at] = left[i]!;
    left[i] = taken;
    return taken;
  });
}

/** One of a list of values with weights. */
export function weighted<T>(random: Random, choices: readonly (readonly [value: T, weight: number])[]): T {
  let left = random.next() * choices.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [value, weight] of choices) {
    left -= weight;
    if (left < 0) return value;
  }
  return choices[0]![0]; // rounding; there is one choice at least
}

/** So many characters of an alphabet. */
export function letters(random: Random, count: number, alphabet: string): string {
  let text = '';
  for (let i = 0; i < count; i++) text += alphabet[random.between(0, alphabet.length - 1)];
  return text;
}

export const HEX = '0123456789abcdef';
export const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';
export const ALPHABET = 'abcdefghijklmnopqrstuvwxyz';
