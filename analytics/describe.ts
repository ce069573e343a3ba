import type { Retained } from './tasks/retain.ts';
import type { Sealed } from './tasks/seal.ts';

/** What was sealed, for people. */
export function describeSealed(sealed: readonly Sealed[]): string {
  if (sealed.length === 0) return 'nothing to seal: every day that is over is sealed';
  return sealed
    .map(
      ({ name, bytes, milliseconds }) =>
        `sealed ${name} (${inBytes(bytes)}) in ${(milliseconds / 1000).toFixed(1)} s`,
    )
    .join('\n');
}

/** What was or would be dropped, and when it gets tight, for people. @param isDryRun nothing was dropped */
export function describeRetained(retained: Retained, isDryRun: boolean): string {
  const { days, usedBytes, drop, dropped, freedBytes, growthPerDay, daysUntilLimit, daysUntilDiskFull } =
    retained;
  const archives = new Map(dropped.map(({ day, archive }) => [day, archive]));
  const lines = [`${days} days of partitions take ${inBytes(usedBytes)}`];
  for (const { day, bytes, because } of drop) {
    const archive = archives.get(day);
    const verb = isDryRun ? 'would drop' : archive === undefined ? 'in use, not dropped:' : 'dropped';
    const reason = because === 'age' ? 'too old' : 'too much';
    lines.push(`${verb} ${day} (${inBytes(bytes)}, ${reason})${archive ? `, archived in ${archive}` : ''}`);
  }
  lines.push(
    drop.length === 0
      ? 'nothing to drop'
      : `${isDryRun ? 'that would free' : 'planned to free'} ${inBytes(freedBytes)}`,
  );
  if (growthPerDay !== null) lines.push(`growth: ${inBytes(growthPerDay)} a day`);
  if (daysUntilLimit !== null) lines.push(`the limit is reached in ${inDays(daysUntilLimit)}`);
  if (daysUntilDiskFull !== null)
    lines.push(`without dropping more the disk is full in ${inDays(daysUntilDiskFull)}`);
  return lines.join('\n');
}

function inDays(days: number): string {
  const date = new Date(Date.now() + days * 86_400_000);
  return `${days} days${Number.isNaN(date.getTime()) ? '' : ` (${date.toISOString().slice(0, 10)})`}`;
}

function inBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  return `${(bytes / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}
