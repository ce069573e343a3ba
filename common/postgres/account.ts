import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, statSync } from 'node:fs';
import path from 'node:path';

/** Where root keeps what the server's account could not reach in a private home. */
export const SYSTEM_DIRECTORY = '/var/lib/dnstrail';

/** Makes a directory below {@link SYSTEM_DIRECTORY} that everybody may enter, whatever our umask. */
export function makeSystemDirectory(directory: string = SYSTEM_DIRECTORY): void {
  if (directory !== SYSTEM_DIRECTORY) makeSystemDirectory();
  if (mkdirSync(directory, { recursive: true })) chmodSync(directory, 0o755);
}

/** The operating system account that runs the server. */
export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  /** True: we are root and hand the server to this account, because PostgreSQL refuses to run as root. */
  readonly switched: boolean;
}

/**
 * Whom the server runs as: ourselves; or, when we are root, the owner of the data directory, else the first that
 * exists of `postgres` and `dnstrail`, else a new system account `dnstrail`.
 * @param dataDirectory an existing data directory
 * @throws Error when the data belongs to somebody else, or there is no account for root to use
 */
export function serverAccount(dataDirectory: string | undefined): Account {
  const self = { uid: process.getuid?.() ?? -1, gid: process.getgid?.() ?? -1 };
  const owner = dataDirectory === undefined ? undefined : statSync(dataDirectory);
  if (self.uid !== 0) {
    if (owner && owner.uid !== self.uid) {
      throw new Error(
        `${dataDirectory} belongs to ${nameOf(owner.uid)}: run as that user or as root, or choose another DNSTRAIL_HOME`,
      );
    }
    return { name: nameOf(self.uid), ...self, switched: false };
  }
  if (owner?.uid === 0) {
    throw new Error(
      `${dataDirectory} belongs to root, as whom PostgreSQL refuses to run: give it to another user (chown -R postgres ${path.dirname(dataDirectory!)})`,
    );
  }
  if (owner) return { name: nameOf(owner.uid), uid: owner.uid, gid: owner.gid, switched: true };
  return lookUp('postgres') ?? lookUp('dnstrail') ?? createAccount();
}

/** Runs a command to its end as `account`, from the root directory, without our environment; supplementary groups are dropped. */
export function runAs(account: Account, file: string, args: readonly string[]): SpawnSyncReturns<string> {
  return spawnSync(file, args, { ...spawnOptions(account), encoding: 'utf8' });
}

/** Options for node:child_process that make the child run as `account`, without locale or PG* settings of ours. */
export function spawnOptions(account: Account) {
  const { PATH, LD_LIBRARY_PATH, TMPDIR } = process.env;
  return {
    cwd: '/',
    env: { PATH: PATH ?? '/usr/bin:/bin', LD_LIBRARY_PATH, TMPDIR, LC_ALL: 'C', TZ: 'UTC' },
    ...(account.switched ? { uid: account.uid, gid: account.gid } : {}),
  };
}

/** Whether `account` can enter the directory, found out by entering it. */
export function canEnter(account: Account, directory: string): boolean {
  return runAs(account, '/bin/sh', ['-c', 'cd "$1"', 'sh', directory]).status === 0;
}

function id(...args: string[]): string | undefined {
  const { status, stdout } = spawnSync('id', args, { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}

function nameOf(uid: number): string {
  return id('-nu', String(uid)) ?? String(uid);
}

function lookUp(name: string): Account | undefined {
  const uid = id('-u', name);
  const gid = id('-g', name);
  return uid && gid ? { name, uid: Number(uid), gid: Number(gid), switched: true } : undefined;
}

function createAccount(): Account {
  const commands: [string, string[]][] = [
    [
      'useradd',
      [
        '--system',
        '--user-group',
        '--no-create-home',
        '--home-dir',
        SYSTEM_DIRECTORY,
        '--shell',
        '/bin/false',
        'dnstrail',
      ],
    ],
    ['adduser', ['-S', '-D', '-H', '-h', SYSTEM_DIRECTORY, '-s', '/bin/false', 'dnstrail']],
  ];
  for (const [file, args] of commands) {
    spawnSync(file, args, { stdio: 'ignore', env: { PATH: `${process.env.PATH}:/usr/sbin:/sbin` } });
    const account = lookUp('dnstrail'); // whoever created it, this process or one beside it
    if (account) return account;
  }
  throw new Error(
    'PostgreSQL refuses to run as root, and no user "dnstrail" could be created: create one, run as another user, or set DATABASE_URL',
  );
}
