/**
 * The long forms of the tests that need time: `npm run torture -- [NAME] [--minutes N] [--rounds N] [--seed N]`.
 * Without a name all of them, one after the other.
 */
import { parseArgs } from 'node:util';
import { killCollector } from './killCollector.ts';
import { killLoad } from './killLoad.ts';
import { mutate } from './mutate.ts';
import { createRandom } from './random.ts';
import { withServer } from './server.ts';
import { stopDuringLoad, stopDuringSession } from './stopPostgres.ts';
import { loadZeros } from './zeros.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { minutes: { type: 'string' }, rounds: { type: 'string' }, seed: { type: 'string' } },
});
const rounds = Number(values.rounds ?? 20);
const seconds = 60 * Number(values.minutes ?? 10);
const random = createRandom(values.seed === undefined ? undefined : Number(values.seed));

const tortures: Readonly<Record<string, () => Promise<object>>> = {
  'kill-load': () => withServer(server => killLoad(server, { kills: rounds, fileOctets: 60 << 20, random })),
  'kill-collector': () => withServer(server => killCollector(server, { rounds, random })),
  'stop-postgres-load': () =>
    withServer(server =>
      stopDuringLoad(server, { rounds: Math.ceil(rounds / 4), fileOctets: 60 << 20, random }),
    ),
  'stop-postgres-session': () => withServer(server => stopDuringSession(server, random)),
  mutate: () => withServer(server => mutate(server, { seconds, random })),
  zeros: () => withServer(server => loadZeros(server, 10 * 2 ** 30)),
};

const unknown = positionals.filter(name => !(name in tortures));
if (unknown.length > 0 || Number.isNaN(rounds + seconds + random.seed)) {
  console.error(
    `usage: npm run torture -- [${Object.keys(tortures).join(' | ')}] [--minutes N] [--rounds N] [--seed N]`,
  );
  process.exit(2);
}
for (const [name, run] of Object.entries(tortures)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  const begun = performance.now();
  try {
    const figures = await run();
    console.log(
      `ok      ${name} in ${Math.round((performance.now() - begun) / 1000)} s ${JSON.stringify(figures)}`,
    );
  } catch (error) {
    console.log(`FAILED  ${name} (--seed ${random.seed})`);
    console.error(error);
    process.exitCode = 1;
  }
}
