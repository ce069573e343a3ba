import { ApiError } from './problem.ts';

/**
 * Lets so many begin at a time, the others in their order, but first those that were inside before: who asks several questions
 * for one answer waits once. Who takes longer than a moment does not count any more: short questions wait for few, and
 * never for long ones.
 */
export class Gate {
  readonly #most: number;
  readonly #momentMs: number;
  readonly #patienceMs: number;
  #inside = 0;
  readonly #waiting = new Set<() => void>();
  /** Those that wait and were inside before. */
  readonly #returning = new Set<() => void>();
  readonly #known = new WeakSet<AbortSignal>();

  /** @param patienceMs how long one waits at most */
  constructor({ most, momentMs, patienceMs }: { most: number; momentMs: number; patienceMs: number }) {
    this.#most = most;
    this.#momentMs = momentMs;
    this.#patienceMs = patienceMs;
  }

  get waiting(): number {
    return this.#waiting.size + this.#returning.size;
  }

  /**
   * @param signal of the one who asks, the same for all its questions
   * @returns what is to be called at the end
   * @throws ApiError 503 after `patienceMs`; the signal's reason
   */
  async enter(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#inside >= this.#most) await this.#turn(signal);
    else this.#inside++;
    this.#known.add(signal);
    let hasLeft = false;
    const leave = (): void => {
      if (hasLeft) return;
      hasLeft = true;
      clearTimeout(moment);
      this.#next();
    };
    const moment = setTimeout(leave, this.#momentMs);
    return leave;
  }

  /** Waits until one who leaves gives us its place. */
  #turn(signal: AbortSignal): Promise<void> {
    const queue = this.#known.has(signal) ? this.#returning : this.#waiting;
    return new Promise((resolve, reject) => {
      const end = (): void => {
        queue.delete(enter);
        clearTimeout(patience);
        signal.removeEventListener('abort', abort);
      };
      const enter = (): void => {
        end();
        resolve();
      };
      const abort = (): void => {
        end();
        reject(signal.reason);
      };
      const patience = setTimeout(() => {
        end();
        reject(new ApiError(503, 'Too many concurrent connections'));
      }, this.#patienceMs);
      signal.addEventListener('abort', abort, { once: true });
      queue.add(enter);
    });
  }

  #next(): void {
    const [first] = this.#returning.size > 0 ? this.#returning : this.#waiting;
    if (first === undefined) this.#inside--;
    else first();
  }
}
