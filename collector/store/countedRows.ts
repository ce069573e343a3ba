import { CopyBuffer } from './copyBuffer.ts';

const SMALLEST = 1 << 10;
/** A table of slots is at most this full: above, finding takes too many steps. */
const MOST_FULL = 0.6;
/** Octets from the beginning of a row in COPY format to its columns time_first, time_last and count: two, then twelve each. */
const TIME_FIRST = 2;
const TIME_LAST = 14;
const COUNT = 26;

/**
 * Rows in COPY format that are written when their key is first seen, and counted when it is seen again: a hash table in
 * typed arrays whose keys are the rows themselves. Whoever asks compares the key, in `out` from `at(row)`, and writes the
 * row, which begins with time_first, time_last and, unless it has none, count. Times in microseconds since the Unix epoch.
 */
export class CountedRows {
  readonly out = new CopyBuffer();
  readonly #hasCount: boolean;
  #length = 0;
  #hashes = new Int32Array(SMALLEST);
  #offsets = new Int32Array(SMALLEST);
  #counts = new Float64Array(SMALLEST);
  #first = new Float64Array(SMALLEST);
  #last = new Float64Array(SMALLEST);
  /** Row number plus 1, by hash; 0 where there is none. */
  #slots = new Int32Array(SMALLEST * 2);
  #slot = 0;
  #hash = 0;

  constructor(hasCount = true) {
    this.#hasCount = hasCount;
  }

  get length(): number {
    return this.#length;
  }

  /** Where a row begins in `out`. */
  at(row: number): number {
    return this.#offsets[row]!; // row < length, here and below
  }

  count(row: number): number {
    return this.#counts[row]!;
  }

  first(row: number): number {
    return this.#first[row]!;
  }

  last(row: number): number {
    return this.#last[row]!;
  }

  /** The first row with this hash, -1 when there is none: compare its key, go on with `next`. */
  find(hash: number): number {
    this.#hash = hash;
    this.#slot = hash & (this.#slots.length - 1);
    return this.#look();
  }

  next(): number {
    this.#slot = (this.#slot + 1) & (this.#slots.length - 1);
    return this.#look();
  }

  #look(): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    for (let slot = this.#slot; ; slot = (slot + 1) & mask) {
      const row = slots[slot]! - 1; // slot <= mask
      if (row < 0 || this.#hashes[row] === this.#hash) {
        this.#slot = slot;
        return row;
      }
    }
  }

  /** A new row, for the hash that `find` did not find; it is written to `out` next. */
  append(): number {
    const row = this.#length++;
    if (row === this.#hashes.length) this.#grow();
    this.#hashes[row] = this.#hash;
    this.#offsets[row] = this.out.length;
    this.#first[row] = Number.POSITIVE_INFINITY;
    this.#last[row] = Number.NEGATIVE_INFINITY;
    this.#slots[this.#slot] = row + 1;
    if (this.#length > this.#slots.length * MOST_FULL) this.#rehash();
    return row;
  }

  see(row: number, count: number, first: number, last: number): void {
    this.#counts[row]! += count;
    if (first < this.#first[row]!) this.#first[row] = first;
    if (last > this.#last[row]!) this.#last[row] = last;
  }

  /** Writes what was counted into the rows; then they are complete. */
  finish(): CopyBuffer {
    for (let row = 0; row < this.#length; row++) this.write(this.out, this.at(row), row);
    return this.out;
  }

  /** Writes what was counted for a row into the row that begins at `at` of a buffer. */
  write(out: CopyBuffer, at: number, row: number): void {
    out.setTime(at + TIME_FIRST, this.#first[row]!);
    out.setTime(at + TIME_LAST, this.#last[row]!);
    if (this.#hasCount) out.setInt64(at + COUNT, this.#counts[row]!);
  }

  /** Empty again, in the same memory. */
  clear(): void {
    this.#counts.fill(0, 0, this.#length);
    this.#slots.fill(0);
    this.#length = 0;
    this.out.clear();
  }

  #grow(): void {
    this.#hashes = integers(this.#hashes);
    this.#offsets = integers(this.#offsets);
    this.#counts = numbers(this.#counts);
    this.#first = numbers(this.#first);
    this.#last = numbers(this.#last);
  }

  #rehash(): void {
    const slots = new Int32Array(this.#slots.length * 2);
    const mask = slots.length - 1;
    for (let row = 0; row < this.#length; row++) {
      let slot = this.#hashes[row]! & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = row + 1;
    }
    this.#slots = slots;
  }
}

function integers(column: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(column.length * 2);
  larger.set(column);
  return larger;
}

function numbers(column: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(column.length * 2);
  larger.set(column);
  return larger;
}
