import { ApiError, badRequest } from './problem.ts';
import type { Fences } from './queries/observation.ts';
import type { RawUrl } from './url.ts';

const DEFAULT_LIMIT = 10_000;
/** The beginnings of the years 1 and 10000: later and earlier seconds are no different. */
const FIRST_SECOND = -62_135_596_800;
const LAST_SECOND = 253_402_300_799;
const TRUE: readonly string[] = ['t', 'true', '1', 'y', 'yes', 'on'];
const FALSE: readonly string[] = ['f', 'false', '0', 'n', 'no', 'off'];

type Parameters = RawUrl['parameters'];

/** The four time fences; a negative number is seconds before `now` (milliseconds). @throws ApiError 400 */
export function fencesOf(parameters: Parameters, now: number): Fences {
  const second = (name: string): number | null => {
    const value = integerOf(parameters, name, /^-?\d{1,30}$/);
    if (value === undefined) return null;
    const absolute = value < 0 ? Math.floor(now / 1000) + value : value;
    return Math.min(LAST_SECOND, Math.max(FIRST_SECOND, absolute));
  };
  return {
    firstBefore: second('time_first_before'),
    firstAfter: second('time_first_after'),
    lastBefore: second('time_last_before'),
    lastAfter: second('time_last_after'),
  };
}

/** Rows at most: 10000 where nothing is said, the maximum for 0, never more than that. @throws ApiError 400 */
export function limitOf(parameters: Parameters, resultsMax: number): number {
  const limit = integerOf(parameters, 'limit') ?? DEFAULT_LIMIT;
  return Math.min(limit === 0 ? resultsMax : limit, resultsMax);
}

/** @throws ApiError 400, 416 */
export function offsetOf(parameters: Parameters, offsetMax: number | null): number {
  const offset = integerOf(parameters, 'offset') ?? 0;
  if (offset > (offsetMax ?? 0)) throw new ApiError(416, 'offset value greater than maximum allowed');
  return offset;
}

/** @throws ApiError 400 */
export function maxCountOf(parameters: Parameters): number {
  const maxCount = integerOf(parameters, 'max_count') ?? Infinity;
  if (maxCount === 0) throw badRequest('max_count must be at least 1');
  return maxCount;
}

/** @throws ApiError 400 */
export function booleanOf(parameters: Parameters, name: string, fallback: boolean): boolean {
  const text = parameters.get(name)?.toLowerCase();
  if (text === undefined) return fallback;
  if (TRUE.includes(text)) return true;
  if (FALSE.includes(text)) return false;
  throw badRequest(`${name} must be true or false`);
}

function integerOf(parameters: Parameters, name: string, form = /^\d{1,30}$/): number | undefined {
  const text = parameters.get(name);
  if (text === undefined) return undefined;
  if (!form.test(text)) throw badRequest(`${name} must be an integer`);
  return Number(text);
}
