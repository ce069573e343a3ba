import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { log } from '../log.ts';
import { spawnOptions } from './account.ts';
import type { Cluster } from './cluster.ts';
import { codeOf } from './errorCode.ts';
import { isServer, removeForeignLocks, runningServer, takeTurn } from './lock.ts';
import { openForAppending, replaceFile, syncDirectory } from './privateFile.ts';
import { HOST_BASED_AUTHENTICATION, SOCKET_PORT, serverSettings } from './settings.ts';

/** The superuser of a cluster and the name of its database. */
export const OWNER = 'dnstrail';

const LARGEST_LOG = 16 * 2 ** 20;
const LONGEST_SHUTDOWN_MS = 300_000;
const LONG_START_MS = 3_000;
const POLL_MS = 20;
const LEFTOVER_AGE_MS = 3_600_000;

/**
 * Starts the server, on new data if there are none, and waits until it accepts connections.
 * @returns whether we started it; false when another process is at it, or was faster
 * @throws Error when it does not start, with the end of its log
 */
export async function startServer(cluster: Cluster): Promise<boolean> {
  const turn = await takeTurn(cluster);
  if (!turn) return false;
  try {
    await initialise(cluster);
    if (runningServer(cluster)) return false;
    removeForeignLocks(cluster);
    return await start(cluster);
  } finally {
    turn.close();
  }
}

/**
 * Ends the server and all connections to it, and waits for that. Not by pg_ctl, which mistakes a server that a
 * newcomer starts in the next moment for the old one.
 */
export async function stopServer(cluster: Cluster): Promise<void> {
  const server = runningServer(cluster);
  if (!server) return;
  try {
    process.kill(server.pid, 'SIGINT'); // "fast shutdown"
  } catch (error) {
    if (codeOf(error) !== 'ESRCH') throw error;
  }
  const deadline = Date.now() + LONGEST_SHUTDOWN_MS;
  while (isServer(server.pid, cluster.dataDirectory)) {
    await setTimeout(POLL_MS);
    if (Date.now() < deadline) continue;
    throw new Error(`PostgreSQL in ${cluster.dataDirectory} does not stop, see ${cluster.logFile}`);
  }
}

async function initialise(cluster: Cluster): Promise<void> {
  const { dataDirectory, binaries } = cluster;
  const versionFile = path.join(dataDirectory, 'PG_VERSION');
  if (existsSync(versionFile)) {
    const major = readFileSync(versionFile, 'utf8').trim();
    if (major === binaries.major) return;
    throw new Error(
      `${dataDirectory} was made by PostgreSQL ${major}, the bundled one is ${binaries.major}: dump it with ${major} and load it into a new DNSTRAIL_HOME, or run ${major} on it and set DATABASE_URL`,
    );
  }
  removeLeftovers(cluster);
  const aside = `${dataDirectory}.new-${process.pid}-${randomBytes(4).toString('hex')}`;
  const { status, output } = await runInitdb(cluster, [
    `--pgdata=${aside}`,
    `--username=${OWNER}`,
    '--encoding=UTF8',
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--data-checksums',
    '--auth=trust',
    '--no-instructions',
    ...(cluster.durable ? [] : ['--no-sync']),
  ]);
  if (status !== 0) throw new Error(`initdb of ${dataDirectory} failed:\n${output}`);
  const conf = path.join(aside, 'postgresql.conf');
  replaceFile(conf, `${readFileSync(conf, 'utf8')}\ninclude_if_exists = 'dnstrail.conf'\n`, cluster.account);
  try {
    renameSync(aside, dataDirectory);
    syncDirectory(cluster.directory);
  } catch (error) {
    rmSync(aside, { recursive: true });
    if (!existsSync(versionFile)) throw error; // else another process was faster
  }
}

function runInitdb(
  cluster: Cluster,
  args: readonly string[],
): Promise<{ status: number | null; output: string }> {
  const child = spawn(path.join(cluster.binaries.root, 'bin', 'initdb'), args, {
    ...spawnOptions(cluster.account),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', text => (output += text));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', status => resolve({ status, output: output.trim() }));
  });
}

/** Data that were never finished, of processes that were killed. */
function removeLeftovers({ directory }: Cluster): void {
  for (const name of readdirSync(directory)) {
    const leftover = path.join(directory, name);
    if (!name.startsWith('data.new-') || Date.now() - lstatSync(leftover).mtimeMs < LEFTOVER_AGE_MS) continue;
    rmSync(leftover, { recursive: true, force: true });
  }
}

async function start(cluster: Cluster): Promise<boolean> {
  const { dataDirectory, logFile, account, port } = cluster;
  replaceFile(path.join(dataDirectory, 'dnstrail.conf'), serverSettings(dataDirectory, cluster), account);
  replaceFile(path.join(dataDirectory, 'pg_hba.conf'), HOST_BASED_AUTHENTICATION, account);
  if (sizeOf(logFile) > LARGEST_LOG) renameSync(logFile, `${logFile}.1`);
  const logStart = sizeOf(logFile);
  const ended = await runServer(cluster);
  if (!ended) {
    nameSocket(cluster);
    return true;
  }
  const log = readFileSync(logFile).subarray(logStart).toString().trim();
  if (/FATAL: {2}(lock file .* already exists|pre-existing shared memory block)/.test(log)) return false; // one that is ending
  if (port !== undefined && /could not create any TCP\/IP sockets/.test(log)) {
    throw new Error(`port ${port} of 127.0.0.1 (DNSTRAIL_POSTGRES_PORT) is not free:\n${log}`);
  }
  throw new Error(
    `PostgreSQL did not start; ${logFile} ends with:\n${log.split('\n').slice(-12).join('\n')}`,
  );
}

/**
 * Starts the server in a session of its own, so that neither a Ctrl-C in the terminal nor our end reaches it, and waits
 * until it is ready, however long it recovers. Not by pg_ctl, which has a shell read the path.
 * @returns whether it ended instead
 */
async function runServer(cluster: Cluster): Promise<boolean> {
  const { binaries, account, dataDirectory, logFile } = cluster;
  const output = openForAppending(logFile, account);
  const child = spawn(path.join(binaries.root, 'bin', 'postgres'), ['-D', dataDirectory], {
    ...spawnOptions(account),
    detached: true,
    stdio: ['ignore', output, output],
  });
  closeSync(output);
  child.unref();
  let ended = false;
  let failure: Error | undefined;
  child.once('exit', () => {
    ended = true;
  });
  child.once('error', error => {
    failure = error;
  });
  const isReady = () => {
    const server = runningServer(cluster);
    return server?.pid === child.pid && server?.ready;
  };
  for (let waitedMs = 0; !ended && !isReady(); waitedMs += POLL_MS) {
    await setTimeout(POLL_MS);
    if (failure) throw failure;
    if (waitedMs === LONG_START_MS) log.info({ log: logFile }, 'PostgreSQL is recovering after a crash');
  }
  return ended;
}

/** Clients find the socket under the usual name whatever the TCP port, which PostgreSQL puts into the socket's name. */
function nameSocket({ socketDirectory, port = SOCKET_PORT }: Cluster): void {
  if (port === SOCKET_PORT) return;
  const link = path.join(socketDirectory, `.s.PGSQL.${SOCKET_PORT}`);
  rmSync(link, { force: true });
  symlinkSync(`.s.PGSQL.${port}`, link);
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
