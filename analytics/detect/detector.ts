import type pg from 'pg';
import type { z } from 'zod';
import type { Settings } from './settings.ts';
import type { Severity } from './severity.ts';

/** What a detector found in one window; at most one for each subject and client. */
export interface Finding {
  /** What it is about: a name with trailing dot, or an address. */
  readonly subject: string;
  /** Who did it; null where it is not about one client. */
  readonly client: string | null;
  readonly firstTime: Date;
  readonly lastTime: Date;
  /** 0 to 100. */
  readonly score: number;
  readonly severity: Severity;
  /** The numbers behind it, for people. */
  readonly evidence: Readonly<Record<string, unknown>>;
  /** SQL that shows the rows. */
  readonly query: string;
}

/** Time span that is looked at as one: a UTC hour or a UTC day. */
export interface Window {
  readonly start: Date;
  readonly end: Date;
}

export interface Input<Thresholds> {
  readonly client: pg.ClientBase;
  readonly window: Window;
  readonly thresholds: Thresholds;
  readonly settings: Settings;
}

/** One kind of detection. What it finds depends on the tables of facts, the settings and the window, and on nothing else. */
export interface Detector<Schema extends z.ZodObject = z.ZodObject> {
  readonly kind: string;
  readonly window: 'hour' | 'day';
  /** Facts of a window also matter to windows that begin up to so many days later, as their baseline. */
  readonly baselineDays: number;
  /** Settings that matter beside its own thresholds and `allow`. */
  readonly dependsOn: readonly (keyof Settings)[];
  /** Defaults, limits and descriptions. */
  readonly thresholds: Schema;
  find(input: Input<z.output<Schema>>): Promise<readonly Finding[]>;
}

/** A detector whose thresholds are checked when it is run. */
export interface AnyDetector extends Omit<Detector, 'find'> {
  /** @param thresholds those that are not the default @throws z.ZodError when they cannot be meant */
  find(input: Omit<Input<unknown>, 'thresholds'>, thresholds: unknown): Promise<readonly Finding[]>;
}

/** Forgets the type of the thresholds, so that detectors of all kinds fit into one list. */
export function defineDetector<Schema extends z.ZodObject>(detector: Detector<Schema>): AnyDetector {
  return {
    ...detector,
    find: (input, thresholds) =>
      detector.find({ ...input, thresholds: detector.thresholds.parse(thresholds ?? {}) }),
  };
}

/**
 * SQL condition that an address is a client of ours: in own_networks, where these are set, and no approved resolver, whose
 * own questions repeat those of all others.
 * @param own, approved parameters that hold these settings
 */
export function isOurs(column: string, own: string, approved: string): string {
  return `((cardinality(${own}::inet[]) = 0 or ${column} <<= any (${own}::inet[])) and not ${column} <<= any (${approved}::inet[]))`;
}

/**
 * Runs a query whose steps are joined as wholes, in the caller's transaction. How many rows a step has the planner cannot
 * foresee, and when it takes thousands for one, it looks through all of the next for each of them.
 */
export async function queryWholes<Row extends pg.QueryResultRow>(
  client: pg.ClientBase,
  sql: string,
  values: readonly unknown[],
): Promise<Row[]> {
  await client.query('set local enable_nestloop = off');
  const { rows } = await client.query<Row>(sql, [...values]);
  await client.query('set local enable_nestloop = on');
  return rows;
}

/** A value as a literal of SQL. */
export function literal(value: string | number | Date): string {
  if (typeof value === 'number') return String(value);
  const text = value instanceof Date ? value.toISOString() : value;
  const quoted = `'${text.replaceAll("'", "''")}'`;
  return text.includes('\\') ? ` E${quoted.replaceAll('\\', '\\\\')}` : quoted;
}

/** One finding for each subject: the one of the highest score, over the whole time of all. */
export function strongestOf(findings: readonly Finding[]): Finding[] {
  const found = new Map<string, { best: Finding; first: Date; last: Date; names: unknown[] }>();
  for (const finding of findings) {
    const known = found.get(finding.subject);
    const { firstTime: first, lastTime: last, evidence } = finding;
    if (known === undefined)
      found.set(finding.subject, { best: finding, first, last, names: [evidence.name] });
    else {
      known.names.push(evidence.name);
      if (finding.score > known.best.score) known.best = finding;
      if (first < known.first) known.first = first;
      if (last > known.last) known.last = last;
    }
  }
  return [...found.values()].map(({ best, first, last, names }) => ({
    ...best,
    firstTime: first,
    lastTime: last,
    evidence: {
      ...best.evidence,
      ...(names.length > 1 && { names: names.slice(0, 20), names_in_all: names.length }),
    },
  }));
}
