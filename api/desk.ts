import type pg from 'pg';
import type { Analyst } from './analyst.ts';
import { ApiError, badRequest } from './problem.ts';

/** Where what is asked for is written down: runs what the analyst does, on connections that may write. */
export class Desk {
  readonly #pool: pg.Pool;
  readonly #analyst: Analyst;
  #isTrying = false;

  constructor(pool: pg.Pool, analyst: Analyst) {
    this.#pool = pool;
    this.#analyst = analyst;
  }

  /** @throws ApiError 400 for what cannot be meant */
  async run<T>(work: (analyst: Analyst, pool: pg.Pool) => Promise<T>): Promise<T> {
    try {
      return await work(this.#analyst, this.#pool);
    } catch (error) {
      throw error instanceof Error && error.name === 'SettingsError' ? badRequest(error.message) : error;
    }
  }

  /** As run, of what keeps a processor busy: one at a time. @throws ApiError 503 when there is one already */
  async tryOut<T>(work: (analyst: Analyst, pool: pg.Pool) => Promise<T>): Promise<T> {
    if (this.#isTrying) throw new ApiError(503, 'another one is at it: try again later');
    this.#isTrying = true;
    return this.run(work).finally(() => {
      this.#isTrying = false;
    });
  }
}
