import type { Address } from '../map/rows.ts';

/** Microseconds from the Unix epoch to PostgreSQL's (2000-01-01). */
const POSTGRES_EPOCH_US = 946_684_800_000_000;
/** Last microsecond of the year 9999: beyond, a clock is not a clock; PostgreSQL's infinity says so. */
const LAST_YEAR_US = 253_402_300_799_999_999 - 999;
const FIRST_YEAR_US = -62_135_596_800_000_000;
const TWO_32 = 4294967296;
/** "PGCOPY\n\377\r\n\0", flags, length of the header extension. */
const SIGNATURE = Buffer.from('5047434f50590aff0d0a000000000000000000', 'hex');
/** Up to this length a loop beats the call into Buffer.write. */
const LONGEST_LOOP = 48;
const INET_V4 = 2;
const INET_V6 = 3;

/**
 * Rows in PostgreSQL's binary COPY format (documentation of COPY, "Binary Format"), in one growing buffer.
 * Call `row(n)`, then one method for each of the n columns.
 */
export class CopyBuffer {
  rows = 0;
  #buffer: Buffer;
  #at = SIGNATURE.length;

  constructor(initialBytes = 1 << 16) {
    this.#buffer = Buffer.allocUnsafeSlow(Math.max(initialBytes, 1 << 12));
    SIGNATURE.copy(this.#buffer);
  }

  /** Octets of the rows so far. */
  get length(): number {
    return this.#at;
  }

  /** Begins a row. @param variableBytes at least the octets of the row's text values */
  row(columns: number, variableBytes: number): void {
    // 24 covers the longest fixed value, an IPv6 address with its header
    const needed = this.#at + 4 + columns * 24 + variableBytes;
    if (needed > this.#buffer.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2));
      this.#buffer.copy(larger, 0, 0, this.#at);
      this.#buffer = larger;
    }
    this.rows++;
    this.#int16(columns);
  }

  null(): void {
    this.#length(-1);
  }

  int16(value: number | null): void {
    if (value === null) return this.null();
    this.#length(2);
    this.#int16(value);
  }

  int32(value: number | null): void {
    if (value === null) return this.null();
    this.#length(4);
    this.#int32(value);
  }

  /** Integer within ±2^63. */
  int64(value: number | bigint | null): void {
    if (value === null) return this.null();
    this.#length(8);
    if (typeof value === 'bigint') {
      this.#buffer.writeBigInt64BE(value, this.#at);
      this.#at += 8;
    } else this.#int64(value);
  }

  /** 64-bit integer in two halves. */
  int64Halves(high: number, low: number): void {
    this.#length(8);
    this.#int32(high);
    this.#int32(low);
  }

  bool(value: boolean | null): void {
    if (value === null) return this.null();
    this.#length(1);
    this.#buffer[this.#at++] = value ? 1 : 0;
  }

  /** timestamptz from microseconds since the Unix epoch; impossible ones become ±infinity. */
  time(microseconds: number | null): void {
    if (microseconds === null) return this.null();
    this.#length(8);
    if (microseconds > LAST_YEAR_US) this.#twoHalves(0x7fffffff, 0xffffffff);
    else if (microseconds < FIRST_YEAR_US) this.#twoHalves(0x80000000, 0);
    else this.#int64(microseconds - POSTGRES_EPOCH_US);
  }

  /** text from a string of ASCII characters. */
  ascii(value: string | null): void {
    if (value === null) return this.null();
    this.#length(value.length);
    if (value.length > LONGEST_LOOP) {
      this.#at += this.#buffer.write(value, this.#at, 'latin1');
      return;
    }
    const b = this.#buffer;
    let p = this.#at;
    for (let i = 0; i < value.length; i++) b[p++] = value.charCodeAt(i);
    this.#at = p;
  }

  inet(address: Address | null): void {
    if (address === null) return this.null();
    const isV4 = typeof address === 'number';
    const octets = isV4 ? 4 : 16;
    this.#length(4 + octets);
    const b = this.#buffer;
    b[this.#at++] = isV4 ? INET_V4 : INET_V6;
    b[this.#at++] = octets * 8;
    b[this.#at++] = 0; // not cidr
    b[this.#at++] = octets;
    if (isV4) this.#int32(address);
    else for (let i = 0; i < 16; i++) b[this.#at++] = address[i]!;
  }

  macaddr(octets: Buffer | null): void {
    if (octets === null) return this.null();
    this.#length(6);
    for (let i = 0; i < 6; i++) this.#buffer[this.#at++] = octets[i]!;
  }

  /** The complete COPY stream, a view: the buffer must not be written any more. */
  finish(): Buffer {
    if (this.#buffer.length - this.#at < 2) {
      const larger = Buffer.allocUnsafeSlow(this.#at + 2);
      this.#buffer.copy(larger, 0, 0, this.#at);
      this.#buffer = larger;
    }
    this.#int16(-1);
    return this.#buffer.subarray(0, this.#at);
  }

  #length(octets: number): void {
    this.#int32(octets);
  }

  #twoHalves(high: number, low: number): void {
    this.#int32(high);
    this.#int32(low);
  }

  #int16(value: number): void {
    this.#buffer[this.#at++] = value >> 8;
    this.#buffer[this.#at++] = value;
  }

  #int32(value: number): void {
    const b = this.#buffer;
    let p = this.#at;
    b[p++] = value >>> 24;
    b[p++] = value >>> 16;
    b[p++] = value >>> 8;
    b[p++] = value;
    this.#at = p;
  }

  /** Safe integer, two's complement. */
  #int64(value: number): void {
    const high = Math.floor(value / TWO_32);
    this.#twoHalves(high, value - high * TWO_32);
  }
}
