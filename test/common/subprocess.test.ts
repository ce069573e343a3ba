import { expect, it } from 'vitest';
import { Subprocess, type SubprocessOptions } from '../../common/subprocess.ts';
import { nodeChildren } from '../support/nodeChildren.ts';
import { eventually } from '../support/processes.ts';
import type { AnsweringOptions } from './answering.ts';

/** One that runs ./answering.ts, what it sent, and how it ended by itself. */
function answering(more: Partial<AnsweringOptions> = {}, settings: Partial<SubprocessOptions<string>> = {}) {
  const answers: string[] = [];
  const failures: string[] = [];
  const subprocess = new Subprocess<string, string>(new URL('./answering', import.meta.url), {
    options: { word: 'heard', ...more } satisfies AnsweringOptions,
    patienceMs: 5_000,
    received: message => answers.push(message),
    failed: how => failures.push(how),
    ...settings,
  });
  const answer = (to: string) =>
    eventually(`an answer to ${to}`, () => answers.find(each => each.startsWith(`heard ${to} `)));
  return { subprocess, answers, failures, answer };
}

const pidIn = (answer: string) => Number(answer.split(' ')[2]);

it('hears what is sent from the first moment on, in order, and is heard to its end', async () => {
  const { subprocess, answers, failures } = answering({ farewells: 5_000 });
  for (let i = 0; i < 1_000; i++) subprocess.send(`${i}`);
  const stopped = subprocess.stop();
  subprocess.send('too late');
  await stopped;
  const [first = ''] = answers;
  expect(answers).toEqual([
    ...Array.from({ length: 1_000 }, (_, i) => `heard ${i} ${pidIn(first)}`),
    ...Array.from({ length: 5_000 }, (_, i) => `bye ${i}`),
  ]);
  expect(failures).toEqual([]);
  expect(nodeChildren()).toEqual([]);
});

it('has its own flags, not ours', async () => {
  const { subprocess, answer } = answering({}, { flags: ['--max-semi-space-size=16'] });
  subprocess.send('you');
  const pid = pidIn(await answer('you'));
  const [{ command = '' } = {}] = nodeChildren();
  expect(nodeChildren()).toMatchObject([{ pid }]);
  expect(command).toMatch(/^\S+ --max-semi-space-size=16 \S+subprocessMain\.ts file:\S+answering\.ts$/);
  await subprocess.stop();
});

it('is started again after it was killed, and hears what was sent meanwhile', async () => {
  const { subprocess, failures, answer } = answering();
  subprocess.send('one');
  const pid = pidIn(await answer('one'));
  process.kill(pid, 'SIGKILL');
  for (let i = 0; i < 100; i++) subprocess.send('lost'); // it is gone, and we do not know yet
  await eventually('the failure', () => failures[0]);
  subprocess.send('two');
  expect(pidIn(await answer('two'))).not.toBe(pid);
  expect(failures).toEqual(['was ended by SIGKILL']);
  await subprocess.stop();
});

it('that cannot start is tried again, but not sooner than after a second', async () => {
  const failures: { readonly how: string; readonly at: number }[] = [];
  const subprocess = new Subprocess(new URL('./answering', import.meta.url), {
    options: {},
    patienceMs: 5_000,
    failed: how => failures.push({ how, at: Date.now() }),
    flags: ['--check'], // reads the program, and does not run it
  });
  const [first, second] = await eventually('two failures', () =>
    failures.length > 1 ? failures : undefined,
  );
  await subprocess.stop();
  expect([first?.how, second?.how]).toEqual(['ended with code 0', 'ended with code 0']);
  expect(second!.at - first!.at).toBeGreaterThan(900);
});

it('leaves signals to its parent, and is killed when it does not end', async () => {
  const { subprocess, failures, answer } = answering({}, { patienceMs: 500 });
  subprocess.send('one');
  const pid = pidIn(await answer('one'));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(pid, signal);
  subprocess.send('two');
  await answer('two');
  subprocess.send('hang');
  const begin = Date.now();
  await subprocess.stop();
  expect(Date.now() - begin).toBeGreaterThan(400);
  expect(failures).toEqual([]);
  expect(nodeChildren()).toEqual([]);
});
