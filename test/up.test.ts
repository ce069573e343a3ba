import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from './support/database.ts';
import { exportStream, recorded } from './support/exporter.ts';
import { nodeChildren } from './support/nodeChildren.ts';
import { eventually, freePort, type Program, runDnstrail, withDirectory } from './support/processes.ts';

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
});

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
});

/** Runs with `up` on a database of its own, with one process that loads and one that runs the jobs. */
async function withUp(
  run: (running: {
    readonly up: Program;
    readonly port: number;
    readonly database: TestDatabase;
  }) => Promise<void>,
  options?: { readonly hasGroup: boolean },
): Promise<void> {
  await withDirectory(async home => {
    const database = await createTestDatabase();
    const port = await freePort();
    const args = ['up', '--listen', `127.0.0.1:${port}`, '--http', '127.0.0.1:0', '--loaders', '1'];
    const up = runDnstrail(args, { DNSTRAIL_HOME: home, DATABASE_URL: database.url }, options);
    try {
      await run({ up, port, database });
    } finally {
      await up.end('SIGKILL');
      await database.drop();
    }
  });
}

/** The processes of a running `up`. */
function childrenOf(up: Program, count: number): Promise<number[]> {
  return eventually(`${count} processes`, () => {
    up.mustRun();
    const pids = nodeChildren(up.pid).map(({ pid }) => pid);
    return pids.length >= count ? pids : undefined;
  });
}

const runs = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

it.each([
  ['while they start', 1, 0],
  ['while they run', 2, 1000],
])('killed with its processes left alone, %s, it leaves none behind', async (_, count, afterMs) => {
  await withUp(async ({ up }) => {
    const children = await childrenOf(up, count);
    await delay(afterMs);
    expect(await up.end('SIGKILL')).toMatchObject({ signal: 'SIGKILL' });
    await eventually('the end of its processes', () => !children.some(runs) || undefined);
  });
});

/** A stream that takes a while to load. */
const stream = Buffer.concat(Array.from({ length: 40 }, () => recorded('tcp-reconnect-conn1')));

async function expectAllStored(up: Program, { pool }: TestDatabase): Promise<void> {
  expect(up.stderr()).toBe('');
  expect(up.stdout()).toContain('stopped; nothing is lost');
  const { rows } = await pool.query('select status, position::integer as position from public.ipfix_file');
  expect(rows).toEqual([{ status: 'loaded', position: stream.length }]);
}

it('Ctrl-C in the terminal lets its processes commit what was received, however soon it comes', async () => {
  await withUp(
    async ({ up, port, database }) => {
      await childrenOf(up, 2);
      await exportStream(port, [stream]);
      expect(await up.end('SIGINT')).toEqual({ code: 0, signal: null });
      await expectAllStored(up, database);
    },
    { hasGroup: true },
  );
});

it('SIGTERM to all of its processes, as systemd sends it, ends them in order too', async () => {
  await withUp(async ({ up, port, database }) => {
    const children = await childrenOf(up, 2);
    await exportStream(port, [stream]);
    await eventually('their connections', async () => {
      const { rowCount } = await database.pool.query(
        `select distinct application_name from pg_stat_activity
         where datname = current_database() and application_name in ('dnstrail load', 'dnstrail work')`,
      );
      return rowCount === 2 || undefined;
    });
    for (const pid of children) process.kill(pid, 'SIGTERM');
    expect(await up.end('SIGTERM')).toEqual({ code: 0, signal: null });
    await expectAllStored(up, database);
  });
});
