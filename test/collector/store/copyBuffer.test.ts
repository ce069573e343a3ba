import { describe, expect, it } from 'vitest';
import { CopyBuffer } from '../../../collector/store/copyBuffer.ts';

const SIGNATURE = '5047434f50590aff0d0a00' + '00000000' + '00000000'; // no flags, no header extension
const TRAILER = 'ffff';
const NULL = 'ffffffff';

/** What one row of one column holds, in hex: length and value. */
function column(write: (out: CopyBuffer) => void, textOctets = 0): string {
  const out = new CopyBuffer();
  out.row(1, textOctets);
  write(out);
  const hex = out.finish().toString('hex');
  expect(hex.startsWith(`${SIGNATURE}0001`) && hex.endsWith(TRAILER)).toBe(true);
  return hex.slice(SIGNATURE.length + 4, -TRAILER.length);
}

describe('CopyBuffer', () => {
  it.each<[string, (out: CopyBuffer) => void, string]>([
    ['int16', out => out.int16(-2), '00000002 fffe'],
    ['int32', out => out.int32(0x01020304), '00000004 01020304'],
    ['int32 of an unsigned number beyond 2^31', out => out.int32(0xfffffffe), '00000004 fffffffe'],
    ['int64', out => out.int64(2 ** 40 + 5), '00000008 00000100 00000005'],
    ['negative int64', out => out.int64(-1), '00000008 ffffffff ffffffff'],
    ['negative int64 beyond 2^32', out => out.int64(-(2 ** 32) - 2), '00000008 fffffffe fffffffe'],
    ['bigint', out => out.int64(2n ** 63n - 1n), '00000008 7fffffff ffffffff'],
    ['int64Halves', out => out.int64Halves(7, 0xffffffff), '00000008 00000007 ffffffff'],
    ['true', out => out.bool(true), '00000001 01'],
    ['false', out => out.bool(false), '00000001 00'],
    ['the time 2000-01-01', out => out.time(946_684_800_000_000), '00000008 00000000 00000000'],
    ['the last microsecond before 2000', out => out.time(946_684_799_999_999), '00000008 ffffffff ffffffff'],
    [
      'a time after the year 9999 as infinity',
      out => out.time(253_402_300_800_000_000),
      '00000008 7fffffff ffffffff',
    ],
    [
      'a time before the year 1 as -infinity',
      out => out.time(-62_135_596_800_000_064),
      '00000008 80000000 00000000',
    ],
    ['an IPv4 address', out => out.inet(0xc0000201), '00000008 02 20 00 04 c0000201'],
    [
      'an IPv6 address',
      out => out.inet(Buffer.from('20010db8000000000000000000000001', 'hex')),
      '00000014 03 80 00 10 20010db8000000000000000000000001',
    ],
    ['a MAC address', out => out.macaddr(Buffer.from('0200c0ffee01', 'hex')), '00000006 0200c0ffee01'],
    ['the empty text', out => out.ascii(''), '00000000'],
  ])('writes %s', (_name, write, expected) => {
    expect(column(write)).toBe(expected.replaceAll(' ', ''));
  });

  it('writes null as a length of -1, whatever the type', () => {
    const out = new CopyBuffer();
    out.row(8, 0);
    out.int16(null);
    out.int32(null);
    out.int64(null);
    out.bool(null);
    out.time(null);
    out.ascii(null);
    out.inet(null);
    out.macaddr(null);
    expect(out.finish().toString('hex')).toBe(`${SIGNATURE}0008${NULL.repeat(8)}${TRAILER}`);
  });

  it('writes texts of every length up to a few hundred, and keeps them as it grows', () => {
    const texts = Array.from({ length: 400 }, (_, length) => 'name.example.'.repeat(31).slice(0, length));
    const out = new CopyBuffer();
    for (let round = 0; round < 3; round++)
      for (const text of texts) {
        out.row(1, text.length);
        out.ascii(text);
      }
    const octets = out.finish();
    expect(out.rows).toBe(1200);
    let at = SIGNATURE.length / 2;
    for (let row = 0; row < out.rows; row++) {
      const length = octets.readInt32BE(at + 2);
      expect(octets.toString('latin1', at + 6, at + 6 + length)).toBe(texts[row % texts.length]);
      at += 6 + length;
    }
    expect(octets.subarray(at).toString('hex')).toBe(TRAILER);
  });

  it('gives its memory to a later buffer when recycled, and only then', () => {
    const first = new CopyBuffer();
    const second = new CopyBuffer();
    const octets = first.finish();
    expect(second.finish().buffer).not.toBe(octets.buffer);
    first.recycle();
    const third = new CopyBuffer();
    third.row(1, 0);
    third.int16(1);
    expect(third.finish().buffer).toBe(octets.buffer);
    expect(new CopyBuffer().finish().buffer).not.toBe(octets.buffer);
  });
});
