import { deepEqual, equal, ok } from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { loadFiles } from '../../collector/load/load.ts';
import { connectExporter, messagesOf, pieces, recorded, write } from '../support/exporter.ts';
import { eventually, freePort, runDnstrail, withDirectory } from '../support/processes.ts';
import { contentsOf, ledgerProblems } from './contents.ts';
import { messagesKept, segmentsByPort } from './journal.ts';
import type { Random } from './random.ts';
import type { TestDatabase, TestServer } from './server.ts';

export interface KillCollectorOptions {
  readonly rounds: number;
  readonly random: Random;
}

const EXPORTERS = 2;
/** Each begins with a template message; sent several times over one session they keep it going until the kill. */
const streams = [
  'tcp-reconnect-conn1',
  'tcp-reconnect-conn2',
  'tcp-reconnect-conn3',
  'yaf2164-small-udpuniflow',
];
const REPETITIONS = 5;

/**
 * Kills `dnstrail up` with SIGKILL at random moments while exporters send; each connects again as a new session. At the end
 * every whole message in the journal is stored once and nothing else, and the journal holds what it was seen to hold.
 */
export function killCollector(server: TestServer, { rounds, random }: KillCollectorOptions) {
  return withDirectory(async home => {
    const database = await server.createDatabase();
    const port = await freePort();
    const start = (segmentSize: string) =>
      runDnstrail(
        ['up', '--listen', `127.0.0.1:${port}`, '--http', '127.0.0.1:0', '--segment-size', segmentSize],
        {
          DATABASE_URL: database.url,
          DNSTRAIL_HOME: home,
        },
      );
    const sent = new Map<number, readonly Buffer[]>();
    const seen = new Map<number, number>();
    let sessions = 0;
    try {
      for (let round = 0; round < rounds; round++) {
        const up = start(random.pick(['20KB', '200KB', '64MB']));
        const ports = await Promise.all(
          Array.from({ length: EXPORTERS }, async () => {
            const stream = sessionOf(random.pick(streams), sessions++);
            const socket = await connectExporter(port);
            socket.on('error', () => {}); // the collector is killed
            const { localPort = 0 } = socket;
            ok(!sent.has(localPort), 'two sessions from one port cannot be told apart');
            sent.set(localPort, messagesOf(stream));
            void write(
              socket,
              pieces(stream, () => random.between(1, 6000)),
              random.between(0, 8),
            ).catch(() => {});
            return localPort;
          }),
        );
        await delay(random.between(20, 900));
        const segments = segmentsByPort(home);
        for (const each of ports)
          seen.set(each, messagesKept(segments.get(each) ?? [], sent.get(each) ?? []));
        await up.end('SIGKILL');
      }
      const up = start('64MB');
      await allLoaded(database, home);
      const { code } = await up.end('SIGTERM');
      equal(code, 0, up.stderr());

      const reference = path.join(home, 'reference');
      mkdirSync(reference);
      const figures = {
        seed: random.seed,
        kills: rounds,
        sessions: 0,
        segments: 0,
        messages: 0,
        sent: 0,
        rows: '',
      };
      for (const [exporter, segments] of segmentsByPort(home)) {
        const messages = sent.get(exporter) ?? [];
        const kept = messagesKept(segments, messages);
        ok(kept >= (seen.get(exporter) ?? 0), 'the journal lost messages that it had');
        writeFileSync(path.join(reference, `${exporter}.ipfix`), Buffer.concat(messages.slice(0, kept)));
        figures.sessions++;
        figures.segments += segments.length;
        figures.messages += kept;
        figures.sent += messages.length;
      }
      for (const [exporter, messages] of seen)
        ok(messages === 0 || segmentsByPort(home).has(exporter), 'the journal lost a segment');
      const expected = await expectedContents(server, reference);
      deepEqual(await ledgerProblems(database.pool), []);
      deepEqual(await contentsOf(database.pool), expected);
      return { ...figures, rows: expected.flow };
    } finally {
      await database.drop();
    }
  });
}

/** Resolves once every segment is loaded to its end. */
export async function allLoaded({ pool }: TestDatabase, home: string, patienceMs = 30_000): Promise<void> {
  await eventually(
    'all segments to be loaded',
    async () => {
      const segments = [...segmentsByPort(home).values()].flat().length;
      const { rows } = await pool.query<{ loaded: number }>(
        `select count(*)::integer as loaded from public.ipfix_file where kind = 'journal' and status <> 'loading'`,
      );
      return rows[0]?.loaded === segments || undefined;
    },
    patienceMs,
  );
}

/** The contents of a database into which the files of a directory were loaded, undisturbed. */
export async function expectedContents(server: TestServer, directory: string) {
  const database = await server.createDatabase();
  try {
    for (const { path: file, error } of await loadFiles(database.url, [directory])) equal(error, null, file);
    return await contentsOf(database.pool);
  } finally {
    await database.drop();
  }
}

/** A stream that lasts; its first export time makes it differ from all others, or the reference would be loaded once. */
function sessionOf(name: string, number: number): Buffer {
  const octets = recorded(name);
  const stream = Buffer.concat(Array.from({ length: REPETITIONS }, () => octets));
  stream.writeUInt32BE(stream.readUInt32BE(4) + number, 4);
  return stream;
}
