import { describe, expect, it } from 'vitest';
import {
  dataSet,
  field,
  message,
  octets,
  record,
  set,
  template,
  templateSet,
  u16,
  u32,
} from '../../support/ipfixBuilder.ts';
import { decode } from './decode.ts';

const define = templateSet(template(256, [field(10, 4)])); // ingressInterface
const good = dataSet(256, u32(7));

describe('sets of a message', () => {
  it('follow each other by their lengths, whatever their kinds', () => {
    const two = templateSet(template(257, [field(14, 4)])); // egressInterface
    const { values, problems } = decode(message([define, good, two, dataSet(257, u32(1), u32(2)), good]));
    expect([values, problems]).toEqual([[[7], [1], [2], [7]], []]);
  });

  it.each([0, 1, 4, 5, 100, 254, 255])(
    'with the unassigned id %d are reported, those around them decoded',
    id => {
      const strange = set(id, 'abcdefgh');
      const before = octets(Buffer.alloc(16), define, good);
      const { values, problems } = decode(message([define, good, strange, good]));
      expect(values).toEqual([[7], [7]]);
      expect(problems).toEqual([
        expect.objectContaining({ code: 'set_id', offset: before.length, octets: strange, setId: id }),
      ]);
    },
  );

  it.each([0, 1, 2, 3])('of a length of %d end the message: what follows cannot be found', length => {
    const bad = octets(set(256, u32(8), length), good);
    const { values, problems } = decode(message([define, good, bad]));
    expect(values).toEqual([[7]]);
    expect(problems).toEqual([expect.objectContaining({ code: 'set_length', octets: bad, setId: 256 })]);
  });

  it.each([9, 12, 65535])('that say %d octets where 8 are left end the message', length => {
    const bad = set(256, u32(8), length);
    const { values, problems } = decode(message([define, good, bad]));
    expect(values).toEqual([[7]]);
    expect(problems).toEqual([expect.objectContaining({ code: 'set_length', octets: bad, offset: 36 })]);
  });

  it.each([1, 2, 3])('followed by %d octets are decoded, the octets reported', count => {
    const { values, problems } = decode(message([define, good, Buffer.alloc(count)]));
    expect(values).toEqual([[7]]);
    expect(problems).toMatchObject([{ code: 'set_length', offset: 36, octets: { length: count } }]);
  });

  it('are looked for again in the next message after one that ended badly', () => {
    const { values } = decode(message([define, set(256, '', 3)]), message([good]));
    expect(values).toEqual([[7]]);
  });

  it('without records are nothing', () => {
    expect(decode(message([define, dataSet(256), templateSet(), good]))).toMatchObject({
      values: [[7]],
      problems: [],
    });
  });
});

describe('padding of a data set', () => {
  const twelve = template(256, [field(10, 4), field(14, 8)]);

  it.each([1, 2, 3, 4, 11])('of %d octets is ignored, being shorter than a record', count => {
    const records = [record(u32(1), Buffer.alloc(8)), record(u32(2), Buffer.alloc(8))];
    const { records: decoded, problems } = decode(
      message([templateSet(twelve), dataSet(256, ...records, Buffer.alloc(count))]),
    );
    expect([decoded.map(({ values }) => values[0]), problems]).toEqual([[1, 2], []]);
  });

  it('need not be zero (RFC 7011 section 9.1)', () => {
    const { values, problems } = decode(message([define, dataSet(256, u32(7), [0xff, 0xff, 0xff])]));
    expect([values, problems]).toEqual([[[7]], []]);
  });

  it('is shorter than the shortest record where lengths vary', () => {
    const varying = template(256, [field(10, 4), field(95, 65535), field(96, 65535)]); // at least 6 octets
    const { values, problems } = decode(
      message([templateSet(varying), dataSet(256, record(u32(1), [1], 'a', [0]), Buffer.alloc(5))]),
    );
    expect([values.length, problems]).toEqual([1, []]);
  });

  it('of a template set is ignored too', () => {
    const padded = octets(template(256, [field(10, 4)]), u16(0));
    expect(decode(message([templateSet(padded), good])).values).toEqual([[7]]);
    const eight = octets(template(256, [field(10, 4)]), u32(0));
    expect(decode(message([templateSet(eight), good]))).toMatchObject({ values: [[7]], problems: [] });
  });
});
