const FIRST_SPAN_MS = 900_000;
const TIMES_LONGER = 4;

export interface NewestOf {
  readonly since: Date;
  /** undefined: without end. */
  readonly until: Date | undefined;
  /** Rows at most; a page that holds all rows of a flow may be longer. */
  readonly limit: number;
  /** Where the page before ended, in microseconds since 1970. */
  readonly before: string | undefined;
}

/**
 * The newest rows of a time: they are looked for in its last quarter of an hour, and as long as there are too few in longer
 * and longer times before that. Of what everybody asks for a week has millions of rows, which would all be sorted.
 * @param read gives rows of [since, until), the newest first
 */
export async function readNewest<Row>(
  { since, until, limit, before }: NewestOf,
  read: (since: Date, until: Date | null, limit: number) => Promise<Row[]>,
): Promise<Row[]> {
  const rows: Row[] = [];
  const ends = [until?.getTime(), before === undefined ? undefined : Number(before) / 1000 + 1]; // that instant included
  const end = Math.min(...ends.filter(time => time !== undefined));
  let to = end === Number.POSITIVE_INFINITY ? null : new Date(end);
  let from = Math.min(end, Date.now());
  for (let span = FIRST_SPAN_MS; ; span *= TIMES_LONGER) {
    from = Math.max(since.getTime(), Math.floor(from - span));
    rows.push(...(await read(new Date(from), to, limit - rows.length)));
    if (rows.length >= limit || from <= since.getTime()) return rows;
    to = new Date(from);
  }
}
