import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fchownSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import type { Account } from './account.ts';
import { codeOf } from './errorCode.ts';

// Files that only the server's account reads. Symlinks are never followed: as root we write into a directory that
// belongs to somebody else.

/** Puts a new file in the place of `file`, at once and durably. */
export function replaceFile(file: string, content: string, account: Account): void {
  renameSync(writeAside(file, content, account), file);
}

/** What the file contains; `content` if it did not exist, whoever creates it first. */
export function readOrCreateFile(file: string, content: string, account: Account): string {
  const aside = writeAside(file, content, account);
  try {
    linkSync(aside, file);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  } finally {
    rmSync(aside);
  }
  return readFileSync(file, 'utf8');
}

/** A descriptor that appends to the file. */
export function openForAppending(file: string, { uid, gid, switched }: Account): number {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW } = constants;
  const descriptor = openSync(file, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, 0o600);
  if (switched) fchownSync(descriptor, uid, gid);
  return descriptor;
}

/** Makes what was created or renamed in the directory survive a power cut. */
export function syncDirectory(directory: string): void {
  const descriptor = openSync(directory, 'r');
  fsyncSync(descriptor);
  closeSync(descriptor);
}

function writeAside(file: string, content: string, { uid, gid, switched }: Account): string {
  const aside = `${file}.${randomBytes(8).toString('hex')}`;
  const descriptor = openSync(aside, 'wx', 0o600);
  try {
    writeFileSync(descriptor, content);
    if (switched) fchownSync(descriptor, uid, gid);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  return aside;
}
