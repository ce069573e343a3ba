import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { applySettings, setSettings, showSettings } from '../../../analytics/detect/configFile.ts';
import { listDetections, mute, setStatus, unmute } from '../../../analytics/detect/list.ts';
import { approveResolver, usedResolvers } from '../../../analytics/detect/resolvers.ts';
import { whatIf } from '../../../analytics/detect/whatIf.ts';
import { detect } from '../../../analytics/tasks/detect.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { detections, insertLookups } from './records.ts';

let database: TestDatabase;

beforeEach(async () => {
  database = await createTestDatabase();
});

afterEach(() => database.drop());

const urgent = { isUrgent: true } as const;

/** Two clients at another resolver than the others, one of them looking for domains that do not exist. */
async function load(): Promise<void> {
  await insertLookups(database.pool, [
    ...Array.from({ length: 10 }, (_, i) => ({
      at: '2024-05-01T00:10:00Z',
      name: 'a.example.com.',
      client: `10.0.1.${i}`,
    })),
    { at: '2024-05-01T00:10:00Z', name: 'a.example.com.', client: '10.0.2.3', resolver: '8.8.8.8' },
    { at: '2024-05-01T02:10:00Z', name: 'a.example.com.', client: '10.0.2.4', resolver: '8.8.8.8' },
    ...Array.from({ length: 8 }, (_, i) => ({
      at: `2024-05-01T03:1${i}:00Z`,
      name: `no${i}such.com.`,
      client: '10.0.2.4',
      rcode: 3,
    })),
  ]);
}

const rogues = async () =>
  (await listDetections(database.pool, { kind: 'rogue_resolver' })).map(({ client }) => client);

test('settings that change let the windows that they matter to be looked at again', async () => {
  await load();
  await detect(database.pool, urgent);
  expect(await rogues()).toEqual([]);
  expect(await usedResolvers(database.pool)).toMatchObject([
    { address: '10.0.0.53', clients: 11, isProposed: true, isApproved: false },
    { address: '8.8.8.8', clients: 2, isProposed: false },
  ]);
  await approveResolver(database.pool, '10.0.0.53');
  await detect(database.pool, urgent);
  expect(await rogues()).toEqual(['10.0.2.3', '10.0.2.4']);
  expect(await setSettings(database.pool, { allow: ['10.0.2.3', 'Example.ORG'] })).toEqual(['allow']);
  await detect(database.pool, urgent);
  expect(await rogues()).toEqual(['10.0.2.4']);
  expect(await setSettings(database.pool, { approved_resolvers: null })).toEqual(['approved_resolvers']);
  await detect(database.pool, urgent);
  expect(await rogues()).toEqual([]);
  expect(await detect(database.pool, urgent)).toEqual({ hours: 0, windows: 0 });
});

test('settings are checked as a whole, and every problem is named with its place', async () => {
  const wrong = {
    approved_resolvers: ['10.0.0.53/33'],
    burn_in_days: -1,
    nonsense: 1,
  };
  await expect(setSettings(database.pool, wrong)).rejects.toThrow(
    /approved_resolvers\.0: is no network[\s\S]*burn_in_days[\s\S]*nonsense/,
  );
  await expect(
    setSettings(database.pool, { burn_in_days: 1, thresholds: { fast_flux: { tll: 3 } } }),
  ).rejects.toThrow('thresholds.fast_flux');
  await expect(setSettings(database.pool, { thresholds: { slow_flux: {} } })).rejects.toThrow(
    'there is no kind "slow_flux"',
  );
  await expect(showSettings(database.pool)).resolves.toMatchObject({
    burn_in_days: 7,
    approved_resolvers: [],
  });
});

test('the shown settings hold all defaults, names in canonical form, and no secret', async () => {
  await setSettings(database.pool, {
    own_suffixes: ['*.Corp.Example', 'lan.'],
    allow: { domains: ['a.net'] },
    thresholds: { fast_flux: { ttl: 60 } },
    webhook: { url: 'http://127.0.0.1:1/', secret: 'do not show this to anybody' },
  });
  const shown = await showSettings(database.pool);
  expect(shown).toMatchObject({
    own_suffixes: ['corp.example.', 'lan.'],
    allow: { domains: ['a.net.'], networks: [] },
    burn_in_days: 7,
    thresholds: { fast_flux: { ttl: 60, flux_score: 142.38 }, nxdomain_burst: { domains: 10 } },
  });
  expect(JSON.stringify(shown)).not.toContain('do not show');
});

test('what-if shows the difference and stores nothing', async () => {
  await load();
  await detect(database.pool, urgent);
  const before = await detections(database.pool);
  await expect(whatIf(database.pool, 'nxdomain_burst', ['domains=8'])).resolves.toMatchObject({
    before: 0,
    after: 1,
    added: [{ subject: '10.0.2.4', client: '10.0.2.4', windows: 1 }],
    gone: [],
    thresholds: { domains: 8, own_factor: 3 },
  });
  await expect(whatIf(database.pool, 'nxdomain_burst', ['domain=8'])).rejects.toThrow('nxdomain_burst: ');
  await expect(whatIf(database.pool, 'nxdomain_burst', ['domains'])).rejects.toThrow('threshold=value');
  expect(await detections(database.pool)).toEqual(before);
});

test('muted and closed detections are found but not listed, unless wished', async () => {
  await load();
  await approveResolver(database.pool, '10.0.0.53');
  await detect(database.pool, urgent);
  const until = new Date(Date.now() + 3_600_000);
  const id = await mute(database.pool, {
    kind: 'rogue_resolver',
    client: '10.0.2.3',
    reason: 'tests',
    author: 'test',
    until,
  });
  expect(await rogues()).toEqual(['10.0.2.4']);
  expect(await unmute(database.pool, id)).toBe(true);
  expect(await unmute(database.pool, id)).toBe(false);
  const [first] = await listDetections(database.pool, { kind: 'rogue_resolver' });
  await setStatus(database.pool, first!.id, 'closed'); // there are two
  expect(await rogues()).toEqual(['10.0.2.4']);
  expect(await listDetections(database.pool, { kind: 'rogue_resolver', all: true })).toHaveLength(2);
  await expect(mute(database.pool, { reason: 'r', author: 'a', until })).rejects.toThrow('say what to mute');
});

test('a file of settings may be YAML', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'dnstrail-settings-'));
  try {
    const path = join(directory, 'network.yaml');
    await writeFile(path, 'burn_in_days: 3\napproved_resolvers:\n  - 10.0.0.53 # ours\nallow: [a.net]\n');
    expect((await applySettings(database.pool, path)).sort()).toEqual([
      'allow',
      'approved_resolvers',
      'burn_in_days',
    ]);
  } finally {
    await rm(directory, { recursive: true });
  }
});
