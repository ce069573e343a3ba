import { execFile } from 'node:child_process';
import { createWriteStream, readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type pg from 'pg';
import { closeRuns } from '../../analytics/tasks/closeRuns.ts';
import { dueRuns, mergeDueRuns } from '../../analytics/tasks/mergeRuns.ts';
import { seal } from '../../analytics/tasks/seal.ts';
import { summarise } from '../../analytics/tasks/summarise.ts';
import { LoadPool } from '../../collector/load/pool.ts';
import { type Database, openDatabase } from '../../common/database.ts';
import { openPool } from '../../common/pool.ts';
import type { TierName } from '../../common/tiers.ts';
import { migrate } from '../../migrations/migrate.ts';
import { machineRecipe, type Recipe } from './measure.ts';
import { GROWING_STREAM_MAKE, type StreamCounts, type StreamOptions, yafStream } from './stream.ts';
import { treeCpuSeconds } from './treeCpu.ts';

/** About a million RRs. */
const FLOWS_PER_FILE = 292_000;
const RRS_PER_FLOW = 3.43;
/** Files loaded at the same time, each by a process of its own, as a collector on two cores does. */
const FILES_AT_ONCE = 2;
/** The silent end of the last day, so that no flow of it falls into a day that is not over. */
const SILENT_MS = 3_600_000;
const DAY_MS = 86_400_000;
const FIRST_PROBE_SEED = 1_000_000;

/** The pauses of the jobs, for closing and merging runs as they are; days are sealed sooner than the crontab would. */
const PAUSE_MS = { seal: 15_000, close: 500, merge: 2000, summarise: 3000 };
/** Longer than it takes to write some files: a day that goes on must not be sealed. */
const SEAL_AFTER_SECONDS = 60;
const RETRY_MS = 100;

/** A file of the stream, to be loaded once. */
export interface StreamFile extends StreamCounts {
  readonly path: string;
  readonly bytes: number;
}

/**
 * A database of its own that is filled with generated traffic: file after file of about a million RRs, in the order of
 * their time, by loading processes, while the jobs seal days and merge runs.
 */
export class StoredStream {
  readonly #directory: string;
  readonly #days: number;
  readonly #start: number;
  readonly #daysPerFlow: number;
  #database: Database;
  #pool: pg.Pool;
  #loader: LoadPool | undefined;
  #jobs: Jobs | undefined;
  #files = 0;
  #flows = 0;
  #rrs = 0;
  #bytes = 0;

  private constructor(directory: string, database: Database, days: number, rrs: number) {
    this.#directory = directory;
    this.#database = database;
    this.#pool = openPool(database.url);
    this.#days = days;
    // ends with yesterday: pieces of the last hundred days are kept by day
    this.#start = Math.floor(Date.now() / DAY_MS) * DAY_MS - days * DAY_MS;
    this.#daysPerFlow = ((days - SILENT_MS / DAY_MS) * RRS_PER_FLOW) / rrs;
  }

  /** An empty one. @param days that it is spread over, ending yesterday @param rrs that will be stored at most */
  static async open({ days, rrs }: { days: number; rrs: number }): Promise<StoredStream> {
    const directory = await mkdtemp(join(tmpdir(), 'dnstrail-bench-scale-'));
    await chmod(directory, 0o755); // run by root the server has another account
    await mkdir(join(directory, 'files'));
    const database = await openDatabase({ home: join(directory, 'home') });
    const stored = new StoredStream(directory, database, days, rrs);
    await migrate(stored.#pool);
    return stored;
  }

  get url(): string {
    return this.#database.url;
  }

  /** CPU seconds of this process, of those that load for it and of the server since they began. */
  cpuSeconds(): number {
    const file = join(this.#database.embedded!.dataDirectory, 'postmaster.pid'); // opened with a home
    return treeCpuSeconds(process.pid, Number.parseInt(readFileSync(file, 'latin1'), 10));
  }

  /** RRs that are committed. */
  get rrs(): number {
    return this.#rrs;
  }

  /** Loads a file of an earlier day: opens connections and compiles what other files are measured with. */
  async warmUp(): Promise<void> {
    await this.load([
      await this.#writeFile({ seed: FIRST_PROBE_SEED, start: this.#start - 2 * DAY_MS, days: 0.5 }),
    ]);
    await this.settle();
  }

  /** The next part of the traffic. @param probe a number whose records are always the same, but for their times */
  async write(probe?: number): Promise<StreamFile> {
    const before = this.#flows;
    this.#flows += FLOWS_PER_FILE;
    return this.#writeFile({
      days: FLOWS_PER_FILE * this.#daysPerFlow,
      start: this.#start + before * this.#daysPerFlow * DAY_MS,
      ...(probe === undefined
        ? { seed: before / FLOWS_PER_FILE, before }
        : { seed: FIRST_PROBE_SEED + probe }),
    });
  }

  async #writeFile(options: Omit<StreamOptions, 'flows'>): Promise<StreamFile> {
    const path = join(this.#directory, 'files', `${this.#files++}.ipfix`);
    let counts: StreamCounts = { flows: 0, rrs: 0 };
    await pipeline(async function* () {
      counts = yield* yafStream({ ...options, flows: FLOWS_PER_FILE });
    }, createWriteStream(path));
    return { ...counts, path, bytes: (await stat(path)).size };
  }

  /** Loads files, several at once, while the jobs run, and removes them. */
  async load(files: AsyncIterable<StreamFile> | Iterable<StreamFile>): Promise<void> {
    this.#loader ??= new LoadPool(this.#database.url, FILES_AT_ONCE);
    const loader = this.#loader;
    this.#jobs ??= new Jobs(this.#pool);
    const loadOne = async ({ path, rrs, bytes }: StreamFile): Promise<void> => {
      const report = await loader.load({ kind: 'load', path, exporterName: 'bench' }).report;
      if (report.status !== 'loaded' || report.rrs !== rrs)
        throw new Error(`not everything was loaded: ${JSON.stringify(report)}`);
      this.#rrs += rrs;
      this.#bytes += bytes;
      await rm(path);
    };
    const running = new Set<Promise<void>>();
    for await (const file of files) {
      const loading: Promise<void> = loadOne(file).finally(() => running.delete(loading));
      running.add(loading);
      if (running.size >= FILES_AT_ONCE) await Promise.race(running);
    }
    await Promise.all(running);
  }

  /** Stores traffic until there are so many RRs; files are written while others are loaded. */
  async fill(rrs: number): Promise<void> {
    const expected = (): number => RRS_PER_FLOW * this.#flows;
    const next = () => this.write();
    async function* files(): AsyncGenerator<StreamFile> {
      while (expected() < rrs) yield await next();
    }
    if (expected() < rrs) await this.load(files());
  }

  /** Until all days are sealed and all runs indexed and merged: nothing is left due. */
  async settle(): Promise<void> {
    await this.#jobs?.end();
    this.#jobs = undefined;
    for (;;) {
      await Promise.all([seal(this.#pool, { sealAfterSeconds: 0 }), closeAndMerge(this.#pool)]);
      if (!(await isAnythingDue(this.#pool))) return;
      await delay(RETRY_MS);
    }
  }

  /**
   * Stops the server and starts it again, its files dropped from the cache of the operating system: only its own, other
   * processes keep theirs.
   * @returns whether they could be dropped
   */
  async restart(): Promise<boolean> {
    await this.#stop();
    const data = this.#database.embedded!.dataDirectory; // opened with a home
    const drop = ['-exec', 'dd', 'if={}', 'iflag=nocache', 'count=0', 'status=none', ';'];
    const isDropped = await promisify(execFile)('find', [data, '-type', 'f', '-size', '+0', ...drop]).then(
      () => true,
      () => false,
    );
    this.#database = await openDatabase({ home: join(this.#directory, 'home') });
    this.#pool = openPool(this.#database.url);
    return isDropped;
  }

  async #stop(): Promise<void> {
    const jobs = this.#jobs;
    this.#jobs = undefined;
    await jobs?.end().catch(() => {}); // only after another error they fail unnoticed
    await this.#loader?.close();
    this.#loader = undefined;
    await this.#pool.end();
    await this.#database.close();
  }

  async close(): Promise<void> {
    await this.#stop();
    await rm(this.#directory, { recursive: true });
  }

  /** How it was made, and the machine. */
  async recipe(more: Recipe): Promise<Recipe> {
    const { rows } = await this.#pool.query<Recipe>(
      `select current_setting('server_version') as postgresql,
         'fsync ' || current_setting('fsync') || ', synchronous_commit ' || current_setting('synchronous_commit') as durable,
         current_setting('shared_buffers') as shared_buffers`,
    );
    return {
      stream: `${GROWING_STREAM_MAKE}; over ${this.#days} days ending yesterday, seed = number of the file before it`,
      stored: `${this.#rrs} RRs in ${this.#files} files, ${this.#bytes} octets`,
      loaded: `${FILES_AT_ONCE} files at once by a loading process each`,
      jobs:
        `seal every ${PAUSE_MS.seal} ms days without new rows for ${SEAL_AFTER_SECONDS} s, ` +
        `close_runs ${PAUSE_MS.close} ms, merge_runs and merge_large_runs ${PAUSE_MS.merge} ms and summarise ${PAUSE_MS.summarise} ms after the last; not detect`,
      ...more,
      ...rows[0],
      ...machineRecipe(),
      loadAverage15: Number((loadavg()[2] ?? 0).toPrecision(3)),
    };
  }
}

/** The jobs that look after what is stored, going on until they are ended. */
class Jobs {
  readonly #ending = new AbortController();
  readonly #running: Promise<unknown>;

  constructor(pool: pg.Pool) {
    this.#running = Promise.all([
      this.#repeat(PAUSE_MS.seal, () => seal(pool, { sealAfterSeconds: SEAL_AFTER_SECONDS })),
      this.#repeat(PAUSE_MS.close, () => closeRuns(pool)),
      this.#repeat(PAUSE_MS.merge, () => mergeDueRuns(pool, 'small')),
      this.#repeat(PAUSE_MS.merge, () => mergeDueRuns(pool, 'large')),
      this.#repeat(PAUSE_MS.summarise, () => summarise(pool)),
    ]);
    this.#running.catch(() => this.#ending.abort()); // end() tells
  }

  async #repeat(pauseMs: number, job: () => Promise<unknown>): Promise<void> {
    const { signal } = this.#ending;
    while (!signal.aborted) {
      await job();
      await delay(pauseMs, undefined, { signal }).catch(() => {});
    }
  }

  /** Lets them come to their end. */
  async end(): Promise<void> {
    this.#ending.abort();
    await this.#running;
  }
}

async function closeAndMerge(pool: pg.Pool): Promise<void> {
  await closeRuns(pool, { isFinal: true });
  for (const sizes of ['small', 'large'] as const) await mergeDueRuns(pool, sizes);
}

async function isAnythingDue(pool: pg.Pool): Promise<boolean> {
  const { rows } = await pool.query<{ tier: TierName; run_id: number; bytes: string; is_ready: boolean }>(
    `select tier, run_id, bytes, state = 'ready' as is_ready from public.run
     where state in ('closed', 'ready', 'empty')
       or state = 'hot' and pg_relation_size(format('runs.%I', tier || '_' || run_id)::regclass) > 0
     union all
     select name, 0, table_bytes, false from public.partition
     where day < (now() at time zone 'UTC')::date and table_bytes > 0 and state <> 'sealed'`,
  );
  const ready = Map.groupBy(
    rows.filter(row => row.is_ready),
    ({ tier }) => tier,
  );
  const isMergeDue = [...ready].some(([tier, rowsOf]) => {
    const runs = rowsOf.map(({ run_id, bytes }) => ({ runId: run_id, bytes: Number(bytes) }));
    return (['small', 'large'] as const).some(sizes => dueRuns(tier, runs, sizes) !== undefined);
  });
  return isMergeDue || rows.some(row => !row.is_ready);
}
