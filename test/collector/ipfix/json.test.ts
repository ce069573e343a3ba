import { describe, expect, it } from 'vitest';
import { ipv6Text } from '../../../collector/ipfix/addressText.ts';
import { recordToJson, templateToJson } from '../../../collector/ipfix/index.ts';
import {
  basicList,
  dataSet,
  field,
  message,
  octets,
  optionsTemplate,
  optionsTemplateSet,
  record,
  subTemplateList,
  template,
  templateSet,
  u8,
  u16,
  u32,
  u64,
  VARIABLE,
  variable,
} from '../../support/ipfixBuilder.ts';
import { decode, decodeRecords, fixture, messagesOf } from './decode.ts';

describe('a record as JSON', () => {
  it('is what libfixbuf reads in the same octets', () => {
    const { records } = decode(...messagesOf(fixture('yaf2164-small')));
    expect(recordToJson(records[0]!)).toEqual({
      flowStartMilliseconds: '2024-06-10T06:30:56.225Z',
      flowEndMilliseconds: '2024-06-10T06:30:56.225Z',
      flowStartMicroseconds: '2024-06-10T06:30:56.225097Z',
      flowEndMicroseconds: '2024-06-10T06:30:56.225097Z',
      octetTotalCount: 88,
      packetTotalCount: 1,
      sourceIPv6Address: '2001:db8:1::19',
      destinationIPv6Address: '2001:db8:2::53',
      sourceTransportPort: 44255,
      destinationTransportPort: 53,
      flowAttributes: 0,
      protocolIdentifier: 17,
      flowEndReason: 1,
      silkAppLabel: 53,
      vlanId: 0,
      ipClassOfService: 5,
      mplsTopLabelStackSection: '000000',
      mplsLabelStackSection2: '000000',
      mplsLabelStackSection3: '000000',
      subTemplateMultiList: {
        lists: [
          {
            templateId: 0xce00,
            records: [
              {
                subTemplateList: {
                  templateId: 0xcf00,
                  records: [
                    {
                      subTemplateList: { templateId: 0xce01, records: [] },
                      dnsName: 'example.com.',
                      dnsTTL: 0,
                      dnsRRType: 15,
                      dnsQueryResponse: 0,
                      dnsAuthoritative: 0,
                      dnsResponseCode: 0,
                      dnsSection: 0,
                      dnsId: 42708,
                    },
                  ],
                },
              },
            ],
          },
        ],
      },
    });
    expect(recordToJson(records[208]!)).toMatchObject({
      exportingProcessId: 778,
      exporterIPv4Address: '127.0.0.1',
      observationTimeSeconds: '2026-11-20T22:39:01.000Z',
      systemInitTimeMilliseconds: '2026-11-20T22:39:01.012Z',
      packetTotalCount: 532,
    });
  });

  const json = (id: number, wire: Buffer, pen = 0) =>
    Object.values(recordToJson(decodeRecords([field(id, wire.length, pen)], wire).records[0]!))[0];

  it.each([
    ['a 64-bit counter above 2^53', 1, u64(2n ** 64n - 1n), '18446744073709551615'],
    ['a 64-bit counter below', 1, u64(2n ** 53n - 1n), 9007199254740991],
    ['a MAC address', 56, Buffer.from('be2a0013bfa2', 'hex'), 'be:2a:00:13:bf:a2'],
    ['octets', 95, Buffer.from([0, 255]), '00ff'],
    ['true', 276, Buffer.from([1]), true],
    ['neither true nor false', 276, Buffer.from([7]), null],
    ['nanoseconds', 156, octets(u32(2208988801), u32(0x80000000)), '1970-01-01T00:00:01.500000000Z'],
    ['a time before 1970', 154, octets(u32(2208988799), u32(0x80000000)), '1969-12-31T23:59:59.500000Z'],
    ['a time that no calendar holds', 152, u64(2n ** 53n - 1n), '9007199254740991 ms'],
    ['infinity', 311, Buffer.from('7ff0000000000000', 'hex'), 'Infinity'],
    ['UTF-8', 96, Buffer.from('caf\u00e9 \u{1f600}'), 'caf\u00e9 \u{1f600}'],
    ['UTF-8 that begins with a byte order mark', 96, Buffer.from('\ufeffa'), '\ufeffa'],
    ['what is no UTF-8', 96, Buffer.from('caf\xe9\\', 'latin1'), 'caf\\xE9\\'],
    ['NUL', 96, Buffer.from('a\0b'), 'a\0b'],
  ])('shows %s', (_, id, wire, expected) => {
    expect(json(id, wire)).toBe(expected);
  });

  it('keeps an element that occurs again, leaves out padding', () => {
    const { records } = decodeRecords(
      [field(8, 4), field(210, 2), field(8, 4), field(8, 4)],
      octets(u32(1), u16(0), u32(2), u32(3)),
    );
    expect(recordToJson(records[0]!)).toEqual({
      sourceIPv4Address: '0.0.0.1',
      'sourceIPv4Address-2': '0.0.0.2',
      'sourceIPv4Address-3': '0.0.0.3',
    });
  });

  it('shows lists, and what is wrong with them', () => {
    const { records } = decode(
      message([
        templateSet(
          template(300, [field(7, 2)]),
          template(256, [field(291, VARIABLE), field(292, VARIABLE)]),
        ),
        dataSet(
          256,
          record(
            variable(basicList(field(8, 4), [u32(1), u32(2)])),
            variable(subTemplateList(300, [u16(53), u8(7)])),
          ),
        ),
      ]),
    );
    expect(recordToJson(records[0]!)).toEqual({
      basicList: { element: 'sourceIPv4Address', values: ['0.0.0.1', '0.0.0.2'] },
      subTemplateList: {
        templateId: 300,
        records: [{ sourceTransportPort: 53 }],
        problem: expect.any(String),
        octets: '07',
      },
    });
  });

  it.each(['__proto__', 'constructor', 'toString'])(
    'holds an element that its exporter calls %s like any other',
    name => {
      const { records } = decode(
        message([
          optionsTemplateSet(
            optionsTemplate(300, [field(346, 4), field(303, 2)], [field(339, 1), field(341, VARIABLE)]),
          ),
          dataSet(300, record(u32(99), u16(1), u8(1), variable(name))),
          templateSet(template(256, [field(1, 1, 99), field(4, 1)])),
          dataSet(256, [5, 6]),
        ]),
      );
      const result = recordToJson(records[1]!);
      expect(Object.entries(result)).toEqual([
        [name, 5],
        ['protocolIdentifier', 6],
      ]);
      expect(Object.getPrototypeOf(result)).toBe(Object.prototype);
    },
  );
});

describe('a template as JSON', () => {
  it('has its fields', () => {
    const { records } = decode(
      message(
        [
          optionsTemplateSet(optionsTemplate(300, [field(149, 4)], [field(178, 1, 6871)])),
          dataSet(300, u32(0), u8(0)),
        ],
        { observationDomainId: 9 },
      ),
    );
    expect(templateToJson(records[0]!.template)).toEqual({
      templateId: 300,
      observationDomainId: 9,
      scopeFields: 1,
      fields: [
        { name: 'observationDomainId', pen: 0, id: 149, length: 4 },
        { name: 'dnsSection', pen: 6871, id: 178, length: 1 },
      ],
    });
  });
});

describe('an IPv6 address as text (RFC 5952)', () => {
  it.each([
    ['00000000000000000000000000000000', '::'],
    ['00000000000000000000000000000001', '::1'],
    ['20010db8000000000000000000000000', '2001:db8::'],
    ['20010db8000000000001000000000001', '2001:db8::1:0:0:1'],
    ['20010db8000000010001000100010001', '2001:db8:0:1:1:1:1:1'],
    ['20010db8000100010001000100010001', '2001:db8:1:1:1:1:1:1'],
    ['00000000000000010000000000000000', '0:0:0:1::'],
    ['00000000000000000000ffffc0000201', '::ffff:192.0.2.1'],
    ['ABCDEF01000000000000000000000000', 'abcd:ef01::'],
  ])('%s is %s', (hex, text) => {
    expect(ipv6Text(Buffer.from(`ff${hex}`, 'hex'), 1)).toBe(text);
  });
});
