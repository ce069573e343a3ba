import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Config } from '../common/config.ts';
import { type Database, openDatabase } from '../common/database.ts';
import { log } from '../common/log.ts';
import { withPatience } from '../common/patience.ts';
import { migrate } from '../migrations/migrate.ts';
import type { FileOrigin } from './load/ledger.ts';
import { type Loading, LoadPool } from './load/pool.ts';
import { Journal } from './receive/journal.ts';
import { parseSegmentName, type SegmentInfo } from './receive/segmentName.ts';
import { TcpReceiver } from './receive/tcp.ts';
import { DropDirectory, type TakeResult } from './source/dropDirectory.ts';

/** Closed segments loaded at the same time; the rest wait their turn. */
const CLOSED_SEGMENTS_AT_ONCE = 4;
/** How long stopping waits for what was received to be committed; the rest is loaded at the next start. */
const DRAIN_MS = 5_000;
const CHECK_DATABASE_MS = 2_000;
/** After an error that waiting for the database does not cure: a loading process that ended, a full disk of ours. */
const RETRY_SEGMENT_MS = 10_000;

/** A running collector. */
export interface Collector {
  /** Where it listens. */
  readonly address: { readonly host: string; readonly port: number };
  readonly watched: string;
  /** Resolves when the database is there and everything runs. */
  readonly ready: Promise<Database>;
  /** Stops receiving, commits what was received as far as a few seconds allow, lets go of everything. */
  close(): Promise<void>;
}

/** A journal segment that is being written while the loader may not be there yet. */
interface OpenSegment {
  readonly info: SegmentInfo;
  size: number;
  closed: boolean;
  loading: Loading | undefined;
}

/**
 * Receives into the journal from the first moment, and loads journal and drop directory as soon as the database is there:
 * the composition of all parts of the collector.
 * @throws ReceiveError when the port is taken, or another dnstrail uses the same home
 */
export async function startCollector(config: Config): Promise<Collector> {
  const journal = new Journal(config.home, {
    quotaBytes: config.journalQuota,
    segmentBytes: config.segmentSize,
    segmentSeconds: config.segmentSeconds,
  });
  const closedBefore = journal.closedSegments();
  const segments = new OpenSegments(journal);
  const receiver = new TcpReceiver(journal);
  try {
    await receiver.listen(config.listen);
  } catch (error) {
    await journal.close();
    throw error;
  }
  const stopping = new AbortController();
  const watched = config.watch === '' ? join(config.home, 'incoming') : config.watch;
  let parts:
    | { database: Database; pool: LoadPool; drop: DropDirectory; supervising: Promise<void> }
    | undefined;

  const ready = (async () => {
    const database = await openWithPatience(config, stopping.signal);
    const pool = new LoadPool(database.url, config.loaders);
    const drop = new DropDirectory({
      path: watched,
      take: (path, { exporterName }) => take(pool, { kind: 'drop', path, exporterName }),
      afterwards: config.afterLoad,
      settleSeconds: config.settleSeconds,
      staleLockSeconds: config.staleSeconds,
      staleSeconds: config.staleSeconds,
      concurrency: config.loaders,
    });
    parts = { database, pool, drop, supervising: supervise(database, stopping.signal) };
    segments.loadWith(pool);
    void loadClosed(
      pool,
      journal,
      closedBefore.map(({ path }) => path),
    );
    await drop.start();
    return database;
  })();
  ready.catch(() => {}); // whoever awaits it hears of it; close() comes here too

  return {
    address: config.listen,
    watched,
    ready,
    async close() {
      await receiver.close();
      await journal.close();
      stopping.abort();
      await ready.catch(() => {});
      if (parts === undefined) return;
      const { database, pool, drop, supervising } = parts;
      const deadline = Date.now() + DRAIN_MS;
      while (segments.active > 0 && Date.now() < deadline) await delay(20);
      await Promise.all([pool.close(), drop.close()]);
      await supervising;
      await database.close();
    },
  };
}

/** Hands the journal's growing segments to the loader, from the time that there is one. */
class OpenSegments {
  readonly #journal: Journal;
  readonly #segments = new Map<string, OpenSegment>();
  #pool: LoadPool | undefined;

  constructor(journal: Journal) {
    this.#journal = journal;
    journal.on('segmentOpened', (path, info) => {
      const segment: OpenSegment = { info, size: 0, closed: false, loading: undefined };
      this.#segments.set(path, segment);
      this.#load(path, segment);
    });
    journal.on('grown', (path, size) => {
      const segment = this.#segments.get(path);
      if (segment === undefined) return;
      segment.size = size;
      segment.loading?.grown(size);
    });
    journal.on('closed', (path, size) => {
      const segment = this.#segments.get(path);
      if (segment === undefined) return;
      segment.size = size;
      segment.closed = true;
      segment.loading?.closed(size);
    });
  }

  /** Segments that are not loaded to their end. */
  get active(): number {
    return this.#segments.size;
  }

  loadWith(pool: LoadPool): void {
    this.#pool = pool;
    for (const [path, segment] of this.#segments) this.#load(path, segment);
  }

  #load(path: string, segment: OpenSegment): void {
    if (this.#pool === undefined) return;
    const loading = this.#pool.load(segmentOrigin(path, segment.info), { grows: true });
    segment.loading = loading;
    loading.grown(segment.size);
    if (segment.closed) loading.closed(segment.size);
    loading.report.then(
      () => {
        this.#segments.delete(path);
        this.#journal.loaded(path);
      },
      error => {
        if (isStop(error)) {
          this.#segments.delete(path);
          return;
        }
        log.error({ path, error: String(error), retryInMs: RETRY_SEGMENT_MS }, 'could not load, will retry');
        setTimeout(() => this.#load(path, segment), RETRY_SEGMENT_MS).unref();
      },
    );
  }
}

/** Loads the segments of earlier runs; the ledger tells those that are loaded already. */
async function loadClosed(pool: LoadPool, journal: Journal, paths: readonly string[]): Promise<void> {
  const queue = paths.values();
  const takeNext = async (): Promise<void> => {
    for (const path of queue) {
      const info = parseSegmentName(path.slice(path.lastIndexOf('/') + 1));
      if (info === null) {
        log.warn({ path }, 'not a journal segment, left alone');
        continue;
      }
      try {
        await pool.load(segmentOrigin(path, info)).report;
        journal.loaded(path);
      } catch (error) {
        reportFailure(path, error);
      }
    }
  };
  await Promise.all(Array.from({ length: CLOSED_SEGMENTS_AT_ONCE }, takeNext));
}

function segmentOrigin(path: string, { peerAddress, peerPort, segment }: SegmentInfo): FileOrigin {
  return {
    kind: 'journal',
    path,
    exporterName: peerAddress,
    peerAddress,
    peerPort,
    startsMidSession: segment > 0,
  };
}

function reportFailure(path: string, error: unknown): void {
  if (!isStop(error)) log.error({ path, error: String(error) }, 'could not load, the next start tries again');
}

function isStop(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'LoadStopped';
}

async function take(pool: LoadPool, origin: FileOrigin): Promise<TakeResult> {
  const { status, error, flows, rrs, messages } = await pool.load(origin).report;
  log.info(
    { path: origin.path, status, messages, flows, rrs, ...(error === null ? {} : { error }) },
    'took a file',
  );
  return status === 'failed'
    ? { outcome: 'failed', reason: error ?? 'no IPFIX message in it' }
    : { outcome: status };
}

/** Opens and migrates the database; one that is not there yet is waited for. */
function openWithPatience(config: Config, signal: AbortSignal): Promise<Database> {
  return withPatience(
    async () => {
      const database = await openDatabase({ home: config.home, databaseUrl: config.databaseUrl });
      try {
        const pool = database.pool({ max: 1 });
        const { applied } = await migrate(pool);
        await pool.end();
        if (applied.length > 0) log.info({ applied }, 'migrated the database');
        return database;
      } catch (error) {
        await database.close();
        throw error;
      }
    },
    signal,
    (error, retryInMs) =>
      log.warn(
        { error: String(error), retryInMs },
        'database not available; what arrives waits in the journal',
      ),
  );
}

/** Starts the embedded server again when it went away under us. */
async function supervise(database: Database, signal: AbortSignal): Promise<void> {
  const { embedded } = database;
  while (embedded !== undefined && !signal.aborted) {
    await delay(CHECK_DATABASE_MS, undefined, { signal }).catch(() => {});
    if (signal.aborted) return;
    await embedded
      .ensureRunning()
      .catch(error => log.error({ error: String(error) }, 'cannot start PostgreSQL again, will retry'));
  }
}
