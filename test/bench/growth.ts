import { type Figure, figure, type Result, ratio, result, timed } from './measure.ts';
import type { StoredStream } from './scale.ts';

const STEPS = [1e6, 10e6, 50e6, 100e6];
/** RRs that a file of a step adds. */
export const PROBE_RRS = 1e6;

/** The rate of loading the same records, `probes` files of them, with the jobs going on, when more and more is stored. */
export async function growth(
  stored: StoredStream,
  { rrs, probes }: { readonly rrs: number; readonly probes: number },
): Promise<Result> {
  const [rates, perCpu]: [Figure[], Figure[]] = [[], []];
  for (const step of [...STEPS.filter(each => each < rrs), rrs]) {
    await stored.fill(step);
    await stored.settle(); // what filling has left to the jobs is not work of the files that are measured
    const at = `${Math.round(stored.rrs / 1e6)} M stored`;
    const [runs, cpuRuns]: [number[], number[]] = [[], []];
    const files = [];
    for (let probe = 0; probe < probes; probe++) files.push(await stored.write(probe));
    for (const file of files) {
      const cpuBefore = stored.cpuSeconds();
      const { seconds } = await timed(() => stored.load([file]));
      runs.push(file.rrs / seconds);
      cpuRuns.push(file.rrs / (stored.cpuSeconds() - cpuBefore));
    }
    rates.push(figure(`a file, ${at}`, 'RRs/s', runs));
    perCpu.push(figure(`a file, ${at}, with server and jobs`, 'RRs per CPU second', cpuRuns));
  }
  const ratios = rates.map(rate => ratio(`${rate.name} / first`, rate, rates[0])).reverse(); // the largest tells
  const recipe = await stored.recipe({
    measured: `the same files (${probes}) at each step, one after the other, but for the times of their flows; the jobs, which had nothing left to do before, go on with theirs`,
  });
  return result('growth', recipe, [...ratios, ...rates, ...perCpu]);
}
