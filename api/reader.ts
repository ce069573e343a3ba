import type pg from 'pg';
import { types as builtin } from 'pg';
import Cursor from 'pg-cursor';
import type { Gate } from './gate.ts';

/** Rows fetched first, so that the first of them are sent soon, and then at a time. */
const FIRST_ROWS = 100;
const ROWS_AT_ONCE = 1000;

const INT8 = 20;
const DATE = 1082;

/** bigint as number, since no count of ours is beyond 2^53; dates as text. */
const types: pg.CustomTypesConfig = {
  getTypeParser: (oid, format) =>
    oid === INT8 ? Number : oid === DATE ? String : builtin.getTypeParser(oid, format as 'text'), // its two overloads
};

/** Asks the database: reading only, row by row through a cursor, and given up as soon as nobody waits for the answer. */
export class Reader {
  readonly #pool: pg.Pool;
  readonly #control: pg.Pool;
  readonly #gate: Gate;

  /** @param control sends the cancellations; its connections must not wait for those of `pool` */
  constructor(pool: pg.Pool, control: pg.Pool, gate: Gate) {
    this.#pool = pool;
    this.#control = control;
    this.#gate = gate;
  }

  /** Connections in use and requests that wait for one. */
  get load(): { readonly busy: number; readonly waiting: number } {
    const { totalCount, idleCount, waitingCount } = this.#pool;
    return { busy: totalCount - idleCount, waiting: waitingCount + this.#gate.waiting };
  }

  /**
   * The rows of a query, in portions.
   * @param signal ends it, on the server too
   * @throws what PostgreSQL says, a timeout included; the signal's reason
   */
  async *portions<Row>(
    sql: string,
    parameters: readonly unknown[],
    signal: AbortSignal,
  ): AsyncGenerator<Row[], void> {
    const leave = await this.#gate.enter(signal);
    const client = await this.#pool.connect().catch(error => {
      leave();
      throw error;
    });
    const { processID } = client as unknown as { processID: number }; // of the connection's BackendKeyData; not in the types
    const cancel = (): void =>
      void this.#control.query('select pg_cancel_backend($1)', [processID]).catch(() => {});
    const cursor = client.query(new Cursor<Row>(sql, [...parameters], { types }));
    let state: 'open' | 'ended' | 'failed' = 'open';
    signal.addEventListener('abort', cancel, { once: true });
    try {
      for (let count = FIRST_ROWS; ; count = ROWS_AT_ONCE) {
        signal.throwIfAborted();
        const rows = await cursor.read(count);
        if (rows.length > 0) yield rows;
        if (rows.length < count) break;
      }
      state = 'ended';
    } catch (error) {
      state = 'failed';
      signal.throwIfAborted();
      throw error;
    } finally {
      leave();
      signal.removeEventListener('abort', cancel);
      if (state !== 'failed' && !signal.aborted) await cursor.close().catch(() => {});
      // a cancellation may still be on its way: it must not meet the next one's query
      client.release(signal.aborted);
    }
  }

  /** All rows of a query that has few. */
  async all<Row>(sql: string, parameters: readonly unknown[], signal: AbortSignal): Promise<Row[]> {
    const rows: Row[] = [];
    for await (const portion of this.portions<Row>(sql, parameters, signal)) rows.push(...portion);
    return rows;
  }
  /** The first rows of a query that may have many. */
  async some<Row>(
    sql: string,
    parameters: readonly unknown[],
    count: number,
    signal: AbortSignal,
  ): Promise<Row[]> {
    const rows: Row[] = [];
    for await (const portion of this.portions<Row>(sql, parameters, signal)) {
      rows.push(...portion);
      if (rows.length >= count) break;
    }
    return rows.slice(0, count);
  }
}
