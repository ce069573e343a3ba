import v8 from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import {
  dataSet,
  field,
  message,
  template,
  templateSet,
  u16,
  u32,
  VARIABLE,
  variable,
  withdrawal,
} from '../../support/ipfixBuilder.ts';
import { Decoded, Decoding } from './decode.ts';

const one = template(256, [field(10, 4)]); // ingressInterface
const two = template(257, [field(7, 2)]); // sourceTransportPort
const data = (...values: number[]) => dataSet(256, ...values.map(u32));

describe('observation domains', () => {
  it('give the same template id different meanings', () => {
    const { out } = new Decoding().feed(
      message([templateSet(one)], { observationDomainId: 1 }),
      message([templateSet(template(256, [field(7, 2)]))], { observationDomainId: 2 }),
      message([dataSet(256, u32(65537))], { observationDomainId: 1 }),
      message([dataSet(256, u32(65537))], { observationDomainId: 2 }),
    );
    expect(out.values).toEqual([[65537], [1], [1]]);
    expect(out.records.map(({ template: { observationDomainId } }) => observationDomainId)).toEqual([
      1, 2, 2,
    ]);
  });

  it('count their messages, records and sequence numbers apart', () => {
    const { session } = new Decoding().feed(
      message([templateSet(one), data(1, 2)], { observationDomainId: 1 }),
      message([templateSet(one), data(1)], { observationDomainId: 0xffffffff, sequenceNumber: 500 }),
      message([data(3)], { observationDomainId: 1, sequenceNumber: 2 }),
      message([data(3)], { observationDomainId: 0xffffffff, sequenceNumber: 501 }),
    );
    expect([...session.domains.values()]).toMatchObject([
      { observationDomainId: 1, messages: 2, dataRecords: 3, nextSequence: 3, sequenceGaps: 0 },
      { observationDomainId: 0xffffffff, messages: 2, dataRecords: 2, nextSequence: 502, sequenceGaps: 0 },
    ]);
  });
});

describe('sessions', () => {
  it('know nothing of each other', () => {
    new Decoding().feed(message([templateSet(one)]));
    const other = new Decoding().feed(message([data(1)])).finish();
    expect(other.out.codes).toEqual(['unknown_template']);
  });
});

describe('sequence numbers (RFC 7011 section 3.1)', () => {
  /** A session that got messages with these sequence numbers and numbers of records. */
  function sequenced(...messages: [sequenceNumber: number, records: number][]) {
    const decoding = new Decoding().feed(
      message([templateSet(one)], { sequenceNumber: messages[0]?.[0] ?? 0 }),
      ...messages.map(([sequenceNumber, count]) =>
        message(count === 0 ? [] : [data(...Array<number>(count).fill(1))], { sequenceNumber }),
      ),
    );
    const { sequenceGaps, recordsLost, sequenceResets, nextSequence } = decoding.session.domains.get(0)!;
    return { sequenceGaps, recordsLost, sequenceResets, nextSequence };
  }
  const fine = { sequenceGaps: 0, recordsLost: 0, sequenceResets: 0 };

  it('count the records before a message, from any beginning', () => {
    expect(sequenced([0, 2], [2, 0], [2, 1], [3, 5])).toEqual({ ...fine, nextSequence: 8 });
    expect(sequenced([77, 2], [79, 1])).toEqual({ ...fine, nextSequence: 80 });
  });

  it('that jump ahead tell how many records are missing', () => {
    expect(sequenced([0, 2], [7, 1], [8, 1], [10, 1])).toEqual({
      ...fine,
      sequenceGaps: 2,
      recordsLost: 6,
      nextSequence: 11,
    });
  });

  it('that go back are a reset, and are followed from there', () => {
    expect(sequenced([100, 2], [0, 1], [1, 1])).toEqual({ ...fine, sequenceResets: 1, nextSequence: 2 });
  });

  it('begin again at 0 after 2^32 - 1', () => {
    expect(sequenced([0xfffffffe, 3], [1, 1])).toEqual({ ...fine, nextSequence: 2 });
    expect(sequenced([0xfffffffe, 3], [5, 1])).toEqual({
      ...fine,
      sequenceGaps: 1,
      recordsLost: 4,
      nextSequence: 6,
    });
    expect(sequenced([0xffffffff, 1], [0xfffffff0, 0])).toMatchObject({ sequenceResets: 1 });
  });

  it.each([
    ['of an unknown template', dataSet(999, 'abcd')],
    ['with a record that is cut', dataSet(257, [255, 0, 99, 1])],
    ['of a wrong length', Buffer.from([1, 0, 0, 2])],
  ])('are taken as they come after a data set %s: its records could not be counted', (_, set) => {
    const { session } = new Decoding().feed(
      message([templateSet(one, template(257, [field(96, VARIABLE)])), data(1), set]),
      message([data(2)], { sequenceNumber: 40 }),
      message([data(3)], { sequenceNumber: 42 }),
    );
    expect(session.domains.get(0)).toMatchObject({ sequenceGaps: 1, recordsLost: 1, nextSequence: 43 });
  });

  it('do not count records in lists', () => {
    const { session } = new Decoding().feed(
      message([
        templateSet(one, template(300, [field(292, VARIABLE)])),
        dataSet(300, variable(Buffer.from([3, 1, 0, 0, 0, 0, 1, 0, 0, 0, 2]))),
      ]),
      message([data(1)], { sequenceNumber: 1 }),
    );
    expect(session.domains.get(0)).toMatchObject({ sequenceGaps: 0, dataRecords: 2 });
  });
});

describe('a data set whose template is not there yet (RFC 7011 section 8)', () => {
  it('is held and decoded when the template comes, as of its own message', () => {
    const seen: unknown[] = [];
    const { session } = new Decoding();
    const sink = {
      dataRecord: (record: { values: unknown }, header: { exportTime: number }, offset: number) =>
        seen.push([record.values, header.exportTime, offset]),
      undecodable: (problem: unknown) => seen.push(problem),
    };
    const early = message([data(1, 2)], { exportTime: 111 });
    session.decodeMessage(early, 5000, sink);
    early.fill(0); // the session keeps a copy
    expect([seen, session.heldOctets > 0]).toEqual([[], true]);
    session.decodeMessage(message([templateSet(one), data(3)], { exportTime: 222 }), 6000, sink);
    expect(seen).toEqual([
      [[1], 111, 5000],
      [[2], 111, 5000],
      [[3], 222, 6000],
    ]);
    expect([session.heldOctets, session.domains.get(0)?.dataRecords]).toEqual([0, 3]);
  });

  it('does not count in the sequence of the message that brings the template', () => {
    const { session } = new Decoding().feed(
      message([data(1, 2)]),
      message([templateSet(one), data(3)], { sequenceNumber: 2 }),
      message([data(4)], { sequenceNumber: 3 }),
    );
    expect(session.domains.get(0)).toMatchObject({
      dataRecords: 4,
      sequenceGaps: 0,
      sequenceResets: 0,
      nextSequence: 4,
    });
  });

  it('is decoded by the first of two definitions, those after it by the second', () => {
    const { out } = new Decoding().feed(
      message([dataSet(256, u32(65537))]),
      message([templateSet(one), templateSet(template(256, [field(7, 2)])), dataSet(256, u16(9))]),
    );
    expect(out.values).toEqual([[65537], [9]]);
  });

  it('is decoded when its template comes in one set with the templates of its lists', () => {
    const outer = template(300, [field(292, VARIABLE)]);
    const early = dataSet(300, variable(Buffer.from([3, 1, 0, 0, 0, 0, 1]))); // a list of one record of template 256
    for (const sets of [[templateSet(outer, one)], [templateSet(outer), templateSet(one)]]) {
      const { out } = new Decoding().feed(message([early]), message(sets));
      expect(out.values).toMatchObject([[{ records: [{ values: [1] }] }]]);
      expect(out.problems).toEqual([]);
    }
  });

  it('waits for its own domain', () => {
    const decoding = new Decoding().feed(
      message([data(1)]),
      message([templateSet(one)], { observationDomainId: 1 }),
    );
    expect([decoding.out.values, decoding.finish().out.codes]).toEqual([[], ['unknown_template']]);
  });

  it('is reported at the end of the session with its place and octets', () => {
    const decoding = new Decoding()
      .feed(message([]), message([templateSet(two), dataSet(257, u16(1)), data(5, 6)]))
      .finish();
    expect(decoding.out.problems).toMatchObject([
      {
        code: 'unknown_template',
        offset: 16 + 16 + 12 + 6 + 4,
        octets: Buffer.from([0, 0, 0, 5, 0, 0, 0, 6]),
        setId: 256,
      },
    ]);
    expect(decoding.session.heldOctets).toBe(0);
    const again = new Decoded();
    decoding.session.finish(again);
    expect(again.problems).toEqual([]);
  });

  it('that breaks off says where in the stream it does', () => {
    const text = template(258, [field(96, VARIABLE)]);
    const { out } = new Decoding().feed(
      message([dataSet(258, variable('ab'), [9, 1])], {}),
      message([templateSet(text)]),
    );
    expect(out.values).toEqual([['ab']]);
    expect(out.problems).toMatchObject([{ code: 'record', offset: 16 + 4 + 3, octets: Buffer.from([9, 1]) }]);
  });

  it('is reported at once when too much is held already', () => {
    const decoding = new Decoding({ heldOctets: 1000 });
    for (let i = 0; i < 10; i++) decoding.feed(message([dataSet(256 + i, Buffer.alloc(300))]));
    expect(decoding.session.heldOctets).toBeLessThanOrEqual(1000);
    expect(decoding.out.codes).toEqual(Array(9).fill('unknown_template'));
    expect(decoding.finish().out.codes.length).toBe(10);
  });

  it('costs something even without octets', () => {
    const decoding = new Decoding();
    const many = message(Array.from({ length: 16000 }, () => dataSet(999)));
    for (let i = 0; i < 3; i++) decoding.feed(many);
    expect(decoding.session.heldOctets).toBeLessThanOrEqual(4 << 20);
    expect(decoding.out.codes.length).toBeGreaterThan(30000);
  });
});

describe('limits of a session', () => {
  it('refuse the template that is one too many, in whatever domain, and nothing else', () => {
    const decoding = new Decoding({ templates: 3 }).feed(
      message([templateSet(one, two)]),
      message([templateSet(one)], { observationDomainId: 1 }),
      message([templateSet(two)], { observationDomainId: 1 }),
      message([templateSet(one, template(256, [field(14, 4)]), one), data(7)]),
    );
    expect(decoding.out.codes).toEqual(['template_limit']);
    expect(decoding.out.values).toEqual([[7]]);
    const room = message([templateSet(withdrawal(256))]);
    decoding.feed(room, message([templateSet(two), dataSet(257, u16(8))], { observationDomainId: 1 }));
    expect(decoding.out.codes).toEqual(['template_limit']);
    expect(decoding.out.values.at(-1)).toEqual([8]);
  });

  it('count fields: long templates are not cheaper', () => {
    const wide = (id: number) =>
      template(
        id,
        Array.from({ length: 100 }, () => field(4, 1)),
      );
    const decoding = new Decoding({ templateFields: 250 }).feed(
      message([templateSet(wide(256), wide(257), wide(258), one)]),
    );
    expect(decoding.out.codes).toEqual(['template_limit']);
    expect([...decoding.session.domains.get(0)!.templates.keys()]).toEqual([256, 257]);
    decoding.feed(message([templateSet(withdrawal(256), withdrawal(257), wide(258), wide(259))]));
    expect([...decoding.session.domains.get(0)!.templates.keys()]).toEqual([258, 259]);
  });

  it('take the id from what it meant when its new definition is refused', () => {
    const decoding = new Decoding({ templateFields: 2 }).feed(
      message([templateSet(one)]),
      message([templateSet(template(256, [field(7, 2), field(7, 2), field(7, 2)])), data(1)]),
    );
    expect([decoding.out.values, decoding.finish().out.codes]).toEqual([
      [],
      ['template_limit', 'unknown_template'],
    ]);
  });

  it('refuse the messages of the domain that is one too many', () => {
    const decoding = new Decoding({ domains: 2 });
    for (let domain = 0; domain < 4; domain++)
      decoding.feed(message([templateSet(one), data(domain)], { observationDomainId: domain }));
    expect(decoding.out.values).toEqual([[0], [1]]);
    expect(decoding.out.problems).toMatchObject([
      { code: 'domain_limit', observationDomainId: 2, octets: { length: 36 } },
      { code: 'domain_limit', observationDomainId: 3 },
    ]);
    expect(decoding.session.domains.size).toBe(2);
  });

  it('hold for readTemplates', () => {
    const { session } = new Decoding({ domains: 1, templates: 1 });
    session.readTemplates(message([templateSet(one, two)]));
    session.readTemplates(message([templateSet(one)], { observationDomainId: 1 }));
    expect([...session.domains.values()].map(({ templates }) => [...templates.keys()])).toEqual([[256]]);
  });
});

describe('memory', () => {
  const collectGarbage = (): void => {
    v8.setFlagsFromString('--expose-gc');
    runInNewContext('gc')();
  };
  const used = async (): Promise<number> => {
    // what one collection frees of array buffers is given back after it, on another thread
    for (let round = 0; round < 3; round++) {
      collectGarbage();
      await new Promise(resolve => setTimeout(resolve, 20));
    }
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };

  it('stays flat whatever an exporter sends', async () => {
    const { session } = new Decoding();
    let refused = 0;
    const sink = { dataRecord: () => {}, undecodable: () => refused++ };
    const before = await used();
    // 4000 unknown fields a template cost 64 kB of the wire or less, as objects a megabyte
    const definition = template(
      256,
      Array.from({ length: 4000 }, (_, i) => field(i + 1, 1, 99999)),
    );
    const early = Buffer.alloc(50_000);
    for (let i = 0; i < 400; i++) {
      const header = { observationDomainId: i % 50 };
      definition.writeUInt16BE(256 + i, 0);
      session.decodeMessage(message([templateSet(definition)], header), 0, sink);
      session.decodeMessage(message([dataSet(60000 + i, early)], header), 0, sink);
    }
    expect(refused).toBeGreaterThan(500);
    expect((await used()) - before).toBeLessThan(100 << 20);
    expect(session.domains.size).toBe(50); // the session is alive until here
  });
});
