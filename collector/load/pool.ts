import { availableParallelism } from 'node:os';
import { log } from '../../common/log.ts';
import { Subprocess } from '../../common/subprocess.ts';
import type { FileOrigin } from './ledger.ts';
import type { FileReport } from './loadFile.ts';
import type { FromWorker, ToWorker, WorkerOptions } from './worker.ts';

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
 * Memory of one process, in MB. Left to itself V8 lets the young generation, three semi-spaces, grow to 100 MB, most
 * of it garbage; half of that loads as fast, a quarter 6 % slower (test/bench, "load"). The old one holds templates
 * and what waits for them, some 20 MB; a file that needs far more ends its process.
 */
const HEAP = ['--max-semi-space-size=16', '--max-old-space-size=512'];

/** How long a process may take to end by itself. */
const PATIENCE_MS = 10_000;

/** A loading process and the files it has. */
interface Loader {
  readonly subprocess: Subprocess<ToWorker, FromWorker>;
  readonly tasks: Map<number, Task>;
}

/** Processes that load files, several at once. */
export class LoadPool {
  readonly #loaders: readonly Loader[];
  #nextTask = 1;
  #isClosing = false;

  constructor(databaseUrl: string, loaders = Math.min(4, availableParallelism())) {
    this.#loaders = Array.from({ length: loaders }, () => startLoader({ databaseUrl }));
  }

  /** Loads a file in the process that has least to do. @param grows it is still being written: see `Loading` */
  load(origin: FileOrigin, options: { grows?: boolean; progress?: Task['progress'] } = {}): Loading {
    const { subprocess, tasks } = this.#loaders.reduce((least, each) =>
      each.tasks.size < least.tasks.size ? each : least,
    );
    const task = this.#nextTask++;
    const tell = (message: ToWorker): void => subprocess.send(message);
    const report = new Promise<FileReport>((resolve, reject) => {
      if (this.#isClosing) reject(stopped());
      else tasks.set(task, { resolve, reject, progress: options.progress });
    });
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
      this.#loaders.map(async ({ subprocess, tasks }) => {
        await subprocess.stop();
        failAll(tasks, stopped());
      }),
    );
  }
}

/** One that ends by itself is replaced; its files fail, and the ledger knows where they go on. */
function startLoader(options: WorkerOptions): Loader {
  const tasks = new Map<number, Task>();
  const subprocess = new Subprocess<ToWorker, FromWorker>(new URL('./worker', import.meta.url), {
    options,
    flags: HEAP,
    patienceMs: PATIENCE_MS,
    received: message => received(tasks, message),
    failed(how) {
      log.error({ files: tasks.size }, `a loading process ${how}, another one takes its place`);
      failAll(tasks, new LoadError(`the loading process ${how}`, undefined));
    },
  });
  return { subprocess, tasks };
}

function stopped(): LoadError {
  return new LoadError('loading was stopped', 'LoadStopped');
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
