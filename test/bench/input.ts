import { createReadStream, createWriteStream, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { batchesOf } from './batches.ts';
import { STREAM_MAKE, type StreamCounts, yafStream } from './stream.ts';

/** The file that is measured with, plain, in a directory of its own. */
export interface Input {
  readonly path: string;
  /** Where it comes from, for the recipe. */
  readonly make: string;
  readonly bytes: number;
  readonly messages: number;
  readonly flows: number;
  readonly rrs: number;
  remove(): Promise<void>;
}

/** Generates a stream of so many flows, or takes a copy of a file, plain or gzip. */
export async function makeInput(
  source: { readonly flows: number } | { readonly file: string },
): Promise<Input> {
  const directory = await mkdtemp(join(tmpdir(), 'dnstrail-bench-'));
  const path = join(directory, 'input.ipfix');
  const remove = () => rm(directory, { recursive: true });
  try {
    const written = 'flows' in source ? await writeStream(path, source) : undefined;
    if ('file' in source) await copyFile(path, source.file);
    const total = await count(path);
    if (written !== undefined && (written.flows !== total.flows || written.rrs !== total.rrs))
      throw new Error(`${JSON.stringify(written)} were written, ${JSON.stringify(total)} decoded`);
    const make = 'flows' in source ? `${STREAM_MAKE}; ${source.flows} flows, seed 1` : basename(source.file);
    return { path, make, bytes: statSync(path).size, ...total, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function writeStream(path: string, options: { readonly flows: number }): Promise<StreamCounts> {
  let counts: StreamCounts = { flows: 0, rrs: 0 };
  await pipeline(async function* () {
    counts = yield* yafStream(options);
  }, createWriteStream(path));
  return counts;
}

async function copyFile(path: string, file: string): Promise<void> {
  const [from, to] = [createReadStream(file), createWriteStream(path)];
  await (file.endsWith('.gz') ? pipeline(from, createGunzip(), to) : pipeline(from, to));
}

/** What the file holds. Also warms the decoder up for what follows. */
async function count(path: string): Promise<StreamCounts & { messages: number }> {
  const total = { messages: 0, flows: 0, rrs: 0 };
  for await (const batch of batchesOf(path)) {
    total.messages += batch.counts.messages;
    total.flows += batch.counts.flows + batch.counts.flow_packets;
    total.rrs += batch.counts.rrs + batch.counts.payload_rrs;
    batch.recycle();
  }
  return total;
}
