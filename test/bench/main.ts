import { parseArgs } from 'node:util';
import { decode } from './decode.ts';
import { encode } from './encode.ts';
import { makeInput } from './input.ts';
import { load } from './load.ts';
import type { Result } from './measure.ts';
import { peers } from './peers.ts';

const USAGE = `npm run bench -- [decode|encode|load|peers …] [options]
  --json         one JSON object on standard output; with exactly one name
  --runs N       runs of each, default 5
  --flows N      size of the generated stream, default 250000
  --input FILE   measure with this file of IPFIX messages instead, plain or .gz`;

const benchmarks = { decode, encode, load, peers } as const;
type Name = keyof typeof benchmarks;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      runs: { type: 'string', default: '5' },
      flows: { type: 'string', default: '250000' },
      input: { type: 'string' },
    },
  });
  const [runs, flows] = [Number(values.runs), Number(values.flows)];
  const names = positionals.length > 0 ? positionals : Object.keys(benchmarks);
  if (!names.every(isName) || (values.json && names.length !== 1) || !(runs >= 1) || !(flows >= 1))
    throw new TypeError(USAGE);
  const input = await makeInput(values.input === undefined ? { flows } : { file: values.input });
  try {
    for (const name of names) {
      const found = await benchmarks[name](input, runs);
      process.stdout.write(values.json ? `${JSON.stringify(found)}\n` : table(found));
    }
  } finally {
    await input.remove();
  }
}

function isName(name: string): name is Name {
  return Object.hasOwn(benchmarks, name);
}

function table({ name, recipe, results, absent }: Result): string {
  const lines = results.map(each => {
    const runs = each.runs.length > 1 ? `  (${each.runs.map(number).join(', ')})` : '';
    return `  ${each.name.padEnd(36)} ${number(each.median).padStart(12)} ${each.unit}${runs}`;
  });
  const terms = Object.entries(recipe).map(([term, value]) => `  ${term}: ${value}`);
  return [name, ...lines, ...absent.map(each => `  absent: ${each}`), ' recipe', ...terms, '', ''].join('\n');
}

function number(value: number): string {
  return value.toLocaleString('en', { maximumSignificantDigits: 4 });
}

try {
  await main();
} catch (error) {
  const isUsage = error instanceof TypeError;
  process.stderr.write(`${isUsage ? error.message : String(error)}\n`);
  process.exitCode = isUsage ? 2 : 1;
}
