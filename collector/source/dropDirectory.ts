import type { Stats } from 'node:fs';
import { lstat, mkdir, readdir, unlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { log } from '../../common/log.ts';
import { openContent } from './content.ts';
import { type Finished, isLockAbandoned, type Patience, type Sighting, whyFinished } from './finished.ts';
import { readMessages } from './messages.ts';
import { moveFile } from './move.ts';
import { exporterNameOf, isLater, parseRotatedName, type RotatedName } from './rotation.ts';

export { exporterNameOf };

/** What became of a file that was handed over. */
export type TakeResult =
  | { readonly outcome: 'loaded' | 'duplicate' | 'partial' }
  /** `reason`: what was wrong with the file and where, for `NAME.reason.txt`. */
  | { readonly outcome: 'failed'; readonly reason: string };

export interface DroppedFile {
  /** {@link exporterNameOf} */
  readonly exporterName: string;
  /** Octets as stored. */
  readonly size: number;
  readonly finished: Finished;
}

export interface DropDirectoryOptions extends Partial<Patience> {
  /** The watched directory; each of its sub-directories is watched too. */
  readonly path: string;
  /**
   * Reads one finished file. Must know a file it has had (it is handed over again after a restart, or when it has grown)
   * and answer `duplicate`. When it throws, the file is handed over again later.
   */
  take(path: string, file: DroppedFile): Promise<TakeResult>;
  /**
   * What to do with a file that was taken: `archive` (default) moves it to `archive/YYYY/MM/DD/` in the watched directory,
   * `delete` removes it, `leave` touches nothing. Failed files go to `failed/` unless they are left.
   */
  readonly afterwards?: 'archive' | 'delete' | 'leave';
  /** Default 1. */
  readonly pollSeconds?: number;
  /** How many files are taken at once, default 2. */
  readonly concurrency?: number;
  /** Milliseconds since the Unix epoch. */
  readonly now?: () => number;
}

/** What is remembered of a path from look to look. */
interface Known {
  size: number;
  modifiedAt: number;
  unchangedSince: number;
  wasLocked: boolean;
  endsWhole?: boolean;
  /** It does not hold IPFIX. */
  foreign?: boolean;
  /** What taking it as it is now came to. */
  result?: TakeResult | { readonly outcome: 'empty' } | undefined;
  attempts: number;
  retryAt: number;
}

interface Candidate {
  readonly path: string;
  readonly known: Known;
  readonly finished: Finished;
}

const EXTENSION = /\.(yaf|ipfix|med|dat)(\.gz)?$/i;
const IGNORED = /^\.|\.(tmp|part)$|~$/;
const OWN_FOLDERS = new Set(['archive', 'failed']);
const LOCK = '.lock';
const LONGEST_RETRY_SECONDS = 300;

/**
 * Watches a directory for files that are finished, hands each over once, oldest first, and puts it away. It polls, which
 * works on network file systems too. When a file counts as finished: {@link whyFinished}.
 */
export class DropDirectory {
  readonly #options: DropDirectoryOptions;
  readonly #patience: Patience;
  readonly #now: () => number;
  readonly #known = new Map<string, Known>();
  readonly #running = new Map<string, Promise<void>>();
  readonly #complaints = new Map<string, string>();
  #queue: Candidate[] = [];
  #scanning: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: DropDirectoryOptions) {
    const { settleSeconds = 10, staleSeconds = 600, staleLockSeconds = 600, now = Date.now } = options;
    this.#options = options;
    this.#patience = { settleSeconds, staleSeconds, staleLockSeconds };
    this.#now = now;
  }

  /**
   * Makes the directory if need be and begins to poll.
   * @throws the system's error when the directory can neither be found nor made
   */
  async start(): Promise<void> {
    await mkdir(this.#options.path, { recursive: true });
    this.#poll();
  }

  /** Looks once; resolves when every file found finished was taken and put away. */
  async look(): Promise<void> {
    await this.#scan();
    while (this.#running.size > 0) await Promise.all(this.#running.values());
  }

  /** Stops looking; resolves when the files being taken are done. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#queue = [];
    await this.#scanning;
    await Promise.all(this.#running.values());
  }

  #poll(): void {
    const begun = performance.now();
    void this.#scan().then(() => {
      if (this.#closed) return;
      // A directory of a hundred thousand files takes a while to look at: not more than a tenth of our time.
      const pause = Math.max((this.#options.pollSeconds ?? 1) * 1000, 10 * (performance.now() - begun));
      this.#timer = setTimeout(() => this.#poll(), pause);
    });
  }

  #scan(): Promise<void> {
    this.#scanning ??= this.#scanFolders().finally(() => {
      this.#scanning = undefined;
    });
    return this.#scanning;
  }

  async #scanFolders(): Promise<void> {
    const seen = new Set<string>();
    const candidates: Candidate[] = [];
    const { path } = this.#options;
    for (const folder of [path, ...(await this.#foldersIn(path))]) {
      const files = await this.#filesIn(folder);
      for (const file of files.keys()) seen.add(join(folder, file));
      candidates.push(...(await this.#lookAt(folder, files)));
    }
    for (const file of this.#known.keys()) {
      if (seen.has(file)) continue;
      this.#known.delete(file);
      this.#complaints.delete(file);
    }
    if (this.#closed) return;
    this.#queue = candidates.sort(byAge);
    this.#startNext();
  }

  async #foldersIn(path: string): Promise<string[]> {
    const entries = await this.#orComplain(path, () => readdir(path, { withFileTypes: true }));
    return (entries ?? [])
      .filter(entry => entry.isDirectory() && !IGNORED.test(entry.name) && !OWN_FOLDERS.has(entry.name))
      .map(entry => join(path, entry.name));
  }

  async #filesIn(folder: string): Promise<Map<string, Stats>> {
    const entries = await this.#orComplain(folder, () => readdir(folder, { withFileTypes: true }));
    const files = new Map<string, Stats>();
    for (const entry of entries ?? []) {
      if (!entry.isFile() || IGNORED.test(entry.name)) continue;
      const stats = await lstat(join(folder, entry.name)).catch(() => undefined); // may be gone since
      if (stats?.isFile()) files.set(entry.name, stats);
    }
    return files;
  }

  /** Judges the files of one folder, of which `files` is all that is there. */
  async #lookAt(folder: string, files: ReadonlyMap<string, Stats>): Promise<Candidate[]> {
    const now = this.#now();
    const latest = latestOfSeries(files);
    const candidates: Candidate[] = [];
    for (const [name, stats] of files) {
      const path = join(folder, name);
      const known = this.#observe(path, stats, now);
      const isLock = name.endsWith(LOCK);
      const rotated = parseRotatedName(isLock ? name.slice(0, -LOCK.length) : name);
      const successor = rotated && latest.get(rotated.prefix);
      const lock = files.has(name + LOCK)
        ? this.#observe(path + LOCK, files.get(name + LOCK) ?? stats, now)
        : undefined;
      known.wasLocked ||= this.#known.has(path + LOCK); // forgotten only after the look that misses it
      const sighting: Sighting = {
        ...known,
        unchangedSince: Math.max(known.unchangedSince, lock?.unchangedSince ?? 0),
        locked: lock !== undefined,
        // A clock set back makes names of the past: a file changed after its successor is still being written.
        superseded:
          !!successor && isLater(successor.name, rotated) && successor.modifiedAt >= known.modifiedAt,
        rotated: rotated !== undefined,
        endsWhole: known.endsWhole,
      };
      if (isLock) {
        if (!files.has(name.slice(0, -LOCK.length)) && isLockAbandoned(sighting, now, this.#patience))
          await this.#removeLock(path);
        continue;
      }
      const finished = whyFinished(sighting, now, this.#patience);
      if (finished && this.#isDue(path, known, finished, now)) candidates.push({ path, known, finished });
    }
    return candidates;
  }

  #observe(path: string, stats: Stats, now: number): Known {
    const before = this.#known.get(path);
    if (before && before.size === stats.size && before.modifiedAt === stats.mtimeMs) return before;
    const wasLocked = before?.wasLocked ?? false;
    const { size, mtimeMs: modifiedAt } = stats;
    const known = { size, modifiedAt, unchangedSince: now, wasLocked, attempts: 0, retryAt: 0 };
    this.#known.set(path, known);
    return known;
  }

  #isDue(path: string, known: Known, finished: Finished, now: number): boolean {
    if (known.foreign || known.retryAt > now || this.#running.has(path)) return false;
    return !known.result || this.#mayPutAway(finished);
  }

  #mayPutAway(finished: Finished): boolean {
    return finished !== 'stale' && this.#options.afterwards !== 'leave';
  }

  #startNext(): void {
    while (this.#running.size < (this.#options.concurrency ?? 2)) {
      const next = this.#queue.shift();
      if (!next) return;
      const done = this.#handle(next).finally(() => {
        this.#running.delete(next.path);
        if (!this.#closed) this.#startNext();
      });
      this.#running.set(next.path, done);
    }
  }

  async #handle(candidate: Candidate): Promise<void> {
    const { path, known, finished } = candidate;
    try {
      known.result ??= await this.#take(candidate);
      if (known.result && this.#mayPutAway(finished)) await this.#putAway(path, known.result);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT' && !(await exists(path))) return;
      const seconds = Math.min(2 ** known.attempts++, LONGEST_RETRY_SECONDS);
      known.retryAt = this.#now() + seconds * 1000;
      log.error(
        { path, err: error, retryInSeconds: seconds },
        'file could not be taken, it stays and is tried again',
      );
    }
  }

  async #take({ path, known, finished }: Candidate): Promise<Known['result']> {
    if (!EXTENSION.test(path) && !(await beginsLikeIpfix(path))) {
      known.foreign = true;
      if (known.size > 0) this.#complain(path, 'not a file of IPFIX messages, left alone');
      return undefined;
    }
    if (known.size === 0) return { outcome: 'empty' };
    if (finished === 'settled') {
      known.endsWhole ??= await endsWhole(path);
      if (!known.endsWhole) return undefined;
    }
    const exporterName = exporterNameOf(path, this.#options.path);
    const result = await this.#options.take(path, { exporterName, size: known.size, finished });
    log[result.outcome === 'failed' ? 'error' : 'info'](
      { path, exporterName, finished, ...result },
      `file ${result.outcome}`,
    );
    const { size, mtimeMs } = await lstat(path);
    if (size === known.size && mtimeMs === known.modifiedAt) return result;
    log.warn({ path, size, sizeBefore: known.size }, 'file changed while it was read, it will be read again');
    return undefined;
  }

  async #putAway(path: string, { outcome, ...rest }: NonNullable<Known['result']>): Promise<void> {
    const root = this.#options.path;
    const folder = relative(root, dirname(path));
    if (outcome === 'failed') {
      const moved = await moveFile(path, join(root, 'failed', folder));
      await writeFile(
        `${moved}.reason.txt`,
        reasonText(path, 'reason' in rest ? rest.reason : '', this.#now()),
      );
    } else if (this.#options.afterwards === 'delete') {
      await unlink(path);
    } else {
      const [day = ''] = new Date(this.#now()).toISOString().split('T');
      await moveFile(path, join(root, 'archive', ...day.split('-'), folder));
    }
    if (await exists(path + LOCK)) await this.#removeLock(path + LOCK);
    this.#known.delete(path);
  }

  async #removeLock(path: string): Promise<void> {
    if (this.#options.afterwards === 'leave') return;
    await this.#orComplain(path, () => unlink(path));
    log.warn({ path }, 'removed the lock that a killed YAF left behind');
  }

  async #orComplain<T>(path: string, act: () => Promise<T>): Promise<T | undefined> {
    try {
      const result = await act();
      this.#complaints.delete(path);
      return result;
    } catch (error) {
      this.#complain(path, String(error));
      return undefined;
    }
  }

  /** Logs what is wrong with a path once, not at every look. */
  #complain(path: string, what: string): void {
    if (this.#complaints.get(path) === what) return;
    this.#complaints.set(path, what);
    log.warn({ path }, what);
  }
}

/** The latest file of each series by its name. A lock counts: YAF makes it when it has closed the file before. */
function latestOfSeries(
  files: ReadonlyMap<string, Stats>,
): Map<string, { name: RotatedName; modifiedAt: number }> {
  const latest = new Map<string, { name: RotatedName; modifiedAt: number }>();
  for (const [file, stats] of files) {
    const name = parseRotatedName(file.endsWith(LOCK) ? file.slice(0, -LOCK.length) : file);
    const before = name && latest.get(name.prefix);
    if (name && (!before || isLater(name, before.name)))
      latest.set(name.prefix, { name, modifiedAt: stats.mtimeMs });
  }
  return latest;
}

/** By the time in the name, else by modification time. */
function byAge(a: Candidate, b: Candidate): number {
  const [x, y] = [ageKey(a), ageKey(b)];
  return x < y ? -1 : x > y ? 1 : 0;
}

function ageKey({ path, known }: Candidate): string {
  const rotated = parseRotatedName(basename(path));
  const time = rotated?.time ?? new Date(known.modifiedAt).toISOString().replace(/\D/g, '').slice(0, 14);
  return `${time} ${String(rotated?.number ?? 0).padStart(10, '0')} ${path}`;
}

async function beginsLikeIpfix(path: string): Promise<boolean> {
  const content = await openContent(path);
  try {
    const head = Buffer.alloc(4);
    for (let length = 0; length < head.length; ) {
      const count = await content.read(head, length);
      if (count === 0) return false;
      length += count;
    }
    return head.readUInt16BE(0) === 10 && head.readUInt16BE(2) >= 16;
  } finally {
    await content.close();
  }
}

/** Reads all of it, at memory speed: the loader does so next, and then finds it in the page cache. */
async function endsWhole(path: string): Promise<boolean> {
  for await (const { bad } of readMessages(path))
    if (bad?.code === 'truncated' || bad?.code === 'gzip') return false;
  return true;
}

function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

function reasonText(path: string, reason: string, now: number): string {
  return `${basename(path)} could not be loaded.

What:    ${reason}
Where:   it was ${path}
When:    ${new Date(now).toISOString()}
To do:   nothing of it is in the database. When the cause is removed, move it back to ${dirname(path)} to have it
         loaded; else delete it and this note.
`;
}
