import { getDomain } from 'tldts';
import { expect, it } from 'vitest';
import { registeredDomainLength } from '../../common/registeredDomain.ts';

const domainOf = (name: string) => name.slice(-registeredDomainLength(name));

it.each([
  ['www.example.com.', 'example.com.'],
  ['a.b.c.example.co.uk.', 'example.co.uk.'],
  ['alice.github.io.', 'alice.github.io.'],
  ['x.alice.github.io.', 'alice.github.io.'],
  ['github.io.', 'github.io.'],
  ['com.', 'com.'],
  ['.', '.'],
  ['localhost.', 'localhost.'],
  ['_sip._tcp.example.com.', 'example.com.'],
  ['www\\.x.example.com.', 'example.com.'],
  ['1.2.0.192.in-addr.arpa.', '192.in-addr.arpa.'],
  ['bucket.s3.dualstack.us-east-1.amazonaws.com.', 'bucket.s3.dualstack.us-east-1.amazonaws.com.'],
  ['host.corp.', 'host.corp.'],
])('the registered domain of %s is %s', (name, domain) => {
  expect(domainOf(name)).toBe(domain);
  expect(domainOf(name)).toBe(domain); // known by now
});

it('is that of the Public Suffix List for any hosts of any domains, in any order', () => {
  const suffixes = [
    'com',
    'co.uk',
    'github.io',
    'compute.amazonaws.com',
    'ck',
    'www.ck',
    'kawasaki.jp',
    'city.kawasaki.jp',
    'unknown',
  ];
  const names = suffixes.flatMap(suffix =>
    [suffix, `a.${suffix}`, `b.a.${suffix}`, `c.b.a.${suffix}`, `d.c.b.a.${suffix}`].map(name => `${name}.`),
  );
  for (const name of [...names, ...names.toReversed()]) {
    const listed = getDomain(name.slice(0, -1), {
      allowPrivateDomains: true,
      extractHostname: false,
      validateHostname: false,
    });
    expect(domainOf(name), name).toBe(listed === null ? name : `${listed}.`);
  }
});
