import { decodeFile } from './decode.ts';
import { type Figure, figure, type Result, ratio, result, timed } from './measure.ts';
import type { StoredStream } from './scale.ts';

const STEPS = [1e6, 10e6, 50e6, 100e6];
/** RRs that a file of a step adds. */
export const PROBE_RRS = 1e6;

/**
 * The rate of loading the same records, `probes` files of them, with the jobs going on, when more and more is stored. Hours lie
 * between the first step and the last, and shared machines change their speed by half: what each step has to load is decoded
 * before, while nothing else runs.
 */
export async function growth(
  stored: StoredStream,
  { rrs, probes }: { readonly rrs: number; readonly probes: number },
): Promise<Result> {
  const [rates, decodeRates, perCpu]: [Figure[], Figure[], Figure[]] = [[], [], []];
  for (const step of [...STEPS.filter(each => each < rrs), rrs]) {
    await stored.fill(step);
    await stored.settle(); // what filling has left to the jobs is not work of the files that are measured
    const at = `${Math.round(stored.rrs / 1e6)} M stored`;
    const [runs, decodeRuns, cpuRuns]: [number[], number[], number[]] = [[], [], []];
    const files = [];
    for (let probe = 0; probe < probes; probe++) files.push(await stored.write(probe));
    for (const { path, rrs } of files) decodeRuns.push(rrs / (await timed(() => decodeFile(path))).seconds);
    for (const file of files) {
      const cpuBefore = stored.cpuSeconds();
      const { seconds } = await timed(() => stored.load([file]));
      runs.push(file.rrs / seconds);
      cpuRuns.push(file.rrs / (stored.cpuSeconds() - cpuBefore));
    }
    rates.push(figure(`a file, ${at}`, 'RRs/s', runs));
    decodeRates.push(figure(`decoding alone, ${at}`, 'RRs/s', decodeRuns));
    perCpu.push(figure(`a file, ${at}, with server and jobs`, 'RRs per CPU second', cpuRuns));
  }
  const toFirst = (figures: Figure[]) =>
    figures.map(each => ratio(`${each.name} / first`, each, figures[0])).reverse(); // the largest tells
  const recipe = await stored.recipe({
    measured: `the same files (${probes}) at each step, one after the other, but for the times of their flows; the jobs, which had nothing left to do before, go on with theirs`,
  });
  return result('growth', recipe, [
    ...toFirst(rates),
    ...toFirst(decodeRates),
    ...rates,
    ...decodeRates,
    ...perCpu,
  ]);
}
