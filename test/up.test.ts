import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { eventually, runDnstrail, withDirectory } from './support/processes.ts';

it('Ctrl-C ends jobs before their database: `up` with its own PostgreSQL stops cleanly, and starts again', async () => {
  await withDirectory(async home => {
    for (let start = 0; start < 2; start++) {
      const up = runDnstrail(['up', '--listen', '127.0.0.1:0', '--http', '127.0.0.1:0'], {
        DNSTRAIL_HOME: home,
      });
      await eventually('the start screen', async () => {
        up.mustRun();
        return up.stdout().includes('dnstrail is running') || undefined;
      });
      await delay(1500); // the jobs that look after runs hold their connections by now
      expect(await up.end('SIGINT')).toEqual({ code: 0, signal: null });
      expect(up.stderr()).toBe('');
      expect(up.stdout()).toContain('stopped; nothing is lost');
    }
  });
}, 60_000);

it('says that the port of the query API is taken, and ends in order', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo; // it listens on a port
  try {
    await withDirectory(async home => {
      const up = runDnstrail(['up', '--listen', '127.0.0.1:0', '--http', `127.0.0.1:${port}`], {
        DNSTRAIL_HOME: home,
      });
      expect(await up.exited).toEqual({ code: 1, signal: null });
      expect(up.stderr()).toBe(
        `dnstrail: cannot serve HTTP on 127.0.0.1:${port} (the port is taken): choose another with --http or DNSTRAIL_HTTP\n`,
      );
      expect(up.stdout()).toContain('stopped; nothing is lost');
    });
  } finally {
    taken.close();
  }
}, 60_000);
