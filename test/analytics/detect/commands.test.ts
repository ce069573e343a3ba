import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { runDnstrail } from '../../support/processes.ts';
import { insertLookups } from './records.ts';

let database: TestDatabase;
let directory: string;

beforeAll(async () => {
  database = await createTestDatabase();
  directory = await mkdtemp(join(tmpdir(), 'dnstrail-commands-'));
  await insertLookups(database.pool, [
    ...Array.from({ length: 12 }, (_, i) => ({
      at: '2024-05-01T00:10:00Z',
      name: 'a.example.com.',
      client: `10.0.1.${i}`,
    })),
    { at: '2024-05-01T00:10:00Z', name: 'a.example.com.', client: '10.0.2.3', resolver: '8.8.8.8' },
  ]);
});

afterAll(async () => {
  await database.drop();
  await rm(directory, { recursive: true });
});

async function dnstrail(...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const program = runDnstrail(args, { DATABASE_URL: database.url, DNSTRAIL_HOME: directory });
  const { code } = await program.exited;
  return { code, out: program.stdout(), err: program.stderr() };
}

async function apply(settings: string): ReturnType<typeof dnstrail> {
  const file = join(directory, 'network.json');
  await writeFile(file, settings);
  return dnstrail('config', 'apply', file);
}

test('from what an operator knows to a detection that explains itself, and a mute', async () => {
  expect((await dnstrail('detect', 'run')).out).toMatch(
    /^1 hours with new records, \d+ windows looked at; \d+ detections\n$/,
  );
  expect((await dnstrail('resolvers')).out).toContain(
    '10.0.0.53 serves 12 clients (12 lookups read, 12 flows): approve? dnstrail resolvers approve 10.0.0.53',
  );
  expect((await apply('{"approved_resolvers": ["10.0.0.53"]}')).out).toBe('changed approved_resolvers\n');
  expect(JSON.parse((await dnstrail('config', 'show')).out)).toMatchObject({
    approved_resolvers: ['10.0.0.53'],
  });
  await dnstrail('detect', 'run', 'rogue_resolver');
  const [found] = JSON.parse((await dnstrail('detections', '--kind', 'rogue_resolver', '--json')).out);
  expect(found).toMatchObject({
    kind: 'rogue_resolver',
    subject: '8.8.8.8',
    client: '10.0.2.3',
    first: '2024-05-01T00:10:00.000Z',
    last: '2024-05-01T00:10:00.000Z',
    severity: expect.stringMatching(/low|medium|high/),
    evidence: { ways: ['UDP 53'], flows: 1, approved_resolvers: ['10.0.0.53'] },
  });
  const shown = (await dnstrail('detections', 'show', String(found.id))).out;
  expect(shown).toContain('rogue_resolver: 8.8.8.8, client 10.0.2.3');
  expect(shown).toContain('select * from public.flow');
  const line = JSON.parse((await dnstrail('detections', '--kind', 'rogue_resolver', '--ndjson')).out);
  expect(line).toEqual(found);
  const what = await dnstrail('detect', 'what-if', 'rogue_resolver', '--set', 'flows=2');
  expect(what.out).toContain('- 8.8.8.8 by 10.0.2.3');
  const muted = await dnstrail(
    'detections',
    'mute',
    '--subject',
    '8.8.8.8',
    '--reason',
    'known',
    '--until',
    '30d',
  );
  expect(muted.out).toMatch(/^mute 1 until /);
  expect((await dnstrail('detections', '--kind', 'rogue_resolver')).out).toBe('no detections\n');
});

test('what is wrong is said with its place, and the exit code is not 0', async () => {
  for (const [run, message] of [
    [() => apply('{"approved_resolvers": ["10.0.0"]}'), 'approved_resolvers.0: is no network'],
    [() => apply('{"approved'), 'is neither JSON nor YAML'],
    [() => dnstrail('detect', 'run', 'slow_flux'), 'there is no kind "slow_flux"; there are first_seen'],
    [() => dnstrail('detections', '--since', 'yesterday'), '"yesterday" is no time'],
  ] as const) {
    const { code, err } = await run();
    expect(code).not.toBe(0);
    expect(err).toContain(message);
  }
});
