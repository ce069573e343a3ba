import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';

/** Linux's word for the priority of a session; "" where it has none. */
const SESSION = '/proc/self/autogroup';
const nicenessIn = (line: string) => line.replace(/^.* nice /, '').trim();

/** What a process that gave way says of its niceness, and that of its session. */
async function given(detached: boolean): Promise<{ own: number; session: string }> {
  const niceness = new URL('../../common/niceness.ts', import.meta.url).href;
  const program = `
    const { giveWay } = await import(${JSON.stringify(niceness)});
    const { getPriority } = await import('node:os');
    const { readFileSync, existsSync } = await import('node:fs');
    setTimeout(() => {}, 30_000); // the other tries do not keep a process
    await giveWay(19);
    const session = existsSync('${SESSION}') ? readFileSync('${SESSION}', 'utf8') : '';
    process.stdout.write(JSON.stringify({ own: getPriority(), session }), () => process.exit());`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    detached,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const { own, session } = JSON.parse(await text(child.stdout));
  return { own, session: nicenessIn(session) };
}

it('makes a session of its own give way too', async () => {
  expect(await given(true)).toEqual({ own: 19, session: existsSync(SESSION) ? '19' : '' });
});

it('leaves the session of others alone', async () => {
  const ours = () => (existsSync(SESSION) ? nicenessIn(readFileSync(SESSION, 'utf8')) : '');
  const before = ours();
  expect(await given(false)).toEqual({ own: 19, session: before });
  expect(ours()).toBe(before);
});
