import { type ChildProcess, fork } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const RESTART_MS = 1_000;
/** The built program has .js files, the source tree .ts. */
const EXTENSION = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
const MAIN = fileURLToPath(new URL('./subprocessMain', import.meta.url)) + EXTENSION;

/**
 * What a module that runs as a process of its own is given: it exports `run(parent)`, and the process ends with that.
 */
export interface Parent<Options, Received, Sent> {
  readonly options: Options;
  /** What the parent sends, in order and from the first on; they end when it wants us to end. */
  readonly messages: AsyncIterable<Received>;
  /** Aborted when the parent wants us to end. */
  readonly stopping: AbortSignal;
  send(message: Sent): void;
}

/** Between the processes. */
export type ToSubprocess =
  | { readonly type: 'start'; readonly options: unknown }
  | { readonly type: 'message'; readonly message: unknown }
  | { readonly type: 'stop' };
export interface FromSubprocess {
  readonly message: unknown;
}

export interface SubprocessOptions<Received> {
  /** Handed over by a message: others can read arguments and environment, and there may be a password in it. */
  readonly options: object;
  /** For Node and V8. */
  readonly flags?: readonly string[];
  /** How long it may take to end by itself. */
  readonly patienceMs: number;
  readonly received?: (message: Received) => void;
  /** It ended by itself, `how` ("was ended by SIGKILL"); what was sent before is not heard any more. */
  readonly failed: (how: string) => void;
}

/**
 * A module that runs in a process of its own, which is started again a second after it ended by itself. It ends
 * with us, however we end. Not a thread: V8 shares its cache of WebAssembly wrappers between the threads of a process,
 * and Node itself uses WebAssembly in each; a race between them ends the process.
 */
export class Subprocess<Sent, Received = never> {
  readonly #module: string;
  readonly #options: SubprocessOptions<Received>;
  readonly #stopping = new AbortController();
  readonly #ended: Promise<void>;
  #child: ChildProcess | undefined;
  #unsent: Sent[] = [];

  /** @param module without its extension */
  constructor(module: URL, options: SubprocessOptions<Received>) {
    this.#module = module.href + EXTENSION;
    this.#options = options;
    this.#ended = this.#keepRunning();
  }

  /** What is sent while it is away is heard by the next one; what is sent after `stop`, by none. */
  send(message: Sent): void {
    if (this.#stopping.signal.aborted) return;
    if (this.#child === undefined) this.#unsent.push(message);
    else tell(this.#child, { type: 'message', message });
  }

  /** Asks it to end; after `patienceMs` it is killed. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    if (this.#child !== undefined) tell(this.#child, { type: 'stop' });
    const late = setTimeout(() => this.#child?.kill('SIGKILL'), this.#options.patienceMs);
    await this.#ended;
    clearTimeout(late);
  }

  async #keepRunning(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const how = await this.#run().catch(error => `could not be started: ${String(error)}`);
      this.#child = undefined;
      if (signal.aborted) return;
      this.#options.failed(how);
      await delay(RESTART_MS, undefined, { signal }).catch(() => {});
    }
  }

  /** @returns how it ended */
  async #run(): Promise<string> {
    const { options, flags = [] } = this.#options;
    const child = fork(MAIN, [this.#module], {
      // not our own flags: --inspect would want our port, those of a test runner are its own; NODE_OPTIONS hold
      execArgv: [...flags],
      serialization: 'advanced',
      detached: true, // a session of its own: Ctrl-C in the terminal is for us, who ask it to end in order
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#child = child;
    tell(child, { type: 'start', options });
    for (const message of this.#unsent.splice(0)) tell(child, { type: 'message', message });
    child.on('message', (data: object) => this.#receive(data));
    return new Promise((resolve, reject) => {
      child.on('error', error => child.pid === undefined && reject(error)); // else it could not be killed
      child.on('close', (code, signal) =>
        resolve(signal ? `was ended by ${signal}` : `ended with code ${code}`),
      );
    });
  }

  #receive(data: object): void {
    if ('message' in data)
      this.#options.received?.(data.message as Received); // sent by Parent.send
    // `node --watch` is told by each process which modules to watch; ours has only us to tell
    else if (process.env.WATCH_REPORT_DEPENDENCIES !== undefined) process.send?.(data);
  }
}

/** A process that has ended, or has not started, does not hear it; its end is told otherwise. */
function tell(child: ChildProcess, data: ToSubprocess): void {
  if (child.connected) child.send(data, () => {});
}
