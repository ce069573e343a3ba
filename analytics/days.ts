const DAY_MS = 86_400_000;

/** The UTC day `offset` days from now, as `YYYY-MM-DD`. */
export function utcDay(offset = 0, nowMs = Date.now()): string {
  return new Date(nowMs + offset * DAY_MS).toISOString().slice(0, 10);
}
