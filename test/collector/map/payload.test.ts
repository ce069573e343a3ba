import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodePayload } from '../../../collector/map/payload.ts';

const hex = (text: string) => Buffer.from(text.replace(/[\s:]/g, ''), 'hex');

/** A response to `q. A IN` with one answer `q. <type> <class> 60 <rdata>`. */
function response(rrtype: number, rdata: Buffer, rrclass = 1): Buffer {
  const answer = Buffer.alloc(12);
  answer.writeUInt16BE(0xc00c, 0); // pointer to the question's name
  answer.writeUInt16BE(rrtype, 2);
  answer.writeUInt16BE(rrclass, 4);
  answer.writeUInt32BE(60, 6);
  answer.writeUInt16BE(rdata.length, 10);
  // id 0x1234; QR AA RD; 1 question, 1 answer | q. A IN
  return Buffer.concat([hex('1234 8500 0001 0001 0000 0000  01 71 00 0001 0001'), answer, rdata]);
}

const withLength = (message: Buffer) =>
  Buffer.concat([Buffer.of(message.length >> 8, message.length & 255), message]);

describe('decodePayload', () => {
  it('reads the header, the question and the answer of a response', () => {
    expect(decodePayload(response(1, hex('c0000201')), 'udp')).toEqual([
      {
        id: 0x1234,
        qr: true,
        opcode: 0,
        rcode: 0,
        authoritative: true,
        truncated: false,
        records: [
          { section: 0, rrname: 'q.', rrtype: 1, rrclass: 1, ttl: 0, rdata: null, address: null },
          {
            section: 1,
            rrname: 'q.',
            rrtype: 1,
            rrclass: 1,
            ttl: 60,
            rdata: '192.0.2.1',
            address: 0xc0000201,
          },
        ],
      },
    ]);
  });

  it('reads the response code of a query refused without an answer', () => {
    const [message] = decodePayload(hex('beef 8105 0001 0000 0000 0000  01 51 00 00ff 0001'), 'udp');
    expect(message).toMatchObject({ id: 0xbeef, qr: true, rcode: 5, authoritative: false, truncated: false });
    expect(message?.records).toMatchObject([{ section: 0, rrname: 'q.', rrtype: 255 }]);
  });

  it('leaves out OPT records and goes on after them', () => {
    const opt = '00 0029 04d0 00000000 0000';
    const additional = '01 71 00 0010 0001 0000003c 0002 01 78';
    const [message] = decodePayload(
      hex(`1234 0100 0001 0000 0000 0002  01 71 00 0001 0001 ${opt} ${additional}`),
      'udp',
    );
    expect(message).toMatchObject({ qr: false, truncated: false });
    expect(message?.records).toMatchObject([
      { section: 0 },
      { section: 3, rrtype: 16, rdata: '"x"', address: null },
    ]);
  });

  it('takes the flag bit of multicast DNS out of the class', () => {
    // a response without question: host.local. A with cache-flush bit
    const message = hex(
      '0000 8400 0000 0001 0000 0000  01 68 05 6c6f63616c 00 0001 8001 00000078 0004 c0000203',
    );
    expect(decodePayload(message, 'udp')[0]?.records).toEqual([
      {
        section: 1,
        rrname: 'h.local.',
        rrtype: 1,
        rrclass: 1,
        ttl: 120,
        rdata: '192.0.2.3',
        address: 0xc0000203,
      },
    ]);
  });

  it('reads all messages of a TCP stream and the complete records of the last', () => {
    const first = response(1, hex('c0000201'));
    const second = response(28, hex('20010db8000000000000000000000001'));
    const stream = Buffer.concat([withLength(first), withLength(second)]);
    expect(decodePayload(stream, 'tcp').map(({ records }) => records[1]?.address)).toEqual([
      0xc0000201,
      hex('20010db8000000000000000000000001'),
    ]);
    const cut = decodePayload(stream.subarray(0, -1), 'tcp');
    expect(cut.map(({ truncated }) => truncated)).toEqual([false, true]);
    expect(cut[1]?.records).toHaveLength(1);
    expect(decodePayload(stream.subarray(0, 1), 'tcp')).toEqual([]);
  });

  it('does not read on into the next message of a TCP stream', () => {
    const message = response(16, Buffer.from(`\x1e${'a'.repeat(30)}`));
    message.writeUInt16BE(2, 6); // announces an answer that is not there
    const [first, second] = decodePayload(Buffer.concat([withLength(message), withLength(message)]), 'tcp');
    expect(first).toMatchObject({ truncated: true });
    expect(first?.records).toHaveLength(2);
    expect(second?.records).toHaveLength(2);
  });

  it('stops at a malformed record and keeps those before, whatever section comes next', () => {
    // 2 questions, 1 answer; the second question's name has label type 01
    const [message] = decodePayload(
      hex('1234 8000 0002 0001 0000 0000  01 71 00 0001 0001  41 71 00 0001 0001 00000000 0004 c0000201'),
      'udp',
    );
    expect(message).toMatchObject({ truncated: true });
    expect(message?.records).toHaveLength(1);
  });

  it.each([
    ['an empty payload', ''],
    ['a header without records', '1234 8101 0000 0000 0000 0000'],
    ['a header cut short', '1234 0100 0001 0000 0000'],
    ['a question cut short', '1234 0100 0001 0000 0000 0000  03 777777 00 0001'],
    ['a question whose name loops', '1234 0100 0001 0000 0000 0000  c00c 0001 0001'],
    ['a question of class 7', '1234 0100 0001 0000 0000 0000  01 71 00 0001 0007'],
    ['a question of type 0', '1234 0100 0001 0000 0000 0000  01 71 00 0000 0001'],
    ['more records than a message can hold', '1234 0100 0001 1746 0000 0000  01 71 00 0001 0001'],
    ['NOTIFY', '1234 2000 0001 0000 0000 0000  01 71 00 0006 0001'],
    ['UPDATE', '1234 2800 0001 0000 0000 0000  01 71 00 0006 0001'],
    ['zeros', '00'.repeat(64)],
    ['letters', '41'.repeat(64)],
    ['NTP', `230000000000000000000000${'00'.repeat(36)}`],
    ['HTTP', Buffer.from('GET /index.html HTTP/1.1\r\nHost: www.example\r\n\r\n').toString('hex')],
    ['TLS', '16030100c8010000c40303a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f607'],
  ])('finds no message in %s', (_, payload) => {
    expect(decodePayload(hex(payload), 'udp')).toEqual([]);
    expect(decodePayload(hex(payload), 'tcp')).toEqual([]);
    expect(decodePayload(withLength(hex(payload)), 'tcp')).toEqual([]);
  });

  it('reads the longest chains of pointers that 64 KiB can hold', () => {
    const pointer = (to: number) => (0xc000 + to).toString(16);
    // the question's root at 12; the first answer at 17 holds, from 28 on, a chain of 126 pointers to that root
    const chain = Array.from({ length: 126 }, (_, i) => pointer(i === 0 ? 12 : 28 + 2 * (i - 1))).join('');
    const record = `${pointer(28 + 2 * 125)} 000a 0001 00000000 0000`;
    const count = Math.floor((65535 - 28 - 252) / 12);
    const message = hex(
      `1234 8000 0001 ${(count + 1).toString(16).padStart(4, '0')} 0000 0000  00 0001 0001
       00 000a 0001 00000000 00fc ${chain} ${record.repeat(count)}`,
    );
    const [decoded] = decodePayload(message, 'udp');
    expect(decoded).toMatchObject({ truncated: false });
    expect(decoded?.records.filter(({ rrname }) => rrname === '.')).toHaveLength(count + 2);
  });

  it('never throws, whatever octets of a message are changed', () => {
    const seeds = [
      response(1, hex('c0000201')),
      response(46, Buffer.concat([hex('0001080200000e106a0000006900000012340171 00'), Buffer.alloc(64, 7)])),
      response(65, hex('0001 00 0001 0006 02 6832 02 6833 0004 0004 cb007168')),
      response(50, hex('01 00 0005 04 aabbccdd 02 ffff 0006 400000000003')),
      response(35, hex('0064 000a 01 75 07 4532552b736970 01 21 c00c')),
    ];
    const change = fc.tuple(fc.nat(), fc.nat(255));
    fc.assert(
      fc.property(
        fc.constantFrom(...seeds),
        fc.array(change, { maxLength: 8 }),
        fc.nat(600),
        (seed, changes, length) => {
          const mutant = Buffer.from(seed);
          for (const [at, octet] of changes) mutant[at % mutant.length] = octet;
          const cut = mutant.subarray(0, length);
          const messages = [...decodePayload(cut, 'udp'), ...decodePayload(withLength(cut), 'tcp')];
          for (const { records } of messages) {
            for (const { rrname, rdata } of records) expect(rrname + (rdata ?? '')).toMatch(/^[ -~]+$/);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('has no address for an A record that is malformed or of class CH', () => {
    const [malformed] = decodePayload(response(1, hex('c00002')), 'udp');
    expect(malformed?.records[1]).toMatchObject({ rdata: '\\# 3 C00002', address: null });
    const [chaos] = decodePayload(response(1, hex('c0000201'), 3), 'udp');
    expect(chaos?.records[1]).toMatchObject({ rrclass: 3, rdata: '\\# 4 C0000201', address: null });
  });
});
