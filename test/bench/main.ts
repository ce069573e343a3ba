import { parseArgs } from 'node:util';
import { api } from './api.ts';
import { dashboard } from './dashboard.ts';
import { decode } from './decode.ts';
import { detect } from './detect.ts';
import { detectCost } from './detectCost.ts';
import { encode } from './encode.ts';
import { growth, PROBE_RRS } from './growth.ts';
import { type Input, makeInput } from './input.ts';
import { load } from './load.ts';
import { lookups } from './lookups.ts';
import type { Result } from './measure.ts';
import { peers } from './peers.ts';
import { StoredStream } from './scale.ts';
import { storage } from './storage.ts';
import { sustained } from './sustained.ts';

const USAGE = `npm run bench -- [decode|encode|load|peers|sustained|growth|lookups|storage|api|dashboard|detect …] [options]
  --seeds N      corpora that detect looks at, default 5; not run without its name, as each takes minutes
  --json         one JSON object on standard output; with exactly one name
  --runs N       runs of each of decode, encode, load, peers; default 5
  --flows N      size of the generated stream of these, default 250000
  --input FILE   measure these with this file of IPFIX messages instead, plain or .gz
  --seconds N    of api: how long clients ask while files are loaded, default 60
  --scale N      RRs to store: sustained 5000000; growth, lookups, storage, api and dashboard, which share one database,
                 10000000;
                 without a name 2000000 and 3000000; 100000000 takes an hour and 35 GB;
                 detect: what it costs with so many, instead of how often it is wrong`;

/** RRs to store, and what is asked of them; less of it when all benchmarks run. */
const LONG = { sustained: 5e6, stored: 10e6, probes: 5, subjects: 200, seconds: 60 };
const SHORT = { sustained: 2e6, stored: 3e6, probes: 1, subjects: 20, seconds: 10 };
const DAYS = 7;
/** Of the corpora that are judged by; thresholds were found with others. */
const FIRST_SEED = 1001;

const ofInput = { decode, encode, load, peers } as const;
const ofStored = { growth, lookups, storage, api, dashboard } as const;
type Name = keyof typeof ofInput | keyof typeof ofStored | 'sustained' | 'detect';
const names: readonly Name[] = [
  'decode',
  'encode',
  'load',
  'peers',
  'sustained',
  'growth',
  'lookups',
  'storage',
  'api',
  'dashboard',
];

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      runs: { type: 'string', default: '5' },
      flows: { type: 'string', default: '250000' },
      input: { type: 'string' },
      scale: { type: 'string' },
      seeds: { type: 'string', default: '5' },
      seconds: { type: 'string' },
    },
  });
  const [runs, flows, seeds] = [Number(values.runs), Number(values.flows), Number(values.seeds)];
  const wanted = positionals.length > 0 ? positionals : names;
  const defaults = positionals.length > 0 ? LONG : SHORT;
  const scale = values.scale === undefined ? undefined : Number(values.scale);
  const seconds = Number(values.seconds ?? defaults.seconds);
  if (!wanted.every(isName) || (values.json && wanted.length !== 1)) throw new TypeError(USAGE);
  if (
    !(runs >= 1) ||
    !(flows >= 1) ||
    !(seeds >= 1) ||
    !(seconds >= 1) ||
    !(scale === undefined || scale >= 1e6)
  )
    throw new TypeError(USAGE);

  let input: Input | undefined;
  let stored: StoredStream | undefined;
  const run = async (name: Name): Promise<Result> => {
    if (name === 'detect')
      return scale === undefined
        ? detect(Array.from({ length: seeds }, (_, i) => FIRST_SEED + i))
        : detectCost(scale);
    if (name === 'sustained') return sustained(scale ?? defaults.sustained);
    if (isKeyOf(ofInput, name)) {
      input ??= await makeInput(values.input === undefined ? { flows } : { file: values.input });
      return ofInput[name](input, runs);
    }
    const options = { ...defaults, seconds, rrs: scale ?? defaults.stored };
    stored ??= await StoredStream.open({ days: DAYS, rrs: options.rrs + options.probes * PROBE_RRS });
    return ofStored[name](stored, options);
  };
  try {
    for (const name of wanted) {
      const found = await run(name);
      process.stdout.write(values.json ? `${JSON.stringify(found)}\n` : table(found));
    }
  } finally {
    await input?.remove();
    await stored?.close();
  }
}

function isName(name: string): name is Name {
  return name === 'detect' || names.some(each => each === name);
}

function isKeyOf<T extends object>(object: T, key: PropertyKey): key is keyof T {
  return Object.hasOwn(object, key);
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
