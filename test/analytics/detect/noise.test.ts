import { afterAll, beforeAll, expect, test } from 'vitest';
import { detect } from '../../../analytics/tasks/detect.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { background, insertLookups, type Lookup, set } from './records.ts';

const at = (time: string) => `2024-05-09T${time}Z`;
const minute = (i: number) => Date.parse(at('08:00:00')) + i * 60_000;
const several = (count: number, make: (i: number) => Lookup): Lookup[] =>
  Array.from({ length: count }, (_, i) => make(i));

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
  await set(database.pool, { own_networks: ['10.0.0.0/8', 'fd00::/8'], approved_resolvers: ['10.0.0.53'] });
  const hidden = { name: '-', isDecoded: false } as const;
  await insertLookups(database.pool, [
    ...background(at('00:00:00'), 24),
    // encrypted DNS: only flows are there, of either direction
    {
      at: at('10:00:00'),
      client: '10.0.3.1',
      resolver: '9.9.9.9',
      port: 853,
      protocol: 17,
      application: 0,
      ...hidden,
    },
    {
      at: at('10:01:00'),
      client: '10.0.3.2',
      resolver: '9.9.9.10',
      port: 853,
      protocol: 6,
      application: 0,
      ...hidden,
    },
    {
      at: at('10:02:00'),
      client: '10.0.3.3',
      resolver: '10.0.0.53',
      port: 853,
      protocol: 6,
      application: 0,
      ...hidden,
    },
    {
      at: at('10:03:00'),
      client: 'fd00::7',
      resolver: '2620:fe::fe',
      port: 853,
      protocol: 17,
      application: 0,
      ...hidden,
    },
    {
      at: at('10:04:00'),
      client: '10.0.3.4',
      resolver: '9.9.9.11',
      port: 53,
      protocol: 6,
      application: 0,
      ...hidden,
    },
    {
      at: at('10:05:00'),
      client: '10.0.3.5',
      name: 'ab12cd.dns.nextdns.io.',
      answers: [{ rdata: '198.51.100.1' }],
    },
    { at: at('10:06:00'), client: '10.0.3.6', name: 'nextdns.io.', answers: [{ rdata: '198.51.100.1' }] },
    // people mistype; a program that has it wrong goes on
    ...several(8, i => ({ at: minute(i), client: `10.0.4.${i}`, name: `www.site${i}.comm.`, rcode: 3 })),
    ...several(30, i => ({ at: minute(i), client: '10.0.4.9', name: `api${i % 3}.vendor.nett.`, rcode: 3 })),
    // senders of junk mail, and domains that a program makes up
    ...several(40, i => ({
      at: minute(i),
      client: '10.0.5.1',
      name: `forged${i}.com.`,
      qtype: 15,
      rcode: 3,
    })),
    ...several(40, i => ({ at: minute(i), client: '10.0.5.2', name: `made-up${i}.com.`, rcode: 3 })),
    // of two that look like flux, others point to one by CNAME, and to a domain that only ends like the other
    ...['www.carrier.org.', 'www.flux.org.'].flatMap(name =>
      several(12, i => ({
        at: minute(5 * i),
        client: '10.0.6.1',
        name,
        answers: [{ ttl: 120, rdata: `${20 + i}.1.7.${name.length}` }],
      })),
    ),
    ...['edge.carrier.org.', 'edge.noflux.org.'].flatMap(rdata =>
      several(6, i => ({
        at: minute(i),
        client: '10.0.6.2',
        name: `www.shop${i}.org.`,
        answers: [{ type: 5, rdata }],
      })),
    ),
  ]);
  await detect(database.pool, { isUrgent: true });
});

afterAll(() => database.drop());

async function found(kind: string): Promise<{ subject: string; client: string | null; evidence: object }[]> {
  const { rows } = await database.pool.query(
    'select subject, host(client) as client, evidence from public.detection where kind = $1 order by 1',
    [kind],
  );
  return rows;
}

test('DoT, DoQ and TCP count whether or not the exporter saw DNS in them, and DoH by names of one customer', async () => {
  expect(await found('rogue_resolver')).toMatchObject([
    { subject: '2620:fe::fe', client: 'fd00::7', evidence: { ways: ['DoQ (UDP 853)'], lookups_decoded: 0 } },
    { subject: '9.9.9.10', client: '10.0.3.2', evidence: { ways: ['DoT (TCP 853)'] } },
    { subject: '9.9.9.11', client: '10.0.3.4', evidence: { ways: ['TCP 53'] } },
    { subject: '9.9.9.9', client: '10.0.3.1', evidence: { ways: ['DoQ (UDP 853)'], flows: 1 } },
    {
      subject: 'ab12cd.dns.nextdns.io.',
      client: '10.0.3.5',
      evidence: { ways: ['DoH, by the name looked up'] },
    },
  ]);
});

test('a top-level domain that people mistyped is not told, one that a program has wrong is', async () => {
  expect(await found('nonexistent_tld')).toMatchObject([
    { subject: 'nett.', evidence: { looks_like: 'a typing error', lookups: 30 } },
  ]);
});

test('senders of mail that do not exist are no burst of the mail server', async () => {
  expect(await found('nxdomain_burst')).toMatchObject([
    { subject: '10.0.5.2', evidence: { nx_domains: 40 } },
  ]);
});

test('fast_flux takes for a CDN what other domains point to, and nothing that merely ends like it', async () => {
  expect(await found('fast_flux')).toMatchObject([
    { subject: 'flux.org.', evidence: { other_domains_that_point_here: 0 } },
  ]);
});
