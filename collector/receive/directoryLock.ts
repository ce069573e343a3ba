import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { ReceiveError, ReceiveErrorCode } from './errors.ts';

const SQLITE_BUSY = 5;

/**
 * Makes this process the only owner of a directory, until `release` is called or the process ends in any way.
 * Node offers no file lock; SQLite takes one (fcntl) that the kernel drops with the process, kill -9 included,
 * and that two containers on one volume see, unlike process ids. The database itself stays empty.
 * @returns release
 * @throws ReceiveError `journal_in_use` that names the owner
 */
export function lockDirectory(directory: string): () => void {
  const ownerPath = path.join(directory, '.owner');
  const database = new DatabaseSync(path.join(directory, '.lock'));
  try {
    database.exec('begin exclusive');
  } catch (error) {
    database.close();
    if ((error as { errcode?: number }).errcode !== SQLITE_BUSY) throw error;
    const message = `${directory} is in use by ${readOwner(ownerPath)}: stop it, or give this one another home directory`;
    throw new ReceiveError(ReceiveErrorCode.journalInUse, message, error);
  }
  // beside the lock file, not in it: closing any other descriptor of that file would drop the lock
  writeFileSync(ownerPath, `process ${process.pid} on ${hostname()}, since ${new Date().toISOString()}`);
  return () => {
    rmSync(ownerPath, { force: true });
    database.close();
  };
}

function readOwner(ownerPath: string): string {
  try {
    return readFileSync(ownerPath, 'utf8') || 'another process';
  } catch {
    return 'another process'; // it holds the lock and has not written its name yet
  }
}
