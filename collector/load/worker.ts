import { giveWay, letServerGiveWay, Niceness } from '../../common/niceness.ts';
import { openPool } from '../../common/pool.ts';
import type { Parent } from '../../common/subprocess.ts';
import { Partitions } from '../store/partitions.ts';
import type { FileOrigin } from './ledger.ts';
import { type FileReport, type GrowingFile, loadFile } from './loadFile.ts';

export interface WorkerOptions {
  readonly databaseUrl: string;
}

/** What the pool tells a worker. */
export type ToWorker =
  | { readonly type: 'load'; readonly task: number; readonly origin: FileOrigin; readonly grows: boolean }
  | { readonly type: 'grown'; readonly task: number; readonly size: number }
  | { readonly type: 'closed'; readonly task: number; readonly size: number };

/** What a worker tells the pool. */
export type FromWorker =
  | {
      readonly type: 'progress';
      readonly task: number;
      readonly position: number;
      readonly size: number | undefined;
    }
  | { readonly type: 'done'; readonly task: number; readonly report: FileReport }
  | {
      readonly type: 'error';
      readonly task: number;
      readonly name: string;
      readonly message: string;
      readonly code: string | undefined;
    };

/** Connections of one worker: three for each of two files at a time, and their locks; further files wait for one. */
const CONNECTIONS = 8;
/** Rows in memory: shared by the files that are loaded at the same time. */
const BATCH_BYTES_TOTAL = 32 << 20;
const LARGEST_BATCH_BYTES = 8 << 20;
const SMALLEST_BATCH_BYTES = 1 << 18;
/** Groups of observations in memory, some 40 MB, shared likewise; as much again is on its way to the database. */
const GROUPS_TOTAL = 150_000;
const SMALLEST_GROUPS = 5000;
/** Messages that trickle in are committed together, this long after the first of them. */
const GATHER_MS = 100;

/** A journal segment that is still being written. */
class GrowingSegment implements GrowingFile {
  #size = 0;
  #closedAt: number | undefined;
  #wake: () => void = () => {};

  grown(size: number): void {
    this.#size = Math.max(this.#size, size);
    this.#wake();
  }

  close(size: number): void {
    this.#closedAt = size;
    this.#wake();
  }

  finalSize(): number | undefined {
    return this.#closedAt;
  }

  /** @returns false once the file is closed and `size` octets of it were read */
  async waitForGrowth(size: number): Promise<boolean> {
    while (this.#size <= size && this.#closedAt === undefined) {
      await new Promise<void>(resolve => {
        this.#wake = resolve;
      });
    }
    if (this.#closedAt !== undefined) return size < this.#closedAt;
    await new Promise(resolve => setTimeout(resolve, GATHER_MS));
    return true;
  }
}

/** Loads the files it is told to, until it is told to stop: after the batches that are under way then. */
export async function run({
  options,
  messages,
  stopping,
  send,
}: Parent<WorkerOptions, ToWorker, FromWorker>): Promise<void> {
  void giveWay(Niceness.loading);
  const pool = openPool(options.databaseUrl, {
    max: CONNECTIONS,
    application_name: 'dnstrail load',
    onConnect: client => letServerGiveWay(client, Niceness.loading),
  });
  const partitions = new Partitions(pool);
  const growing = new Map<number, GrowingSegment>();
  const running = new Set<Promise<void>>();

  const load = async (task: number, origin: FileOrigin, grows: boolean): Promise<void> => {
    const file = grows ? new GrowingSegment() : undefined;
    if (file !== undefined) growing.set(task, file);
    try {
      const report = await loadFile(origin, {
        pool,
        partitions,
        batchBytes: () =>
          Math.max(SMALLEST_BATCH_BYTES, Math.min(LARGEST_BATCH_BYTES, BATCH_BYTES_TOTAL / running.size)),
        mostGroups: () => Math.max(SMALLEST_GROUPS, GROUPS_TOTAL / running.size),
        progress: (position, size) => send({ type: 'progress', task, position, size }),
        follow: file,
        signal: stopping,
      });
      send({ type: 'done', task, report });
    } catch (error) {
      const { name, message } = error instanceof Error ? error : new Error(String(error));
      const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
      send({ type: 'error', task, name, message, code });
    } finally {
      growing.delete(task);
    }
  };

  for await (const message of messages) {
    switch (message.type) {
      case 'load': {
        const loading = load(message.task, message.origin, message.grows).finally(() =>
          running.delete(loading),
        );
        running.add(loading);
        break;
      }
      case 'grown':
        growing.get(message.task)?.grown(message.size);
        break;
      case 'closed':
        growing.get(message.task)?.close(message.size);
    }
  }
  for (const file of growing.values()) file.close(0);
  await Promise.all(running);
  await pool.end().catch(() => {}); // connections that are lost are closed
}
