import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { expect, test } from 'vitest';
import { lockDirectory } from '../../../collector/receive/directoryLock.ts';
import { temporaryHome } from './support.ts';

const lockModule = path.join(import.meta.dirname, '../../../collector/receive/directoryLock.ts');

test('a second owner is refused with the process id of the first, until that releases the directory', () => {
  const directory = temporaryHome();
  const release = lockDirectory(directory);
  expect(() => lockDirectory(directory)).toThrow(
    expect.objectContaining({
      code: 'journal_in_use',
      message: expect.stringContaining(`process ${process.pid} on`),
    }),
  );
  release();
  lockDirectory(directory)();
});

test('the lock of a killed process is taken over', async () => {
  const directory = temporaryHome();
  const script = `import { lockDirectory } from ${JSON.stringify(lockModule)};
    globalThis.release = lockDirectory(${JSON.stringify(directory)});
    console.log('locked'); setInterval(() => {}, 1000);`;
  const owner = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(owner.stdout, 'data');
  expect(() => lockDirectory(directory)).toThrow(`process ${owner.pid} on`);
  owner.kill('SIGKILL');
  await once(owner, 'exit');
  lockDirectory(directory)();
});
