import { afterAll, beforeAll, expect, test } from 'vitest';
import { detect } from '../../../analytics/tasks/detect.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { background, insertLookups, type Lookup, set } from './records.ts';

/** The ninth day of a sensor's history. */
const DAY = '2024-05-09';
const at = (time: string) => `${DAY}T${time}Z`;

let database: TestDatabase;

const random = (seed: number) => () => {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
  return seed / 2 ** 32;
};

function letters(next: () => number, count: number): string {
  return Array.from(
    { length: count },
    () => 'abcdefghijklmnopqrstuvwxyz234567'[Math.floor(next() * 32)],
  ).join('');
}

function several(count: number, make: (i: number) => Lookup): Lookup[] {
  return Array.from({ length: count }, (_, i) => make(i));
}

const minutes = (i: number) => Date.parse(at('08:00:00')) + i * 60_000;

beforeAll(async () => {
  database = await createTestDatabase();
  const next = random(7);
  await set(database.pool, {
    own_networks: ['10.0.0.0/8'],
    approved_resolvers: ['10.0.0.53'],
    own_suffixes: ['corp.example.'],
    watch_list: [
      { word: 'paypal', legitimate: ['paypal.com.'] },
      { word: 'adobe', legitimate: ['adobe.com.'] },
    ],
    allow: { domains: ['allowed.net.'], networks: [] },
  });
  await insertLookups(
    database.pool,
    [
      ...background('2024-05-01T00:00:00Z', 24 * 8, 20, 8),
      ...background('2024-05-09T00:00:00Z', 24),
      // first_seen
      {
        at: at('09:00:00'),
        name: 'www.brand-new.net.',
        client: '10.0.2.1',
        answers: [{ rdata: '198.51.100.7' }],
      },
      { at: '2024-05-02T09:00:00Z', name: 'www.early.net.', answers: [{ rdata: '198.51.100.8' }] },
      {
        at: at('09:05:00'),
        name: 'new.early.net.',
        client: '10.0.2.1',
        answers: [{ rdata: '198.51.100.8' }],
      },
      { at: at('09:06:00'), name: 'x.allowed.net.', answers: [{ rdata: '198.51.100.8' }] },
      ...several(150, i => ({
        at: minutes(i),
        name: `h${i}.family.net.`,
        client: `10.0.1.${1 + (i % 20)}`,
        answers: [{ rdata: '198.51.100.9' }],
      })),
      // rogue_resolver: by UDP, undecoded, DoT; not: the approved one's upstream, multicast, from outside to us
      {
        at: at('10:00:00'),
        name: 'www.example.com.',
        client: '10.0.3.1',
        resolver: '8.8.8.8',
        answers: [{ rdata: '93.184.216.34' }],
      },
      { at: at('10:01:00'), name: '-', client: '10.0.3.2', resolver: '9.9.9.9', isDecoded: false },
      {
        at: at('10:02:00'),
        name: '-',
        client: '10.0.3.3',
        resolver: '1.1.1.1',
        port: 853,
        protocol: 6,
        isDecoded: false,
      },
      { at: at('10:03:00'), name: 'dns.google.', client: '10.0.3.4', answers: [{ rdata: '8.8.4.4' }] },
      {
        at: at('10:04:00'),
        name: 'www.example.com.',
        client: '10.0.0.53',
        resolver: '192.33.4.12',
        answers: [{ rdata: '93.184.216.34' }],
      },
      { at: at('10:05:00'), name: 'printer.local.', client: '10.0.3.5', resolver: '224.0.0.251', port: 5353 },
      {
        at: at('10:06:00'),
        name: 'www.example.com.',
        client: '203.0.113.9',
        resolver: '10.0.0.80',
        answers: [{ rdata: '93.184.216.34' }],
      },
      // rare_tld, nonexistent_tld
      {
        at: at('11:00:00'),
        name: 'www.strange.tk.',
        client: '10.0.4.1',
        answers: [{ rdata: '198.51.100.10' }],
      },
      {
        at: at('11:00:00'),
        name: 'www.stranger.tk.',
        client: '10.0.4.1',
        answers: [{ rdata: '198.51.100.10' }],
      },
      ...several(5, i => ({ at: at(`11:0${i}:00`), name: `h${i}.site.lan.`, client: '10.0.4.2', rcode: 3 })),
      ...several(5, i => ({
        at: at(`11:1${i}:00`),
        name: `h${i}.corp.example.`,
        client: '10.0.4.2',
        rcode: 3,
      })),
      // fast_flux against a CDN: many addresses in few networks, many visitors
      ...several(40, i => ({
        at: minutes(i),
        name: 'shop.flux.org.',
        client: '10.0.5.1',
        answers: several(4, () => ({ at: 0, name: '' })).map(() => ({
          ttl: 120,
          rdata: `${20 + Math.floor(next() * 60)}.${Math.floor(next() * 256)}.${Math.floor(next() * 256)}.${Math.floor(next() * 256)}`,
        })),
      })),
      ...several(200, i => ({
        at: minutes(i),
        name: 'edge.cdn.org.',
        client: `10.0.1.${1 + (i % 20)}`,
        answers: [{ ttl: 60, rdata: `151.101.${i % 4}.${i}` }],
      })),
      // double_flux
      ...several(30, i => ({
        at: minutes(i),
        name: 'www.doubleflux.org.',
        client: '10.0.5.2',
        answers: [
          { rdata: '198.51.100.20', ttl: 3600 },
          { name: 'doubleflux.org.', type: 2, ttl: 180, rdata: 'ns1.doubleflux.org.' },
          { name: 'ns1.doubleflux.org.', type: 1, ttl: 180, rdata: `${30 + i}.${i}.7.7` },
        ],
      })),
      // nxdomain_burst: generated domains; not: a search list appended
      ...several(30, i => ({
        at: minutes(i / 2),
        name: `${letters(next, 12)}.com.`,
        client: '10.0.6.1',
        rcode: 3,
      })),
      ...several(30, i => ({
        at: minutes(i / 2),
        name: `www.site${i}.com.corp.example.`,
        client: '10.0.6.2',
        rcode: 3,
      })),
      // tunnelling; not: the same names of an anti-virus that all clients have
      ...several(120, i => ({
        at: minutes(i),
        name: `${letters(next, 40)}.t.tunnel.net.`,
        client: '10.0.7.1',
        qtype: 16,
        answers: [{ rdata: '"x"' }],
      })),
      ...several(400, i => ({
        at: minutes(i / 2),
        name: `${letters(next, 32)}.avlookup.net.`,
        client: `10.0.1.${1 + (i % 20)}`,
        answers: [{ rdata: '127.0.0.1' }],
      })),
      // name_explosion
      ...several(400, i => ({
        at: minutes(i / 8),
        name: `${letters(next, 5)}.victim.net.`,
        client: `10.0.1.${1 + (i % 20)}`,
        rcode: 3,
      })),
      // lookalike; not: the brand's own
      {
        at: at('12:00:00'),
        name: 'www.paypa1.com.',
        client: '10.0.8.1',
        answers: [{ rdata: '198.51.100.30' }],
      },
      {
        at: at('12:01:00'),
        name: 'adobe-update.net.',
        client: '10.0.8.1',
        answers: [{ rdata: '198.51.100.30' }],
      },
      { at: at('12:02:00'), name: 'paypla.com.', client: '10.0.8.1', answers: [{ rdata: '198.51.100.30' }] },
      {
        at: at('12:03:00'),
        name: 'www.paypal.com.',
        client: '10.0.8.1',
        answers: [{ rdata: '198.51.100.30' }],
      },
      {
        at: at('12:04:00'),
        name: 'paypal.com.evil.org.',
        client: '10.0.8.1',
        answers: [{ rdata: '198.51.100.30' }],
      },
      // rebinding; not: our own names, block lists
      {
        at: at('13:00:00'),
        name: 'rebind.attack.org.',
        client: '10.0.9.1',
        answers: [{ ttl: 1, rdata: '198.51.100.40' }],
      },
      {
        at: at('13:00:05'),
        name: 'rebind.attack.org.',
        client: '10.0.9.1',
        answers: [{ ttl: 1, rdata: '192.168.1.1' }],
      },
      {
        at: at('13:01:00'),
        name: 'intranet.corp.example.',
        client: '10.0.9.1',
        answers: [{ rdata: '10.0.0.80' }],
      },
      // malformed_name; not: services
      { at: at('14:00:00'), name: 'bad\\001name.odd.net.', client: '10.0.10.1', rcode: 3 },
      { at: at('14:00:00'), name: 'worse\\001name.odd.net.', client: '10.0.10.1', rcode: 3 },
      { at: at('14:01:00'), name: '_ldap._tcp.fine.net.', client: '10.0.10.1', rcode: 3 },
      ...several(5, i => ({
        at: at(`14:02:0${i}`),
        name: `${'verylong'.repeat(7)}abc${i}.long.net.`,
        client: '10.0.10.2',
        rcode: 3,
      })),
      // beaconing; not: a person
      ...several(200, i => ({
        at: Date.parse(at('01:00:00')) + i * 300_000 + Math.floor(next() * 6000),
        name: 'c2.beacon.net.',
        client: '10.0.11.1',
        answers: [{ rdata: '198.51.100.50' }],
      })),
      ...several(100, () => ({
        at: Date.parse(at('07:00:00')) + Math.floor(next() * 50_000_000),
        name: 'www.news.net.',
        client: '10.0.11.2',
        answers: [{ rdata: '198.51.100.51' }],
      })),
    ].filter(
      ({ at: time }) => Date.parse(String(new Date(time).toISOString())) < Date.parse('2024-05-10T00:00:00Z'),
    ),
  );
  await detect(database.pool, { isUrgent: true });
}, 120_000);

afterAll(() => database.drop());

async function subjects(kind: string): Promise<[string, string | null][]> {
  const { rows } = await database.pool.query<{ subject: string; client: string | null }>(
    'select subject, host(client) as client from public.detection where kind = $1 order by 1, 2',
    [kind],
  );
  return rows.map(({ subject, client }) => [subject, client]);
}

test('first_seen tells new domains and new names, not in the burn-in, not what is allowed, and families once', async () => {
  const found = await subjects('first_seen');
  expect(found).toContainEqual(['brand-new.net.', '10.0.2.1']);
  expect(found).toContainEqual(['new.early.net.', '10.0.2.1']);
  expect(found.map(([subject]) => subject)).not.toContain('early.net.');
  expect(found.map(([subject]) => subject)).not.toContain('www.brand-new.net.');
  expect(found.filter(([subject]) => subject.endsWith('allowed.net.'))).toEqual([]);
  expect(found.filter(([subject]) => subject.endsWith('family.net.'))).toEqual([['family.net.', '10.0.1.1']]);
});

test('rogue_resolver tells use of others by port and by DoH name, decoded or not', async () => {
  expect(await subjects('rogue_resolver')).toEqual([
    ['1.1.1.1', '10.0.3.3'],
    ['8.8.8.8', '10.0.3.1'],
    ['9.9.9.9', '10.0.3.2'],
    ['dns.google.', '10.0.3.4'],
  ]);
});

test('rare_tld tells a TLD of one client, nonexistent_tld those that nobody has', async () => {
  expect(await subjects('rare_tld')).toEqual([['tk.', null]]);
  expect(await subjects('nonexistent_tld')).toEqual([['lan.', null]]);
});

test('fast_flux tells scattered addresses of few visitors, not a CDN', async () => {
  expect(await subjects('fast_flux')).toEqual([['flux.org.', null]]);
  expect(await subjects('double_flux')).toEqual([['doubleflux.org.', null]]);
});

test('nxdomain_burst tells generated domains, not a search list', async () => {
  expect(await subjects('nxdomain_burst')).toEqual([['10.0.6.1', '10.0.6.1']]);
});

test('tunnelling tells long names of one client, not of an anti-virus', async () => {
  expect(await subjects('tunnelling')).toEqual([['tunnel.net.', '10.0.7.1']]);
});

test('name_explosion tells many failing names below a domain', async () => {
  expect((await subjects('name_explosion')).map(([subject]) => subject)).toContain('victim.net.');
  expect((await subjects('name_explosion')).map(([subject]) => subject)).not.toContain('family.net.');
});

test('lookalike tells what looks like a word of the watch list, not its owner', async () => {
  expect((await subjects('lookalike')).map(([subject]) => subject)).toEqual([
    'adobe-update.net.',
    'evil.org.',
    'paypa1.com.',
    'paypla.com.',
  ]);
});

test('rebinding tells names of others that point inside', async () => {
  expect(await subjects('rebinding')).toEqual([['attack.org.', null]]);
});

test('malformed_name tells odd octets and labels that nobody writes, not names of services', async () => {
  expect(await subjects('malformed_name')).toEqual([
    ['long.net.', null],
    ['odd.net.', null],
  ]);
});

test('beaconing tells regular lookups, not those of people', async () => {
  expect(await subjects('beaconing')).toEqual([['beacon.net.', '10.0.11.1']]);
});

test('the SQL of every detection runs and shows rows', async () => {
  const { rows } = await database.pool.query<{ kind: string; query: string }>(
    'select kind, query from public.detection',
  );
  expect(rows.length).toBeGreaterThan(15);
  for (const { kind, query } of rows) {
    // what the loader groups is not in this database
    if (kind === 'first_seen') await database.pool.query(query);
    else expect((await database.pool.query(query)).rowCount, `${kind}: ${query}`).toBeGreaterThan(0);
  }
});
