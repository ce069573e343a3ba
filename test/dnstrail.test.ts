import { execFile } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from './support/database.ts';

const root = new URL('..', import.meta.url).pathname;
const fixture = (name: string) => `${root}test/fixtures/${name}`;
let database: TestDatabase;
let folder: string;

beforeAll(async () => {
  database = await createTestDatabase();
  folder = mkdtempSync(join(tmpdir(), 'dnstrail-cli-'));
});
afterAll(async () => {
  await database.drop();
  rmSync(folder, { recursive: true });
});

/** Runs the command line as a user would. */
async function dnstrail(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const env = { ...process.env, DATABASE_URL: database.url, DNSTRAIL_HOME: folder };
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [`${root}dnstrail.ts`, ...args], {
      env,
      maxBuffer: 1 << 26,
    });
    return { code: 0, stdout, stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }; // execFile's error
    return { code, stdout, stderr };
  }
}

describe('dnstrail load --json', () => {
  it('prints one object, and exits with 0 while every file is loaded or duplicate', async () => {
    const copy = join(folder, 'copy.ipfix');
    copyFileSync(fixture('yaf2164-small.ipfix'), copy);
    const { code, stdout } = await dnstrail('load', '--json', fixture('yaf2164-small.ipfix'), copy);
    const { files, totals } = JSON.parse(stdout);
    expect(code).toBe(0);
    expect(files.map(({ status }: { status: string }) => status).sort()).toEqual(['duplicate', 'loaded']);
    const loaded = files.find(({ status }: { status: string }) => status === 'loaded');
    expect(loaded).toEqual({
      path: expect.stringMatching(/\.ipfix$/),
      status: 'loaded',
      messages: 9,
      data_records: 210,
      flows: 208,
      rrs: 727,
      quarantined: 0,
      error: null,
    });
    expect(totals).toMatchObject({
      messages: 9,
      data_records: 210,
      flows: 208,
      rrs: 727,
      loaded: 1,
      duplicate: 1,
      partial: 0,
      failed: 0,
    });
  });

  it('exits with 1 and names file, offset and reason when one is damaged; the others are loaded', async () => {
    const cut = join(folder, 'cut.ipfix');
    writeFileSync(cut, readFileSync(fixture('yaf2122-vlan.ipfix')).subarray(0, -100));
    const web = join(folder, 'web.ipfix');
    writeFileSync(web, 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    const { code, stdout } = await dnstrail('load', '--json', cut, web, fixture('yaf271-names.ipfix'));
    const { files } = JSON.parse(stdout);
    expect(code).toBe(1);
    expect(files.map(({ status }: { status: string }) => status)).toEqual(['partial', 'failed', 'loaded']);
    expect(files[0].error).toMatch(/truncated: octet \d+/);
    expect(files[1].error).toMatch(/version: octet 0: version 18245/);
  });

  it('says which path does not exist', async () => {
    const { code, stderr } = await dnstrail('load', '/nowhere/x.ipfix');
    expect(code).toBe(1);
    expect(stderr).toContain('there is no file or directory /nowhere/x.ipfix');
  });
});

describe('dnstrail sql', () => {
  it('prints rows as JSON', async () => {
    const { stdout } = await dnstrail(
      'sql',
      '--format',
      'json',
      `select rrname, rrtype_name(28) as type, count(*) from dns_rr where rrname = 'www.example.com.' and section = 0 group by 1`,
    );
    expect(JSON.parse(stdout)).toEqual({
      rrname: 'www.example.com.',
      type: 'AAAA',
      count: expect.any(Number),
    });
  });

  it('gives the error of PostgreSQL, and exits with 1', async () => {
    const { code, stderr } = await dnstrail('sql', 'select nonsense');
    expect(code).toBe(1);
    expect(stderr).toContain('column "nonsense" does not exist');
  });
});

it('dnstrail status --json shows a ledger that closes', async () => {
  const status = JSON.parse((await dnstrail('status', '--json')).stdout);
  expect(status.unbalanced).toEqual([]);
  expect(status.files).toEqual({ loading: 0, loaded: 2, partial: 1, failed: 1 });
  expect(status.exporters[0]).toMatchObject({
    exporter: 'files',
    observation_domain_id: 0,
    sequence_gaps: 0,
  });
  expect((await dnstrail('status')).stdout).toContain('ledger     closes');
});

it('dnstrail decode prints messages, templates, records, and what is wrong, without a database', async () => {
  const damaged = join(folder, 'damaged.ipfix');
  writeFileSync(
    damaged,
    Buffer.concat([readFileSync(fixture('yaf2122-vlan.ipfix')), Buffer.from('garbage')]),
  );
  const { code, stdout } = await dnstrail('decode', damaged);
  const lines = stdout
    .trim()
    .split('\n')
    .map(line => JSON.parse(line));
  const count = (kind: string) => lines.filter(line => line.kind === kind).length;
  expect(code).toBe(1);
  expect([count('message'), count('template'), count('record'), count('undecodable')]).toEqual([
    5, 27, 47, 1,
  ]);
  expect(lines.at(-1)).toMatchObject({
    kind: 'undecodable',
    offset: 14930,
    reason: 'version',
    octets: Buffer.from('garbage').toString('hex'),
  });
});

it('dnstrail doctor names what is wrong with a file, and says when nothing arrived', async () => {
  const { code, stdout } = await dnstrail('doctor', fixture('yaf2164-small-flowonly.ipfix'));
  expect(code).toBe(0);
  expect(stdout).toContain('no DNS templates: start YAF with --applabel');
  const nothing = await dnstrail('doctor');
  expect(nothing.code).toBe(1);
  expect(nothing.stdout).toContain('nothing has arrived');
});

it('a setting that is not allowed is named with its value', async () => {
  const { code, stderr } = await dnstrail('load', '--loaders', 'many', fixture('yaf271-names.ipfix'));
  expect(code).toBe(1);
  expect(stderr).toContain('loaders (given as flag) is "many"');
});

it('each command has --help with examples', async () => {
  const commands = ['up', 'collect', 'load', 'migrate', 'status', 'sql', 'psql', 'decode', 'doctor'];
  const helps = await Promise.all(commands.map(command => dnstrail(command, '--help')));
  for (const { code, stdout } of helps) {
    expect(code).toBe(0);
    expect(stdout).toContain('Examples:\n  $ ');
  }
});
