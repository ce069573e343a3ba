import { watchFreshness } from './freshness.ts';
import { figure, quantile, type Result, result, timed } from './measure.ts';
import { StoredStream, type StreamFile } from './scale.ts';

/** Above, a file is written when another one is loaded: the disk does not hold them all. */
const MOST_FILES_AHEAD = 20;
/** From here on a week, else one day. */
const WEEK_RRS = 50e6;

/**
 * From the first octet read until nothing is left due: all rows committed, all days sealed, all runs of the deduplicated
 * tiers indexed and merged.
 */
export async function sustained(rrs: number): Promise<Result> {
  const stored = await StoredStream.open({ days: rrs < WEEK_RRS ? 1 : 7, rrs });
  try {
    await stored.warmUp();
    const files: StreamFile[] = [];
    let expected = 0;
    for (; expected < rrs && files.length < MOST_FILES_AHEAD; expected += files.at(-1)!.rrs)
      files.push(await stored.write());
    async function* all(): AsyncGenerator<StreamFile> {
      yield* files;
      for (let more = expected; more < rrs; ) {
        const file = await stored.write();
        more += file.rrs;
        yield file;
      }
    }
    const before = stored.rrs;
    const cpuBefore = stored.cpuSeconds();
    const watching = new AbortController();
    const ages = watchFreshness(stored.url, watching.signal);
    const loaded = await timed(() => stored.load(all())).finally(() => watching.abort());
    const cpuLoaded = stored.cpuSeconds();
    const settled = await timed(() => stored.settle());
    const cpuSettled = stored.cpuSeconds();
    const count = stored.rrs - before;
    const seconds = loaded.seconds + settled.seconds;
    const recipe = await stored.recipe({
      measured: `${count} RRs, after another file, which is loaded and looked after first`,
      files: expected < rrs ? `${files.length} written before, the rest meanwhile` : 'written before',
    });
    return result('sustained', recipe, [
      figure('until sealed, indexed and merged', 'RRs/s', [count / seconds]),
      figure('until committed, with the jobs', 'RRs/s', [count / loaded.seconds]),
      figure('oldest record not in rrset yet, p95', 's', [quantile(await ages, 0.95)]),
      figure('oldest record not in rrset yet, at most', 's', [Math.max(...(await ages))]),
      figure('the jobs went on for', 's', [settled.seconds]),
      figure('until sealed, indexed and merged, with server', 'RRs per CPU second', [
        count / (cpuSettled - cpuBefore),
      ]),
      figure('CPU until committed, with the jobs', 's', [cpuLoaded - cpuBefore]),
      figure('CPU of the jobs afterwards', 's', [cpuSettled - cpuLoaded]),
    ]);
  } finally {
    await stored.close();
  }
}
