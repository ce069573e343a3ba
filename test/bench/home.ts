import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Database, openDatabase } from '../../common/database.ts';

/** Runs with an embedded PostgreSQL in a temporary directory, which has room for other files too. */
export async function withHome<T>(run: (database: Database, directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'dnstrail-bench-'));
  try {
    await chmod(directory, 0o755); // run by root the server has another account
    const database = await openDatabase({ home: join(directory, 'home') });
    return await run(database, directory).finally(() => database.close());
  } finally {
    await rm(directory, { recursive: true });
  }
}
