import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { loadFiles } from '../../collector/load/load.ts';
import { type Collector, startCollector } from '../../collector/main.ts';
import { readConfig, type SettingName } from '../../common/config.ts';
import { readText } from '../oracle/ipfix2json.ts';
import { loadedDifferences } from '../oracle/loaded.ts';
import type { ExpectedRows } from '../oracle/rows.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import {
  connectExporter,
  exportStream,
  headersByOctet,
  messagesOf,
  pieces,
  recorded,
  write,
} from '../support/exporter.ts';
import { dataSet, field, message, template, templateSet } from '../support/ipfixBuilder.ts';
import { eventually, freePort, withDirectory } from '../support/processes.ts';
import { contentsOf, ledgerProblems } from '../torture/contents.ts';
import { segmentsByPort } from '../torture/journal.ts';
import { allLoaded, killCollector } from '../torture/killCollector.ts';
import { createRandom } from '../torture/random.ts';
import { withServer } from '../torture/server.ts';
import { stopDuringSession } from '../torture/stopPostgres.ts';

const fixtures = path.join(import.meta.dirname, '../fixtures');
const connections = ['tcp-reconnect-conn1', 'tcp-reconnect-conn2', 'tcp-reconnect-conn3'];
const random = createRandom(2);

interface Running {
  readonly collector: Collector;
  readonly database: TestDatabase;
  readonly home: string;
  readonly port: number;
}

/** Runs with a collector that is ready, and its own database and home directory. */
async function withCollector(
  run: (running: Running) => Promise<void>,
  flags: Partial<Record<SettingName, string>> = {},
): Promise<void> {
  await withDirectory(async home => {
    const database = await createTestDatabase();
    const port = await freePort();
    const listen = `127.0.0.1:${port}`;
    const collector = await startCollector(
      readConfig({ home, databaseUrl: database.url, listen, ...flags }, {}),
    );
    try {
      await collector.ready;
      await run({ collector, database, home, port });
    } finally {
      await collector.close();
      await database.drop();
    }
  });
}

/** Differences from what other programs read in the recording, of the rows of the session from this port. */
async function differences(pool: TestDatabase['pool'], peerPort: number, name: string): Promise<string[]> {
  const { rows } = await pool.query<{
    file_id: number;
    path: string;
    status: 'loaded';
    error: string | null;
  }>('select file_id, path, status, error from public.ipfix_file where peer_port = $1', [peerPort]);
  const expected = JSON.parse(readText(path.join(fixtures, `${name}.expected.json.gz`))) as ExpectedRows;
  const [found] = rows;
  if (found === undefined) return ['no such session'];
  const none = { messages: 0, data_records: 0, flows: 0, rrs: 0, quarantined: 0 };
  return loadedDifferences(pool, { ...none, ...found, fileId: found.file_id }, expected);
}

const splits: readonly [string, (stream: Buffer) => Iterable<Buffer>][] = [
  ['in one piece', stream => [stream]],
  ['message by message', messagesOf],
  ['with headers octet by octet', headersByOctet],
  ['at random places', stream => pieces(stream, () => random.between(1, 2000))],
];

it.each(splits)('stores three recorded connections, one after another, sent %s', async (_, split) => {
  await withCollector(async ({ database, home, port }) => {
    const ports: number[] = [];
    for (const name of connections) ports.push(await exportStream(port, split(recorded(name))));
    await eventually('three segments', () => segmentsByPort(home).size === 3 || undefined);
    await allLoaded(database, home);
    for (const [i, name] of connections.entries())
      expect(await differences(database.pool, ports[i]!, name)).toEqual([]); // a port for each connection
  });
});

it('keeps three interleaved connections apart that use the same template ids', async () => {
  await withCollector(async ({ database, home, port }) => {
    const ports = await Promise.all(
      connections.map(name =>
        exportStream(
          port,
          pieces(recorded(name), () => random.between(1, 500)),
        ),
      ),
    );
    await eventually('three segments', () => segmentsByPort(home).size === 3 || undefined);
    await allLoaded(database, home);
    for (const [i, name] of connections.entries())
      expect(await differences(database.pool, ports[i]!, name)).toEqual([]);
  });
});

it('shows the rows of a message, and what they add to the deduplicated tiers, before the next one comes', async () => {
  await withCollector(async ({ database, port }) => {
    const socket = await connectExporter(port);
    let octets = 0;
    for (const message of messagesOf(recorded('tcp-reconnect-conn1')).slice(0, 12)) {
      octets += message.length;
      await write(socket, [message]);
      await eventually('the message to be stored', async () => {
        const { rows } = await database.pool.query<{ position: string }>(
          'select least(position, grouped_position) as position from public.ipfix_file',
        );
        return Number(rows[0]?.position) === octets || undefined;
      });
    }
    socket.end();
  });
});

it('gives the same rows and no gap from a journal of many small segments', async () => {
  await withCollector(
    async ({ database, home, port }) => {
      const stream = recorded('tcp-reconnect-conn1');
      await exportStream(
        port,
        pieces(stream, () => random.between(1, 900)),
        1,
      );
      await eventually(
        'segments',
        () => (segmentsByPort(home).values().next().value?.length ?? 0) > 5 || undefined,
      );
      await allLoaded(database, home);
      const { rows } = await database.pool.query(
        'select sum(sequence_gaps) as gaps, sum(records_lost) as lost, sum(sequence_resets) as resets from public.ledger',
      );
      expect(rows).toEqual([{ gaps: '0', lost: '0', resets: '0' }]);
      expect(await ledgerProblems(database.pool)).toEqual([]);
      const reference = await createTestDatabase();
      onTestFinished(() => reference.drop());
      await loadFiles(reference.url, [path.join(fixtures, 'tcp-reconnect-conn1.ipfix')]);
      expect(await contentsOf(database.pool)).toEqual(await contentsOf(reference.pool));
    },
    { segmentSize: '5KB' },
  );
});

it('counts a message that never came as a gap, with its records', async () => {
  await withCollector(async ({ database, home, port }) => {
    const messages = messagesOf(recorded('tcp-reconnect-conn1'));
    const sequenceNumbers = messages.map(each => each.readUInt32BE(8));
    const dropped = sequenceNumbers.findIndex((number, i) => i > 3 && number < sequenceNumbers[i + 1]!); // of many
    const records = sequenceNumbers[dropped + 1]! - sequenceNumbers[dropped]!;
    await exportStream(port, messages.toSpliced(dropped, 1));
    await eventually('a segment', () => segmentsByPort(home).size === 1 || undefined);
    await allLoaded(database, home);
    const { rows } = await database.pool.query(
      'select sequence_gaps::integer as gaps, records_lost::integer as lost from public.ledger',
    );
    expect(rows).toEqual([{ gaps: 1, lost: records }]);
  });
});

it('keeps two observation domains of one session apart', async () => {
  await withCollector(async ({ database, home, port }) => {
    const inDomain = (observationDomainId: number): Buffer[] =>
      messagesOf(recorded('tcp-reconnect-conn1')).map(original => {
        const copy = Buffer.from(original);
        copy.writeUInt32BE(observationDomainId, 12);
        return copy;
      });
    const [one, other] = [inDomain(1), inDomain(4_000_000_000)];
    await exportStream(
      port,
      one.flatMap((each, i) => [each, other[i]!]),
    ); // both have the same length
    await eventually('a segment', () => segmentsByPort(home).size === 1 || undefined);
    await allLoaded(database, home);
    const { rows } = await database.pool.query<{ flows: string }>(
      `select observation_domain_id, sequence_gaps, sequence_resets, count(f.*) as flows
       from public.ledger join public.flow f using (exporter_id) group by 1, 2, 3 order by 1`,
    );
    const flows = rows[0]?.flows;
    expect(Number(flows)).toBeGreaterThan(50);
    expect(rows).toEqual([
      { observation_domain_id: '1', sequence_gaps: '0', sequence_resets: '0', flows },
      { observation_domain_id: '4000000000', sequence_gaps: '0', sequence_resets: '0', flows },
    ]);
  });
});

const badPeers: readonly [string, Buffer, RegExp][] = [
  ['HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: collector\r\n\r\n'), /octet 0: version 18245/],
  ['a message of length 0', message([], { length: 0 }), /octet 0: message length 0/],
  ['random octets', Buffer.concat([Buffer.from('ffff', 'hex'), randomBytes(5000)]), /octet 0: version 65535/],
];

it.each(badPeers)(
  'hangs up on a peer that sends %s, says so in the ledger, and serves the others',
  async (_, octets, error) => {
    await withCollector(async ({ database, home, port }) => {
      const bad = await connectExporter(port);
      bad.on('error', () => {}); // reset is as good as closed
      bad.write(octets);
      await once(bad.resume(), 'close');
      await exportStream(port, [recorded('tcp-reconnect-conn1')]);
      await eventually('two segments', () => segmentsByPort(home).size === 2 || undefined);
      await allLoaded(database, home);
      const { rows } = await database.pool.query<{ status: string; error: string; bytes: Buffer }>(
        'select status, error, bytes from public.ipfix_file left join public.quarantine using (file_id) order by path',
      );
      expect(rows.map(({ status }) => status)).toEqual(['failed', 'loaded']);
      expect(rows[0]?.error).toMatch(error);
      expect(octets.subarray(0, rows[0]?.bytes.length).equals(rows[0]!.bytes)).toBe(true);
    });
  },
);

it('loads a file that is dropped and also loaded by hand once', async () => {
  await withCollector(
    async ({ collector, database }) => {
      const original = path.join(fixtures, 'yaf2164-small.ipfix');
      const dropped = path.join(collector.watched, 'sensor-20261121000000-00000.yaf');
      copyFileSync(original, dropped);
      const [byHand] = await loadFiles(database.url, [original]);
      await eventually('the dropped file to be put away', () => !existsSync(dropped) || undefined);
      const { rows } = await database.pool.query('select count(*)::integer as files from public.ipfix_file');
      expect(rows).toEqual([{ files: 1 }]);
      expect(['loaded', 'duplicate']).toContain(byHand?.status);
      expect(await ledgerProblems(database.pool)).toEqual([]);
    },
    { settleSeconds: '0' },
  );
});

it('knows a segment of its own journal when it is loaded by hand, closed or still growing', async () => {
  await withCollector(async ({ database, home, port }) => {
    await exportStream(port, [recorded('tcp-reconnect-conn1')]);
    await eventually('a segment', () => segmentsByPort(home).size === 1 || undefined);
    await allLoaded(database, home);
    const socket = await connectExporter(port);
    await write(socket, [recorded('tcp-reconnect-conn2')]);
    await eventually('another segment', () => segmentsByPort(home).size === 2 || undefined);
    await delay(300); // some of it may be stored by now; its entry is not complete in any case
    const segments = readdirSync(path.join(home, 'journal')).filter(name => name.endsWith('.ipfix'));
    const reports = await loadFiles(database.url, [path.join(home, 'journal')]);
    expect(reports.map(({ status }) => status)).toEqual(segments.map(() => 'duplicate'));
    socket.end();
    await allLoaded(database, home);
    expect(await ledgerProblems(database.pool)).toEqual([]);
  });
});

it('does not store again what was loaded by hand from the journal of a collector without database', async () => {
  await withDirectory(async home => {
    const database = await createTestDatabase();
    onTestFinished(() => database.drop());
    mkdirSync(path.join(home, 'journal'));
    const segment = path.join(home, 'journal', '20261121T054200.123Z_192.0.2.1_40000_0a1b2c3d_00000.ipfix');
    copyFileSync(path.join(fixtures, 'tcp-reconnect-conn1.ipfix'), segment);
    await loadFiles(database.url, [segment]);
    const before = await contentsOf(database.pool);
    const listen = `127.0.0.1:${await freePort()}`;
    const collector = await startCollector(readConfig({ home, databaseUrl: database.url, listen }, {}));
    try {
      await collector.ready;
      await allLoaded(database, home);
      expect(await contentsOf(database.pool)).toEqual(before);
    } finally {
      await collector.close();
    }
  });
});

it('reads a template that a later connection defines otherwise by its new layout', async () => {
  await withCollector(async ({ database, home, port }) => {
    const layout = (...ids: number[]) =>
      templateSet(
        template(
          256,
          ids.map(id => field(id, 4)),
        ),
      );
    const record = dataSet(256, Buffer.from([192, 0, 2, 1, 192, 0, 2, 2]));
    const sourceFirst = await exportStream(port, [message([layout(8, 12), record])]);
    const sourceLast = await exportStream(port, [message([layout(12, 8), record])]);
    await eventually('two segments', () => segmentsByPort(home).size === 2 || undefined);
    await allLoaded(database, home);
    const { rows } = await database.pool.query(
      `select peer_port, host(src) as src from public.flow join public.ipfix_file on file_id = flow_id >> 32 order by src`,
    );
    expect(rows).toEqual([
      { peer_port: sourceFirst, src: '192.0.2.1' },
      { peer_port: sourceLast, src: '192.0.2.2' },
    ]);
  });
});

it('stores every message of the journal once however often the collector is killed', async () => {
  const figures = await killCollector(
    { createDatabase: createTestDatabase },
    { rounds: 3, random: createRandom() },
  );
  expect(figures.messages).toBeGreaterThan(0);
});

it('receives while PostgreSQL is away, at the start and later, and stores everything once afterwards', async () => {
  const figures = await withServer(server => stopDuringSession(server, createRandom()));
  expect(figures.stops).toBe(4);
});
