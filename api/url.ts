import { badRequest } from './problem.ts';

/** Longer ones are no questions. */
const LONGEST_URL = 8192;

/** A request's URL as it was sent: segments not decoded yet, parameters decoded. */
export interface RawUrl {
  /** Between the slashes, percent-encoded as sent; an empty path has none. Runs of slashes count as one. */
  readonly segments: readonly string[];
  /** The last value of each parameter. Invalid UTF-8 as U+FFFD; a plus sign stays one. */
  readonly parameters: ReadonlyMap<string, string>;
}

/**
 * Splits a request target without the normalisation of `new URL()`, which drops the segment `.` (the root name) and
 * takes `//host` for a host.
 * @throws ApiError 400 when it is too long
 */
export function parseUrl(target: string): RawUrl {
  if (target.length > LONGEST_URL) throw badRequest(`the URL is longer than ${LONGEST_URL} characters`);
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  const parameters = new Map<string, string>();
  for (const pair of mark < 0 ? [] : target.slice(mark + 1).split('&')) {
    const equals = pair.indexOf('=');
    const key = equals < 0 ? pair : pair.slice(0, equals);
    if (key !== '') parameters.set(textOf(key), equals < 0 ? '' : textOf(pair.slice(equals + 1)));
  }
  return { segments: path.split('/').filter(segment => segment !== ''), parameters };
}

/** Percent-decodes once, to octets. @throws ApiError 400 for a percent sign that begins no octet */
export function percentDecode(segment: string): Buffer {
  if (/%(?![\da-f]{2})/i.test(segment))
    throw badRequest('a percent sign must be followed by two hexadecimal digits');
  return Buffer.from(
    Buffer.from(segment)
      .toString('latin1')
      .replace(/%([\da-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  );
}

/** A parameter may hold a percent sign that begins no octet: dnsdbflex sends patterns as they are. */
function textOf(encoded: string): string {
  return percentDecode(encoded.replace(/%(?![\da-f]{2})/gi, '%25')).toString();
}
