import { describe, expect, it } from 'vitest';
import { recordToJson } from '../../../collector/ipfix/index.ts';
import {
  dataSet,
  field,
  message,
  octets,
  optionsTemplate,
  optionsTemplateSet,
  record,
  template,
  templateSet,
  u8,
  u16,
  u32,
  VARIABLE,
  variable,
  withdrawal,
} from '../../support/ipfixBuilder.ts';
import { Decoding, decode, fixture, messagesOf } from './decode.ts';

/** Data types of RFC 5610 section 3.1. */
const Type = { octetArray: 0, unsigned32: 3, string: 13, ipv4Address: 18, subTemplateList: 21 } as const;

// scope: privateEnterpriseNumber, informationElementId; informationElementDataType, informationElementName
const describing = optionsTemplateSet(
  optionsTemplate(300, [field(346, 4), field(303, 2)], [field(339, 1), field(341, VARIABLE)]),
);
const typeRecord = (pen: number, id: number, type: number, name: string) =>
  record(u32(pen), u16(id), u8(type), variable(name));
const using = (length: number, pen = 99) => templateSet(template(256, [field(1, length, pen)]));

describe('type records (RFC 5610)', () => {
  it('give elements of enterprises their type and name', () => {
    const { records } = decode(
      message([
        describing,
        dataSet(300, typeRecord(99, 1, Type.unsigned32, 'hotness'), typeRecord(99, 2, Type.string, 'mood')),
      ]),
      message([
        templateSet(template(256, [field(1, 2, 99), field(2, VARIABLE, 99), field(1, 2, 98)])),
        dataSet(256, u16(300), variable('fine'), u16(1)),
      ]),
    );
    expect(records.length).toBe(3); // they are data records too
    expect(recordToJson(records[2]!)).toEqual({ hotness: 300, mood: 'fine', _98_1: '0001' });
  });

  it('count for templates that came before them, in every domain', () => {
    const { values } = decode(
      message([using(4)]),
      message([using(4)], { observationDomainId: 1 }),
      message([dataSet(256, u32(1))]),
      message([
        describing,
        dataSet(300, typeRecord(99, 1, Type.unsigned32, 'hotness')),
        dataSet(256, u32(2)),
      ]),
      message([dataSet(256, u32(3))], { observationDomainId: 1 }),
    );
    expect([values[0], values[2], values[3]]).toEqual([[u32(1)], [2], [3]]);
  });

  it('let the consumer of a template think again', () => {
    const decoding = new Decoding().feed(message([using(4), dataSet(256, u32(1))]));
    const { template: used } = decoding.out.records[0]!;
    used.memo = 'derived';
    decoding.feed(message([describing, dataSet(300, typeRecord(99, 2, Type.string, 'other'))]));
    expect(used.memo).toBe('derived');
    decoding.feed(message([dataSet(300, typeRecord(99, 1, Type.unsigned32, 'hotness'))]));
    expect(used.memo).toBeUndefined();
  });

  it('make a list of an element that is one', () => {
    const { values } = decode(
      message([describing, dataSet(300, typeRecord(99, 1, Type.subTemplateList, 'things'))]),
      message([
        templateSet(template(301, [field(4, 1)])),
        using(VARIABLE),
        dataSet(256, variable(octets([3], u16(301), [1, 2]))),
      ]),
    );
    expect(values[1]).toMatchObject([{ records: [{ values: [1] }, { values: [2] }] }]);
  });

  it('do not change what is known: the tables of IANA and CERT, and what was said first', () => {
    const { values } = decode(
      message([
        describing,
        dataSet(
          300,
          typeRecord(0, 4, Type.string, 'protocol'),
          typeRecord(6871, 178, Type.string, 'section'),
          typeRecord(29305, 4, Type.string, 'reverseProtocol'),
          typeRecord(99, 1, Type.unsigned32, 'hotness'),
          typeRecord(99, 1, Type.ipv4Address, 'hotness'),
        ),
        templateSet(template(256, [field(4, 1), field(178, 1, 6871), field(4, 1, 29305), field(1, 3, 99)])),
        dataSet(256, [1, 2, 3, 0, 0, 4]),
      ]),
    );
    expect(values[5]).toEqual([1, 2, 3, 4]);
  });

  it.each([22 + 1, 255])('of data type %d, which is not assigned here, leave the octets', type => {
    const { values } = decode(
      message([describing, dataSet(300, typeRecord(99, 1, type, 'new')), using(2), dataSet(256, 'ab')]),
    );
    expect(values[1]).toEqual([Buffer.from('ab')]);
  });

  it('may have the enterprise bit in the element number', () => {
    const { values } = decode(
      message([
        describing,
        dataSet(300, typeRecord(99, 0x8001, Type.unsigned32, 'hotness')),
        using(4),
        dataSet(256, u32(5)),
      ]),
    );
    expect(values[1]).toEqual([5]);
  });

  it.each(['', 'with space', 'a\0b', '9lives', 'x'.repeat(129), '\xc3\xa9t\xc3\xa9'])(
    'cannot name an element %j',
    name => {
      const { records } = decode(
        message([
          describing,
          dataSet(300, typeRecord(99, 1, Type.unsigned32, name)),
          using(4),
          dataSet(256, u32(5)),
        ]),
      );
      expect(recordToJson(records[1]!)).toEqual({ _99_1: 5 });
    },
  );

  it('mean nothing in the record of a template that is not theirs', () => {
    const plain = templateSet(
      template(300, [field(346, 4), field(303, 2), field(339, 1), field(341, VARIABLE)]),
    );
    const { values } = decode(
      message([
        plain,
        dataSet(300, typeRecord(99, 1, Type.unsigned32, 'hotness')),
        using(4),
        dataSet(256, u32(5)),
      ]),
    );
    expect(values[1]).toEqual([u32(5)]);
  });

  it('stay true when their template is withdrawn', () => {
    const { values } = decode(
      message([describing, dataSet(300, typeRecord(99, 1, Type.unsigned32, 'hotness'))]),
      message([optionsTemplateSet(withdrawal(300)), using(4), dataSet(256, u32(5))]),
    );
    expect(values[1]).toEqual([5]);
  });

  it('are not learned without end', () => {
    const many = Array.from({ length: 20 }, (_, i) => typeRecord(99, i + 1, Type.unsigned32, `element${i}`)); // 16 octets
    const learned = (limits: object) => {
      const { session } = new Decoding(limits).feed(message([describing, dataSet(300, ...many)]));
      return many.filter((_, i) => session.elements.get(99, i + 1).known).length;
    };
    expect([learned({}), learned({ learnedElements: 5 }), learned({ typeRecordOctets: 100 })]).toEqual([
      20, 5, 6,
    ]);
  });

  it('of YAF 3 leave no element unknown; those the tables have are not kept again', () => {
    const decoding = new Decoding().feed(...messagesOf(fixture('yaf3-small')));
    const fields = [...decoding.session.domains.get(0)!.templates.values()].flatMap(({ fields }) => fields);
    expect(fields.filter(({ element }) => !element.known).map(({ element }) => element.name)).toEqual([]);
    expect(decoding.out.problems).toEqual([]);
    expect(decoding.session.domains.get(0)?.typeRecords).toEqual([]);
  });
});
