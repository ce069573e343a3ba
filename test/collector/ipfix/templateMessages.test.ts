import { describe, expect, it } from 'vitest';
import { readMessageHeader, recordToJson, Session } from '../../../collector/ipfix/index.ts';
import {
  dataSet,
  field,
  message,
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
import { Decoded, Decoding, fixture, messagesOf } from './decode.ts';

const lastNumber = (session: Session) => (id: number) => session.domains.get(id)?.lastSequenceNumber ?? 0;

/** Options template of type records (RFC 5610). */
const typing = (id: number, order: readonly number[]) =>
  optionsTemplateSet(
    optionsTemplate(
      id,
      [field(346, 4), field(303, 2)],
      order.map(element => field(element, element === 339 ? 1 : VARIABLE)),
    ),
  );

/** Records of each message of a stream, and what is wrong with it, as text. */
function textOf(session: Session, messages: readonly Buffer[]): string[] {
  return messages.map((octets, i) => {
    const out = new Decoded();
    session.decodeMessage(octets, 0, out);
    if (i === messages.length - 1) session.finish(out);
    const problems = out.problems.map(({ code, octets }) => [code, octets.toString('hex')]);
    return JSON.stringify([out.records.map(each => [each.template.id, recordToJson(each)]), problems]);
  });
}

/** What the messages from `at` on give to a session that begins with the templates of those before. */
function resumedAt(at: number, messages: readonly Buffer[]): { text: string[]; session: Session } {
  const receiver = new Session();
  for (const octets of messages.slice(0, at)) receiver.readTemplates(octets);
  const session = new Session({}, true);
  for (const octets of receiver.templateMessages(1_700_000_000, lastNumber(receiver)))
    session.decodeMessage(octets, 0, new Decoded());
  return { text: textOf(session, messages.slice(at)), session };
}

describe('a session fed with the template messages of another', () => {
  it.each([
    'yaf2164-small',
    'yaf2164-small-metadata',
    'yaf2122-vlan',
    'yaf3-small',
    'yaf3-names',
    'yaf271-names',
    'tcp-reconnect-conn2',
    'ipfixprobe-names',
    'pmacct-small',
    'sm18-dedup-behaviour',
  ])('decodes the rest of %s as if it had seen the beginning, wherever it is split', name => {
    const messages = messagesOf(fixture(name)).slice(0, 40);
    const whole = textOf(new Session(), messages);
    for (let at = 0; at <= messages.length; at++) {
      const { text, session } = resumedAt(at, messages);
      expect(text).toEqual(whole.slice(at));
      for (const domain of session.domains.values())
        expect(domain).toMatchObject({
          sequenceGaps: 0,
          recordsLost: 0,
          sequenceResets: 0,
          redefinitions: 0,
        });
    }
  });

  const uses = [templateSet(template(256, [field(1, 4, 99), field(2, 4, 99)])), dataSet(256, u32(1), u32(2))];

  it('knows what type records said, though their template is gone or is another one now', () => {
    for (const gone of [
      optionsTemplateSet(withdrawal(300)),
      typing(300, [341, 339]),
      templateSet(template(300, [field(4, 1)])),
    ]) {
      const messages = [
        message([typing(300, [339, 341]), dataSet(300, record(u32(99), u16(1), u8(3), variable('hotness')))]),
        message([gone], { sequenceNumber: 1 }),
        message([typing(301, [341, 339]), dataSet(301, record(u32(99), u16(2), variable('cold'), u8(3)))], {
          sequenceNumber: 1,
        }),
        message(uses, { sequenceNumber: 2 }),
      ];
      const whole = textOf(new Session(), messages);
      expect(whole[3]).toContain('"hotness":1,"cold":2');
      for (let at = 0; at < messages.length; at++)
        expect(resumedAt(at, messages).text).toEqual(whole.slice(at));
    }
  });

  it('hands the same on', () => {
    const first = new Decoding().feed(
      ...messagesOf(fixture('yaf3-small')),
      message([typing(300, [339, 341]), dataSet(300, record(u32(99), u16(1), u8(3), variable('hotness')))]),
      message([optionsTemplateSet(withdrawal(300))]),
      message([typing(301, [341, 339]), dataSet(301, record(u32(99), u16(2), variable('cold'), u8(3)))]),
    ).session;
    const second = new Session({}, true);
    const head = first.templateMessages(7, () => 5);
    for (const octets of head) second.readTemplates(octets);
    expect(second.templateMessages(7, () => 5)).toEqual(head);
    expect(second.elements.get(99, 1).name).toBe('hotness');
  });
});

describe('template messages', () => {
  it('hold templates, then options templates, of every domain', () => {
    const { session } = new Decoding().feed(
      message(
        [
          optionsTemplateSet(optionsTemplate(300, [field(149, 4)], [])),
          templateSet(template(256, [field(10, 4)])),
        ],
        { observationDomainId: 3 },
      ),
      message([templateSet(template(256, [field(7, 2)]))], { observationDomainId: 4 }),
    );
    const messages = session.templateMessages(123, id => id * 10);
    expect(messages.map(octets => readMessageHeader(octets, 0, 0))).toMatchObject([
      { exportTime: 123, sequenceNumber: 30, observationDomainId: 3 },
      { exportTime: 123, sequenceNumber: 40, observationDomainId: 4 },
    ]);
    expect(messages[0]!.subarray(16).toString('hex')).toBe(
      '0002000c01000001000a0004' + '0003000e012c0001000100950004',
    );
  });

  it('hold nothing of a domain without templates', () => {
    const { session } = new Decoding().feed(
      message([]),
      message([templateSet(template(256, [field(10, 4)]), withdrawal(256))]),
    );
    expect(session.templateMessages(0, () => 0)).toEqual([]);
  });

  it('number type records so that the next message goes on from them', () => {
    const { session } = new Decoding().feed(
      message([
        typing(300, [339]),
        dataSet(300, ...[1, 2, 3].map(id => record(u32(99), u16(id), u8(3)))),
        typing(301, [339]),
        dataSet(301, record(u32(99), u16(4), u8(3))),
        optionsTemplateSet(withdrawal(301)),
      ]),
    );
    const reader = new Decoding().feed(
      ...session.templateMessages(0, () => 2), // wraps: the 4 type records begin at 2^32 - 2
      message([], { sequenceNumber: 2 }),
    );
    expect(reader.session.domains.get(0)).toMatchObject({
      dataRecords: 4,
      sequenceGaps: 0,
      sequenceResets: 0,
    });
    expect(session.templateMessages(0, () => 2).map(octets => octets.readUInt32BE(8))).toEqual([0xfffffffe]);
  });

  it('number type records message by message', () => {
    const described = optionsTemplate(
      300,
      [field(346, 4), field(303, 2)],
      [field(339, 1), field(340, VARIABLE)],
    );
    const description = variable('d'.repeat(30_000));
    const { session } = new Decoding().feed(
      message([optionsTemplateSet(described)]),
      ...[1, 2, 3].map(id => message([dataSet(300, record(u32(99), u16(id), u8(3), description))])),
    );
    const numbers = session.templateMessages(0, () => 100).map(octets => octets.readUInt32BE(8));
    expect(numbers).toEqual([97, 99]);
  });

  it('are as many as their length demands', () => {
    const wide = Array.from({ length: 8000 }, () => field(4, 1));
    const decoding = new Decoding().feed(
      ...[256, 257, 258].map(id => message([templateSet(template(id, wide))])),
    );
    const messages = decoding.session.templateMessages(0, () => 0);
    const set = 4 + 4 + 8000 * 4;
    expect(messages.map(({ length }) => length)).toEqual([16 + 2 * set, 16 + set]);
    const reader = new Decoding().feed(...messages);
    expect([...reader.session.domains.get(0)!.templates.keys()]).toEqual([256, 257, 258]);
  });

  it('hold the longest template that a message can', () => {
    const wide = Array.from({ length: 16377 }, () => field(4, 1));
    const { session } = new Decoding().feed(message([templateSet(template(256, wide))]));
    expect(session.templateMessages(0, () => 0).map(({ length }) => length)).toEqual([65532]);
  });
});

describe('readTemplates', () => {
  it('learns what decodeMessage would, and counts nothing', () => {
    const messages = messagesOf(fixture('yaf2164-small-metadata'));
    const receiver = new Session();
    for (const octets of messages) receiver.readTemplates(octets);
    const { session } = new Decoding().feed(...messages);
    expect(receiver.templateMessages(0, () => 9)).toEqual(session.templateMessages(0, () => 9));
    expect(receiver.domains.get(0)).toMatchObject({
      messages: 0,
      lastSequenceNumber: session.domains.get(0)?.lastSequenceNumber,
    });
    expect(receiver.heldOctets).toBe(0);
  });
});
