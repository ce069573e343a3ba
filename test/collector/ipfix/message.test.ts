import { describe, expect, it } from 'vitest';
import { DecodeError, MessageSplitter, readMessageHeader } from '../../../collector/ipfix/index.ts';
import { dataSet, message, octets, u16, u32 } from '../../support/ipfixBuilder.ts';
import { Decoding } from './decode.ts';

function errorOf(run: () => unknown): DecodeError {
  try {
    run();
  } catch (error) {
    if (error instanceof DecodeError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('a message header', () => {
  it('has version, length, export time, sequence number and observation domain', () => {
    const header = octets(
      u16(10), // version
      u16(16), // length
      u32(0x65000000), // export time
      u32(0xfffffffe), // sequence number
      u32(0x80000001), // observation domain id
    );
    expect(readMessageHeader(octets([1, 2, 3], header), 3, 0)).toEqual({
      version: 10,
      length: 16,
      exportTime: 0x65000000,
      sequenceNumber: 0xfffffffe,
      observationDomainId: 0x80000001,
    });
  });

  it.each([
    ['of another version', message([], { version: 9 }), 'version'],
    ['that says less than its own length', message([], { length: 15 }), 'message_length'],
    ['that ends early', message([]).subarray(0, 15), 'message_length'],
    ['that is not there', Buffer.alloc(0), 'message_length'],
  ])('%s is refused with its place in the stream', (_, buffer, code) => {
    expect(errorOf(() => readMessageHeader(buffer, 0, 7000))).toMatchObject({ code, offset: 7000 });
    expect(
      errorOf(() => new Decoding().session.decodeMessage(buffer, 7000, new Decoding().out)),
    ).toMatchObject({
      code,
      offset: 7000,
    });
  });

  it('that says more than is there is no message', () => {
    const cut = message([dataSet(256, [1, 2, 3, 4])]).subarray(0, 20);
    expect(errorOf(() => new Decoding().feed(cut))).toMatchObject({ code: 'message_length', offset: 0 });
    expect(errorOf(() => new Decoding().session.readTemplates(cut))).toMatchObject({
      code: 'message_length',
    });
  });

  it('without any set is a message', () => {
    const decoding = new Decoding().feed(message([]));
    expect([decoding.session.domains.get(0)?.messages, decoding.out.problems]).toEqual([1, []]);
  });
});

describe('the splitter', () => {
  const first = message([dataSet(256, 'abcd')]);
  const second = message([dataSet(256, 'efghijkl')], { sequenceNumber: 1 });
  const longest = message([dataSet(256, Buffer.alloc(65535 - 20, 7))]);
  const stream = octets(first, second, longest, first);

  it.each([1, 2, 3, 5, 15, 16, 17, 24, 4096, 65535, 1_000_000])(
    'cuts messages out of chunks of %d octets',
    size => {
      const splitter = new MessageSplitter();
      const messages: Buffer[] = [];
      for (let at = 0; at < stream.length; at += size)
        messages.push(...splitter.push(stream.subarray(at, at + size)));
      expect(messages.map(({ length }) => length)).toEqual([24, 28, 65535, 24]);
      expect(Buffer.concat(messages).equals(stream)).toBe(true);
      expect([splitter.pending, splitter.offset]).toEqual([0, stream.length]);
    },
  );

  it('counts the octets of the message that is not whole yet', () => {
    const splitter = new MessageSplitter();
    const pending = [3, 1, 20, 4].map(size => {
      splitter.push(
        octets(second, second)
          .subarray(splitter.offset + splitter.pending)
          .subarray(0, size),
      );
      return splitter.pending;
    });
    expect([pending, splitter.offset]).toEqual([[3, 4, 24, 0], 28]);
  });

  it('keeps nothing of a chunk that its owner may write over', () => {
    const splitter = new MessageSplitter();
    const chunk = Buffer.from(first.subarray(0, 20));
    splitter.push(chunk);
    chunk.fill(0);
    expect(splitter.push(first.subarray(20))[0]?.equals(first)).toBe(true);
  });

  it.each([
    ['of version 5', octets(u16(5), u16(48), Buffer.alloc(44)), 'version'],
    ['of 15 octets', octets(u16(10), u16(15), Buffer.alloc(11)), 'message_length'],
  ])(
    'returns what came before a message %s, then throws with its offset, again and again',
    (_, bad, code) => {
      for (const size of [1, 7, 24, 1000]) {
        const splitter = new MessageSplitter();
        const messages: Buffer[] = [];
        const push = (chunk: Buffer) => messages.push(...splitter.push(chunk));
        const all = octets(first, bad);
        const error = errorOf(() => {
          for (let at = 0; at < all.length; at += size) push(all.subarray(at, at + size));
          push(Buffer.alloc(0));
        });
        expect([messages.length, error.code, error.offset]).toEqual([1, code, first.length]);
      }
    },
  );
});
