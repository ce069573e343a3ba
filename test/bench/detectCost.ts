import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { detect } from '../../analytics/tasks/detect.ts';
import { summarise } from '../../analytics/tasks/summarise.ts';
import { LoadPool } from '../../collector/load/pool.ts';
import { migrate } from '../../migrations/migrate.ts';
import { withHome } from './home.ts';
import { type Figure, figure, machineRecipe, type Result, ratio, result, timed } from './measure.ts';
import { GROWING_STREAM_MAKE, yafStream } from './stream.ts';

const DAY_MS = 86_400_000;
const START_MS = Date.UTC(2026, 2, 2);
const RRS_PER_FLOW = 3.43;
const FILES_A_DAY = 2;
const RRS_A_DAY = 1e6;
/** RRs stored when the newest hour is measured. */
const STEPS = [1e6, 5e6, 10e6, 50e6];
/** Days of so many RRs are what all jobs are measured with. */
const BUSY_DAY = 10e6;
const RUNS = 5;
/** The last day of each step is the same but for its time. */
const PROBE_SEED = 1_000_000;

/**
 * What detection costs: the newest hour when more and more is stored, days of a million RRs, the newest day always with the
 * same records; and all jobs over a day of ten million RRs, when so many are asked for.
 */
export async function detectCost(rrs: number): Promise<Result> {
  const hours: Figure[] = [];
  await withStore(async (pool, load) => {
    let day = 0;
    for (const step of [...STEPS.filter(each => each < rrs), rrs]) {
      const last = Math.max(day, Math.round(step / RRS_A_DAY) - 1);
      for (; day <= last; day++) await load(day, RRS_A_DAY, day === last ? PROBE_SEED : undefined);
      await detect(pool, { isUrgent: true });
      const runs: number[] = [];
      for (let run = 0; run < RUNS; run++) {
        await pool.query(
          'insert into public.landed_hour (hour) select max(hour) from public.fact_hour where lookups > 0',
        );
        runs.push((await timed(() => detect(pool, { isUrgent: true }))).seconds);
      }
      hours.push(figure(`the newest hour, ${day} M RRs stored`, 's', runs));
    }
  });
  const days: Figure[] = [];
  if (rrs >= BUSY_DAY)
    await withStore(async (pool, load) => {
      await load(0, BUSY_DAY);
      const { seconds } = await timed(() => detect(pool, { isUrgent: true }));
      days.push(figure('all jobs over a day of 10 M RRs', 's', [seconds]));
    });
  const recipe = {
    stream: `${GROWING_STREAM_MAKE}; below top-level domains that exist; ${RRS_A_DAY} RRs a day, ${RUNS} runs each`,
    jobs: 'summarise while files are loaded; then detect alone',
    ...machineRecipe(),
  };
  return result('detect', recipe, [
    ratio('the newest hour / first', hours.at(-1), hours[0]),
    ...hours,
    ...days,
  ]);
}

type Load = (day: number, rrs: number, seed?: number) => Promise<void>;

/** Runs with an empty database of its own. */
function withStore(run: (pool: pg.Pool, load: Load) => Promise<void>): Promise<void> {
  return withHome(async (database, directory) => {
    const loader = new LoadPool(database.url, FILES_A_DAY);
    try {
      const pool = database.pool({ max: 8 });
      await migrate(pool);
      await run(pool, async (day, rrs, seed) => {
        const loaded = new AbortController();
        const summarising = summarise(pool, { forMs: Infinity, signal: loaded.signal });
        const parts = Array.from({ length: FILES_A_DAY }, (_, part) => part);
        await Promise.all(
          parts.map(async part => {
            const path = join(directory, `${day}-${part}.ipfix`);
            await writePart(path, day, part, rrs, seed);
            const report = await loader.load({ kind: 'load', path, exporterName: 'bench' }).report;
            if (report.status !== 'loaded') throw new Error(`not loaded: ${JSON.stringify(report)}`);
            await rm(path);
          }),
        );
        loaded.abort();
        await summarising;
      });
    } finally {
      await loader.close();
    }
  });
}

/** Names of the stream are below reserved top-level domains, which detectors take for mistakes: others of the same length replace them. */
async function writePart(path: string, day: number, part: number, rrs: number, seed?: number): Promise<void> {
  const flows = Math.round(rrs / RRS_PER_FLOW / FILES_A_DAY);
  const options = {
    flows,
    seed: (seed ?? day * FILES_A_DAY) + part,
    days: 0.99 / FILES_A_DAY,
    start: START_MS + (day + part / FILES_A_DAY) * DAY_MS,
    ...(seed === undefined && { before: (day * FILES_A_DAY + part) * flows }),
  };
  await pipeline(async function* () {
    for (const message of yafStream(options)) {
      const text = message.toString('latin1').replaceAll('example.', 'academy.').replaceAll('test.', 'info.');
      yield Buffer.from(text, 'latin1');
    }
  }, createWriteStream(path));
}
