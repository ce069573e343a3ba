import { describe, expect, it } from 'vitest';
import { rdataFromWire } from '../../../collector/map/rdataFromWire.ts';

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');

/** The rdata after a header and the name `q.` at offset 12, for compression pointers c00c, and before more octets. */
function rdataOf(rrtype: number, octets: string, rrclass = 1): string {
  const rdata = hex(octets);
  const header = hex('1234 8500 0001 0001 0000 0000');
  const message = Buffer.concat([
    header,
    hex('01 71 00'),
    Buffer.of(0, rdata.length),
    rdata,
    hex('01 78 00 c00c'),
  ]);
  return rdataFromWire(message, 17, 17 + rdata.length, rrtype, rrclass);
}

describe('rdataFromWire', () => {
  it.each([
    ['A', 1, 'c0000201', '192.0.2.1'],
    ['AAAA', 28, '20010db8000000000000000000000001', '2001:db8::1'],
    ['NS, compressed', 2, '02 4e53 c00c', 'ns.q.'],
    ['MX of no mail', 15, '0000 00', '0 .'],
    ['SOA', 6, 'c00c 01 61 c00c 00000001 00000002 00000003 00000004 ffffffff', 'q. a.q. 1 2 3 4 4294967295'],
    ['SRV', 33, '000a 003c 13c4 c00c', '10 60 5060 q.'],
    ['TXT of several strings', 16, '03 612262 00 02 5c00', '"a\\"b" "" "\\\\\\000"'],
    ['TXT with what looks like an escape', 16, '04 5c783431', '"\\\\x41"'],
    ['SPF', 99, '01 41', '"A"'],
    ['HINFO with octets that are no UTF-8', 13, '02 50ff 00', '"P\\255" ""'],
    ['CAA', 257, '80 03 746273 756e6b6e6f776e', '128 tbs "unknown"'],
    ['NAPTR', 35, '0064 000a 01 75 03 533253 02 215e c00c', '100 10 "u" "S2S" "!^" q.'],
    ['SSHFP', 44, '02 01 1234ab', '2 1 1234AB'],
    ['TLSA', 52, '03 01 01 0c72ac', '3 1 1 0C72AC'],
    ['DS', 43, '69e1 0d 02 3236', '27105 13 2 3236'],
    ['CDS that deletes', 59, '0000 00 00 00', '0 0 0 00'],
    ['DNSKEY', 48, '0101 03 0d a93499', '257 3 13 qTSZ'],
    ['CDNSKEY of another protocol', 60, '0000 00 00 00', '0 0 0 AA=='],
    [
      'RRSIG',
      46,
      '0030 0d 00 00000e10 6b2848a4 6b00bba4 6a97 00 fc0a23',
      'DNSKEY 13 0 3600 20261220212908 20261120212908 27287 . /Aoj',
    ],
    ['NSEC', 47, 'c00c 0006 200000000013', 'q. NS DS RRSIG NSEC'],
    ['NSEC3', 50, '01 01 0005 02 aabb 05 0000000001 0001 40', '1 1 5 AABB 00000001 A'],
    ['NSEC3PARAM without salt', 51, '01 00 0000 00', '1 0 0 -'],
    ['RP', 17, 'c00c 00', 'q. .'],
    ['URI', 256, '000a 0001 6674703a2f2f61', '10 1 "ftp://a"'],
    ['DNAME', 39, 'c00c', 'q.'],
    ['NULL', 10, '0001', '\\# 2 0001'],
    ['LOC', 29, '0016', '\\# 2 0016'],
    ['an unknown type', 65400, 'aabbcc', '\\# 3 AABBCC'],
    ['an unknown type without rdata', 65400, '', '\\# 0'],
    ['HTTPS in alias mode', 65, '0000 c00c', '0 q.'],
    [
      'HTTPS',
      65,
      '0001 00  0001 0006 02 6832 02 6833  0004 0008 cb007168 cb007169  0005 0002 0049',
      '1 . alpn="h2,h3" ipv4hint=203.0.113.104,203.0.113.105 ech=AEk=',
    ],
    [
      'SVCB with mandatory, port, unnamed and valueless keys',
      64,
      '0010 c00c  0000 0004 0001 fde9  0001 0002 01 61  0002 0000  0003 0002 20fb  0006 0010 20010db8000000000000000000000001  fde9 0002 6522  fdea 0000',
      '16 q. mandatory=alpn,key65001 alpn="a" no-default-alpn port=8443 ipv6hint=2001:db8::1 key65001="e\\"" key65002',
    ],
    [
      'alpn items with commas and backslashes (RFC 9460 §D.2)',
      64,
      '0010 00 0001 000c 08 665c6f6f2c626172 02 6832',
      '16 . alpn="f\\\\\\\\oo\\\\,bar,h2"',
    ],
  ])('writes %s', (_, rrtype, octets, text) => {
    expect(rdataOf(rrtype, octets)).toBe(text);
  });

  it.each([
    ['A of 3 octets', 1, 'c00002'],
    ['A of 5 octets', 1, 'c000020101'],
    ['AAAA of 4 octets', 28, 'c0000201'],
    ['MX without exchange', 15, '000a'],
    ['a name that goes on after the rdata', 2, '03 6e'],
    ['a name that goes on after the rdata, before an optional field', 47, '03 6e'],
    ['octets after the name', 2, 'c00c 00'],
    ['TXT without a string', 16, ''],
    ['TXT whose string is too long', 16, '05 61'],
    ['CAA whose tag is not alphanumeric', 257, '00 02 6122 61'],
    ['DS of 3 octets', 43, '69e10d'],
    ['TLSA of 2 octets', 52, '0301'],
    ['SSHFP without fingerprint', 44, '0201'],
    ['NSEC with malformed bit maps', 47, '00 0002 40'],
    ['SVCB with keys out of order', 64, '0001 00 0002 0000 0001 0002 01 61'],
    ['SVCB with a value cut short', 64, '0001 00 0003 0002 20'],
    ['SVCB with a port of 3 octets', 64, '0001 00 0003 0003 20fb00'],
    ['SVCB with an IPv4 hint of 3 octets', 64, '0001 00 0004 0003 cb0071'],
  ])('gives the octets of malformed rdata: %s', (_, rrtype, octets) => {
    const length = hex(octets).length;
    expect(rdataOf(rrtype, octets)).toBe(`\\# ${length} ${octets.replace(/ /g, '').toUpperCase()}`.trim());
  });

  it('reads address records of class IN alone, and texts of any', () => {
    expect(rdataOf(1, 'c0000201', 3)).toBe('\\# 4 C0000201');
    expect(rdataOf(16, '0161', 3)).toBe('"a"');
  });
});
