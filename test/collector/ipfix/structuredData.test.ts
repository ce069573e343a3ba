import { describe, expect, it } from 'vitest';
import type { BasicList, SubTemplateList, SubTemplateMultiList } from '../../../collector/ipfix/index.ts';
import {
  basicList,
  dataSet,
  type Field,
  field,
  message,
  multiListEntry,
  type Octets,
  octets,
  record,
  Semantic,
  subTemplateList,
  subTemplateMultiList,
  template,
  templateSet,
  u8,
  u16,
  u32,
  VARIABLE,
  variable,
  variableLong,
} from '../../support/ipfixBuilder.ts';
import { type Decoded, Decoding, decode } from './decode.ts';

const BASIC_LIST = 291;
const SUB_TEMPLATE_LIST = 292;
const SUB_TEMPLATE_MULTI_LIST = 293;

const port = template(300, [field(7, 2)]); // sourceTransportPort
const named = template(301, [field(96, VARIABLE), field(10, 4)]); // applicationName, ingressInterface
const tree = template(302, [field(4, 1), field(SUB_TEMPLATE_LIST, VARIABLE)]); // protocolIdentifier, the same again

/** Decodes one record: the list, and an octet that shows where the record goes on. */
function decodeList(element: number, list: Octets, ...more: Octets[]): Decoded {
  const outer = template(256, [field(element, VARIABLE), field(4, 1)]);
  const out = decode(
    message([
      templateSet(port, named, tree, outer, ...more),
      dataSet(256, record(variableLong(list), u8(99))),
    ]),
  );
  expect(out.values[0]?.[1]).toBe(99);
  return out;
}

describe('a subTemplateList', () => {
  const records = (out: Decoded) =>
    (out.values[0]![0] as SubTemplateList).records.map(({ values }) => values);

  it('holds records of one template, until its length ends', () => {
    const out = decodeList(
      SUB_TEMPLATE_LIST,
      subTemplateList(301, [record(variable('a'), u32(1)), record(variableLong('b'), u32(2))]),
    );
    expect(out.values[0]?.[0]).toMatchObject({
      kind: 'subTemplateList',
      semantic: Semantic.allOf,
      templateId: 301,
    });
    expect(records(out)).toEqual([
      ['a', 1],
      ['b', 2],
    ]);
    expect(out.problems).toEqual([]);
  });

  it('may be empty, whatever template it names', () => {
    for (const id of [300, 999, 0]) {
      const out = decodeList(SUB_TEMPLATE_LIST, subTemplateList(id, [], Semantic.noneOf));
      expect(out.values[0]?.[0]).toMatchObject({ semantic: 0, templateId: id, records: [] });
      expect(out.problems).toEqual([]);
    }
  });

  it('without a single octet is taken as empty', () => {
    const out = decodeList(SUB_TEMPLATE_LIST, '');
    expect([records(out), out.problems]).toEqual([[], []]);
  });

  it('in the short form of the length, or of fixed length, is the same', () => {
    const list = subTemplateList(300, [u16(53)]);
    for (const [length, wire] of [
      [VARIABLE, variable(list)],
      [5, list],
    ] as const) {
      const outer = template(256, [field(SUB_TEMPLATE_LIST, length)]);
      expect(records(decode(message([templateSet(port, outer), dataSet(256, wire)])))).toEqual([[53]]);
    }
  });

  it('of a template that is not defined keeps its octets, and its record', () => {
    const out = decodeList(SUB_TEMPLATE_LIST, subTemplateList(999, ['abc']));
    expect(out.problems).toMatchObject([{ code: 'list_template', octets: Buffer.from('abc'), setId: 256 }]);
    expect(out.values[0]?.[0]).toMatchObject({
      templateId: 999,
      records: [],
      problem: { code: 'list_template' },
    });
  });

  it('may use a template that is defined behind its own, and one that comes later in the stream', () => {
    const outer = template(256, [field(SUB_TEMPLATE_LIST, VARIABLE)]);
    const data = dataSet(256, variable(subTemplateList(300, [u16(53)])));
    const out = decode(message([templateSet(outer), data, templateSet(port), data]));
    expect(out.codes).toEqual(['list_template']);
    expect((out.values[1]![0] as SubTemplateList).records.map(({ values }) => values)).toEqual([[53]]);
  });

  it.each([
    ['a header that is cut', octets(u8(3), u8(1)), []],
    ['a record that is cut', subTemplateList(300, [u16(53), u8(0)]), [[53]]],
    [
      'a value that runs past it',
      subTemplateList(301, [record(variable('a'), u32(1)), [200], 'abcd']),
      [['a', 1]],
    ],
  ])('with %s keeps what came before, and the octets', (_, list, expected) => {
    const out = decodeList(SUB_TEMPLATE_LIST, list);
    expect(records(out)).toEqual(expected);
    expect(out.codes).toEqual(['list']);
  });

  it('says where in the stream its bad octets are', () => {
    const decoding = new Decoding().feed(message([]));
    const outer = template(256, [field(10, 4), field(SUB_TEMPLATE_LIST, VARIABLE)]);
    const definitions = templateSet(port, outer);
    decoding.feed(
      message([definitions, dataSet(256, u32(1), variable(subTemplateList(300, [u16(1), [0xee]])))]),
    );
    expect(decoding.out.problems).toMatchObject([
      { octets: Buffer.from([0xee]), offset: 16 + 16 + definitions.length + 4 + 4 + 1 + 3 + 2 },
    ]);
  });
});

describe('a subTemplateMultiList', () => {
  const entries = (out: Decoded) =>
    (out.values[0]![0] as SubTemplateMultiList).lists.map(({ templateId, records }) => [
      templateId,
      records.map(({ values }) => values),
    ]);

  it('holds lists of records, each of its own template', () => {
    const out = decodeList(
      SUB_TEMPLATE_MULTI_LIST,
      subTemplateMultiList([
        multiListEntry(300, [u16(1), u16(2)]),
        multiListEntry(301, [record(variable('a'), u32(3))]),
        multiListEntry(300, [u16(4)]),
      ]),
    );
    expect(entries(out)).toEqual([
      [300, [[1], [2]]],
      [301, [['a', 3]]],
      [300, [[4]]],
    ]);
    expect(out.problems).toEqual([]);
  });

  it.each([
    ['no octet at all', '', []],
    ['only its semantic, as YAF sends it', [3], []],
    ['an entry without records', subTemplateMultiList([multiListEntry(300, [])]), [[300, []]]],
    [
      'an entry of length 0 (RFC 6313 section 4.5.3)',
      subTemplateMultiList([multiListEntry(300, [], 0), multiListEntry(300, [u16(7)])]),
      [
        [300, []],
        [300, [[7]]],
      ],
    ],
  ])('with %s is empty', (_, list, expected) => {
    const out = decodeList(SUB_TEMPLATE_MULTI_LIST, list);
    expect([entries(out), out.problems]).toEqual([expected, []]);
  });

  it.each([1, 2, 3, 7, 65535])('with an entry that says %d octets keeps those before it', length => {
    const bad = multiListEntry(300, [u16(2)], length);
    const out = decodeList(
      SUB_TEMPLATE_MULTI_LIST,
      subTemplateMultiList([multiListEntry(300, [u16(1)]), bad]),
    );
    expect(entries(out)).toEqual([[300, [[1]]]]);
    expect(out.problems).toMatchObject([{ code: 'list', octets: bad }]);
  });

  it.each([1, 2, 3])('that goes on for %d octets behind its last entry keeps the entries', count => {
    const out = decodeList(
      SUB_TEMPLATE_MULTI_LIST,
      subTemplateMultiList([multiListEntry(300, [u16(1)]), Buffer.alloc(count)]),
    );
    expect(entries(out)).toEqual([[300, [[1]]]]);
    expect(out.problems).toMatchObject([{ code: 'list', octets: { length: count } }]);
  });

  it('with an entry that breaks inside goes on with the next', () => {
    const broken = multiListEntry(300, [u16(1), [9]]);
    const unknown = multiListEntry(999, ['abc']);
    const out = decodeList(
      SUB_TEMPLATE_MULTI_LIST,
      subTemplateMultiList([broken, unknown, multiListEntry(300, [u16(2)])]),
    );
    expect(entries(out)).toEqual([
      [300, [[1]]],
      [999, []],
      [300, [[2]]],
    ]);
    expect(out.codes).toEqual(['list', 'list_template']);
  });
});

describe('a basicList', () => {
  const values = (out: Decoded) => (out.values[0]![0] as BasicList).values;

  it.each<[string, Field, readonly Octets[], unknown[]]>([
    ['fixed length', field(7, 2), [u16(53), u16(5353)], [53, 5353]],
    [
      'reduced size',
      field(1, 3),
      [
        [1, 0, 0],
        [0, 0, 1],
      ],
      [65536, 1],
    ],
    [
      'variable length',
      field(96, VARIABLE),
      [variable('a'), variableLong('bc'), variable('')],
      ['a', 'bc', ''],
    ],
    ['an enterprise', field(178, 1, 6871), [[1], [2], [3]], [1, 2, 3]],
    ['an element nobody knows', field(5, 2, 99), ['ab', 'cd'], [Buffer.from('ab'), Buffer.from('cd')]],
    [
      'strings of fixed length',
      field(96, 20),
      ['a'.repeat(20), 'b'.repeat(20)],
      ['a'.repeat(20), 'b'.repeat(20)],
    ],
    ['addresses', field(27, 16), [Buffer.alloc(16, 1)], [Buffer.alloc(16, 1)]],
  ])('of %s holds values of one element', (_, element, wire, expected) => {
    const out = decodeList(BASIC_LIST, basicList(element, wire, Semantic.ordered));
    expect(out.values[0]?.[0]).toMatchObject({
      kind: 'basicList',
      semantic: 4,
      element: { pen: element.pen, id: element.id },
    });
    expect([values(out), out.problems]).toEqual([expected, []]);
  });

  it.each([
    ['no value', basicList(field(7, 2), [])],
    ['no value of an enterprise', basicList(field(178, 1, 6871), [])],
    ['no value and no length', basicList(field(7, 0), [])],
    ['no octet', ''],
  ])('with %s is empty', (_, list) => {
    const out = decodeList(BASIC_LIST, list);
    expect([values(out), out.problems]).toEqual([[], []]);
  });

  it.each([
    ['a header that is cut', octets(u8(3), u16(7), u8(0)), []],
    ['an enterprise number that is cut', octets(u8(3), u16(0x8007), u16(2), u16(0)), []],
    ['a value that is cut', basicList(field(7, 2), [u16(1), [2]]), [1]],
    ['a length that is cut', basicList(field(96, VARIABLE), [variable('a'), [255, 0]]), ['a']],
    ['a length that runs past it', basicList(field(96, VARIABLE), [variable('a'), [4], 'abc']), ['a']],
    ['values of no octets', basicList(field(7, 0), ['abc']), []],
  ])('with %s keeps the values before, and the octets', (_, list, expected) => {
    const out = decodeList(BASIC_LIST, list);
    expect([values(out), out.codes]).toEqual([expected, ['list']]);
  });

  it('may hold lists', () => {
    const inner = (...ports: number[]) => variableLong(basicList(field(7, 2), ports.map(u16)));
    const out = decodeList(
      BASIC_LIST,
      basicList(field(BASIC_LIST, VARIABLE), [inner(1, 2), inner(), inner(3)]),
    );
    expect(values(out)).toMatchObject([{ values: [1, 2] }, { values: [] }, { values: [3] }]);

    const records = variable(subTemplateList(300, [u16(53)]));
    const lists = values(decodeList(BASIC_LIST, basicList(field(SUB_TEMPLATE_LIST, VARIABLE), [records])));
    expect(lists).toMatchObject([{ records: [{ values: [53] }] }]);
  });
});

describe('nested lists', () => {
  const nested = (depth: number): Buffer => {
    let list = subTemplateList(302, []);
    for (let level = 1; level <= depth; level++)
      list = subTemplateList(302, [record(u8(level % 256), variableLong(list))]);
    return list;
  };
  const depthOf = (value: unknown): number => {
    const [inner] = (value as SubTemplateList).records;
    return inner === undefined ? 0 : 1 + depthOf(inner.values[1]);
  };

  it('are followed to the limit', () => {
    const out = decodeList(SUB_TEMPLATE_LIST, nested(16));
    expect([depthOf(out.values[0]?.[0]), out.problems]).toEqual([16, []]);
  });

  it.each([17, 1000])('%d deep are cut at the limit: what is inside stays octets', depth => {
    const out = decodeList(SUB_TEMPLATE_LIST, nested(depth));
    expect(depthOf(out.values[0]?.[0])).toBe(16);
    expect(out.problems).toMatchObject([{ code: 'list_depth' }]);
    expect(out.problems[0]?.octets.length).toBe(nested(depth - 16).length - 3);
  });

  it('1000 deep of basicLists are cut too', () => {
    let list = basicList(field(7, 2), []);
    for (let level = 0; level < 1000; level++)
      list = basicList(field(BASIC_LIST, VARIABLE), [variableLong(list)]);
    expect(decodeList(BASIC_LIST, list).codes).toEqual(['list_depth']);
  });

  it('leave the depth as it was after a problem: the next record is followed as deep', () => {
    const outer = template(256, [field(SUB_TEMPLATE_LIST, VARIABLE)]);
    const bad = subTemplateList(302, [record(u8(1), variable(subTemplateList(302, [[1, 200]])))]);
    const many = Array.from({ length: 50 }, () => variableLong(bad));
    const out = decode(message([templateSet(tree, outer), dataSet(256, ...many, variableLong(nested(16)))]));
    expect(depthOf(out.values[50]?.[0])).toBe(16);
    expect(out.codes).toEqual(Array(50).fill('list'));
  });

  it('in a record that itself runs past its set are not reported one by one', () => {
    const outer = template(256, [field(SUB_TEMPLATE_LIST, VARIABLE), field(96, VARIABLE)]);
    const bad = record(variable(subTemplateList(999, ['abc'])), [200]);
    const out = decode(message([templateSet(outer), dataSet(256, bad)]));
    expect(out.problems).toMatchObject([{ code: 'record', octets: bad }]);
  });

  it('use the templates of their own observation domain', () => {
    const outer = template(256, [field(SUB_TEMPLATE_LIST, VARIABLE)]);
    const data = dataSet(256, variable(subTemplateList(300, [u16(53)])));
    const other = template(300, [field(4, 1)]);
    const out = decode(
      message([templateSet(outer, port)]),
      message([templateSet(outer, other)], { observationDomainId: 1 }),
      message([data]),
      message([data], { observationDomainId: 1 }),
    );
    expect(out.values.map(([list]) => (list as SubTemplateList).records.map(({ values }) => values))).toEqual(
      [[[53]], [[0], [53]]],
    );
  });
});
