import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  DecodeError,
  MessageSplitter,
  recordToJson,
  Session,
  type Sink,
  type Value,
} from '../../../collector/ipfix/index.ts';
import {
  basicList,
  dataSet,
  type Field,
  field,
  int,
  message,
  type Octets,
  octets,
  subTemplateList,
  template,
  templateSet,
  u16,
  u32,
  VARIABLE,
  variable,
  variableLong,
} from '../../support/ipfixBuilder.ts';
import { decode, fixture, messagesOf } from './decode.ts';

/** A value as sent and as it should be decoded. */
interface Sent {
  readonly wire: Octets;
  readonly value: unknown;
}
interface SentField {
  readonly field: Field;
  readonly sent: fc.Arbitrary<Sent>;
}

function integers(id: number, width: number): fc.Arbitrary<SentField> {
  return fc.integer({ min: 1, max: width }).map(length => ({
    field: field(id, length),
    sent: fc.bigInt({ min: 0n, max: 2n ** BigInt(8 * length) - 1n }).map(value => ({
      wire: int(length, value),
      value: value > Number.MAX_SAFE_INTEGER ? value : Number(value),
    })),
  }));
}

function text(id: number, of: (octets: Buffer) => Value): fc.Arbitrary<SentField> {
  const fixed = fc.integer({ min: 1, max: 40 }).map(length => ({
    field: field(id, length),
    sent: fc
      .uint8Array({ minLength: length, maxLength: length })
      .map(wire => ({ wire: Buffer.from(wire), value: of(Buffer.from(wire)) })),
  }));
  const varying = fc.constant({
    field: field(id, VARIABLE),
    sent: fc.tuple(fc.uint8Array({ maxLength: 300 }), fc.boolean()).map(([wire, long]) => ({
      wire: (long ? variableLong : variable)(Buffer.from(wire)),
      value: of(Buffer.from(wire)),
    })),
  });
  return fc.oneof(fixed, varying);
}

function fixedOctets(id: number, length: number, of: (octets: Buffer) => Value): fc.Arbitrary<SentField> {
  const sent = fc
    .uint8Array({ minLength: length, maxLength: length })
    .map(wire => ({ wire: Buffer.from(wire), value: of(Buffer.from(wire)) }));
  return fc.constant({ field: field(id, length), sent });
}

const ports = fc.array(fc.integer({ min: 0, max: 65535 }), { maxLength: 200 });

/** Any field, with any of its values. Template 300 is one sourceTransportPort. */
const anyField: fc.Arbitrary<SentField> = fc.oneof(
  integers(4, 1),
  integers(7, 2),
  integers(10, 4),
  integers(1, 8),
  text(96, wire => wire.toString('latin1')),
  text(95, wire => wire),
  text(32000, wire => wire),
  fixedOctets(8, 4, wire => wire.readUInt32BE()),
  fixedOctets(27, 16, wire => wire),
  fixedOctets(56, 6, wire => wire),
  fixedOctets(150, 4, wire => wire.readUInt32BE()),
  fixedOctets(210, 3, () => null),
  fc.constant({
    field: field(276, 1),
    sent: fc
      .integer({ min: 0, max: 255 })
      .map(octet => ({ wire: [octet], value: octet === 1 ? true : octet === 2 ? false : null })),
  }),
  fc.constant({
    field: field(434, 4),
    sent: fc.integer().map(value => ({ wire: int(4, value), value })),
  }),
  fc.constant({
    field: field(311, 8),
    sent: fc.double({ noNaN: true }).map(value => {
      const wire = Buffer.alloc(8);
      wire.writeDoubleBE(value);
      return { wire, value };
    }),
  }),
  fc.constant({
    field: field(154, 8),
    sent: fc.integer({ min: -60_000_000_000_000, max: 4_000_000_000_000_000 }).map(value => {
      const seconds = Math.floor(value / 1_000_000);
      const fraction = Math.floor(((value - seconds * 1_000_000) * 2 ** 32) / 1_000_000);
      return { wire: octets(int(4, seconds + 2_208_988_800), u32(fraction)), value };
    }),
  }),
  fc.constant({
    field: field(291, VARIABLE),
    sent: ports.map(list => ({
      wire: variableLong(basicList(field(7, 2), list.map(u16))),
      value: expect.objectContaining({ kind: 'basicList', values: list }),
    })),
  }),
  fc.constant({
    field: field(292, VARIABLE),
    sent: ports.map(list => ({
      wire: variable(subTemplateList(300, list.map(u16))),
      value: expect.objectContaining({
        records: list.map(port => expect.objectContaining({ values: [port] })),
      }),
    })),
  }),
);

describe('any template and any records of it', () => {
  const templates = (shortest: number) =>
    fc
      .array(anyField, { minLength: shortest, maxLength: 12 })
      .chain(fields =>
        fc.tuple(
          fc.constant(fields),
          fc.array(fc.tuple(...fields.map(({ sent }) => sent)), { minLength: 1, maxLength: 5 }),
        ),
      );

  it('are decoded to what was encoded', () => {
    fc.assert(
      fc.property(templates(1), fc.boolean(), ([fields, records], templateLast) => {
        const definition = templateSet(
          template(300, [field(7, 2)]),
          template(
            256,
            fields.map(each => each.field),
          ),
        );
        const data = dataSet(256, ...records.map(values => octets(...values.map(({ wire }) => wire))));
        fc.pre(data.length < 65000);
        const { values, problems } = decode(message(templateLast ? [data, definition] : [definition, data]));
        expect(problems).toEqual([]);
        expect(values).toEqual(records.map(sent => sent.map(({ value }) => value)));
      }),
      { numRuns: 300 },
    );
  });

  it('too long to be compiled are decoded alike', () => {
    fc.assert(
      fc.property(templates(9), ([fields, records]) => {
        const times = 60;
        const wide = Array.from({ length: times }, () => fields.map(each => each.field)).flat();
        const one = records[0]!;
        const row = octets(...one.map(({ wire }) => wire));
        fc.pre(row.length * times < 60000);
        const { values, problems } = decode(
          message([templateSet(template(300, [field(7, 2)]), template(256, wide))]),
          message([dataSet(256, ...Array.from({ length: times }, () => row))]),
        );
        expect(problems).toEqual([]);
        expect(values).toEqual([Array.from({ length: times }, () => one.map(({ value }) => value)).flat()]);
      }),
      { numRuns: 15 },
    );
  });
});

describe('any split of a stream', () => {
  const stream = fixture('yaf2164-names');

  it('gives the same messages', () => {
    const whole = messagesOf(stream);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: stream.length }), { maxLength: 60 }), cuts => {
        const splitter = new MessageSplitter();
        const ends = [...cuts, stream.length].sort((a, b) => a - b);
        const messages = ends.flatMap((end, i) => splitter.push(stream.subarray(ends[i - 1] ?? 0, end)));
        expect(messages.length).toBe(whole.length);
        expect(Buffer.concat(messages).equals(stream)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });
});

/**
 * Decodes octets as they come from a socket, to the end or the framing error. Checks on the way that each report shows
 * the octets that stand at its offset.
 */
function survives(stream: Buffer): { records: number; problems: number } {
  const session = new Session();
  const splitter = new MessageSplitter();
  const seen = { records: 0, problems: 0 };
  const sink: Sink = {
    dataRecord(record) {
      seen.records++;
      JSON.stringify(recordToJson(record));
    },
    undecodable(problem) {
      seen.problems++;
      const { offset, octets: reported } = problem;
      expect(reported.equals(stream.subarray(offset, offset + reported.length))).toBe(true);
    },
  };
  try {
    for (let offset = 0, more = splitter.push(stream); more.length > 0; more = splitter.push(Buffer.alloc(0)))
      for (const octets of more) {
        session.decodeMessage(octets, offset, sink);
        offset += octets.length;
      }
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
  }
  session.finish(sink);
  session.templateMessages(0, () => 0);
  return seen;
}

describe('octets that are not what they should be', () => {
  const names = [
    'yaf2164-names',
    'yaf3-names',
    'ipfixprobe-names',
    'yaf2122-vlan',
    'yaf2164-malformed',
    'sm18-dedup-behaviour',
  ];
  const streams = names.map(name => Buffer.concat(messagesOf(fixture(name))));

  it('at random behind a good header give records or reports', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 0, maxLength: 500 }), content => {
        survives(message([Buffer.from(content)]));
      }),
      { numRuns: 1000 },
    );
  });

  it('in sets of random content give records or reports', () => {
    const small = fc.uint8Array({ maxLength: 60 }).map(content => Buffer.from(content));
    // ids and field counts that are often right, so that random templates come to be used
    const definition = fc
      .tuple(
        fc.integer({ min: 254, max: 260 }),
        fc.array(
          fc.tuple(
            fc.constantFrom(1, 4, 8, 95, 96, 154, 291, 292, 293),
            fc.constantFrom(0, 1, 2, 4, 8, VARIABLE),
          ),
          { maxLength: 6 },
        ),
      )
      .map(([id, fields]) =>
        templateSet(
          template(
            id,
            fields.map(([element, length]) => field(element, length)),
          ),
        ),
      );
    const set = fc.oneof(
      definition,
      fc.tuple(fc.integer({ min: 254, max: 260 }), small).map(([id, content]) => dataSet(id, content)),
    );
    let records = 0;
    fc.assert(
      fc.property(fc.array(fc.array(set, { maxLength: 10 }), { maxLength: 5 }), messages => {
        records += survives(octets(...messages.map(sets => message(sets)))).records;
      }),
      { numRuns: 500 },
    );
    expect(records).toBeGreaterThan(100);
  });

  it('here and there in a good stream give records or reports', () => {
    const damage = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), {
      minLength: 1,
      maxLength: 8,
    });
    let problems = 0;
    fc.assert(
      fc.property(fc.constantFrom(...streams), damage, (stream, changes) => {
        const damaged = Buffer.from(stream);
        for (const [at, octet] of changes) damaged[at % damaged.length] = octet;
        problems += survives(damaged).problems;
      }),
      { numRuns: 250 },
    );
    expect(problems).toBeGreaterThan(20);
  });

  it('in the structure of a good stream, its lengths and ids, give records or reports', () => {
    const damage = fc.array(fc.tuple(fc.nat(), fc.constantFrom(0, 1, 2, 3, 4, 127, 128, 254, 255)), {
      minLength: 1,
      maxLength: 4,
    });
    fc.assert(
      fc.property(fc.constantFrom(...streams), damage, (stream, changes) => {
        const damaged = Buffer.from(stream);
        // set headers and template records are most of the first message
        for (const [at, octet] of changes) damaged[16 + (at % (stream.readUInt16BE(2) - 16))] = octet;
        survives(damaged);
      }),
      { numRuns: 250 },
    );
  });
});
