import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** Runs with a stream as a temporary file (below TMPDIR): an import reads its content twice, to know it and to take it. */
export async function withSpooled<T>(input: Readable, run: (path: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'dnstrail-import-'));
  try {
    const path = join(directory, 'input');
    await pipeline(input, createWriteStream(path, { mode: 0o600 }));
    return await run(path);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
