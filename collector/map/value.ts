import type { Value } from '../ipfix/index.ts';

/** Integer value that fits a number; null for anything else. */
export function integer(value: Value | undefined): number | null {
  return typeof value === 'number' ? value : null;
}

/** Integer at a position of a record; null where the template lacks the element (`at` is -1). */
export function integerAt(values: readonly Value[], at: number): number | null {
  if (at < 0) return null; // V8 looks an array's element -1 up by name, slowly
  const value = values[at];
  return typeof value === 'number' ? value : null;
}

/** Octet string (one character an octet) of a value of type string or octetArray; empty for anything else. */
export function octetString(value: Value | undefined): string {
  if (typeof value === 'string') return value;
  return Buffer.isBuffer(value) ? value.toString('latin1') : '';
}

/** MAC address at a position of a record; null where the template lacks it. */
export function macAt(values: readonly Value[], at: number): Buffer | null {
  if (at < 0) return null;
  const value = values[at];
  return Buffer.isBuffer(value) && value.length === 6 ? value : null;
}
