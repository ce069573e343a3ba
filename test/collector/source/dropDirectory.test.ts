import { mkdtempSync, rmSync } from 'node:fs';
import {
  appendFile,
  chmod,
  mkdir,
  readdir,
  readFile,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  DropDirectory,
  type DropDirectoryOptions,
  type DroppedFile,
  type TakeResult,
} from '../../../collector/source/dropDirectory.ts';
import { readMessages } from '../../../collector/source/messages.ts';
import { log } from '../../../common/log.ts';

const START = Date.parse('2026-11-21T05:24:00Z');
const MESSAGE = Buffer.alloc(1000);
MESSAGE.writeUInt16BE(10, 0);
MESSAGE.writeUInt16BE(MESSAGE.length, 2);

let root: string;
let now: number;
let taken: (DroppedFile & { name: string })[];
let warn: ReturnType<typeof vi.spyOn>;
let error: ReturnType<typeof vi.spyOn>;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'dnstrail-drop-'));
  now = START;
  taken = [];
  vi.spyOn(log, 'info').mockReturnValue(undefined);
  warn = vi.spyOn(log, 'warn').mockReturnValue(undefined);
  error = vi.spyOn(log, 'error').mockReturnValue(undefined);
});

afterEach(() => {
  vi.restoreAllMocks();
  rmSync(root, { recursive: true });
});

/** A loader for tests: judges by what the file really holds. */
async function load(path: string): Promise<TakeResult> {
  let messages = 0;
  let bad = '';
  for await (const block of readMessages(path)) {
    if (block.bad) bad = block.bad.message;
    else messages += (block.end - block.start) / MESSAGE.length;
  }
  if (messages === 0) return { outcome: 'failed', reason: bad };
  return { outcome: bad ? 'partial' : 'loaded' };
}

function watch(options: Partial<DropDirectoryOptions> = {}): DropDirectory {
  return new DropDirectory({
    path: root,
    now: () => now,
    ...options,
    take: async (path, file) => {
      taken.push({ name: relative(root, path), ...file });
      return (options.take ?? load)(path, file);
    },
  });
}

/** Looks once a second for so long. */
async function lookFor(drop: DropDirectory, seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    await drop.look();
    now += 1000;
  }
}

/** Looks, lets so much time pass unseen, and looks again. */
async function lookAfter(drop: DropDirectory, seconds: number): Promise<void> {
  await drop.look();
  now += seconds * 1000;
  await drop.look();
}

async function put(name: string, content: Buffer | string = MESSAGE): Promise<void> {
  await mkdir(dirname(join(root, name)), { recursive: true });
  await writeFile(join(root, name), content);
  await utimes(join(root, name), now / 1000, now / 1000);
}

async function add(name: string, content: Buffer): Promise<void> {
  await appendFile(join(root, name), content);
  await utimes(join(root, name), now / 1000, now / 1000);
}

async function tree(): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries
    .filter(e => !e.isDirectory())
    .map(e => relative(root, join(e.parentPath, e.name)))
    .sort();
}

const names = (): string[] => taken.map(file => file.name);
const series = (number: number, time = '20261121052400'): string => `s1-${time}-0000${number}.yaf`;

/** YAF as seen: stdio buffers make the file grow in 4 KiB steps that end inside messages; closing writes the rest. */
async function* yaf(files: number, withLock: boolean): AsyncGenerator<string> {
  const content = Buffer.concat(Array.from({ length: 15 }, () => MESSAGE));
  for (let number = 0; number < files; number++) {
    const name = series(number);
    if (withLock) await put(`${name}.lock`, '');
    yield 'lock only';
    await put(name, '');
    yield 'empty';
    for (let at = 0; at < content.length; at += 4096) {
      await add(name, content.subarray(at, at + 4096));
      yield 'growing';
    }
    if (withLock) await rm(join(root, `${name}.lock`));
  }
}

describe('a rotating YAF', () => {
  it('with --lock: each file is taken once, whole, as soon as its lock has gone', async () => {
    const drop = watch();
    for await (const _ of yaf(3, true)) {
      await drop.look();
      now += 30_000; // longer than files take to settle
    }
    await drop.look();
    expect(taken).toEqual(
      [0, 1, 2].map(n => ({ name: series(n), exporterName: 's1', size: 15_000, finished: 'unlocked' })),
    );
    expect(await tree()).toEqual([0, 1, 2].map(n => `archive/2026/11/21/${series(n)}`));
    expect(warn).not.toHaveBeenCalled();
  });

  it('without --lock: a file is taken when the next has appeared, the last when it has settled', async () => {
    const drop = watch();
    for await (const _ of yaf(3, false)) {
      await drop.look();
      now += 1000;
    }
    await lookFor(drop, 2);
    expect(taken.map(file => [file.name, file.finished, file.size])).toEqual([
      [series(0), 'superseded', 15_000],
      [series(1), 'superseded', 15_000],
    ]);
    await lookFor(drop, 10);
    expect(taken.slice(2)).toEqual([
      { name: series(2), exporterName: 's1', size: 15_000, finished: 'settled' },
    ]);
    expect(await tree()).toEqual([0, 1, 2].map(n => `archive/2026/11/21/${series(n)}`));
  });

  it('killed and started again: the half file is taken, its lock removed', async () => {
    const drop = watch();
    await put(`${series(0)}.lock`, '');
    await put(series(0), Buffer.concat([MESSAGE, MESSAGE.subarray(0, 500)]));
    await lookFor(drop, 60);
    expect(names()).toEqual([]);
    const next = series(0, '20261121052600');
    await put(`${next}.lock`, ''); // the new YAF waits for traffic
    await lookFor(drop, 2);
    expect(names()).toEqual([series(0)]);
    expect(await tree()).toEqual([`archive/2026/11/21/${series(0)}`, `${next}.lock`]);
    expect(warn.mock.calls.map((call: unknown[]) => call[1])).toEqual([
      'removed the lock that a killed YAF left behind',
    ]);
  });

  it('killed for good: the half file is taken in ten minutes and stays a day, lest YAF was only idle', async () => {
    const drop = watch();
    await put(`${series(0)}.lock`, '');
    await put(series(0), Buffer.concat([MESSAGE, MESSAGE.subarray(0, 500)]));
    await lookAfter(drop, 599);
    expect(names()).toEqual([]);
    now += 1000;
    await drop.look();
    await lookAfter(drop, 3600);
    expect(taken.map(file => [file.name, file.finished])).toEqual([[series(0), 'stale']]);
    expect(await tree()).toEqual([series(0), `${series(0)}.lock`]);
    await lookAfter(drop, 86_400);
    expect(taken.length).toBe(1);
    expect(await tree()).toEqual(
      [`archive/2026/11/21/${series(0)}`].map(name => name.replace('11/21', '11/22')),
    );
  });

  it('idle and awake again: what it writes after its file was taken is taken too', async () => {
    const drop = watch();
    await put(`${series(0)}.lock`, '');
    await put(series(0), MESSAGE.subarray(0, 500));
    await lookAfter(drop, 600);
    await add(series(0), MESSAGE.subarray(500));
    await drop.look();
    expect(taken.map(file => [file.size, file.finished])).toEqual([[500, 'stale']]);
    await rm(join(root, `${series(0)}.lock`));
    await drop.look();
    expect(taken.slice(1).map(file => [file.size, file.finished])).toEqual([[1000, 'unlocked']]);
    expect(await tree()).toEqual([`archive/2026/11/21/${series(0)}`]);
  });

  it('with its clock set back: a file that changes after its successor by name is not finished', async () => {
    const drop = watch();
    await put(series(7));
    now += 1000;
    await put(series(8, '20261121050000'), MESSAGE.subarray(0, 500));
    await lookFor(drop, 3);
    expect(names()).toEqual([]);
  });

  it('leaves the lock of an idle YAF alone, and removes one left behind', async () => {
    const drop = watch();
    await put(`${series(0)}.lock`, '');
    await lookAfter(drop, 3600);
    expect(await tree()).toEqual([`${series(0)}.lock`]);
    await put(`${series(1)}.lock`, '');
    await drop.look();
    expect(await tree()).toEqual([`${series(1)}.lock`]);
    expect(warn).toHaveBeenCalledOnce();
  });
});

describe('any file', () => {
  it.each<[string, Buffer, number, string]>([
    ['a.yaf', MESSAGE, 10, 'settled'],
    ['a.yaf.gz', gzipSync(MESSAGE), 10, 'settled'],
    ['a.yaf.gz', gzipSync(MESSAGE).subarray(0, 30), 600, 'abandoned'],
    ['a.ipfix', MESSAGE.subarray(0, 999), 600, 'abandoned'],
    ['a.med', MESSAGE, 10, 'settled'],
    ['a.dat', Buffer.concat([MESSAGE, Buffer.alloc(3000, 'x')]), 10, 'settled'],
    ['whatever', MESSAGE, 10, 'settled'],
    ['whatever.gz', gzipSync(MESSAGE), 10, 'settled'],
  ])('%s (%#) is taken when it has been quiet long enough', async (name, content, seconds, finished) => {
    const drop = watch();
    await put(name, content);
    await lookAfter(drop, seconds - 1);
    expect(names()).toEqual([]);
    now += 1000;
    await drop.look();
    expect(taken).toEqual([{ name, exporterName: 'files', size: content.length, finished }]);
    expect(await readdir(root)).not.toContain(name);
  });

  it.each([
    '.hidden.yaf',
    'a.yaf.tmp',
    'a.yaf.part',
    'a.yaf~',
    'archive/a.yaf',
    'failed/a.yaf',
    'one/two/a.yaf',
    '.hidden/a.yaf',
  ])('at %s is not touched', async name => {
    const drop = watch();
    await put(name);
    await lookAfter(drop, 1000);
    expect([names(), await tree()]).toEqual([[], [name]]);
    expect(warn).not.toHaveBeenCalled();
  });

  it('is not followed through a symbolic link', async () => {
    const elsewhere = mkdtempSync(join(tmpdir(), 'dnstrail-drop-'));
    try {
      await writeFile(join(elsewhere, 'a.yaf'), MESSAGE);
      await symlink(join(elsewhere, 'a.yaf'), join(root, 'a.yaf'));
      await symlink(elsewhere, join(root, 'folder'));
      await lookAfter(watch(), 1000);
      expect(names()).toEqual([]);
    } finally {
      await rm(elsewhere, { recursive: true });
    }
  });

  it('that is not IPFIX by name nor content is left alone and warned about once', async () => {
    const drop = watch();
    await put('README.txt', 'what this directory is for');
    await put('empty.txt', '');
    await lookFor(drop, 30);
    await lookAfter(drop, 100_000);
    expect([names(), await tree()]).toEqual([[], ['README.txt', 'empty.txt']]);
    expect(warn.mock.calls).toEqual([
      [{ path: join(root, 'README.txt') }, expect.stringMatching(/left alone/)],
    ]);
  });

  it('of zero length is put away without being taken', async () => {
    const drop = watch();
    await put(series(0), '');
    await put('empty.ipfix', '');
    await lookAfter(drop, 599);
    expect(await tree()).toEqual(['empty.ipfix', series(0)]);
    now += 1000;
    await put(series(1), '');
    await lookFor(drop, 2);
    expect(await tree()).toEqual([
      'archive/2026/11/21/empty.ipfix',
      `archive/2026/11/21/${series(0)}`,
      series(1),
    ]);
    expect(names()).toEqual([]);
  });

  it('in a sub-directory is named by it and keeps it in the archive', async () => {
    await put('berlin/flows.ipfix');
    await lookAfter(watch(), 10);
    expect(taken.map(file => file.exporterName)).toEqual(['berlin']);
    expect(await tree()).toEqual(['archive/2026/11/21/berlin/flows.ipfix']);
  });

  it('never replaces one of the same name in the archive', async () => {
    const drop = watch();
    for (let n = 0; n < 3; n++) {
      await put('a.yaf');
      await lookAfter(drop, 10);
    }
    expect(await tree()).toEqual(['a.yaf', 'a.yaf.1', 'a.yaf.2'].map(name => `archive/2026/11/21/${name}`));
  });

  it('that holds nothing readable goes to failed/ with the reason beside it', async () => {
    await put('berlin/a.yaf', 'no IPFIX at all');
    await lookAfter(watch(), 10);
    expect(await tree()).toEqual(['failed/berlin/a.yaf', 'failed/berlin/a.yaf.reason.txt']);
    const text = await readFile(join(root, 'failed/berlin/a.yaf.reason.txt'), 'utf8');
    expect(text).toContain('octet 0: version 28271, where an IPFIX message begins with 10');
    expect(text).toContain(join(root, 'berlin/a.yaf'));
    expect(text).toMatch(/move it back to/);
  });

  it('that is half good goes to the archive', async () => {
    await put('a.yaf', Buffer.concat([MESSAGE, Buffer.alloc(3000, 'x')]));
    await lookAfter(watch(), 10);
    expect(await tree()).toEqual(['archive/2026/11/21/a.yaf']);
  });

  it('that grows while it is taken stays and is taken again', async () => {
    const drop = watch({
      take: async path => {
        if (taken.length === 1) await add(basename(path), MESSAGE);
        return { outcome: 'loaded' };
      },
    });
    await put('a.yaf');
    await lookAfter(drop, 10);
    expect(await tree()).toEqual(['a.yaf']);
    await lookAfter(drop, 10);
    expect(taken.map(file => file.size)).toEqual([1000, 2000]);
    expect(await tree()).toEqual(['archive/2026/11/21/a.yaf']);
  });

  it('that is deleted is removed, with a stale lock', async () => {
    const drop = watch({ afterwards: 'delete' });
    await put(`${series(0)}.lock`, '');
    await put(series(0));
    await put(`${series(1)}.lock`, '');
    await lookAfter(drop, 5);
    expect(names()).toEqual([series(0)]);
    expect(await tree()).toEqual([`${series(1)}.lock`]);
  });

  it('that is left is taken once, and again when it has grown', async () => {
    const drop = watch({ afterwards: 'leave' });
    await put('a.yaf');
    await put('bad.yaf', 'no IPFIX at all');
    await put('empty.yaf', '');
    await lookAfter(drop, 1000);
    await lookAfter(drop, 100_000);
    expect(names().sort()).toEqual(['a.yaf', 'bad.yaf']);
    await add('a.yaf', MESSAGE);
    await lookAfter(drop, 10);
    expect(names().sort()).toEqual(['a.yaf', 'a.yaf', 'bad.yaf']);
    expect(await tree()).toEqual(['a.yaf', 'bad.yaf', 'empty.yaf']);
  });
});

describe('trouble', () => {
  it('of the loader is logged and the file tried again, later each time', async () => {
    const times: number[] = [];
    const drop = watch({
      take: async () => {
        times.push((now - START) / 1000);
        if (times.length < 5) throw new Error('the database is away');
        return { outcome: 'loaded' };
      },
    });
    await put('a.yaf');
    await lookFor(drop, 40);
    expect(times).toEqual([10, 11, 13, 17, 25]);
    expect(error).toHaveBeenCalledTimes(4);
    expect(await tree()).toEqual(['archive/2026/11/21/a.yaf']);
  });

  it('of permissions is logged and the file tried again', async () => {
    await put('a.yaf');
    await chmod(root, 0o777);
    await chmod(join(root, 'a.yaf'), 0);
    const drop = watch();
    const isRoot = process.geteuid?.() === 0; // permissions do not bind root
    if (isRoot) process.seteuid?.(65_534);
    try {
      await lookAfter(drop, 10);
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
    expect(error.mock.calls.map((call: unknown[]) => call[0])).toMatchObject([{ err: { code: 'EACCES' } }]);
    await chmod(join(root, 'a.yaf'), 0o644);
    await lookAfter(drop, 10);
    expect(await tree()).toEqual(['archive/2026/11/21/a.yaf']);
  });

  it('of moving does not make it read again', async () => {
    await put('archive', ''); // a file where a directory should be
    await put('a.yaf');
    const drop = watch();
    await lookAfter(drop, 10);
    expect(error).toHaveBeenCalledOnce();
    await rm(join(root, 'archive'));
    await lookAfter(drop, 10);
    expect(names()).toEqual(['a.yaf']);
    expect(await tree()).toEqual(['archive/2026/11/21/a.yaf']);
  });

  it('of the directory itself is logged once and passes', async () => {
    const drop = watch({ path: join(root, 'incoming') });
    await lookFor(drop, 5);
    expect(warn).toHaveBeenCalledOnce();
    await put('incoming/a.yaf');
    await lookAfter(drop, 10);
    expect(names()).toEqual(['incoming/a.yaf']);
  });
});

describe('many files', () => {
  it('are taken oldest first, so many at once', async () => {
    const gates: (() => void)[] = [];
    let running = 0;
    let most = 0;
    const drop = watch({
      concurrency: 3,
      take: async () => {
        most = Math.max(most, ++running);
        await new Promise<void>(resolve => gates.push(resolve));
        running--;
        return { outcome: 'loaded' };
      },
    });
    for (const number of [4, 2, 0, 3, 1]) await put(series(number));
    await drop.look();
    now += 10_000;
    const done = drop.look();
    for (let opened = 0; opened < 5; ) {
      const gate = gates.shift();
      if (gate) opened++;
      gate?.();
      await new Promise(resolve => setImmediate(resolve));
    }
    await done;
    expect(names()).toEqual([0, 1, 2, 3, 4].map(n => series(n)));
    expect(most).toBe(3);
  });

  it('are polled for from start() to close(), which waits for those being taken', async () => {
    const begun = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    const drop = watch({
      path: join(root, 'incoming'),
      pollSeconds: 0.001,
      settleSeconds: 0,
      take: async () => {
        begun.resolve();
        await gate.promise;
        return { outcome: 'loaded' };
      },
    });
    await drop.start();
    await put('incoming/a.yaf');
    await begun.promise;
    let closed = false;
    const closing = drop.close().then(() => {
      closed = true;
    });
    await new Promise(resolve => setImmediate(resolve));
    expect(closed).toBe(false);
    gate.resolve();
    await closing;
    await put('incoming/b.yaf');
    expect(names()).toEqual(['incoming/a.yaf']);
    expect((await tree()).map(name => basename(name))).toEqual(['a.yaf', 'b.yaf']);
  });
});
