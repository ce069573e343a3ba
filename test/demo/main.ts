import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { analyst } from '../../analytics/analyst.ts';
import { setSettings } from '../../analytics/detect/configFile.ts';
import { runDue, startWorker } from '../../analytics/main.ts';
import { startApi } from '../../api/main.ts';
import { startCollector } from '../../collector/main.ts';
import { readConfig } from '../../common/config.ts';
import { makeCorpus } from '../corpus/corpus.ts';

/**
 * A network for a week, with attacks in it, seen by a sensor: sent to a collector over TCP, looked at by the jobs, shown on the
 * dashboard. The last hours arrive while one looks on.
 */
const CORPUS = { seed: 7, days: 7, clients: 90, copies: 1 };
/** Seconds of the network's time that arrive last, one after the other. */
const LIVE_SECONDS = 2 * 3600;
const LIVE_PAUSE_MS = 250;
const HTTP = { host: '127.0.0.1', port: Number(process.env.DNSTRAIL_DEMO_PORT ?? 8053) };

const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => (stopping.signal.aborted ? process.exit(1) : stopping.abort()));
const stopped = once(stopping.signal, 'abort');

/** Says what goes on, and how long it took. */
async function step<T>(what: string, run: () => Promise<T>): Promise<T> {
  const begin = performance.now();
  process.stdout.write(`  ${what.padEnd(56)}`);
  const found = await run();
  process.stdout.write(`${((performance.now() - begin) / 1000).toFixed(1).padStart(5)} s\n`);
  return found;
}

async function demo(home: string): Promise<void> {
  console.log(`A week on a network of ${CORPUS.clients} clients, with attacks planted in it:`);
  const config = readConfig({ home, databaseUrl: '', listen: `127.0.0.1:${await freePort()}` });
  const collector = await startCollector(config);
  const parts: { close(): Promise<void> }[] = [collector];
  try {
    const database = await step('a PostgreSQL of its own', () => collector.ready);
    const pool = database.pool({ max: 2 });
    const corpus = makeCorpus(CORPUS);
    await setSettings(pool, corpus.operator);
    const sensor = connect(collector.address.port, collector.address.host);
    await once(sensor, 'connect');
    const send = async (message: Buffer) => {
      if (!sensor.write(message)) await once(sensor, 'drain');
    };
    const messages = corpus.messages();
    const liveFrom = corpus.to.getTime() / 1000 - LIVE_SECONDS;
    let next = messages.next();
    const sent = await step('its DNS, as a sensor exports it, into the collector', async () => {
      let octets = 0;
      for (; !next.done && exportTimeOf(next.value) < liveFrom; next = messages.next()) {
        stopping.signal.throwIfAborted();
        await send(next.value);
        octets += next.value.length;
      }
      await arrival(pool, octets);
      return octets;
    });
    await step('days sealed, facts derived, thirteen detectors run', () =>
      runDue(database.url, { sealAfterSeconds: 0, signal: stopping.signal }),
    );
    const api = await startApi({
      databaseUrl: database.url,
      listen: HTTP,
      analyst,
    });
    parts.unshift(startWorker({ databaseUrl: database.url }), api);
    const { rows } = await pool.query<{ rrs: number; found: number }>(
      `select (select sum(rrs)::float8 from public.ipfix_file) as rrs, (select count(*)::float8 from public.detection_shown) as found`,
    );
    const { rrs = 0, found = 0 } = rows[0] ?? {};
    console.log(`
${(sent / 1e6).toFixed(0)} MB of IPFIX, ${rrs.toLocaleString('en')} records, ${found} detections. The last two hours arrive while you look.

  open  http://${api.address.host}:${api.address.port}/

Ctrl-C ends it and removes everything (${home}).`);
    await Promise.race([
      stopped,
      (async () => {
        for (; !next.done && !stopping.signal.aborted; next = messages.next()) {
          await send(next.value);
          await delay(LIVE_PAUSE_MS, undefined, { signal: stopping.signal }).catch(() => {});
        }
        await stopped;
      })(),
    ]);
    sensor.destroy();
  } finally {
    console.log('\nending …');
    for (const part of parts) await part.close();
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // it listens on a port
  server.close();
  await once(server, 'close');
  return port;
}

/** Export Time of a message, seconds since 1970 (RFC 7011 §3.1). */
function exportTimeOf(message: Buffer): number {
  return message.readUInt32BE(4);
}

/** Waits until everything that was sent is stored. */
async function arrival(pool: pg.Pool, octets: number): Promise<void> {
  for (;;) {
    stopping.signal.throwIfAborted();
    const { rows } = await pool.query<{ done: boolean }>(
      'select coalesce(sum(grouped_position), 0) >= $1 as done from public.ipfix_file',
      [octets],
    );
    if (rows[0]?.done) return;
    await delay(200);
  }
}

const home = mkdtempSync(join(tmpdir(), 'dnstrail-demo-'));
chmodSync(home, 0o755); // run by root the server has another account
try {
  await demo(home);
} catch (error) {
  if (!stopping.signal.aborted) {
    console.error(`demo: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
} finally {
  rmSync(home, { recursive: true, force: true });
}
process.exit();
