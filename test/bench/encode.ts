import { batchesOf } from './batches.ts';
import type { Input } from './input.ts';
import { figure, type Result, type Run, rates, recipeOf, result, timed } from './measure.ts';

/** File → rows in PostgreSQL's binary COPY format, one thread, no database. */
export async function encode(input: Input, runs: number): Promise<Result> {
  const own: Run[] = [];
  let bytes = 0;
  for (let run = 0; run < runs; run++) {
    bytes = 0;
    own.push(
      await timed(async () => {
        for await (const batch of batchesOf(input.path)) {
          bytes += batch.length;
          batch.recycle();
        }
      }),
    );
  }
  const perRun = own.map(({ seconds }) => bytes / 1e6 / seconds);
  return result('encode', recipeOf(input, { runs, threads: 1 }), [
    ...rates('encode', input, own),
    figure('encode, output', 'MB/s', perRun),
  ]);
}
