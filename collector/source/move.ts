import { copyFile, mkdir, open, rename, rm, stat, unlink, utimes } from 'node:fs/promises';
import { basename, join } from 'node:path';

/**
 * Moves a file into `directory`, which is made if need be, and never overwrites: where the name is taken, `.1`, `.2` …
 * follows it. Between file systems it is copied and synced before the original goes.
 * @returns the new path
 */
export async function moveFile(path: string, directory: string): Promise<string> {
  await mkdir(directory, { recursive: true });
  const target = await reserveName(join(directory, basename(path)));
  try {
    await rename(path, target);
  } catch (error) {
    try {
      if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
      await copySynced(path, target);
    } catch (failure) {
      await rm(target, { force: true });
      throw failure;
    }
    await unlink(path);
  }
  return target;
}

/** An empty file holds the name, because rename() replaces whatever is there. */
async function reserveName(path: string): Promise<string> {
  for (let suffix = 0; ; suffix++) {
    const name = suffix === 0 ? path : `${path}.${suffix}`;
    try {
      await (await open(name, 'wx')).close();
      return name;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

async function copySynced(path: string, target: string): Promise<void> {
  await copyFile(path, target);
  const { atime, mtime } = await stat(path);
  await utimes(target, atime, mtime);
  const file = await open(target, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
