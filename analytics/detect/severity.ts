/** Severities, the least first. */
export const severities = ['info', 'low', 'medium', 'high'] as const;
export type Severity = (typeof severities)[number];

/** A score in 0 to 100 that is 50 where `value` reaches `threshold` and nears 100 at ten times that. */
export function scoreOf(value: number, threshold: number): number {
  if (value <= 0 || threshold <= 0) return 0;
  return Math.round(Math.min(100, Math.max(0, 50 + 50 * Math.log10(value / threshold))));
}

/** A severity that follows the score: high from 80, medium from 60, low below. */
export function severityOf(score: number): Severity {
  return score >= 80 ? 'high' : score >= 60 ? 'medium' : 'low';
}
