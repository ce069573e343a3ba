import { z } from 'zod';
import { readTime } from '../../common/readTime.ts';
import { nameOf } from '../names.ts';
import { ApiError } from '../problem.ts';
import type { Reader } from '../reader.ts';
import { addressRangeOf, typeNumberOf } from '../values.ts';

/** One question of the API: what validates it, what answers it, and what it is documented with. */
export interface Endpoint {
  readonly method: 'get' | 'post';
  /** With `{parameter}` in it, as OpenAPI writes it. */
  readonly path: string;
  readonly summary: string;
  readonly description: string;
  /** Path and query parameters; of a POST the body. */
  readonly input: z.ZodObject;
  /** One row of the answer. */
  readonly row: z.ZodObject;
  /** Whether the answer is one object, or a list of rows. */
  readonly isOne: boolean;
  answer(reader: Reader, input: never, signal: AbortSignal): Promise<Page>;
}

export interface Page {
  readonly rows: readonly object[];
  /** Where the next page begins; null when this is the last. */
  readonly next?: string | null;
}

interface Definition<Input extends z.ZodObject, Row extends z.ZodObject> {
  readonly method?: 'get' | 'post';
  readonly path: string;
  readonly summary: string;
  readonly description: string;
  readonly input: Input;
  readonly row: Row;
  readonly isOne?: boolean;
  answer(reader: Reader, input: z.output<Input>, signal: AbortSignal): Promise<Page>;
}

export function endpoint<Input extends z.ZodObject, Row extends z.ZodObject>(
  definition: Definition<Input, Row>,
): Endpoint {
  return { method: 'get', isOne: false, ...definition };
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
/** The window of a list: the last day where nothing is said. */
export const windowInput = {
  since: timeInput('Not before.').prefault('1d'),
  until: timeInput('Before.').optional(),
};
export const limitInput = z.coerce
  .number()
  .int()
  .min(1)
  .max(10_000)
  .default(100)
  .meta({ description: 'Rows of a page at most.' });
export const cursorInput = z
  .string()
  .max(500)
  .optional()
  .meta({ description: 'The `next` of the page before.' });

export const timeOutput = z.iso.datetime().meta({ description: 'UTC, RFC 3339.' });
export const countOutput = z.int().min(0);

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
