import { deepEqual, equal, ok } from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { connectExporter, exportStream, pieces, recorded, write } from '../support/exporter.ts';
import { eventually, freePort, runDnstrail, withDirectory } from '../support/processes.ts';
import { writeBigFile } from './bigFile.ts';
import { contentsOf, ledgerProblems } from './contents.ts';
import { segmentsByPort } from './journal.ts';
import { allLoaded, expectedContents } from './killCollector.ts';
import type { Random } from './random.ts';
import { type StopMode, type StoppableServer, stopModes } from './server.ts';

const modes = Object.keys(stopModes) as StopMode[]; // the keys of stopModes

export interface StopDuringLoadOptions {
  /** How often each mode. */
  readonly rounds: number;
  readonly fileOctets: number;
  readonly random: Random;
}

/** Stops PostgreSQL in every mode while `dnstrail load` runs, and starts it again: the load waits and goes on. */
export function stopDuringLoad(
  server: StoppableServer,
  { rounds, fileOctets, random }: StopDuringLoadOptions,
) {
  return withDirectory(async directory => {
    const file = path.join(directory, 'big.ipfix');
    writeBigFile(file, fileOctets);
    const expected = await expectedContents(server, directory);
    const figures = { seed: random.seed, stops: 0, stoppedInTheMiddle: 0, rows: expected.flow };
    for (const mode of Array.from({ length: rounds }, () => modes).flat()) {
      const database = await server.createDatabase();
      try {
        const load = runDnstrail(['load', '--json', file], { DATABASE_URL: database.url });
        await eventually(
          'the first rows',
          async () => {
            const { rows } = await database.pool.query('select from public.ipfix_file where position > 0');
            return rows.length > 0 || undefined;
          },
          30_000,
        );
        await delay(random.between(0, 30));
        const isOver = await Promise.race([load.exited, delay(0)]);
        if (isOver === undefined) figures.stoppedInTheMiddle++;
        await server.stop(mode);
        figures.stops++;
        await delay(random.between(0, 500));
        await server.start();
        const { code } = await load.exited;
        equal(code, 0, `${load.stdout()}${load.stderr()}`);
        const { totals } = JSON.parse(load.stdout()) as { totals: { flows: number; loaded: number } };
        deepEqual(await ledgerProblems(database.pool), []);
        deepEqual(await contentsOf(database.pool), expected);
        equal(totals.loaded, 1, load.stdout());
        equal(totals.flows, Number.parseInt(expected.flow, 10), 'the report counts all that was loaded');
      } finally {
        await database.drop();
      }
    }
    return figures;
  });
}

const early = 'yaf2164-dnssec';
/** One for each mode; no two are the same, or the reference would be loaded once. */
const recordings = ['tcp-reconnect-conn1', 'tcp-reconnect-conn2', 'tcp-reconnect-conn3'];

/**
 * Starts `dnstrail up` while its PostgreSQL is not there, then stops and starts that in every mode while exporters send:
 * the journal takes everything at once, the rows follow.
 */
export function stopDuringSession(server: StoppableServer, random: Random) {
  return withDirectory(async home => {
    const database = await server.createDatabase();
    const port = await freePort();
    await server.stop('fast');
    const up = runDnstrail(['up', '--listen', `127.0.0.1:${port}`, '--http', '127.0.0.1:0'], {
      DATABASE_URL: database.url,
      DNSTRAIL_HOME: home,
    });
    try {
      const exporter = await exportStream(
        port,
        pieces(recorded(early), () => random.between(1, 3000)),
      );
      await eventually('the journal to hold what was sent', () => {
        up.mustRun();
        const [segment] = segmentsByPort(home).get(exporter) ?? [];
        return (segment !== undefined && readFileSync(segment).equals(recorded(early))) || undefined;
      });
      await server.start();
      await allLoaded(database, home);
      for (const [i, mode] of modes.entries()) {
        const stream = recorded(recordings[i] ?? early);
        const half = Math.floor(stream.length / 2);
        const socket = await connectExporter(port, up);
        const { localPort = 0 } = socket;
        await write(
          socket,
          pieces(stream.subarray(0, half), () => random.between(1, 3000)),
        );
        await delay(random.between(0, 150));
        await server.stop(mode);
        await write(
          socket,
          pieces(stream.subarray(half), () => random.between(1, 3000)),
        );
        socket.end();
        await eventually('the journal to hold what was sent', () => {
          up.mustRun();
          const [segment] = segmentsByPort(home).get(localPort) ?? [];
          return (segment !== undefined && readFileSync(segment).equals(stream)) || undefined;
        });
        await server.start();
      }
      await allLoaded(database, home);
      equal((await up.end('SIGTERM')).code, 0, up.stderr());
      const reference = path.join(home, 'reference');
      mkdirSync(reference);
      for (const [i, segment] of [...segmentsByPort(home).values()].flat().entries())
        cpSync(segment, path.join(reference, `${i}.ipfix`));
      ok(segmentsByPort(home).size === 1 + modes.length);
      deepEqual(await ledgerProblems(database.pool), []);
      const expected = await expectedContents(server, reference);
      deepEqual(await contentsOf(database.pool), expected);
      return { seed: random.seed, stops: 1 + modes.length, rows: expected.flow };
    } finally {
      await up.end('SIGKILL');
      await server.start();
      await database.drop();
    }
  });
}
