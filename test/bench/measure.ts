import { execFileSync } from 'node:child_process';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { nodeChildren } from '../support/nodeChildren.ts';
import type { Input } from './input.ts';

/** One measured quantity. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly median: number;
  readonly runs: readonly number[];
}

/** Result of one benchmark: its main figure, all figures, and how to get them again. Printed as JSON it is this object. */
export interface Result extends Figure {
  readonly recipe: Recipe;
  readonly results: readonly Figure[];
  /** What was not measured, and why. */
  readonly absent: readonly string[];
}

export type Recipe = Readonly<Record<string, string | number>>;

/** What one run took. */
export interface Run {
  readonly seconds: number;
  /** CPU time of this process and of those that load for it; not of the server. */
  readonly cpuSeconds: number;
}

/** Runs something once and takes its time. */
export async function timed(run: () => unknown): Promise<Run> {
  const cpuBefore = cpuSeconds();
  const begin = performance.now();
  await run();
  const seconds = (performance.now() - begin) / 1000;
  return { seconds, cpuSeconds: cpuSeconds() - cpuBefore };
}

/** So far, of this process and the Node processes it has started, while these run. */
function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return nodeChildren().reduce((sum, child) => sum + child.cpuSeconds, (user + system) / 1e6);
}

export function figure(name: string, unit: string, runs: readonly number[]): Figure {
  return { name, unit, median: median(runs), runs: runs.map(rounded) };
}

/** The usual figures of runs over a whole input, RRs first. */
export function rates(
  name: string,
  { bytes, flows, rrs }: Pick<Input, 'bytes' | 'flows' | 'rrs'>,
  runs: readonly Run[],
): Figure[] {
  const per = (amount: number) => runs.map(({ seconds }) => amount / seconds);
  const perCpu = runs.map(({ cpuSeconds }) => rrs / cpuSeconds);
  return [
    figure(name, 'RRs/s', per(rrs)),
    figure(name, 'flows/s', per(flows)),
    figure(name, 'MB/s', per(bytes / 1e6)),
    figure(name, 'RRs per CPU second of our processes', perCpu),
  ];
}

/** The first median over the second. */
export function ratio(name: string, of: Figure | undefined, to: Figure | undefined): Figure {
  return figure(name, 'ratio', [(of?.median ?? Number.NaN) / (to?.median ?? Number.NaN)]);
}

/** @param part 0.95 for the 95th percentile */
export function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.ceil(sorted.length * part) - 1]!; // there are values
}

export function result(
  name: string,
  recipe: Recipe,
  results: readonly Figure[],
  absent: readonly string[] = [],
): Result {
  const main = results[0]!; // every benchmark has one
  return { name, unit: main.unit, median: main.median, runs: main.runs, recipe, results, absent };
}

/** Machine, versions and input of a measurement. */
export function recipeOf(input: Input, more: Recipe): Recipe {
  return {
    input: input.make,
    bytes: input.bytes,
    messages: input.messages,
    flows: input.flows,
    rrs: input.rrs,
    ...more,
    ...machineRecipe(),
  };
}

/** Machine and version of a measurement. */
export function machineRecipe(): Recipe {
  return {
    cores: availableParallelism(),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    loadAverage: rounded(loadavg()[0] ?? 0), // of the last minute, so that a busy machine shows
    node: process.version,
    commit: commit(),
  };
}

function commit(): string {
  const git = (...words: string[]) =>
    execFileSync('git', words, {
      cwd: import.meta.dirname,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  try {
    return git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain') === '' ? '' : ' with changes');
  } catch {
    return 'unknown';
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return rounded(sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2);
}

/** To four significant digits. */
function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
