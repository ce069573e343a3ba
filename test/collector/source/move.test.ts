import { mkdtempSync, rmSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { moveFile } from '../../../collector/source/move.ts';

const directory = mkdtempSync(join(tmpdir(), 'dnstrail-move-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** Another file system than that of the temporary directory, where there is one. */
const otherFileSystem = await stat('/dev/shm').then(
  async shm => ((await stat(directory)).dev === shm.dev ? undefined : '/dev/shm'),
  () => undefined,
);

describe('moveFile', () => {
  it('never overwrites: it adds a suffix', async () => {
    const target = join(directory, 'archive');
    const moved: string[] = [];
    for (const content of ['one', 'two', 'three']) {
      const path = join(directory, 'a.yaf');
      await writeFile(path, content);
      moved.push(await moveFile(path, target));
    }
    expect(moved).toEqual(['a.yaf', 'a.yaf.1', 'a.yaf.2'].map(name => join(target, name)));
    expect(await Promise.all(moved.map(path => readFile(path, 'utf8')))).toEqual(['one', 'two', 'three']);
    expect((await readdir(directory)).sort()).toEqual(['archive']);
  });

  it('leaves nothing behind when the file has gone', async () => {
    const target = join(directory, 'empty');
    await expect(moveFile(join(directory, 'gone'), target)).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await readdir(target)).toEqual([]);
  });

  it.skipIf(!otherFileSystem)('copies between file systems and keeps the modification time', async () => {
    const other = await mkdtemp(join(otherFileSystem ?? '', 'dnstrail-move-'));
    try {
      const path = join(directory, 'b.yaf');
      await writeFile(path, 'content');
      await utimes(path, 1000, 2000);
      const moved = await moveFile(path, other);
      expect(await readFile(moved, 'utf8')).toBe('content');
      expect((await stat(moved)).mtimeMs).toBe(2_000_000);
      await expect(stat(path)).rejects.toMatchObject({ code: 'ENOENT' });
    } finally {
      await rm(other, { recursive: true });
    }
  });
});
