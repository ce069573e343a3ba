import { deepEqual, equal } from 'node:assert/strict';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { loadFiles } from '../../collector/load/load.ts';
import { runDnstrail, withDirectory } from '../support/processes.ts';
import { writeBigFile } from './bigFile.ts';
import { contentsOf, ledgerProblems } from './contents.ts';
import type { Random } from './random.ts';
import type { TestDatabase, TestServer } from './server.ts';

export interface KillLoadOptions {
  readonly kills: number;
  readonly fileOctets: number;
  readonly random: Random;
}

/**
 * Kills `dnstrail load` with SIGKILL at random moments until the file is loaded all the same, and again with a new database
 * until it was killed often enough. Then the rows are those of a load that nobody disturbed.
 */
export function killLoad(server: TestServer, { kills, fileOctets, random }: KillLoadOptions) {
  return withDirectory(async directory => {
    const file = path.join(directory, 'big.ipfix');
    writeBigFile(file, fileOctets);
    const expected = await withDatabase(server, async ({ url, pool }) => {
      const [report] = await loadFiles(url, [file]);
      equal(report?.error, null);
      return contentsOf(pool, { ordinals: true });
    });
    const figures = { seed: random.seed, kills: 0, killedInTheMiddle: 0, loads: 0, rows: expected.flow };
    while (figures.kills < kills) {
      await withDatabase(server, async ({ url, pool }) => {
        for (let killed = true; killed; ) {
          const before = await position(pool);
          const load = runDnstrail(['load', '--json', file], { DATABASE_URL: url });
          const moment =
            random.next() < 0.3 ? delay(random.between(50, 1500)) : advance(pool, before, random);
          const end = await Promise.race(figures.kills < kills ? [load.exited, moment] : [load.exited]);
          killed = end === undefined;
          if (killed) {
            await load.end('SIGKILL');
            figures.kills++;
            const after = await position(pool);
            if (after > before) figures.killedInTheMiddle++;
          } else {
            equal(end?.code, 0, load.stderr());
            await moment; // it still looks at the database
          }
        }
        figures.loads++;
        deepEqual(await ledgerProblems(pool), []);
        deepEqual(await contentsOf(pool, { ordinals: true }), expected);
      });
    }
    return figures;
  });
}

/** Resolves shortly after the next commit; without one in five seconds, then. */
async function advance(pool: TestDatabase['pool'], before: number, random: Random): Promise<undefined> {
  for (let look = 0; look < 250 && (await position(pool)) <= before; look++) await delay(20);
  await delay(random.between(0, 100));
}

async function position(pool: TestDatabase['pool']): Promise<number> {
  const { rows } = await pool.query<{ position: string }>('select position from public.ipfix_file');
  return Number(rows[0]?.position ?? 0);
}

async function withDatabase<T>(server: TestServer, run: (database: TestDatabase) => Promise<T>): Promise<T> {
  const database = await server.createDatabase();
  try {
    return await run(database);
  } finally {
    await database.drop();
  }
}
