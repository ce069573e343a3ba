import type pg from 'pg';

/** Days before which no flow record is believed: 1990-01-01. */
const FIRST_SANE_DAY = 7305;
/** A sensor's clock may run ahead a little. */
const DAYS_AHEAD = 2;
/** Daily partitions that a database may have; eleven years. Rows of further days go to the default partition. */
const MOST_PARTITIONS = 4096;
const DAY_MS = 86_400_000;
/** How long partitions are believed to be there. */
const KNOWN_FOR_MS = 60_000;

/** Whether a day (since the Unix epoch) can be meant. Rows of other days go to the default partitions. */
export function isSaneDay(day: number, nowMs: number): boolean {
  return day >= FIRST_SANE_DAY && day <= Math.floor(nowMs / DAY_MS) + DAYS_AHEAD;
}

/** Makes daily partitions before rows need them; remembers those that are there. */
export class Partitions {
  readonly #pool: pg.Pool;
  #known: Set<number> | undefined;
  #knownSinceMs = 0;

  constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  /** Makes the partitions of the sane ones of these days. */
  async ensure(days: Iterable<number>, nowMs: number): Promise<void> {
    if (nowMs - this.#knownSinceMs > KNOWN_FOR_MS) this.#known = undefined; // retention may have dropped some
    if (this.#known === undefined) this.#knownSinceMs = nowMs;
    this.#known ??= await this.#existing();
    const known = this.#known;
    const missing = [...days]
      .filter(day => isSaneDay(day, nowMs) && !known.has(day))
      .slice(0, Math.max(0, MOST_PARTITIONS - known.size));
    if (missing.length === 0) return;
    const dates = missing.map(day => new Date(day * DAY_MS).toISOString().slice(0, 10));
    await this.#pool.query('select public.ensure_partitions($1::date[])', [dates]);
    for (const day of missing) known.add(day);
  }

  /** Forgets what is there, after a failure that may have changed it. */
  forget(): void {
    this.#known = undefined;
  }

  async #existing(): Promise<Set<number>> {
    const { rows } = await this.#pool.query<{ day: string }>(
      `select to_date(right(c.relname, 8), 'YYYYMMDD')::text as day
       from pg_catalog.pg_inherits i
       join pg_catalog.pg_class c on c.oid = i.inhrelid
       where i.inhparent = 'public.dns_rr'::regclass
         and c.relname ~ '_[0-9]{8}$'`,
    );
    return new Set(rows.map(({ day }) => Date.parse(day) / DAY_MS));
  }
}
