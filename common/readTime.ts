const DAY_MS = 86_400_000;
const UNIT_MS: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: DAY_MS,
  w: 7 * DAY_MS,
};

/**
 * A time as people write it: a date or RFC 3339 (UTC where they do not say), Unix seconds, or how long before `now` with a
 * unit (s, m, h, d, w). Null for anything else.
 */
export function readTime(text: string, now: number): Date | null {
  const [, amount, unit = ''] = /^(\d{1,9})([smhdw])$/.exec(text) ?? [];
  if (amount !== undefined) return new Date(now - Number(amount) * (UNIT_MS[unit] ?? 0));
  if (/^\d{1,11}$/.test(text)) return new Date(Number(text) * 1000);
  const [, day, clock = '00:00:00', zone = 'Z'] =
    /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(Z|[+-]\d\d:\d\d)?)?$/.exec(text) ?? [];
  const time = new Date(`${day}T${clock}${zone}`);
  return Number.isNaN(time.getTime()) ? null : time;
}
