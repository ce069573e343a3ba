import { describe, expect, it } from 'vitest';
import type { Value } from '../../../collector/ipfix/index.ts';
import {
  dataSet,
  field,
  int,
  message,
  type Octets,
  octets,
  optionsTemplate,
  optionsTemplateSet,
  record,
  template,
  templateSet,
  u8,
  u16,
  u32,
  u64,
  VARIABLE,
  variable,
  variableLong,
} from '../../support/ipfixBuilder.ts';
import { decode, decodeRecords } from './decode.ts';

/** IANA elements of each abstract data type. */
const Element = {
  unsigned8: 4, // protocolIdentifier
  unsigned16: 7, // sourceTransportPort
  unsigned32: 10, // ingressInterface
  unsigned64: 1, // octetDeltaCount
  signed32: 434, // mibObjectValueInteger
  float64: 311, // samplingProbability
  boolean: 276, // dataRecordsReliability
  macAddress: 56, // sourceMacAddress
  string: 96, // applicationName
  octetArray: 95, // applicationId
  dateTimeSeconds: 150, // flowStartSeconds
  dateTimeMilliseconds: 152, // flowStartMilliseconds
  dateTimeMicroseconds: 154, // flowStartMicroseconds
  dateTimeNanoseconds: 156, // flowStartNanoseconds
  ipv4Address: 8, // sourceIPv4Address
  ipv6Address: 27, // sourceIPv6Address
  paddingOctets: 210,
} as const;

/** The value of an element of this type, sent as these octets. */
function sentAs(type: keyof typeof Element, value: Octets): Value | undefined {
  const { values, problems } = decodeRecords([field(Element[type], value.length)], value);
  expect(problems).toEqual([]);
  return values[0]?.[0];
}

const largest = 2n ** 64n - 1n;

describe('values', () => {
  it.each<[keyof typeof Element, Octets, Value]>([
    ['unsigned8', [255], 255],
    ['unsigned16', [0xff, 0xfe], 65534],
    ['unsigned32', u32(0xffffffff), 4294967295],
    ['unsigned64', u64(2n ** 53n - 1n), Number.MAX_SAFE_INTEGER],
    ['unsigned64', u64(2n ** 53n), 2n ** 53n],
    ['unsigned64', u64(largest), largest],
    ['signed32', int(4, -1), -1],
    ['signed32', int(4, -(2 ** 31)), -(2 ** 31)],
    ['signed32', int(4, 2 ** 31 - 1), 2 ** 31 - 1],
    ['float64', '\x3f\xb9\x99\x99\x99\x99\x99\x9a', 0.1],
    ['float64', '\xff\xf0\0\0\0\0\0\0', Number.NEGATIVE_INFINITY],
    ['boolean', [1], true],
    ['boolean', [2], false],
    ['boolean', [0], null],
    ['boolean', [3], null],
    ['macAddress', [0xbe, 0x2a, 0, 0x13, 0xbf, 0xa2], Buffer.from('be2a0013bfa2', 'hex')],
    ['ipv4Address', [255, 0, 2, 1], 0xff000201],
    [
      'ipv6Address',
      Buffer.from('20010db8000000000000000000000053', 'hex'),
      Buffer.from('20010db8000000000000000000000053', 'hex'),
    ],
    ['dateTimeSeconds', u32(0xffffffff), 4294967295],
    ['dateTimeMilliseconds', u64(1_718_086_500_709), 1_718_086_500_709],
    ['octetArray', [0, 255, 1], Buffer.from([0, 255, 1])],
    ['paddingOctets', [1, 2, 3, 4], null],
  ])('of %s %o', (type, wire, expected) => {
    expect(sentAs(type, wire)).toEqual(expected);
  });

  it('of string are octet strings: NUL and what is no UTF-8 included', () => {
    expect(sentAs('string', 'a\0b')).toBe('a\0b');
    expect(sentAs('string', [0xc3, 0xa9, 0xff, 0xc0, 0x80])).toBe('\xc3\xa9\xff\xc0\x80');
    expect(decodeRecords([field(96, VARIABLE)], variable('')).values).toEqual([['']]);
  });

  it('of an element nobody knows are its octets', () => {
    expect(decodeRecords([field(1, 3, 99999)], 'abc').values).toEqual([[Buffer.from('abc')]]);
    expect(decodeRecords([field(32000, VARIABLE)], variable('abc')).values).toEqual([[Buffer.from('abc')]]);
  });

  it.each<[keyof typeof Element, number]>([
    ['unsigned8', 2],
    ['unsigned32', 5],
    ['unsigned64', 9],
    ['boolean', 2],
    ['float64', 5],
    ['ipv4Address', 3],
    ['dateTimeSeconds', 8],
    ['dateTimeMilliseconds', 4],
    ['dateTimeMicroseconds', 7],
    ['dateTimeNanoseconds', 12],
    ['macAddress', 8],
    ['ipv6Address', 4],
  ])('of %s in %d octets, which the type does not allow, stay octets', (type, length) => {
    const wire = Buffer.alloc(length, 0xab);
    expect(sentAs(type, wire)).toEqual(wire);
  });

  it.each<[keyof typeof Element]>([
    ['unsigned32'],
    ['boolean'],
    ['ipv4Address'],
    ['dateTimeMilliseconds'],
    ['float64'],
  ])('of %s sent with variable length stay octets', type => {
    expect(decodeRecords([field(Element[type], VARIABLE)], variable('abcd')).values).toEqual([
      [Buffer.from('abcd')],
    ]);
  });
});

describe('reduced-size encoding (RFC 7011 section 6.2)', () => {
  const types = { unsigned16: 2, unsigned32: 4, unsigned64: 8 } as const;
  const cases = Object.entries(types).flatMap(([type, width]) =>
    Array.from({ length: width }, (_, i) => [type, i + 1] as const),
  );

  it.each(cases)('gives %s in %d octets', (type, width) => {
    for (const value of [
      0n,
      1n,
      2n ** BigInt(8 * width) - 1n,
      2n ** BigInt(8 * width - 1),
      0x0102030405060708n >> BigInt(64 - 8 * width),
    ]) {
      const expected = value > Number.MAX_SAFE_INTEGER ? value : Number(value);
      expect(sentAs(type as keyof typeof types, int(width, value))).toBe(expected);
    }
  });

  // no IANA element is signed64, signed16 or signed8: type records (RFC 5610) make some
  it.each(Array.from({ length: 8 }, (_, i) => i + 1))('keeps the sign of signed64 in %d octets', width => {
    const bits = BigInt(8 * width);
    for (const value of [0n, -1n, 1n, -(2n ** (bits - 1n)), 2n ** (bits - 1n) - 1n]) {
      const isSafe = value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER;
      expect(learnedValue(8, width, int(width, value))).toBe(isSafe ? Number(value) : value);
    }
  });

  it.each([
    [5, 1],
    [6, 1],
    [6, 2],
    [7, 1],
    [7, 2],
    [7, 3],
    [7, 4],
  ])('keeps the sign of data type %d in %d octets', (dataType, width) => {
    const top = 2 ** (8 * width - 1);
    for (const value of [0, -1, 1, -top, top - 1])
      expect(learnedValue(dataType, width, int(width, value))).toBe(value);
  });

  it('gives float64 in 4 octets, and float32', () => {
    expect(sentAs('float64', '\x3f\x80\0\0')).toBe(1);
    expect(learnedValue(9, 4, Buffer.from('bf000000', 'hex'))).toBe(-0.5);
    expect(learnedValue(9, 8, u64(1))).toEqual(u64(1)); // longer than the type
  });
});

/** Value of an element whose type a type record gave. */
function learnedValue(dataType: number, length: number, wire: Buffer): Value | undefined {
  const { records } = decode(
    message([
      optionsTemplateSet(optionsTemplate(300, [field(346, 4), field(303, 2)], [field(339, 1)])),
      dataSet(300, record(u32(99), u16(1), u8(dataType))),
      templateSet(template(256, [field(1, length, 99)])),
      dataSet(256, wire),
    ]),
  );
  return records[1]?.values[0];
}

describe('times in NTP format (RFC 7011 sections 6.1.9 and 6.1.10)', () => {
  const EPOCH = 2_208_988_800; // 1970 in the seconds of NTP
  const ntp = (seconds: number, fraction: number) => octets(u32(seconds), u32(fraction));
  const half = 0x80000000;

  it.each([
    ['the epoch', ntp(EPOCH, 0), 0],
    ['half a second', ntp(EPOCH + 1, half), 1_500_000],
    ['one microsecond, cut to the fraction below', ntp(EPOCH, 4294), 1],
    ['one microsecond, with the bottom 11 bits cleared', ntp(EPOCH, 4294 & ~0x7ff), 1],
    ['0.999999 s', ntp(EPOCH, Math.floor(0.999999 * 2 ** 32)), 999_999],
    ['0.9999999 s, which is nearer to the next second', ntp(EPOCH, 0xffffffff), 1_000_000],
    ['before 1970', ntp(EPOCH - 1, half), -500_000],
    ['1968, the first of its era', ntp(2 ** 31, 0), (2 ** 31 - EPOCH) * 1_000_000],
    ['2036, when the next era begins', ntp(1, 0), (2 ** 32 + 1 - EPOCH) * 1_000_000],
    ['2104, the last of its era', ntp(2 ** 31 - 1, 0), (2 ** 32 + 2 ** 31 - 1 - EPOCH) * 1_000_000],
    ['no time', ntp(0, 0), -EPOCH * 1_000_000],
  ])('give microseconds for %s', (_, wire, expected) => {
    expect(sentAs('dateTimeMicroseconds', wire)).toBe(expected);
  });

  it('give every microsecond of a second back, whether the bottom bits are there or not', () => {
    for (let us = 0; us < 1_000_000; us += 997) {
      const fraction = Math.floor((us * 2 ** 32) / 1_000_000);
      expect(sentAs('dateTimeMicroseconds', ntp(EPOCH + 5, fraction))).toBe(5_000_000 + us);
      expect(sentAs('dateTimeMicroseconds', ntp(EPOCH + 5, fraction - (fraction % 2048)))).toBe(
        5_000_000 + us,
      );
    }
  });

  it('give nanoseconds', () => {
    expect(sentAs('dateTimeNanoseconds', ntp(EPOCH, 4))).toBe(1n);
    expect(sentAs('dateTimeNanoseconds', ntp(EPOCH + 1_700_000_000, half))).toBe(1_700_000_000_500_000_000n);
    expect(sentAs('dateTimeNanoseconds', ntp(EPOCH, 0xffffffff))).toBe(1_000_000_000n);
    expect(sentAs('dateTimeNanoseconds', ntp(1, 0))).toBe(BigInt(2 ** 32 + 1 - EPOCH) * 1_000_000_000n);
  });
});

describe('variable length (RFC 7011 section 7)', () => {
  const fields = [field(96, VARIABLE), field(10, 4), field(95, VARIABLE)];

  it.each([0, 1, 254, 255, 256, 5000])(
    'takes %d octets in both forms of the length, and goes on behind them',
    size => {
      const text = 'x'.repeat(size);
      const short = size < 255 ? variable(text) : variableLong(text);
      const { values, problems } = decodeRecords(
        fields,
        record(short, u32(1), variable('end')),
        record(variableLong(text), u32(2), variableLong('END')),
      );
      expect(problems).toEqual([]);
      expect(values).toEqual([
        [text, 1, Buffer.from('end')],
        [text, 2, Buffer.from('END')],
      ]);
    },
  );

  it('takes the longest value that a message holds', () => {
    const size = 65535 - 16 - 4 - 3;
    const { values } = decode(
      message([templateSet(template(256, [field(96, VARIABLE)]))]),
      message([dataSet(256, variableLong('y'.repeat(size)))]),
    );
    expect(values[0]?.[0]).toBe('y'.repeat(size));
  });

  it.each([
    ['the short length', [5, 0x61]],
    ['the long length', [255, 0, 200, 0x61]],
    ['a long length that is cut', [255, 0]],
  ])('ends with the set: %s that runs past it loses this record only', (_, tail) => {
    const { values, problems } = decodeRecords([field(96, VARIABLE)], variable('one'), variable('two'), tail);
    expect(values).toEqual([['one'], ['two']]);
    expect(problems).toMatchObject([{ code: 'record', octets: Buffer.from(tail), setId: 256 }]);
    expect(problems[0]?.offset).toBe(16 + 12 + 4 + 8);
  });

  it('is read alike in templates too long to be compiled', () => {
    const many = Array.from({ length: 300 }, () => fields).flat();
    const one = record(variable('abc'), u32(7), variableLong('de'));
    const { values, problems } = decodeRecords(many, octets(...Array.from({ length: 300 }, () => one)));
    expect(problems).toEqual([]);
    expect(values[0]).toEqual(Array.from({ length: 300 }, () => ['abc', 7, Buffer.from('de')]).flat());
    const shortest = 600; // octets of a record whose values are empty
    for (const tail of [[255, 0], [255, 0, 9, 1], [5]]) {
      const cut = octets(...Array.from({ length: 299 }, () => one), variable('abc'), u32(7), tail);
      expect(cut.length).toBeGreaterThan(shortest);
      expect(decodeRecords(many, cut)).toMatchObject({ records: [], codes: ['record'] });
    }
    const texts = Array.from({ length: 600 }, () => field(96, VARIABLE));
    const greedy = variableLong('z'.repeat(700)); // nothing is left for the other 599
    expect(decodeRecords(texts, greedy)).toMatchObject({ records: [], codes: ['record'] });
  });
});
