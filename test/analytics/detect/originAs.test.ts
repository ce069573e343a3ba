import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { setSettings } from '../../../analytics/detect/configFile.ts';
import { originReader } from '../../../analytics/detect/originAs.ts';
import { detect } from '../../../analytics/tasks/detect.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { asnDatabase } from '../../support/mmdbWriter.ts';
import { background, insertLookups, type Lookup } from './records.ts';

let directory: string;
let database: TestDatabase;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dnstrail-asn-'));
  database = await createTestDatabase();
  const fluxing = (name: string, addressOf: (i: number) => string): Lookup[] =>
    Array.from({ length: 12 }, (_, i) => ({
      at: Date.parse('2024-05-09T08:00:00Z') + i * 300_000,
      name,
      client: '10.0.5.1',
      answers: [{ ttl: 120, rdata: addressOf(i) }],
    }));
  await insertLookups(database.pool, [
    ...background('2024-05-09T00:00:00Z', 24),
    // twelve /16 of twelve ASes, of one, and one /16 of twelve ASes
    ...fluxing('www.flux.org.', i => `${20 + i}.1.7.7`),
    ...fluxing('www.one-provider.org.', i => `${60 + i}.1.7.7`),
    ...fluxing('www.leased.org.', i => `90.1.${i}.7`),
  ]);
});

afterAll(async () => {
  await database.drop();
  await rm(directory, { recursive: true });
});

async function write(name: string, networks: Readonly<Record<string, number>>): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, asnDatabase(networks));
  return path;
}

const each = (count: number, entry: (i: number) => [string, number]) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => entry(i)));

async function fluxes(): Promise<{ subject: string; evidence: Record<string, unknown> }[]> {
  await detect(database.pool, { isUrgent: true });
  const { rows } = await database.pool.query(
    `select subject, evidence from public.detection where kind = 'fast_flux' order by 1`,
  );
  return rows;
}

test('reads the AS of IPv4 and IPv6 addresses, counts what is not in the file as one more, and sees a new file', async () => {
  const path = await write('some.mmdb', {
    '192.0.2.0/24': 64_496,
    '198.51.100.128/25': 64_497,
    '2001:db8::/32': 64_511,
  });
  const addresses = [
    '192.0.2.1',
    '192.0.2.200',
    '198.51.100.129',
    '198.51.100.1',
    '203.0.113.9',
    '2001:db8:1::1',
  ];
  const read = await originReader(path);
  expect(read?.(addresses)).toEqual({ ases: 4, numbers: [64_496, 64_497, 64_511], unknown: 2 });
  await new Promise(resolve => setTimeout(resolve, 5)); // another time of change
  await write('some.mmdb', { '0.0.0.0/1': 4_200_000_000, '128.0.0.0/1': 1 });
  expect((await originReader(path))?.(addresses.slice(0, 5))).toEqual({ ases: 1, numbers: [1], unknown: 0 });
});

test('a file that is not there or no database is as good as none', async () => {
  expect(await originReader(null)).toBeUndefined();
  expect(await originReader(join(directory, 'absent.mmdb'))).toBeUndefined();
  const path = join(directory, 'broken.mmdb');
  await writeFile(path, 'no database');
  expect(await originReader(path)).toBeUndefined();
});

test('fast_flux counts origin ASes where a file is set, else networks that stand for them, and says which', async () => {
  const without = await fluxes();
  expect(without.map(({ subject }) => subject)).toEqual(['flux.org.', 'one-provider.org.']);
  expect(without[0]?.evidence).toMatchObject({
    addresses: 12,
    networks_16_32: 12,
    networks_stand_for: expect.stringContaining('asn_database'),
  });
  expect(without[0]?.evidence).not.toHaveProperty('origin_ases');

  const path = await write('asn.mmdb', {
    ...each(12, i => [`${20 + i}.0.0.0/8`, 65_000 + i]),
    ...each(12, i => [`${60 + i}.1.0.0/16`, 64_500]),
    ...each(12, i => [`90.1.${i}.0/24`, 66_000 + i]),
  });
  await setSettings(database.pool, { asn_database: path });
  const found = await fluxes();
  expect(found.map(({ subject }) => subject)).toEqual(['flux.org.', 'leased.org.']);
  expect(found[1]?.evidence).toMatchObject({
    networks_16_32: 1,
    origin_ases: 12,
    some_origin_ases: Array.from({ length: 12 }, (_, i) => 66_000 + i),
    flux_score: Math.round((1.32 * 12 + 18.54 * 12) * 100) / 100,
  });
  expect(found[1]?.evidence).not.toHaveProperty('networks_stand_for');
});
