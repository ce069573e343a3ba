import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readRdata } from '../../../collector/cof/rdata.ts';
import { nameFromWire, quotedText } from '../../../common/dnsName.ts';
import { nameFromText, octetsOf } from '../../../common/presentation.ts';
import { rrtypeNumber } from '../../../common/rrtypes.ts';

const read = (type: string, text: string) => {
  const value = readRdata(rrtypeNumber(type) ?? -1, text);
  return typeof value === 'string' ? { wrong: value } : value.rdata;
};

describe('nameFromText', () => {
  it.each([
    ['www.example.com', 'www.example.com.'],
    ['WWW.Example.COM.', 'www.example.com.'],
    ['.', '.'],
    ['*.example.', '*.example.'],
    ['_dmarc.example.', '_dmarc.example.'],
    // RFC 1035 section 5.1: a backslash takes any character but a digit literally, or stands before an octet
    ['\\042.example.', '*.example.'],
    ['\\097\\n\\x41.example.', 'anx41.example.'],
    ['a\\.b.example.', 'a\\.b.example.'],
    ['a\\.', 'a\\..'],
    ['0/25.2.0.192.in-addr.arpa', '0/25.2.0.192.in-addr.arpa.'],
    ['a b.example', 'a\\032b.example.'],
    ['bücher.example', 'b\\195\\188cher.example.'],
  ])('reads %s as %s', (text, name) => {
    expect(nameFromText(text)).toBe(name);
  });

  it.each([
    '',
    '..',
    '.a',
    'a..b',
    'a\\',
    'a\\25',
    'a\\256.',
    `${'a'.repeat(64)}.example`,
    `${'a.'.repeat(128)}`,
  ])('refuses %j', text => {
    expect(nameFromText(text)).toBeNull();
  });

  it('reads what is made of any name on the wire as that name', () => {
    const label = fc.uint8Array({ minLength: 1, maxLength: 63 });
    fc.assert(
      fc.property(fc.array(label, { maxLength: 4 }), labels => {
        const wire = Buffer.concat([
          ...labels.flatMap(octets => [Buffer.of(octets.length), octets]),
          Buffer.of(0),
        ]);
        const found = nameFromWire(wire, 0);
        fc.pre(found !== null);
        expect(nameFromText(found?.name ?? '')).toBe(found?.name);
      }),
    );
  });
});

it('octetsOf takes back what quotedText escapes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), octets => {
      const text = Buffer.from(octets).toString('latin1');
      expect(octetsOf(quotedText(text).slice(1, -1))).toBe(text);
    }),
  );
});

describe('readRdata', () => {
  it.each([
    ['A', '192.0.2.10', '192.0.2.10'],
    ['AAAA', '2001:DB8:0:0::10', '2001:db8::10'],
    ['AAAA', '::ffff:192.0.2.1', '::ffff:192.0.2.1'],
    ['NS', 'NS1.Example.NET', 'ns1.example.net.'],
    ['CNAME', '.', '.'],
    ['MX', '010  MAIL.example.net', '10 mail.example.net.'],
    ['MX', '0 .', '0 .'],
    ['SOA', 'NS.example. Host\\.Master.example. 1 2 3 4 5', 'ns.example. host\\.master.example. 1 2 3 4 5'],
    ['SRV', '0 5 443 WWW.example', '0 5 443 www.example.'],
    ['TXT', '"v=spf1 -all"', '"v=spf1 -all"'],
    ['TXT', '"one"  "two"', '"one" "two"'],
    ['TXT', '"one""t\\119o"', '"one" "two"'],
    ['TXT', 'v=spf1 include:_spf.example.net -all', '"v=spf1 include:_spf.example.net -all"'],
    ['TXT', '"', '"\\""'],
    ['TXT', '" "', '" "'],
    ['TXT', 'C:\\9', '"C:\\\\9"'],
    ['TXT', 'grün', '"gr\\195\\188n"'],
    ['HINFO', 'Alpha "Open VMS"', '"Alpha" "Open VMS"'],
    ['CAA', '0 issue "ca.example"', '0 issue "ca.example"'],
    ['CAA', '0 issue ca.example', '0 issue "ca.example"'],
    ['DS', '1 8 2 ab cd', '1 8 2 ABCD'],
    ['DNSKEY', '257 3 13 AAEC AwQ=', '257 3 13 AAECAwQ='],
    ['NSEC', 'B.example. mx NS TYPE1', 'b.example. A NS MX'],
    ['NSEC3', '1 0 0 - 0P9MHAVEQVM6T7VBL5LOP2U3T2RP3TOM NS', '1 0 0 - 0p9mhaveqvm6t7vbl5lop2u3t2rp3tom NS'],
    [
      'RRSIG',
      'a 13 2 300 1700000000 20231101000000 1 Example. AAEC',
      'A 13 2 300 20231114221320 20231101000000 1 example. AAEC',
    ],
    [
      'HTTPS',
      '1 . ALPN=h2,h3 ipv4hint=192.0.2.1 ipv6hint="2001:DB8::0:1"',
      '1 . alpn="h2,h3" ipv4hint=192.0.2.1 ipv6hint=2001:db8::1',
    ],
    ['HTTPS', '0 Svc.example', '0 svc.example.'],
    ['NAPTR', '1 2 U "E2U+sip" "!^.*$!sip:a@example!" .', '1 2 "U" "E2U+sip" "!^.*$!sip:a@example!" .'],
    // RFC 3597 section 5
    ['A', '\\# 4 c0000201', '192.0.2.1'],
    ['MX', '\\# 9 000a 046d 61 69 6c00 00', '\\# 9 000A046D61696C0000'],
    ['MX', '\\# 8 000a 046d 61 69 6c00', '10 mail.'],
    ['TYPE65400', '\\# 2 abCD', '\\# 2 ABCD'],
    ['TYPE65400', '\\# 0', '\\# 0'],
    // left as it is, in one line of ASCII
    ['DS', '1 8 2 -', '1 8 2 -'],
    ['MX', '5 -', '5 -'],
    ['MX', 'mail.example.net', 'mail.example.net'],
    ['LOC', ' 1\t2\nü ', '1\\0092\\010\\195\\188'],
  ])('%s: %s is %s', (type, text, expected) => {
    expect(read(type, text)).toBe(expected);
  });

  it.each([
    ['A', '192.0.2.256'],
    ['A', '2001:db8::1'],
    ['A', '\\# 3 c00002'],
    ['AAAA', '192.0.2.1'],
    ['AAAA', 'fe80::1%eth0'],
    ['NS', 'a..b'],
    ['TXT', ''],
    ['TXT', ' '],
    ['TYPE65400', '\\# 2 ab'],
    ['TYPE65400', '\\# 70000 ab'],
    ['TXT', 'x'.repeat(300_000)],
  ])('%s: refuses %s', (type, text) => {
    expect(read(type, text)).toEqual({ wrong: expect.any(String) });
  });

  it('gives addresses beside their text', () => {
    expect(readRdata(1, '192.0.2.1')).toEqual({ rdata: '192.0.2.1', ip: 0xc0000201 });
    expect(readRdata(28, '::1')).toEqual({ rdata: '::1', ip: Buffer.from([...Array(15).fill(0), 1]) });
  });

  it('leaves what it has read as it is, is one line of ASCII, and never throws', () => {
    const types = fc.constantFrom(
      'A',
      'AAAA',
      'NS',
      'SOA',
      'MX',
      'TXT',
      'SRV',
      'CAA',
      'DS',
      'RRSIG',
      'NSEC',
      'NSEC3',
      'HTTPS',
      'TYPE65400',
    );
    const piece = fc.constantFrom(
      '"',
      '\\',
      ' ',
      '.',
      ',',
      '=',
      '1',
      '255',
      'a',
      'A',
      '\\034',
      '\\#',
      'ü',
      '\n',
      'example',
      'alpn',
      '::1',
      '\u0000',
    );
    const text = fc.oneof(
      fc.array(piece, { maxLength: 12 }).map(pieces => pieces.join('')),
      fc.string({ unit: 'binary' }),
    );
    fc.assert(
      fc.property(types, text, (type, given) => {
        const once = read(type, given);
        if (typeof once !== 'string') return;
        expect(once).toMatch(/^[ -~]+$/);
        expect(read(type, once)).toBe(once);
      }),
      { numRuns: 1000 },
    );
  });
});
