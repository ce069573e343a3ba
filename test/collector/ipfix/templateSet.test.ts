import { describe, expect, it } from 'vitest';
import {
  dataSet,
  field,
  fieldSpecifier,
  message,
  octets,
  optionsTemplate,
  optionsTemplateSet,
  record,
  set,
  template,
  templateSet,
  u8,
  u16,
  u32,
  VARIABLE,
  withdrawal,
} from '../../support/ipfixBuilder.ts';
import { Decoding, decode } from './decode.ts';

const one = template(256, [field(10, 4)]); // ingressInterface
const two = template(257, [field(7, 2)]); // sourceTransportPort
const options = optionsTemplate(300, [field(149, 4)], [field(41, 8)]); // observationDomainId: exportedMessageTotalCount

function templatesOf(decoding: Decoding, domain = 0): number[] {
  return [...(decoding.session.domains.get(domain)?.templates.keys() ?? [])].sort((a, b) => a - b);
}

describe('template records', () => {
  it('hold fields of IANA and of enterprises', () => {
    const wire = octets(
      u16(256), // template id
      u16(3), // field count
      u16(8), // sourceIPv4Address
      u16(4),
      u16(0x8000 | 178), // CERT dnsSection
      u16(1),
      u32(6871),
      u16(0x8000 | 32767), // of an enterprise nobody knows
      u16(VARIABLE),
      u32(0xffffffff),
    );
    const decoding = new Decoding().feed(message([templateSet(wire)]));
    const defined = decoding.session.domains.get(0)?.templates.get(256);
    expect(defined).toMatchObject({ id: 256, observationDomainId: 0, scopeCount: 0, isOptions: false });
    expect(
      defined?.fields.map(({ element: { pen, id, known }, length }) => [pen, id, known, length]),
    ).toEqual([
      [0, 8, true, 4],
      [6871, 178, true, 1],
      [0xffffffff, 32767, false, 65535],
    ]);
    expect(defined?.octets.equals(wire)).toBe(true);
    expect(decoding.out.problems).toEqual([]);
  });

  it('of both kinds may follow each other in one set of their kind', () => {
    const more = optionsTemplate(301, [field(149, 4), field(144, 4)], []);
    const decoding = new Decoding().feed(message([templateSet(one, two), optionsTemplateSet(options, more)]));
    expect(templatesOf(decoding)).toEqual([256, 257, 300, 301]);
    const { templates } = decoding.session.domains.get(0)!;
    expect([300, 301].map(id => templates.get(id)?.scopeCount)).toEqual([1, 2]);
  });

  it('may name an element twice, and values keep their order (RFC 7011 section 8)', () => {
    const fields = [field(8, 4), field(8, 4), field(145, 2), field(8, 4)];
    const { records } = decode(
      message([templateSet(template(256, fields)), dataSet(256, u32(1), u32(2), u16(9), u32(3))]),
    );
    expect(records[0]?.values).toEqual([1, 2, 9, 3]);
    expect([0, 1, 2, 3].map(nth => records[0]?.template.indexOf(0, 8, nth))).toEqual([0, 1, 3, -1]);
  });

  it('may use the highest id and as many fields as a message holds', () => {
    const fields = Array.from({ length: 16377 }, () => field(4, 1)); // protocolIdentifier
    const wide = message([templateSet(template(65535, fields))]);
    expect(wide.length).toBe(65532);
    const { values, problems } = decode(wide, message([dataSet(65535, Buffer.alloc(16377, 6))]));
    expect([values.length, values[0]?.length, values[0]?.every(value => value === 6), problems]).toEqual([
      1,
      16377,
      true,
      [],
    ]);
  });
});

describe('bad template records', () => {
  const bad = (code: string, ...records: Buffer[]) => {
    const decoding = new Decoding().feed(message([templateSet(one)]), message([templateSet(...records)]));
    expect(decoding.out.problems).toMatchObject([{ code }]);
    return decoding;
  };

  it.each([0, 2, 3, 255])('with id %d are refused, the next one is read', id => {
    const decoding = bad('template', template(id, [field(10, 4), field(1, 8, 6871)]), two);
    expect(templatesOf(decoding)).toEqual([256, 257]);
  });

  it.each([
    ['65535 fields in a set that ends', octets(u16(258), u16(65535), fieldSpecifier(field(10, 4)))],
    ['two fields where one is left', octets(u16(258), u16(2), fieldSpecifier(field(10, 4)))],
    ['an enterprise number that is cut off', octets(u16(258), u16(1), u16(0x8001), u16(4), u16(0))],
    ['a cut field', octets(u16(258), u16(1), u16(10))],
  ])('that promise %s are refused, those before them stay', (_, record) => {
    const decoding = bad('template', two, record);
    expect(templatesOf(decoding)).toEqual([256, 257]);
    expect(decoding.out.problems[0]?.octets.equals(record)).toBe(true);
    expect(decoding.out.problems[0]?.offset).toBe(28 + 16 + 4 + two.length);
  });

  it('whose records would have no octets are refused', () => {
    bad('template', template(258, [field(10, 0)]));
    bad('template', template(258, [field(10, 0), field(95, 0)]));
  });

  it('with more empty fields than octets are refused: a few octets would stand for gigabytes', () => {
    bad('template', template(258, [field(4, 1), field(10, 0), field(95, 0)]));
    expect(decode(message([templateSet(template(258, [field(4, 1), field(95, 0)]))])).problems).toEqual([]);
  });

  it.each([
    ['no scope field (RFC 7011 section 3.4.2.2)', optionsTemplate(301, [], [field(41, 8)])],
    ['more scope fields than fields', octets(u16(301), u16(1), u16(2), fieldSpecifier(field(41, 8)))],
    ['no room for the scope field count', octets(u16(301), u16(1))],
  ])('of options with %s are refused', (_, record) => {
    const { problems } = decode(message([optionsTemplateSet(record)]));
    expect(problems).toMatchObject([{ code: 'template', setId: 3 }]);
  });

  it('take the id from what it meant: its data sets are no longer decoded as before', () => {
    const decoding = new Decoding().feed(
      message([optionsTemplateSet(options), dataSet(300, u32(1), Buffer.alloc(8))]),
      message([optionsTemplateSet(optionsTemplate(300, [], [field(10, 4)])), dataSet(300, Buffer.alloc(12))]),
    );
    expect(decoding.out.values.length).toBe(1);
    expect(decoding.finish().out.codes).toEqual(['template', 'unknown_template']);
  });
});

describe('withdrawals (RFC 7011 section 8.1)', () => {
  const defined = () => new Decoding().feed(message([templateSet(one, two), optionsTemplateSet(options)]));

  it('of one template leave the others', () => {
    expect(templatesOf(defined().feed(message([templateSet(withdrawal(256))])))).toEqual([257, 300]);
    expect(templatesOf(defined().feed(message([optionsTemplateSet(withdrawal(300))])))).toEqual([256, 257]);
  });

  it('of several may share a set, with padding', () => {
    const many = set(2, octets(withdrawal(257), withdrawal(256), [0, 0, 0, 0]));
    expect(templatesOf(defined().feed(message([many])))).toEqual([300]);
  });

  it('of all templates leave the options templates, and the other way round', () => {
    expect(templatesOf(defined().feed(message([templateSet(withdrawal(2))])))).toEqual([300]);
    expect(templatesOf(defined().feed(message([optionsTemplateSet(withdrawal(3))])))).toEqual([256, 257]);
  });

  it('of all in one domain leave the other domains', () => {
    const decoding = defined().feed(
      message([templateSet(one)], { observationDomainId: 5 }),
      message([templateSet(withdrawal(2))], { observationDomainId: 5 }),
    );
    expect([templatesOf(decoding), templatesOf(decoding, 5)]).toEqual([[256, 257, 300], []]);
  });

  it('take effect in the order of the message', () => {
    const data = dataSet(256, u32(7));
    const decoding = defined().feed(
      message([
        data,
        templateSet(withdrawal(256)),
        templateSet(template(256, [field(14, 2)])),
        dataSet(256, u16(8)),
        templateSet(withdrawal(256)),
        data,
      ]),
    );
    expect(decoding.out.values).toEqual([[7], [8]]);
    expect(decoding.finish().out.codes).toEqual(['unknown_template']);
    expect(decoding.session.domains.get(0)?.redefinitions).toBe(0);
  });

  it('of what is not there are counted and ignored', () => {
    const decoding = defined().feed(message([templateSet(withdrawal(999)), dataSet(256, u32(7))]));
    expect([decoding.out.values, decoding.out.problems]).toEqual([[[7]], []]);
    expect(decoding.session.domains.get(0)?.strayWithdrawals).toBe(1);
  });

  it.each([
    [2, 3],
    [3, 2],
    [2, 255],
  ])('in set %d of id %d mean nothing and are reported', (setId, id) => {
    const decoding = defined().feed(message([set(setId, octets(withdrawal(id), withdrawal(256)))]));
    expect(templatesOf(decoding)).toEqual([257, 300]);
    expect(decoding.out.codes).toEqual(['template']);
  });
});

describe('a template id that is defined again', () => {
  it('with the same fields changes nothing', () => {
    const decoding = new Decoding().feed(message([templateSet(one)]));
    const before = decoding.session.domains.get(0)?.templates.get(256);
    decoding.feed(message([templateSet(one)]));
    expect(decoding.session.domains.get(0)?.templates.get(256)).toBe(before);
    expect(decoding.session.domains.get(0)?.redefinitions).toBe(0);
  });

  it('with other fields is decoded by them from there on, and counted', () => {
    const decoding = new Decoding().feed(
      message([templateSet(one), dataSet(256, [0, 0, 0, 7])]),
      message([templateSet(template(256, [field(7, 2)])), dataSet(256, [0, 0, 0, 7])]),
    );
    expect(decoding.out.values).toEqual([[7], [0], [7]]);
    expect(decoding.session.domains.get(0)?.redefinitions).toBe(1);
  });

  it('as the other kind is of that kind', () => {
    const decoding = new Decoding().feed(
      message([templateSet(one)]),
      message([optionsTemplateSet(optionsTemplate(256, [field(10, 4)], [])), dataSet(256, u32(7))]),
    );
    expect(decoding.out.records[0]?.template.isOptions).toBe(true);
  });
});

describe('options records', () => {
  it('are data records: scope fields first', () => {
    const { records } = decode(
      message([optionsTemplateSet(options), dataSet(300, record(u32(1), Buffer.alloc(7), u8(9)))]),
    );
    expect(records[0]?.values).toEqual([1, 9]);
    expect(records[0]?.template).toMatchObject({ scopeCount: 1, isOptions: true });
  });
});
