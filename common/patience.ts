import { setTimeout as delay } from 'node:timers/promises';
import { isTransient } from './postgres/transient.ts';

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;

/**
 * Runs `attempt` until it does not fail for a database that is away, with growing waits in between.
 * @param onWait told of each failure that will be tried again
 * @throws what `attempt` throws otherwise, and the reason of `signal` once that is aborted
 */
export async function withPatience<T>(
  attempt: () => Promise<T>,
  signal: AbortSignal,
  onWait: (error: unknown, retryInMs: number) => void,
): Promise<T> {
  for (let wait = FIRST_WAIT_MS; ; wait = Math.min(wait * 2, LONGEST_WAIT_MS)) {
    signal.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      if (!isTransient(error)) throw error;
      onWait(error, wait);
      await delay(wait, undefined, { signal }).catch(() => {});
    }
  }
}
