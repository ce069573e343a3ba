import type { FieldSpecifier, Value } from './template.ts';
import { type AbstractTypeName, NTP_ERA_SECONDS, NTP_UNIX_OFFSET_SECONDS, VARIABLE_LENGTH } from './types.ts';

/**
 * Reads one data record.
 * @returns the values in field order, the end of the record is left in `lists.end`; undefined when the record does
 * not fit before `end`
 */
export type Reader = (
  buffer: Buffer,
  at: number,
  end: number,
  lists: StructuredDataReader,
) => Value[] | undefined;

/** Reads the value of `length` octets at `at`. */
type ValueReader = (buffer: Buffer, at: number, length: number, lists: StructuredDataReader) => Value;

/** Reads the lists of RFC 6313 inside a record; knows the templates of the session. */
export interface StructuredDataReader {
  /** Where the record that was read last ends. */
  end: number;
  basicList(buffer: Buffer, at: number, end: number): Value;
  subTemplateList(buffer: Buffer, at: number, end: number): Value;
  subTemplateMultiList(buffer: Buffer, at: number, end: number): Value;
}

/** Octets of the shortest record: a variable-length value has at least its length octet. */
export function shortestLength(fields: readonly FieldSpecifier[]): number {
  return fields.reduce((sum, { length }) => sum + (length === VARIABLE_LENGTH ? 1 : length), 0);
}

/** Above this the compiler costs more than it saves: 16 000 fields take it 60 ms, again for each redefinition. */
const MOST_COMPILED_FIELDS = 512;

/** The reader of a template's records. */
export function readerOf(fields: readonly FieldSpecifier[]): Reader {
  return fields.length <= MOST_COMPILED_FIELDS ? compileReader(fields) : walkingReader(fields);
}

/**
 * Compiles the fields of a template into straight code: one bounds check a run of fixed-length fields, constant
 * offsets, no dispatch on the type. Several times faster than walking the field list for each record
 * (test/bench, "decode"). The code is made of numbers only, nothing of the wire's text enters it.
 */
function compileReader(fields: readonly FieldSpecifier[]): Reader {
  let rest = shortestLength(fields);
  const code: string[] = [`if (end - p < ${rest}) return;`, 'let n = 0;'];
  const results: string[] = [];
  let offset = 0;
  fields.forEach(({ element, length }, i) => {
    results.push(isPadding(element) ? 'null' : `v${i}`);
    if (length !== VARIABLE_LENGTH) {
      const at = offset === 0 ? 'p' : `p + ${offset}`;
      if (!isPadding(element)) code.push(`const v${i} = ${expression(element.type, length, at)};`);
      offset += length;
      rest -= length;
      return;
    }
    rest -= 1;
    code.push(
      offset === 0 ? '' : `p += ${offset};`,
      'n = b[p++];',
      `if (n === 255) { if (end - p < ${rest + 2}) return; n = b[p] << 8 | b[p + 1]; p += 2; }`,
      `if (end - p < n + ${rest}) return;`,
      isPadding(element) ? '' : `const v${i} = ${expression(element.type, VARIABLE_LENGTH, 'p')};`,
      'p += n;',
    );
    offset = 0;
  });
  code.push(`lists.end = ${offset === 0 ? 'p' : `p + ${offset}`};`, `return [${results.join(', ')}];`);
  return compile<Reader>('b, p, end, lists', code.join('\n'));
}

/** Reads the same without compiling: for long templates, and for lists, whose fields come with each of them. */
export function walkingReader(fields: readonly FieldSpecifier[]): Reader {
  const steps = fields.map(({ element, length }) => ({
    length,
    read: isPadding(element) ? () => null : valueReader(element.type, length),
  }));
  return (buffer, at, end, lists) => {
    const values: Value[] = [];
    let p = at;
    for (const { length, read } of steps) {
      let n = length;
      if (n === VARIABLE_LENGTH) {
        if (end - p < 1) return undefined;
        n = buffer[p++]!; // checked above
        if (n === 255) {
          if (end - p < 2) return undefined;
          n = buffer.readUInt16BE(p);
          p += 2;
        }
      }
      if (end - p < n) return undefined;
      values.push(read(buffer, p, n, lists));
      p += n;
    }
    lists.end = p;
    return values;
  };
}

/** Above this length only octets and strings occur, and those are read alike in every length. */
const LONGEST_TYPED = 16;
const valueReaders = new Map<string, ValueReader>();

/** The compiled reader of values of a type and field length; there are few of them, so they are kept. */
function valueReader(type: AbstractTypeName, length: number): ValueReader {
  const variant = length > LONGEST_TYPED ? VARIABLE_LENGTH : length;
  const key = `${type}/${variant}`;
  let reader = valueReaders.get(key);
  if (reader === undefined) {
    reader = compile<ValueReader>('b, p, n, lists', `return ${expression(type, variant, 'p')};`);
    valueReaders.set(key, reader);
  }
  return reader;
}

function compile<T>(parameters: string, body: string): T {
  const make = new Function(...Object.keys(calledByCode), `return (${parameters}) => { ${body} }`);
  return make(...Object.values(calledByCode)) as T; // new Function returns any: the callers' text makes exactly this
}

function isPadding({ pen, id }: { readonly pen: number; readonly id: number }): boolean {
  return pen === 0 && id === 210; // paddingOctets
}

/** Largest fixed length of the integer types; shorter is reduced-size encoding (RFC 7011 section 6.2). */
const integerWidth: Partial<Record<AbstractTypeName, number>> = {
  unsigned8: 1,
  unsigned16: 2,
  unsigned32: 4,
  unsigned64: 8,
  signed8: 1,
  signed16: 2,
  signed32: 4,
  signed64: 8,
};

/** The expression that reads a value of `length` octets at `p`; a variable-length one has its length in `n`. */
function expression(type: AbstractTypeName, length: number, p: string): string {
  const end = length === VARIABLE_LENGTH ? 'p + n' : `${p} + ${length}`;
  const width = integerWidth[type];
  if (width !== undefined && length >= 1 && length <= width) return integer(type, length, p);
  switch (type) {
    case 'string':
      return `b.latin1Slice(${p}, ${end})`;
    case 'basicList':
    case 'subTemplateList':
    case 'subTemplateMultiList':
      return `lists.${type}(b, ${p}, ${end})`;
    case 'ipv4Address':
    case 'dateTimeSeconds':
      if (length === 4) return unsigned(p, 4);
      break;
    case 'dateTimeMilliseconds':
      if (length === 8) return `unsigned64(b, ${p})`;
      break;
    case 'dateTimeMicroseconds':
      if (length === 8) return `ntpMicroseconds(b, ${p})`;
      break;
    case 'dateTimeNanoseconds':
      if (length === 8) return `ntpNanoseconds(b, ${p})`;
      break;
    case 'boolean':
      if (length === 1) return `(b[${p}] === 1 ? true : b[${p}] === 2 ? false : null)`;
      break;
    case 'float32':
      if (length === 4) return `b.readFloatBE(${p})`;
      break;
    case 'float64':
      if (length === 8) return `b.readDoubleBE(${p})`;
      if (length === 4) return `b.readFloatBE(${p})`;
      break;
  }
  return `b.subarray(${p}, ${end})`;
}

function integer(type: AbstractTypeName, length: number, p: string): string {
  const signed = type.startsWith('signed');
  if (length >= 7) return `${signed ? 'signed' : 'unsigned'}${length * 8}(b, ${p})`;
  if (!signed) return unsigned(p, length);
  const shift = 32 - 8 * length;
  return length <= 4 ? `(${unsigned(p, length)} << ${shift} >> ${shift})` : `b.readIntBE(${p}, ${length})`;
}

function unsigned(p: string, length: number): string {
  const octet = (i: number) => `b[${i === 0 ? p : `${p} + ${i}`}]`;
  if (length === 1) return octet(0);
  if (length === 2) return `(${octet(0)} << 8 | ${octet(1)})`;
  if (length === 3) return `(${octet(0)} << 16 | ${octet(1)} << 8 | ${octet(2)})`;
  if (length === 4) return `((${octet(0)} << 24 | ${octet(1)} << 16 | ${octet(2)} << 8 | ${octet(3)}) >>> 0)`;
  return `b.readUIntBE(${p}, ${length})`;
}

const LARGEST_SAFE_HIGH = 0x1fffff;

function unsigned64(b: Buffer, p: number): number | bigint {
  return fromHalves(b.readUInt32BE(p), b.readUInt32BE(p + 4));
}

function unsigned56(b: Buffer, p: number): number | bigint {
  return fromHalves(b.readUIntBE(p, 3), b.readUInt32BE(p + 3));
}

function signed64(b: Buffer, p: number): number | bigint {
  return lossless(b.readBigInt64BE(p));
}

function signed56(b: Buffer, p: number): number | bigint {
  return lossless(BigInt.asIntN(56, BigInt(unsigned56(b, p))));
}

function fromHalves(high: number, low: number): number | bigint {
  return high <= LARGEST_SAFE_HIGH ? high * 2 ** 32 + low : (BigInt(high) << 32n) | BigInt(low);
}

function lossless(value: bigint): number | bigint {
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
}

/**
 * NTP time stamp (RFC 7011 section 6.1.9) to the nearest microsecond since the Unix epoch. The RFC would have the
 * bottom 11 bits of the fraction (0.48 microseconds) ignored; YAF and ipfixprobe send nanoseconds there, and rounding
 * them to the nearest microsecond instead also gives what an exporter meant that did clear them.
 */
function ntpMicroseconds(b: Buffer, p: number): number {
  return unixSeconds(b, p) * 1_000_000 + Math.round((b.readUInt32BE(p + 4) * 1_000_000) / 2 ** 32);
}

/** NTP time stamp (RFC 7011 section 6.1.10) to the nearest nanosecond since the Unix epoch. */
function ntpNanoseconds(b: Buffer, p: number): bigint {
  const nanoseconds = Math.round((b.readUInt32BE(p + 4) * 1_000_000_000) / 2 ** 32);
  return BigInt(unixSeconds(b, p)) * 1_000_000_000n + BigInt(nanoseconds);
}

/**
 * Seconds of an NTP time stamp. The era is not on the wire (RFC 7011 section 5.2): the half of the circle around 2036
 * that has IPFIX in it is meant, 1968 to 2104. All zero stays 1900: that is how exporters say "no time".
 */
function unixSeconds(b: Buffer, p: number): number {
  const seconds = b.readUInt32BE(p);
  const isNextEra = seconds < NTP_ERA_SECONDS / 2 && seconds > 0;
  return seconds - NTP_UNIX_OFFSET_SECONDS + (isNextEra ? NTP_ERA_SECONDS : 0);
}

/** What the compiled code calls, by the name it uses. */
const calledByCode = { unsigned56, unsigned64, signed56, signed64, ntpMicroseconds, ntpNanoseconds };
