import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, readlinkSync, realpathSync, rmSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import type { Cluster } from './cluster.ts';
import { codeOf } from './errorCode.ts';

const LOCK_NAME = 'postmaster.pid';

/** A server that runs, as postmaster.pid tells. */
export interface RunningServer {
  readonly pid: number;
  readonly socketDirectory: string;
  /** In the name of the socket, and of TCP when `listensOnTcp`. */
  readonly port: number;
  readonly listensOnTcp: boolean;
  /** Accepts connections; else it starts, recovers or stops. */
  readonly ready: boolean;
}

/** The server that runs on the cluster's data, if one does. */
export function runningServer({ dataDirectory }: Cluster): RunningServer | undefined {
  const lock = readLock(path.join(dataDirectory, LOCK_NAME));
  if (!lock || !isServer(lock.pid, dataDirectory)) return undefined;
  const [, , , port = '', socketDirectory = '', address = '', , status = ''] = lock.lines;
  return {
    pid: lock.pid,
    socketDirectory,
    port: Number(port),
    listensOnTcp: address.trim() !== '',
    ready: status.trim() === 'ready',
  };
}

/**
 * Whether the process is the server of the data, which is then its working directory. Where we may not look that up
 * its name must do.
 */
export function isServer(pid: number, dataDirectory: string): boolean {
  if (!existsSync('/proc/self/cwd')) return isAlive(pid);
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === realpathSync(dataDirectory);
  } catch (error) {
    return codeOf(error) === 'EACCES' && isNamedPostgres(pid);
  }
}

function isNamedPostgres(pid: number): boolean {
  try {
    return /\(postgres\) [^Z]/.test(readFileSync(`/proc/${pid}/stat`, 'utf8')); // Z: it ended, nobody took note
  } catch {
    return false;
  }
}

function isAlive(pid: number): boolean {
  try {
    return pid > 0 && process.kill(pid, 0);
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

/**
 * Makes sure that one process at a time initialises and starts the cluster: a name in the kernel, which ends with the
 * process that holds it. Elsewhere than on Linux PostgreSQL's own lock must do.
 */
export async function takeTurn({ dataDirectory }: Cluster): Promise<{ close(): void } | undefined> {
  if (process.platform !== 'linux') return { close() {} };
  const holder = net.createServer(socket => socket.destroy());
  return new Promise((resolve, reject) => {
    holder.once('error', error => (codeOf(error) === 'EADDRINUSE' ? resolve(undefined) : reject(error)));
    holder.listen(`\0dnstrail-${createHash('sha256').update(dataDirectory).digest('hex')}`, () =>
      resolve(holder),
    );
  });
}

/**
 * PostgreSQL takes whatever process has the number in its lock files for its server, and does not start. After a power
 * cut, or in a new container, that process may be anything. To be called by who has the turn, while no server runs.
 */
export function removeForeignLocks({ dataDirectory, socketDirectory }: Cluster): void {
  if (process.platform !== 'linux') return;
  const socketLocks = readdirSync(socketDirectory).filter(name => /^\.s\.PGSQL\.\d+\.lock$/.test(name));
  const locks = [
    path.join(dataDirectory, LOCK_NAME),
    ...socketLocks.map(name => path.join(socketDirectory, name)),
  ];
  for (const file of locks) {
    const lock = readLock(file);
    if (lock && isAlive(lock.pid)) rmSync(file); // a number that is free it handles itself
  }
}

interface Lock {
  readonly pid: number;
  readonly lines: readonly string[];
}

function readLock(file: string): Lock | undefined {
  try {
    const lines = readFileSync(file, 'utf8').split('\n');
    return { pid: Math.abs(Number(lines[0])), lines };
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
