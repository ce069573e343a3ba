import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline/promises';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  type EmbeddedOptions,
  type EmbeddedPostgres,
  openEmbedded,
} from '../../../common/postgres/embedded.ts';

const OPENER = fileURLToPath(new URL('./opener.ts', import.meta.url));
const NOBODY = { uid: 65534, gid: 65534 };
const root = process.getuid?.() === 0;
/** Another user can run the code where it lies: false in a checkout below a private directory. */
const sharedCheckout =
  root &&
  spawnSync(process.execPath, ['-e', 'fs.readFileSync(process.argv[1])', OPENER], { ...NOBODY, cwd: '/' })
    .status === 0;

let base: string; // removed in the end
let home: string; // base, or in it
let opened: EmbeddedPostgres[];
let children: ChildProcess[];

beforeEach(() => {
  opened = [];
  children = [];
});

async function closeAll(): Promise<void> {
  for (const child of children) await kill(child);
  for (const server of opened) await server.close();
}

async function makeHome(): Promise<void> {
  base = await mkdtemp(path.join(os.tmpdir(), 'dnstrail-embedded-'));
  await chmod(base, 0o755);
  home = base;
}

async function removeHome(): Promise<void> {
  await closeAll();
  await stopOrphan();
  await rm(base, { recursive: true, force: true });
}

async function open(options: EmbeddedOptions = {}): Promise<EmbeddedPostgres> {
  const server = await openEmbedded(home, { durable: false, ...options });
  opened.push(server);
  return server;
}

/** What an opener left that was killed last: joined and, as nobody else is there, stopped. */
async function stopOrphan(): Promise<void> {
  if (await exists(path.join(home, 'postgres', 'data', 'PG_VERSION')))
    await (await openEmbedded(home, { durable: false })).close();
}

interface Opener {
  readonly child: ChildProcess;
  readonly report: { started: boolean; serverUser: string; dataDirectory: string; postmaster: string };
}

async function spawnOpener(identity: { uid?: number; gid?: number } = {}): Promise<Opener> {
  const child = spawn(process.execPath, [OPENER, home], {
    stdio: ['pipe', 'pipe', 'pipe'],
    cwd: '/',
    ...identity,
  });
  children.push(child);
  let errors = '';
  child.stderr.on('data', text => {
    errors += text;
  });
  for await (const line of createInterface(child.stdout)) return { child, report: JSON.parse(line) };
  throw new Error(`the opener ended: ${errors}`);
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

async function finish({ child }: Opener): Promise<void> {
  const exit = once(child, 'exit');
  child.stdin!.end(); // it is a pipe
  expect(await exit).toEqual([0, null]);
}

async function query<Row extends pg.QueryResultRow>(url: string, text: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  return client
    .query<Row>(text)
    .then(({ rows }) => rows)
    .finally(() => client.end());
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}

async function postmasterPid({ dataDirectory }: { dataDirectory: string }): Promise<number> {
  return Number.parseInt(await readFile(path.join(dataDirectory, 'postmaster.pid'), 'utf8'), 10);
}

describe('a server of its own', () => {
  beforeAll(makeHome);
  afterEach(closeAll);
  afterAll(removeHome);

  test('starts on an empty home, is joined by the second opener and stopped by the last', async () => {
    const first = await open();
    const second = await open();
    expect([first.started, second.started]).toEqual([true, false]);
    const [row] = await query(
      second.url,
      `select current_user as name, pg_encoding_to_char(encoding) as encoding, current_setting('data_checksums') as checksums,
         'a' < 'B' as linguistic, upper('ä') as upper from pg_database where datname = current_database()`,
    );
    expect(row).toEqual({
      name: 'dnstrail',
      encoding: 'UTF8',
      checksums: 'on',
      linguistic: false,
      upper: 'Ä',
    });
    await first.close();
    await query(second.url, 'select 1');
    await second.close();
    await second.close();
    await expect(query(second.url, 'select 1')).rejects.toThrow('ENOENT');
    expect(await exists(path.join(second.dataDirectory, 'postmaster.pid'))).toBe(false);
  });

  test('is closed to other users: private directory, no network', async () => {
    const server = await open();
    expect((await stat(server.socketDirectory)).mode & 0o777).toBe(0o700);
    expect(server.tcpUrl).toBeUndefined();
    expect(await query(server.url, `select current_setting('listen_addresses') as addresses`)).toEqual([
      { addresses: '' },
    ]);
  });

  test('keeps its data from one opening to the next', async () => {
    const first = await open();
    await query(first.url, 'create table kept as select 42 as answer');
    await first.close();
    const second = await open();
    expect(second.started).toBe(true);
    expect(await query(second.url, 'select answer from kept')).toEqual([{ answer: 42 }]);
  });

  test('puts its socket elsewhere when the path of the home is too long for one', async () => {
    home = path.join(base, 'x'.repeat(90), 'it\'s, "quoted"');
    const server = await open();
    expect(server.socketDirectory.length).toBeLessThan(86);
    expect((await stat(server.socketDirectory)).mode & 0o777).toBe(0o700);
    expect(await query(server.url, 'select 1 as one')).toEqual([{ one: 1 }]);
    await server.close();
    await rm(server.socketDirectory, { recursive: true });
    home = base;
  });

  test('listens on a port of 127.0.0.1 if told to, with a password', async () => {
    const port = await freePort();
    const server = await open({ port });
    expect(server.tcpUrl).toContain(`@127.0.0.1:${port}/`);
    expect(await query(server.tcpUrl!, 'select 1 as one')).toEqual([{ one: 1 }]);
    expect(await query(server.url, 'select 1 as one')).toEqual([{ one: 1 }]);
    await expect(query(server.tcpUrl!.replace(/:[^:@]+@/, ':wrong@'), 'select 1')).rejects.toThrow(
      'password authentication failed',
    );
    expect((await stat(path.join(server.dataDirectory, '..', 'password'))).mode & 0o777).toBe(0o600);
    const joined = await openEmbedded(home); // without the port
    expect(joined.tcpUrl).toBe(server.tcpUrl);
    await joined.close();
  });

  test('says which port is taken', async () => {
    const holder = net.createServer().listen(0, '127.0.0.1');
    await once(holder, 'listening');
    const { port } = holder.address() as net.AddressInfo; // of a TCP server
    await expect(open({ port })).rejects.toThrow(
      `port ${port} of 127.0.0.1 (DNSTRAIL_POSTGRES_PORT) is not free`,
    );
    holder.close();
  });

  test('refuses data of another major version', async () => {
    const server = await open();
    await server.close();
    const versionFile = path.join(server.dataDirectory, 'PG_VERSION');
    await writeFile(versionFile, '13\n');
    await expect(open()).rejects.toThrow(/was made by PostgreSQL 13, the bundled one is 18/);
    await writeFile(versionFile, '18\n');
  });

  test('shows the log of a server that does not start', async () => {
    const server = await open();
    await server.close();
    const settings = path.join(server.dataDirectory, 'postgresql.auto.conf');
    await writeFile(settings, "shared_preload_libraries = 'no_such_library'\n");
    await expect(open()).rejects.toThrow(/could not access file "no_such_library"/);
    await writeFile(settings, '');
  });
});

describe('many processes', () => {
  beforeEach(makeHome);
  afterEach(removeHome);

  test('that race on an empty home all get the same server', async () => {
    const openers = await Promise.all([spawnOpener(), spawnOpener(), spawnOpener()]);
    expect(openers.filter(({ report }) => report.started)).toHaveLength(1);
    expect(new Set(openers.map(({ report }) => report.postmaster)).size).toBe(1);
    expect((await readdir(path.join(home, 'postgres'))).filter(name => name.startsWith('data'))).toEqual([
      'data',
    ]);
    await Promise.all(openers.map(finish));
    expect(await exists(path.join(home, 'postgres', 'data', 'postmaster.pid'))).toBe(false);
  });

  test('can come while the last user is stopping the server', async () => {
    let last = await open();
    for (let round = 0; round < 5; round++) {
      const closing = last.close();
      await setTimeout(round * 15);
      last = await open();
      expect(await query(last.url, 'select 1 as one')).toEqual([{ one: 1 }]);
      await closing;
    }
  });
});

describe('after a crash', () => {
  beforeEach(makeHome);
  afterEach(removeHome);

  test('of the opener the next one joins its server and stops it in the end', async () => {
    const { child, report } = await spawnOpener();
    await kill(child);
    const server = await open();
    expect(server.started).toBe(false);
    expect(await query(server.url, 'select pg_postmaster_start_time()::text as postmaster')).toEqual([
      { postmaster: report.postmaster },
    ]);
    await server.close();
    expect(await exists(path.join(server.dataDirectory, 'postmaster.pid'))).toBe(false);
  });

  test('of the opener amid its first start the next one still succeeds', async () => {
    for (const delayMs of [250, 600, 900]) {
      const child = spawn(process.execPath, [OPENER, home], { stdio: 'ignore' });
      children.push(child);
      await setTimeout(delayMs);
      await kill(child);
    }
    const server = await open();
    expect(await query(server.url, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  test('of the server and all its processes the data are recovered, and the same lease restarts it', async () => {
    const server = await open({ durable: true });
    await query(server.url, 'create table kept as select 42 as answer');
    const backends = await query<{ pid: number }>(server.url, 'select pid from pg_stat_activity');
    for (const pid of [await postmasterPid(server), ...backends.map(({ pid }) => pid)]) tryKill(pid);
    await expect
      .poll(() => query(server.url, 'select 1').catch(String), { timeout: 45_000, interval: 20 })
      .toMatch(/ECONNREFUSED/);
    await Promise.all([server.ensureRunning(), server.ensureRunning()]);
    expect(await query(server.url, 'select answer from kept')).toEqual([{ answer: 42 }]);
  });

  test('a number in postmaster.pid that is now some other process does not matter', async () => {
    const server = await open();
    await server.close();
    const other = spawn('sleep', ['60'], root ? await dataOwner(server) : {});
    children.push(other);
    await writeFile(
      path.join(server.dataDirectory, 'postmaster.pid'),
      `${other.pid}\n${server.dataDirectory}\n1\n5432\n/tmp\n\n0 0\nready\n`,
    );
    expect((await open()).started).toBe(true);
    expect(other.exitCode).toBeNull();
  });

  test('a server that is shut down under its users comes back with ensureRunning', async () => {
    const server = await open();
    await server.ensureRunning();
    process.kill(await postmasterPid(server), 'SIGINT');
    await expect
      .poll(() => exists(path.join(server.dataDirectory, 'postmaster.pid')), { interval: 20 })
      .toBe(false);
    await server.ensureRunning();
    expect(await query(server.url, 'select 1 as one')).toEqual([{ one: 1 }]);
    await server.close();
    await expect(server.ensureRunning()).rejects.toThrow('was closed');
  });
});

describe.runIf(root)('run by root (skipped for other users)', () => {
  beforeEach(makeHome);
  afterEach(removeHome);

  test('the server runs as somebody else, whom the data belong to', async () => {
    const server = await open();
    expect(server.serverUser).not.toBe('root');
    expect((await stat(server.dataDirectory)).uid).not.toBe(0);
  });

  test('a private home has its data below /var/lib/dnstrail, again and again', async () => {
    await chmod(home, 0o700);
    const first = await open();
    const place = path.dirname(path.dirname(first.dataDirectory));
    try {
      expect(place).toMatch(/^\/var\/lib\/dnstrail\/[0-9a-f]{8}$/);
      await first.close();
      await chmod(home, 0o755); // where the data are already decides
      const second = await open();
      expect(second.dataDirectory).toBe(first.dataDirectory);
      await second.close();
    } finally {
      await rm(place, { recursive: true });
    }
  });

  test.runIf(sharedCheckout)('an ordinary user runs the server alone; root then joins it', async () => {
    home = path.join(base, 'of-nobody');
    await mkdir(home);
    await chown(home, NOBODY.uid, NOBODY.gid);
    const opener = await spawnOpener(NOBODY);
    expect(opener.report).toMatchObject({
      started: true,
      serverUser: 'nobody',
      dataDirectory: path.join(home, 'postgres', 'data'),
    });
    const server = await open();
    expect(server).toMatchObject({ started: false, serverUser: 'nobody' });
    await finish(opener);
    await server.close();
  });

  test.runIf(sharedCheckout)('an ordinary user is told whose the data are', async () => {
    const server = await open();
    await server.close();
    await expect(spawnOpener(NOBODY)).rejects.toThrow(`belongs to ${server.serverUser}`);
  });
});

async function dataOwner({ dataDirectory }: EmbeddedPostgres): Promise<{ uid: number; gid: number }> {
  const { uid, gid } = await stat(dataDirectory);
  return { uid, gid };
}

function tryKill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {} // it ended with the others
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo; // of a TCP server
  server.close();
  await once(server, 'close');
  return port;
}
