import { isIPv6 } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ipv4Text, ipv6Text } from '../../../collector/ipfix/index.ts';
import {
  dnskeyRdata,
  dsRdata,
  mxRdata,
  nsec3paramRdata,
  nsec3Rdata,
  nsecRdata,
  readTypeBitMaps,
  rrsigRdata,
  soaRdata,
  srvRdata,
  trimSignature,
} from '../../../collector/map/rdata.ts';
import { rrtypeName } from '../../../common/rrtypes.ts';

const EMPTY = Buffer.alloc(0);
const hex = (text: string) => Buffer.from(text, 'hex');

describe('presentation forms', () => {
  it('canonicalises the names in MX, SRV and SOA', () => {
    expect(mxRdata(10, 'MX1.Example.')).toBe('10 mx1.example.');
    expect(srvRdata(10, 60, 5060, 'a\\x20b.Example.')).toBe('10 60 5060 a\\032b.example.');
    expect(soaRdata('NS1.test.', 'first\\.last.test.', 2024061501, 7200, 900, 1209600, 4294967295)).toBe(
      'ns1.test. first\\.last.test. 2024061501 7200 900 1209600 4294967295',
    );
  });

  it('takes the empty exchange of YAF 2.x for the root', () => {
    expect(mxRdata(0, '')).toBe('0 .');
  });

  it('writes DS digests in upper case, and a hyphen for the empty digest of YAF 2.16', () => {
    expect(dsRdata(27105, 13, 2, hex('32366dff'))).toBe('27105 13 2 32366DFF');
    expect(dsRdata(27105, 13, 2, EMPTY)).toBe('27105 13 2 -');
  });

  it('writes DNSKEY keys in base64, and a hyphen for the empty key of YAF 2.16', () => {
    expect(dnskeyRdata(257, 3, 13, hex('a9349908'))).toBe('257 3 13 qTSZCA==');
    expect(dnskeyRdata(257, 3, 13, EMPTY)).toBe('257 3 13 -');
  });

  it('writes RRSIG times as calendar time in UTC', () => {
    const rrsig = {
      typeCovered: 48,
      algorithm: 13,
      labels: 0,
      originalTtl: 3600,
      expiration: 1797802148,
      inception: 1795210148,
      keyTag: 27287,
      signer: '',
      signature: hex('fc0a23'),
    };
    expect(rrsigRdata(rrsig)).toBe('DNSKEY 13 0 3600 20261220212908 20261120212908 27287 . /Aoj');
    expect(rrsigRdata({ ...rrsig, expiration: 0xffffffff, inception: 0, signature: EMPTY })).toBe(
      'DNSKEY 13 0 3600 21060207062815 19700101000000 27287 . -',
    );
  });

  it('lists the types of NSEC, or none where YAF 2.x does not send them', () => {
    // window 0, 7 octets: NS SOA MX RRSIG NSEC DNSKEY
    expect(nsecRdata('_sip._udp.Signed.example.', hex('000722010000000380'))).toBe(
      '_sip._udp.signed.example. NS SOA MX RRSIG NSEC DNSKEY',
    );
    expect(nsecRdata('sub.signed.example.')).toBe('sub.signed.example.');
  });

  it('writes NSEC3 with its hash in base32hex, and a hyphen for the flags YAF 2.x does not send', () => {
    const [salt, hash] = [hex('aabbccdd'), hex('fb50d3a7a653cfb7b6768aae535727ae5320334d')];
    expect(nsec3Rdata(1, 1, 5, salt, hash, hex('0006200000000012'))).toBe(
      '1 1 5 AABBCCDD vd8d79t6af7rfdjmhan56lp7lp9i0cqd NS DS RRSIG',
    );
    expect(nsec3Rdata(1, undefined, 5, EMPTY, hash)).toBe('1 - 5 - vd8d79t6af7rfdjmhan56lp7lp9i0cqd');
    expect(nsec3Rdata(1, 0, 0, EMPTY, EMPTY)).toBe('1 0 0 - -');
    expect(nsec3paramRdata(1, undefined, 5, salt)).toBe('1 - 5 AABBCCDD');
  });

  it('writes the hashes of RFC 4648 §10', () => {
    const hashOf = (text: string) => nsec3Rdata(1, 0, 0, EMPTY, Buffer.from(text)).split(' ')[4];
    expect(['f', 'fo', 'foo', 'foob', 'fooba', 'foobar'].map(hashOf)).toEqual([
      'co',
      'cpng',
      'cpnmu',
      'cpnmuog',
      'cpnmuoj1',
      'cpnmuoj1e8',
    ]);
  });
});

describe('readTypeBitMaps', () => {
  it('reads several windows and types without a mnemonic', () => {
    // the example of RFC 4034 §4.3: A MX RRSIG NSEC TYPE1234
    expect(readTypeBitMaps(hex(`0006400100000003041b${'00'.repeat(26)}20`))).toEqual([
      'A',
      'MX',
      'RRSIG',
      'NSEC',
      'TYPE1234',
    ]);
  });

  it.each([
    ['a cut block', '0006400100'],
    ['a window without length', '00'],
    ['an empty block', '0000'],
    ['a block of 33 octets', `0021${'ff'.repeat(33)}`],
    ['windows out of order', '010140000140'],
    ['a window twice', '000140000140'],
  ])('refuses %s', (_, bitMaps) => {
    expect(readTypeBitMaps(hex(bitMaps))).toBeNull();
  });
});

describe('trimSignature', () => {
  it.each([
    [13, 65, 64],
    [13, 64, 64],
    [14, 97, 96],
    [15, 65, 64],
    [16, 115, 114],
    [8, 257, 256],
    [8, 256, 256],
    [5, 129, 128],
    [13, 0, 0],
    [8, 1, 1],
    [253, 65, 65],
  ])('makes of algorithm %i with %i octets %i', (algorithm, length, trimmed) => {
    const signature = Buffer.from(Array.from({ length }, (_, i) => i & 0xff));
    expect(trimSignature(algorithm, signature)).toEqual(signature.subarray(0, trimmed));
  });
});

describe('rrtypeName', () => {
  it('knows mnemonics and writes other numbers as RFC 3597 does', () => {
    expect([1, 28, 65, 257, 255, 32769].map(rrtypeName)).toEqual(['A', 'AAAA', 'HTTPS', 'CAA', 'ANY', 'DLV']);
    expect([0, 54, 1234, 65535].map(rrtypeName)).toEqual(['TYPE0', 'TYPE54', 'TYPE1234', 'TYPE65535']);
  });
});

describe('address text', () => {
  it('writes IPv4 addresses of the whole range', () => {
    expect([0, 0x01020304, 0x7fffffff, 0xc0000201, 0xffffffff].map(ipv4Text)).toEqual([
      '0.0.0.0',
      '1.2.3.4',
      '127.255.255.255',
      '192.0.2.1',
      '255.255.255.255',
    ]);
  });

  it.each([
    ['00000000000000000000000000000000', '::'],
    ['00000000000000000000000000000001', '::1'],
    ['20010db8000000000000000000000000', '2001:db8::'],
    ['20010db8000300000000000000000053', '2001:db8:3::53'],
    ['20010db8000000000001000000000001', '2001:db8::1:0:0:1'],
    ['20010db800010001000100010000abcd', '2001:db8:1:1:1:1:0:abcd'],
    ['00010000000000020000000000000003', '1:0:0:2::3'],
    ['0000000000000000000000000000ffff', '::ffff'],
    ['00000000000000000000ffffc0000201', '::ffff:192.0.2.1'],
    ['0000000000000000ffff0000c0000201', '::ffff:0:c000:201'],
    ['ffffffffffffffffffffffffffffffff', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ])('writes %s as %s (RFC 5952)', (octets, text) => {
    expect(ipv6Text(Buffer.concat([Buffer.of(9), hex(octets)]), 1)).toBe(text);
  });

  it('agrees with the URL parser of Node for any IPv6 address that is not IPv4-mapped', () => {
    const group = fc.oneof(fc.constant(0), fc.constant(0), fc.nat(0xffff));
    fc.assert(
      fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), groups => {
        const buffer = Buffer.alloc(16);
        groups.forEach((value, i) => {
          buffer.writeUInt16BE(value, 2 * i);
        });
        const text = ipv6Text(buffer, 0);
        expect(isIPv6(text)).toBe(true);
        const full = groups.map(value => value.toString(16)).join(':');
        if (!text.includes('.')) expect(`[${text}]`).toBe(new URL(`http://[${full}]/`).hostname);
      }),
    );
  });
});
