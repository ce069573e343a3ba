import { describe, expect, it } from 'vitest';
import {
  address,
  base32hex,
  bitMapTypes,
  canonical,
  endpoint,
  quoted,
  signatureTime,
} from './presentation.ts';

describe('canonical', () => {
  it.each([
    ['WwW.Example.', true, 'www.example.'],
    ['www.example', false, 'www.example.'],
    ['.', true, '.'],
    ['dot\\.in\\.label.example.', true, 'dot\\.in\\.label.example.'],
    ['back\\\\slash.example.', true, 'back\\\\slash.example.'],
    ['back\\slash.example.', false, 'back\\\\slash.example.'],
    ['bin\\x00\\x01\\xFFx\\n.example.', true, 'bin\\000\\001\\255x\\010.example.'],
    ['bin\0\x01\xffx\n.example.', false, 'bin\\000\\001\\255x\\010.example.'],
    ['a b"c;d@e$f(g).', true, 'a\\032b\\"c\\;d\\@e\\$f\\(g\\).'],
  ])('writes %j (escaped: %s) as %j', (raw, escaped, name) => expect(canonical(raw, escaped)).toBe(name));

  it('knows no name with an empty label', () => {
    expect(canonical('many.big..', true)).toBeNull();
    expect(canonical('...long.example.', true)).toBeNull();
  });
});

it('writes TXT in quotes', () => {
  expect(quoted('he said "hi" back\\\\slash\\x09', true)).toBe('"he said \\"hi\\" back\\\\slash\\009"');
  expect(quoted('v=1; caf\xe9', false)).toBe('"v=1; caf\\233"');
});

it('writes addresses as RFC 5952 wants them', () => {
  expect(address('2001:0db8:00cd::0001')).toBe('2001:db8:cd::1');
  expect(address('::ffff:c000:0224')).toBe('::ffff:192.0.2.36');
  expect(endpoint('::ffff:c000:0224')).toBe('192.0.2.36');
});

it('writes the parts of DNSSEC records as zone files have them', () => {
  expect(base32hex('36fda0344e07799f66e195f8466ccb5307d0de15')).toBe('6ruq0d2e0tspupn1ins4cr6bac3t1ngl');
  expect(bitMapTypes('000722010000000380')).toEqual(['NS', 'SOA', 'MX', 'RRSIG', 'NSEC', 'DNSKEY']);
  expect(signatureTime(1_797_802_148)).toBe('20261220212908');
});
