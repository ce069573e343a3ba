import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readRecord } from '../../../collector/cof/record.ts';

const lineOf = (text: string | Buffer) => ({
  octets: Buffer.from(text),
  end: 0,
  isTooLong: false,
  isUnfinished: false,
});
const read = (object: unknown) => readRecord(lineOf(JSON.stringify(object)));
const row = {
  rrname: 'www.example.com.',
  rrtype: 'A',
  rdata: ['192.0.2.1'],
  time_first: 1_700_000_000,
  time_last: 1_710_000_000,
};
const stored = {
  rrname: 'www.example.com.',
  rrtype: 1,
  bailiwick: null,
  values: [{ rdata: '192.0.2.1', ip: 0xc0000201 }],
  count: 1,
  first: 1_700_000_000_000_000,
  last: 1_710_000_000_000_000,
  isZone: false,
};

describe('readRecord', () => {
  it('reads what DNSDB and CIRCL send', () => {
    const dnsdb = { count: 120, ...row, bailiwick: 'example.com.' };
    const expected = { ...stored, count: 120, bailiwick: 'example.com.' };
    expect(read(dnsdb)).toEqual(expected);
    expect(read({ obj: dnsdb })).toEqual(expected);
    expect(read({ cond: 'ongoing', obj: dnsdb })).toEqual(expected);
    const circl = {
      ...row,
      rrname: 'www.example.com',
      rdata: '192.0.2.1',
      count: 120,
      origin: 'https://pdns.example/',
    };
    expect(read(circl)).toEqual({ ...stored, count: 120 });
  });

  it('skips framing and empty lines', () => {
    expect(read({ cond: 'begin' })).toEqual({ skipped: 'framing' });
    expect(read({ cond: 'limited', msg: 'Result limit reached' })).toEqual({ skipped: 'framing' });
    expect(readRecord(lineOf(' '))).toEqual({ skipped: 'empty' });
  });

  it.each([
    ['mnemonic in any case', { rrtype: 'a' }],
    ['number', { rrtype: 1 }],
    ['number as text', { rrtype: '1' }],
    ['TYPE1', { rrtype: 'TYPE1' }],
    ['capitals and no final dot', { rrname: 'WWW.Example.com' }],
    ['one string for the set', { rdata: '192.0.2.1' }],
    ['a value twice', { rdata: ['192.0.2.1', '192.0.2.1'] }],
    ['decimal strings for times', { time_first: '1700000000', time_last: '1710000000' }],
    ['RFC 3339 times', { time_first: '2023-11-14T22:13:20Z', time_last: '2024-03-09 16:00:00' }],
    ['milliseconds only', { time_first: null, time_first_ms: 1_700_000_000_000 }],
    ['milliseconds that contradict', { time_first_ms: 1_600_000_000_000 }],
    ['count 0', { count: 0 }],
    ['fields of no matter', { sensor_id: 'x', x_foo: { deep: [1] }, zone_time_first: 1, zone_time_last: 2 }],
    ['null for what is not known', { count: null, bailiwick: null }],
  ])('takes %s', (_what, fields) => {
    expect(read({ ...row, ...fields })).toEqual(stored);
  });

  it('keeps milliseconds and microseconds', () => {
    expect(read({ ...row, time_first_ms: 1_700_000_000_123, time_last_ms: 1_710_000_000_456.789 })).toEqual({
      ...stored,
      first: 1_700_000_000_123_000,
      last: 1_710_000_000_456_789,
    });
    expect(read({ ...row, time_first: 1_700_000_000.5 })).toEqual({
      ...stored,
      first: 1_700_000_000_500_000,
    });
  });

  it('takes one time for both', () => {
    expect(read({ ...row, time_last: undefined })).toEqual({ ...stored, last: stored.first });
  });

  it('marks what has times of zone files only', () => {
    const { time_first, time_last, ...rest } = row;
    expect(read({ ...rest, zone_time_first: time_first, zone_time_last: time_last })).toEqual({
      ...stored,
      isZone: true,
    });
  });

  it.each([
    ['rrname is missing', { rrname: undefined }],
    ['rrname "a..b" is no domain name', { rrname: 'a..b' }],
    ['rrname 7 is no domain name', { rrname: 7 }],
    ['rrtype is missing', { rrtype: null }],
    ['rrtype "NOPE" is no RR type', { rrtype: 'NOPE' }],
    ['rrtype 65536 is no RR type', { rrtype: 65536 }],
    ['rdata is missing', { rdata: [] }],
    ['rdata 5 is no string', { rdata: [5] }],
    ['rdata (an array) is no string', { rdata: [['192.0.2.1']] }],
    ['rdata "x" is no IPv4 address', { rdata: ['192.0.2.1', 'x'] }],
    ['time_first and time_last are missing', { time_first: undefined, time_last: undefined }],
    ['time_first "soon" is no time', { time_first: 'soon' }],
    ['time_last is before time_first', { time_last: 1 }],
    [
      'time_last 1710000000000 is beyond the year 9999: seconds since 1970 are expected',
      { time_last: 1_710_000_000_000 },
    ],
    ['count -1 is no number of observations', { count: -1 }],
    ['count 1.5 is no number of observations', { count: 1.5 }],
    ['count 1e+30 is no number of observations', { count: 1e30 }],
    ['bailiwick "org." does not enclose rrname "www.example.com."', { bailiwick: 'org' }],
    ['bailiwick "ample.com." does not enclose rrname "www.example.com."', { bailiwick: 'ample.com' }],
    ['bailiwick "b." does not enclose rrname "a\\\\.b."', { rrname: 'a\\.b.', bailiwick: 'b' }],
  ])('says that %s', (reason, fields) => {
    expect(read({ ...row, ...fields })).toEqual({ reason });
  });

  it.each([
    ['the line is no JSON', '{"rrname":'],
    ['the line is no JSON object', '["a"]'],
    ['the line is no JSON object', 'null'],
    ['obj is no JSON object', '{"obj":null}'],
    ['the line is no UTF-8', Buffer.from([0x7b, 0xff, 0x7d])],
  ])('says that %s', (reason, text) => {
    expect(readRecord(lineOf(text))).toEqual({ reason });
  });

  it('takes any zone above the name as bailiwick', () => {
    for (const bailiwick of ['www.example.com', 'example.com.', 'COM', '.'])
      expect(read({ ...row, bailiwick })).toMatchObject({ count: 1 });
    expect(read({ ...row, rrname: 'a\\\\.b.', bailiwick: 'b' })).toMatchObject({ bailiwick: 'b.' });
  });

  it('never throws, whatever JSON comes', () => {
    const field = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom('', '.', 'A', -0, 1e300, [[]], {}));
    const object = fc.record(
      {
        rrname: field,
        rrtype: field,
        rdata: field,
        time_first: field,
        time_last: field,
        time_last_ms: field,
        zone_time_first: field,
        count: field,
        bailiwick: field,
        obj: field,
        cond: field,
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.boolean(), object, (isComplete, fields) => {
        const found = read(isComplete ? { ...row, ...fields } : fields);
        expect(['rrname', 'reason', 'skipped'].filter(key => key in found)).toHaveLength(1);
      }),
      { numRuns: 1000 },
    );
    const deep = `{"rdata":${'['.repeat(100_000)}${']'.repeat(100_000)},"rrname":"a","rrtype":"A"}`;
    expect(readRecord(lineOf(deep))).toEqual({ reason: expect.any(String) });
  });
});
