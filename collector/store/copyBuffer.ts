import type { Address } from '../map/rows.ts';

/** Microseconds from the Unix epoch to PostgreSQL's (2000-01-01). */
const POSTGRES_EPOCH_US = 946_684_800_000_000;
/** The years 1 to 9999: beyond, a clock is not a clock; PostgreSQL's infinity says so. */
const YEAR_10000_US = 253_402_300_800_000_000;
const FIRST_YEAR_US = -62_135_596_800_000_000;
const DAY_US = 86_400_000_000;
const TWO_32 = 4294967296;
/** "PGCOPY\n\377\r\n\0", flags, length of the header extension. */
const SIGNATURE = Buffer.from('5047434f50590aff0d0a000000000000000000', 'hex');
/** Octets before the address of an inet value: family, prefix length, not cidr, length of the address. */
const INET_V4 = 0x02_20_00_04;
const INET_V6 = 0x03_80_00_10;
/** Octets of the longest value that is no text, an IPv6 address, with its length. */
const LONGEST_FIXED = 24;
const SMALLEST = 1 << 16;

/**
 * Memory of rows that the database has, for the next rows of this process: the pages of new memory cost more than
 * writing the rows into them does.
 */
const spare: Buffer[] = [];
const MOST_SPARE = 8;
const LARGEST_SPARE = 8 << 20;

/**
 * Rows in PostgreSQL's binary COPY format (documentation of COPY, "Binary Format"), in one growing buffer.
 * Call `row(n)`, then one method for each of the n columns.
 */
export class CopyBuffer {
  rows = 0;
  #octets: Buffer;
  /** On the same octets: it writes four of them at once. */
  #view: DataView;
  #at = SIGNATURE.length;

  constructor() {
    this.#octets = spare.pop() ?? Buffer.allocUnsafeSlow(SMALLEST);
    this.#view = viewOf(this.#octets);
    SIGNATURE.copy(this.#octets);
  }

  /** Octets of the rows so far. */
  get length(): number {
    return this.#at;
  }

  /** Begins a row. @param textOctets at least the octets of the row's text values */
  row(columns: number, textOctets: number): void {
    const needed = this.#at + 2 + columns * LONGEST_FIXED + textOctets;
    if (needed > this.#octets.length) this.#grow(Math.max(needed, this.#octets.length * 2));
    this.rows++;
    this.#view.setInt16(this.#at, columns);
    this.#at += 2;
  }

  null(): void {
    this.#view.setInt32(this.#at, -1);
    this.#at += 4;
  }

  int16(value: number | null): void {
    if (value === null) this.null();
    else {
      this.#view.setInt32(this.#at, 2);
      this.#view.setInt16(this.#at + 4, value);
      this.#at += 6;
    }
  }

  int32(value: number | null): void {
    if (value === null) this.null();
    else {
      this.#view.setInt32(this.#at, 4);
      this.#view.setInt32(this.#at + 4, value);
      this.#at += 8;
    }
  }

  /** Integer within ±2^63. */
  int64(value: number | bigint | null): void {
    if (value === null) this.null();
    else if (typeof value === 'number') {
      const high = Math.floor(value / TWO_32);
      this.int64Halves(high, value - high * TWO_32);
    } else {
      this.#view.setInt32(this.#at, 8);
      this.#view.setBigInt64(this.#at + 4, value);
      this.#at += 12;
    }
  }

  /** 64-bit integer in two halves. */
  int64Halves(high: number, low: number): void {
    this.#view.setInt32(this.#at, 8);
    this.#view.setInt32(this.#at + 4, high);
    this.#view.setInt32(this.#at + 8, low);
    this.#at += 12;
  }

  bool(value: boolean | null): void {
    if (value === null) this.null();
    else {
      this.#view.setInt32(this.#at, 1);
      this.#octets[this.#at + 4] = value ? 1 : 0;
      this.#at += 5;
    }
  }

  /** timestamptz from microseconds since the Unix epoch; impossible ones become ±infinity. */
  time(microseconds: number | null): void {
    if (microseconds === null) this.null();
    else if (microseconds >= YEAR_10000_US) this.int64Halves(0x7fffffff, 0xffffffff);
    else if (microseconds < FIRST_YEAR_US) this.int64Halves(0x80000000, 0);
    else this.int64(microseconds - POSTGRES_EPOCH_US);
  }

  /** date from days since the Unix epoch; impossible ones become ±infinity. */
  date(days: number): void {
    const microseconds = days * DAY_US;
    const isPast = microseconds < FIRST_YEAR_US;
    if (isPast || microseconds >= YEAR_10000_US) this.int32(isPast ? -0x80000000 : 0x7fffffff);
    else this.int32(days - POSTGRES_EPOCH_US / DAY_US);
  }

  /** text from a string of ASCII characters. */
  ascii(value: string | null): void {
    if (value === null) this.null();
    else {
      this.#view.setInt32(this.#at, value.length);
      this.#at += 4 + this.#octets.write(value, this.#at + 4, 'latin1');
    }
  }

  inet(address: Address | null): void {
    if (address === null) this.null();
    else if (typeof address === 'number') {
      this.#view.setInt32(this.#at, 8);
      this.#view.setInt32(this.#at + 4, INET_V4);
      this.#view.setInt32(this.#at + 8, address);
      this.#at += 12;
    } else {
      this.#view.setInt32(this.#at, 20);
      this.#view.setInt32(this.#at + 4, INET_V6);
      this.#copy(address, this.#at + 8);
      this.#at += 24;
    }
  }

  macaddr(octets: Buffer | null): void {
    if (octets === null) this.null();
    else {
      this.#view.setInt32(this.#at, 6);
      this.#copy(octets, this.#at + 4);
      this.#at += 10;
    }
  }

  /** Writes a time over one that was written at `at`, where its length stands. */
  setTime(at: number, microseconds: number): void {
    const end = this.#at;
    this.#at = at;
    this.time(microseconds);
    this.#at = end;
  }

  /** Writes a 64-bit integer over one that was written at `at`, where its length stands. */
  setInt64(at: number, value: number): void {
    const end = this.#at;
    this.#at = at;
    this.int64(value);
    this.#at = end;
  }

  /** The 32-bit integer that was written at `at`, where its length stands. */
  int32At(at: number): number {
    return this.#view.getInt32(at + 4);
  }

  /** The 16-bit integer that was written at `at`, where its length stands. */
  int16At(at: number): number {
    return this.#view.getInt16(at + 4);
  }

  /** Writes a 16-bit integer over one that was written at `at`, where its length stands. */
  setInt16(at: number, value: number): void {
    this.#view.setInt16(at + 4, value);
  }

  /** Octets of the value that was written at `at`, where its length stands, without that. */
  lengthAt(at: number): number {
    return this.#view.getInt32(at);
  }

  /** Whether the octets from `at` are those of a string of ASCII characters. */
  hasAscii(at: number, value: string): boolean {
    const octets = this.#octets;
    for (let i = 0; i < value.length; i++) if (octets[at + i] !== value.charCodeAt(i)) return false;
    return true;
  }

  /** Whether the inet value that was written at `at`, where its length stands, is this address. */
  hasInet(at: number, address: Address): boolean {
    if (typeof address === 'number')
      return this.#view.getInt32(at) === 8 && this.#view.getInt32(at + 8) === (address | 0);
    if (this.#view.getInt32(at) !== 20) return false;
    for (let i = 0; i < address.length; i++) if (this.#octets[at + 8 + i] !== address[i]) return false;
    return true;
  }

  /** The complete COPY stream, a view: nothing may be written any more. */
  finish(): Buffer {
    if (this.#octets.length - this.#at < 2) this.#grow(this.#at + 2);
    this.#view.setInt16(this.#at, -1);
    return this.#octets.subarray(0, this.#at + 2);
  }

  /** Empty again, in the same memory. Only for who knows that nothing reads what finish() returned any more. */
  clear(): void {
    this.rows = 0;
    this.#at = SIGNATURE.length;
  }

  /** Gives the memory to later buffers. Only for who knows that nothing reads what finish() returned any more. */
  recycle(): void {
    if (spare.length < MOST_SPARE && this.#octets.length <= LARGEST_SPARE) spare.push(this.#octets);
    this.#octets = Buffer.alloc(0);
    this.#view = viewOf(this.#octets);
  }

  /** For a few octets a loop beats Buffer.copy. */
  #copy(octets: Buffer, at: number): void {
    for (let i = 0; i < octets.length; i++) this.#octets[at + i] = octets[i]!; // i < length
  }

  #grow(length: number): void {
    const larger = Buffer.allocUnsafeSlow(length);
    this.#octets.copy(larger, 0, 0, this.#at);
    this.#octets = larger;
    this.#view = viewOf(larger);
  }
}

function viewOf({ buffer, byteOffset, length }: Buffer): DataView {
  return new DataView(buffer, byteOffset, length);
}
