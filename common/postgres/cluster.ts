import { createHash } from 'node:crypto';
import { chmodSync, existsSync, lchownSync, lstatSync, mkdirSync, realpathSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type Account, canEnter, makeSystemDirectory, SYSTEM_DIRECTORY, serverAccount } from './account.ts';
import { type Binaries, findBinaries, runnableBinaries } from './binaries.ts';
import { codeOf } from './errorCode.ts';

const LONGEST_SOCKET_DIRECTORY = 85; // octets; a socket's path ends after about 100, and "/.s.PGSQL.65535" follows

/** A database cluster that belongs to a home directory: where it is and who runs it. */
export interface Cluster {
  /** Holds `data`, `postgres.log`, and the socket where the path is short enough. Mode 0700, owned by the account. */
  readonly directory: string;
  readonly dataDirectory: string;
  readonly logFile: string;
  readonly socketDirectory: string;
  readonly account: Account;
  readonly binaries: Binaries;
  readonly port: number | undefined;
  readonly durable: boolean;
}

/**
 * Finds the cluster of `home`, or decides where it will be: `home`/postgres, unless we are root and the account that
 * will run the server cannot enter `home`; then below {@link SYSTEM_DIRECTORY}.
 * @throws Error when the account, its binaries or its directories cannot be had
 */
export function locateCluster(
  home: string,
  options: { port: number | undefined; durable: boolean },
): Cluster {
  mkdirSync(home, { recursive: true });
  const realHome = realpathSync(home);
  const inHome = path.join(realHome, 'postgres');
  const inSystem = path.join(SYSTEM_DIRECTORY, shortHash(realHome), 'postgres');
  const existing = [inHome, inSystem].find(holdsData);
  const account = serverAccount(existing && ownedPath(existing));
  if (existing && account.switched && !canEnter(account, existing)) {
    throw new Error(
      `user ${account.name}, who owns ${existing}, cannot enter it: its parent directories must allow that (chmod o+x)`,
    );
  }
  const directory = existing ?? (account.switched && !canEnter(account, realHome) ? inSystem : inHome);
  if (directory === inSystem) makeSystemDirectory(path.dirname(inSystem));
  if (!existing) makePrivateDirectory(directory, account);
  return {
    directory,
    dataDirectory: path.join(directory, 'data'),
    logFile: path.join(directory, 'postgres.log'),
    socketDirectory: socketDirectoryFor(directory, account),
    account,
    binaries: runnableBinaries(findBinaries(), account),
    ...options,
  };
}

/** A private directory may hide what is in it from us: then it is somebody's cluster. */
function holdsData(directory: string): boolean {
  try {
    statSync(path.join(directory, 'data', 'PG_VERSION'));
    return true;
  } catch (error) {
    return codeOf(error) === 'EACCES';
  }
}

function ownedPath(directory: string): string {
  const dataDirectory = path.join(directory, 'data');
  return existsSync(dataDirectory) ? dataDirectory : directory;
}

function makePrivateDirectory(directory: string, { uid, gid, switched }: Account): void {
  try {
    mkdirSync(directory, { mode: 0o700 });
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
  const found = lstatSync(directory);
  if (!found.isDirectory() || (found.uid !== uid && !(switched && found.uid === 0))) return;
  if (found.uid !== uid) lchownSync(directory, uid, gid);
  if ((found.mode & 0o077) !== 0) chmodSync(directory, 0o700);
}

/** The cluster's directory, or where its name is too long for a socket a short one that nobody else can have made. */
function socketDirectoryFor(directory: string, account: Account): string {
  if (Buffer.byteLength(directory) <= LONGEST_SOCKET_DIRECTORY) return directory;
  const name = `dnstrail-${shortHash(directory)}`;
  const own = path.join(os.tmpdir(), name);
  const short =
    account.switched || Buffer.byteLength(own) > LONGEST_SOCKET_DIRECTORY ? path.join('/tmp', name) : own;
  makePrivateDirectory(short, account);
  const found = lstatSync(short);
  if (!found.isDirectory() || found.uid !== account.uid || (found.mode & 0o077) !== 0) {
    throw new Error(
      `${short}, which is to hold the socket of PostgreSQL, is not a private directory of ${account.name}: remove it`,
    );
  }
  return short;
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8);
}
