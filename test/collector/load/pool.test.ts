import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { FileReport } from '../../../collector/load/loadFile.ts';
import { LoadError, LoadPool } from '../../../collector/load/pool.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { nodeChildren } from '../../support/nodeChildren.ts';
import { eventually, withDirectory } from '../../support/processes.ts';
import { writeBigFile } from '../../torture/bigFile.ts';
import { contentsOf, ledgerProblems } from '../../torture/contents.ts';

const small = path.join(import.meta.dirname, '../../fixtures/yaf2164-small.ipfix');

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(() => database.drop());

const load = (pool: LoadPool, file: string) =>
  pool.load({ kind: 'load', path: file, exporterName: 'pool' }).report;

/** The outcome of a load, whichever. */
const outcomeOf = (report: Promise<FileReport>) => report.catch((error: unknown) => error);

async function withPool<T>({ url }: TestDatabase, run: (pool: LoadPool) => Promise<T>): Promise<T> {
  const pool = new LoadPool(url, 1);
  return run(pool).finally(() => pool.close());
}

it('replaces a process that is killed in the middle of a file, and the next load of it stores every row once', async () => {
  await withDirectory(async directory => {
    const file = path.join(directory, 'big.ipfix');
    writeBigFile(file, 24 << 20);
    await withPool(database, async pool => {
      const first = outcomeOf(load(pool, file));
      await eventually('some rows', async () => {
        const { rows } = await database.pool.query('select from public.ipfix_file where position > 0');
        return rows.length > 0 || undefined;
      });
      const [child] = nodeChildren();
      process.kill(child!.pid, 'SIGKILL'); // the one that loads
      const error = await first;
      expect(error).toBeInstanceOf(LoadError);
      expect(String(error)).toBe('LoadError: the loading process was ended by SIGKILL');
      const { rows } = await database.pool.query('select status from public.ipfix_file');
      expect(rows).toEqual([{ status: 'loading' }]);
      expect((await load(pool, file)).status).toBe('loaded');
      expect(nodeChildren().map(({ pid }) => pid)).not.toContain(child!.pid);
    });
    expect(await ledgerProblems(database.pool)).toEqual([]);
    const reference = await createTestDatabase();
    try {
      await withPool(reference, pool => load(pool, file));
      expect(await contentsOf(database.pool, { ordinals: true })).toEqual(
        await contentsOf(reference.pool, { ordinals: true }),
      );
    } finally {
      await reference.drop();
    }
  });
});

it('stops what is under way and takes nothing more once it closes; no process stays', async () => {
  await withDirectory(async directory => {
    const file = path.join(directory, 'big.ipfix');
    writeBigFile(file, 24 << 20);
    const pool = new LoadPool(database.url, 2);
    const reports = [file, small].map(each => outcomeOf(load(pool, each)));
    await reports[1];
    const closing = pool.close();
    const late = outcomeOf(load(pool, small));
    for (const report of [reports[0], late]) expect(await report).toMatchObject({ code: 'LoadStopped' });
    await closing;
    expect(nodeChildren()).toEqual([]);
  });
});
