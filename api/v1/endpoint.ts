import { isIP } from 'node:net';
import { z } from 'zod';
import { readTime } from '../../common/readTime.ts';
import type { Desk } from '../desk.ts';
import type { Ingest } from '../ingest.ts';
import type { Scope } from '../keys.ts';
import { nameOf } from '../names.ts';
import { ApiError } from '../problem.ts';
import type { Reader } from '../reader.ts';
import { addressRangeOf, typeNumberOf } from '../values.ts';

export type Method = 'get' | 'post' | 'patch' | 'delete';

/** What an answer may need beside the data. */
export interface Office {
  readonly desk: Desk;
  readonly ingest: Ingest;
  /** Who asks, for what is written down with a name. */
  readonly author: string;
}

/** One question of the API: what validates it, what answers it, and what it is documented with. */
export interface Endpoint {
  readonly method: Method;
  /** With `{parameter}` in it, as OpenAPI writes it. */
  readonly path: string;
  readonly summary: string;
  readonly description: string;
  /** What a key must be for. */
  readonly scope: Scope;
  /** Path and query parameters; of POST and PATCH those of the path and the body. */
  readonly input: z.ZodObject;
  /** One row of the answer. */
  readonly row: z.ZodObject;
  /** Whether the answer is one object, or a list of rows. */
  readonly isOne: boolean;
  answer(reader: Reader, input: never, signal: AbortSignal, office: Office): Promise<Page>;
}

export interface Page {
  readonly rows: readonly object[];
  /** Where the next page begins; null when this is the last. */
  readonly next?: string | null;
}

interface Definition<Input extends z.ZodObject, Row extends z.ZodObject> {
  readonly method?: Method;
  readonly path: string;
  readonly summary: string;
  readonly description: string;
  readonly scope?: Scope;
  readonly input: Input;
  readonly row: Row;
  readonly isOne?: boolean;
  answer(reader: Reader, input: z.output<Input>, signal: AbortSignal, office: Office): Promise<Page>;
}

export function endpoint<Input extends z.ZodObject, Row extends z.ZodObject>(
  definition: Definition<Input, Row>,
): Endpoint {
  return { method: 'get', scope: 'read', isOne: false, ...definition };
}

/** What a reader throws is an ApiError: its reason becomes zod's. */
function readBy<Output>(schema: z.ZodString, read: (text: string) => Output) {
  return schema.transform((text, context) => {
    try {
      return read(text);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      context.addIssue({ code: 'custom', message: error.message });
      return z.NEVER;
    }
  });
}

export const nameInput = readBy(
  z.string().min(1).max(4000).meta({
    description: 'A domain name, in any case, the last dot optional; in its own script too.',
    example: 'www.example.com',
  }),
  text => nameOf(Buffer.from(text)),
);
export const addressInput = readBy(
  z.string().max(50).meta({ description: 'An address of IPv4 or IPv6.', example: '192.0.2.10' }),
  text => {
    const { lowest, highest } = addressRangeOf(text);
    if (lowest !== highest || lowest.includes('/')) throw new ApiError(400, 'not one address');
    return lowest;
  },
);
/** What a detection may be about. */
export const subjectInput = readBy(
  z.string().min(1).max(4000).meta({ description: 'A name, or an address.', example: 'example.com' }),
  text => (isIP(text) === 0 ? nameOf(Buffer.from(text)) : text.toLowerCase()),
);
export const networkInput = readBy(
  z.string().max(50).meta({ description: 'A network or an address.', example: '192.0.2.0/24' }),
  text => {
    addressRangeOf(text);
    const [address = '', prefix] = text.split('/');
    if (isIP(address) === 0 || (prefix !== undefined && !/^\d{1,3}$/.test(prefix)))
      throw new ApiError(400, 'no network: write 192.0.2.0/24, 2001:db8::/32 or one address');
    return text.toLowerCase();
  },
);
export const typeInput = readBy(
  z.string().max(20).meta({ description: 'An RR type: mnemonic or TYPE123.', example: 'AAAA' }),
  typeNumberOf,
);
const timeInput = (description: string) =>
  z
    .string()
    .max(40)
    .meta({
      description: `${description} A date, RFC 3339, seconds since 1970, or 7d for seven days ago (s, m, h, d, w).`,
      example: '2026-01-31T12:00:00Z',
    })
    .transform((text, context) => {
      const time = readTime(text, Date.now());
      if (time !== null) return time;
      context.addIssue({
        code: 'custom',
        message: 'no time: give 2026-01-31, 2026-01-31T12:00:00Z, seconds since 1970, or 7d',
      });
      return z.NEVER;
    });
/** A time to come, where 30d is in thirty days. */
export const futureInput = (description: string) =>
  z
    .string()
    .max(40)
    .meta({
      description: `${description} A date, RFC 3339, seconds since 1970, or 30d for in thirty days (s, m, h, d, w).`,
    })
    .transform((text, context) => {
      const now = Date.now();
      const read = readTime(text, now)?.getTime() ?? Number.NaN;
      const time = /[smhdw]$/.test(text) ? 2 * now - read : read;
      if (time > now) return new Date(time);
      context.addIssue({ code: 'custom', message: 'no time to come: give 2027-01-31, or 30d' });
      return z.NEVER;
    });
/** The window of a list: the last day where nothing is said. */
export const windowInput = {
  since: timeInput('Not before.').prefault('1d'),
  until: timeInput('Before.').optional(),
};
/** The window of a list of what was ever seen: all time where nothing is said. */
export const spanInput = {
  since: timeInput('Last seen not before.').optional(),
  until: timeInput('First seen before.').optional(),
};
const limitOf = (usual: number) =>
  z.coerce.number().int().min(1).max(10_000).default(usual).meta({ description: 'Rows of a page at most.' });
export const limitInput = limitOf(100);
/** Of what is drawn. */
export const manyLimitInput = limitOf(10_000);
export const sensorInput = z
  .string()
  .min(1)
  .max(500)
  .optional()
  .meta({ description: 'Only what this sensor saw: the name of an exporter.' });
/** A whole number that names a row. */
export const idInput = z.coerce.number().int().min(1).max(2_147_483_647);
/** Some of a few words, with commas between. */
export const someOf = <Word extends string>(words: readonly Word[], description: string) =>
  z
    .string()
    .max(500)
    .meta({ description: `${description} Several with commas between: ${words.join(', ')}.` })
    .transform((text, context) => {
      const some = text.split(',');
      const wrong = some.find(word => !words.some(each => each === word));
      if (wrong === undefined) return some;
      context.addIssue({ code: 'custom', message: `"${wrong.slice(0, 50)}" is none of ${words.join(', ')}` });
      return z.NEVER;
    });
export const cursorInput = z
  .string()
  .max(500)
  .optional()
  .meta({ description: 'The `next` of the page before.' });

export const timeOutput = z.iso.datetime().meta({ description: 'UTC, RFC 3339.' });
export const countOutput = z.int().min(0);

/** A bigint, or a time in microseconds since 1970, in a cursor: times as JavaScript has them lose what tells two rows apart. */
export const integerText = z.string().regex(/^-?\d{1,18}$/);
/** A name in a cursor. */
export const cursorName = z.string().max(1100);
/** The microseconds since 1970 of a column, for a cursor. */
export const microsecondsOf = (column: string): string =>
  `(extract(epoch from ${column}) * 1000000)::bigint::text`;
/** The time of such microseconds in a parameter. */
export const timeOfMicroseconds = (parameter: string): string =>
  `(timestamptz 'epoch' + ${parameter}::bigint * interval '1 microsecond')`;

/** Where the next page begins, after the last row of a full one. @param after what tells that row from those behind it */
export function nextOf<Row>(
  rows: readonly Row[],
  limit: number,
  after: (row: Row) => readonly unknown[],
): string | null {
  const last = rows.at(-1);
  return last === undefined || rows.length < limit ? null : cursorOf(after(last));
}

/** Where a page ended: opaque to clients. */
export function cursorOf(values: readonly unknown[]): string {
  return Buffer.from(JSON.stringify(values)).toString('base64url');
}

/** @throws ApiError 400 for what is no cursor of this list */
export function valuesOf<Values extends z.ZodType>(
  cursor: string | undefined,
  schema: Values,
): z.output<Values> | undefined {
  if (cursor === undefined) return undefined;
  let values: unknown;
  try {
    values = JSON.parse(Buffer.from(cursor, 'base64url').toString());
  } catch {
    values = undefined;
  }
  const result = schema.safeParse(values);
  if (!result.success) throw new ApiError(400, 'cursor is not the "next" of an answer to this question');
  return result.data;
}
