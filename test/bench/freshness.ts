import { setTimeout as delay } from 'node:timers/promises';
import { openPool } from '../../common/pool.ts';

const LOOK_MS = 100;

const positionsSql = `
select file_id, position::float8 as position, grouped_position::float8 as grouped
from public.ipfix_file where status = 'loading' or grouped_position < position or updated_at > now() - interval '5 s'`;

/**
 * How old, in seconds, the oldest record was that was committed and not yet in the deduplicated tiers: looked at ten times
 * a second until `signal` aborts.
 */
export async function watchFreshness(databaseUrl: string, signal: AbortSignal): Promise<number[]> {
  const pool = openPool(databaseUrl, { max: 1 });
  /** Of each file positions that were seen and are not grouped, with the time (seconds). */
  const waiting = new Map<number, { readonly position: number; readonly since: number }[]>();
  const ages: number[] = [];
  try {
    while (!signal.aborted) {
      const { rows } = await pool.query<{ file_id: number; position: number; grouped: number }>(positionsSql);
      const now = performance.now() / 1000;
      for (const { file_id: file, position, grouped } of rows) {
        const seen = (waiting.get(file) ?? []).filter(each => each.position > grouped);
        if (position > Math.max(grouped, seen.at(-1)?.position ?? 0)) seen.push({ position, since: now });
        waiting.set(file, seen);
      }
      ages.push(now - Math.min(now, ...[...waiting.values()].flatMap(seen => seen[0]?.since ?? [])));
      await delay(LOOK_MS, undefined, { signal }).catch(() => {});
    }
    return ages;
  } finally {
    await pool.end();
  }
}
