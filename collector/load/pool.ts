import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { sibling } from '../../common/sibling.ts';
import type { FileOrigin } from './ledger.ts';
import type { FileReport } from './loadFile.ts';
import type { FromWorker, ToWorker } from './worker.ts';

/** A file could not be loaded at all; `code` is the system's or LoadStopped. */
export class LoadError extends Error {
  override readonly name = 'LoadError';
  readonly code: string | undefined;

  constructor(message: string, code: string | undefined) {
    super(message);
    this.code = code;
  }
}

/** A file on its way into the database. */
export interface Loading {
  readonly report: Promise<FileReport>;
  /** Tells the size of a file that is still being written. */
  grown(size: number): void;
  /** Tells that a file is complete. */
  closed(size: number): void;
}

interface Task {
  readonly resolve: (report: FileReport) => void;
  readonly reject: (error: Error) => void;
  readonly progress: ((position: number, size: number | undefined) => void) | undefined;
}

/**
 * Memory of one thread. Left to itself V8 lets the young generation grow to 100 MB, most of it garbage; half of that
 * loads as fast, a quarter 6 % slower (test/bench, "load"). The old one holds templates and what waits for them,
 * some 20 MB; a file that needs far more ends its thread, not the process.
 */
const HEAP = { maxYoungGenerationSizeMb: 48, maxOldGenerationSizeMb: 512 };

/** How long a thread may take to end by itself. */
const PATIENCE_MS = 10_000;

/** A load thread and the files it has. */
interface Thread {
  readonly worker: Worker;
  readonly tasks: Map<number, Task>;
}

/** Worker threads that load files, several at once. */
export class LoadPool {
  readonly #databaseUrl: string;
  readonly #threads: Thread[];
  #nextTask = 1;
  #isClosing = false;

  constructor(databaseUrl: string, threads = Math.min(4, availableParallelism())) {
    this.#databaseUrl = databaseUrl;
    this.#threads = Array.from({ length: threads }, (_, i) => this.#start(i));
  }

  /** A thread that ends by itself is replaced; its files fail, and the ledger knows where they go on. */
  #start(place: number): Thread {
    const worker = new Worker(sibling(import.meta.url, 'worker'), {
      workerData: { databaseUrl: this.#databaseUrl },
      resourceLimits: HEAP,
    });
    const tasks = new Map<number, Task>();
    worker.on('message', (message: FromWorker) => received(tasks, message));
    worker.on('error', error => failAll(tasks, error));
    worker.on('exit', code => {
      const reason = this.#isClosing ? 'LoadStopped' : undefined;
      failAll(tasks, new LoadError(`the load thread ended with code ${code}`, reason));
      if (!this.#isClosing) this.#threads[place] = this.#start(place);
    });
    return { worker, tasks };
  }

  /** Files that are being loaded. */
  get active(): number {
    return this.#threads.reduce((sum, { tasks }) => sum + tasks.size, 0);
  }

  /** Loads a file on the thread that has least to do. @param grows it is still being written: see `Loading` */
  load(origin: FileOrigin, options: { grows?: boolean; progress?: Task['progress'] } = {}): Loading {
    const { worker, tasks } = this.#threads.reduce((least, each) =>
      each.tasks.size < least.tasks.size ? each : least,
    );
    const task = this.#nextTask++;
    const tell = (message: ToWorker): void => worker.postMessage(message);
    const report = new Promise<FileReport>((resolve, reject) =>
      tasks.set(task, { resolve, reject, progress: options.progress }),
    );
    tell({ type: 'load', task, origin, grows: options.grows === true });
    return {
      report,
      grown: size => tell({ type: 'grown', task, size }),
      closed: size => tell({ type: 'closed', task, size }),
    };
  }

  /** Stops loading after the batches that are under way; the ledger knows where to go on. */
  async close(): Promise<void> {
    this.#isClosing = true;
    await Promise.all(
      this.#threads.map(async ({ worker }) => {
        const ended = once(worker, 'exit').catch(() => {}); // its error is reported to its files
        worker.postMessage({ type: 'stop' } satisfies ToWorker);
        const late = setTimeout(() => void worker.terminate(), PATIENCE_MS);
        await ended;
        clearTimeout(late);
      }),
    );
  }
}

function received(tasks: Map<number, Task>, message: FromWorker): void {
  const task = tasks.get(message.task);
  if (task === undefined) return;
  if (message.type === 'progress') {
    task.progress?.(message.position, message.size);
    return;
  }
  tasks.delete(message.task);
  if (message.type === 'done') task.resolve(message.report);
  else task.reject(new LoadError(message.message, message.code ?? message.name));
}

function failAll(tasks: Map<number, Task>, error: Error): void {
  for (const task of tasks.values()) task.reject(error);
  tasks.clear();
}
