import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { onTestFinished } from 'vitest';
import { Journal, type JournalEvents, type JournalLimits } from '../../../collector/receive/journal.ts';
import { parseSegmentName } from '../../../collector/receive/segmentName.ts';
import { TcpReceiver, type TcpReceiverOptions } from '../../../collector/receive/tcp.ts';

const fixtures = path.join(import.meta.dirname, '../../fixtures');

/** A stream recorded from a real exporter. */
export function fixture(name: string): Buffer {
  const file = path.join(fixtures, name);
  return existsSync(file) ? readFileSync(file) : gunzipSync(readFileSync(`${file}.gz`));
}

/** IPFIX message of hand-made sets (RFC 7011 section 3.1). */
export function message(sequenceNumber: number, sets: readonly Buffer[], observationDomainId = 0): Buffer {
  const header = Buffer.alloc(16);
  header.writeUInt16BE(10, 0);
  header.writeUInt16BE(16 + sets.reduce((sum, { length }) => sum + length, 0), 2);
  header.writeUInt32BE(1_700_000_000, 4);
  header.writeUInt32BE(sequenceNumber, 8);
  header.writeUInt32BE(observationDomainId, 12);
  return Buffer.concat([header, ...sets]);
}

/** Template set that defines template `id` as one sourceIPv4Address (8), 4 octets. */
export const templateSet = (id: number): Buffer => {
  const set = Buffer.from('0002000c0000000100080004', 'hex');
  set.writeUInt16BE(id, 4);
  return set;
};

/** Data set of `octets` octets of records of template `id`. */
export function dataSet(id: number, octets: number): Buffer {
  const set = Buffer.alloc(4 + octets, 0x2a);
  set.writeUInt16BE(id, 0);
  set.writeUInt16BE(set.length, 2);
  return set;
}

/** The octets of every data set of a stream of whole messages, by observation domain and set id, in order. */
export function dataSets(stream: Buffer): string[] {
  const found: string[] = [];
  for (let at = 0; at < stream.length; at += stream.readUInt16BE(at + 2)) {
    const end = at + stream.readUInt16BE(at + 2);
    for (let set = at + 16; set < end; set += stream.readUInt16BE(set + 2)) {
      const octets = stream.subarray(set, set + stream.readUInt16BE(set + 2));
      if (octets.readUInt16BE(0) >= 256)
        found.push(`${stream.readUInt32BE(at + 12)} ${octets.toString('hex')}`);
    }
  }
  return found;
}

export function temporaryHome(): string {
  const home = mkdtempSync(path.join(tmpdir(), 'dnstrail-receive-'));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  return home;
}

/** A receiver on a free port of loopback, with its journal; closed when the test ends. */
export async function startReceiver(
  limits: Partial<JournalLimits> = {},
  options: Partial<TcpReceiverOptions> = {},
) {
  const home = temporaryHome();
  const journal = new Journal(home, limits);
  const receiver = new TcpReceiver(journal, options);
  const { port } = await receiver.listen({ port: 0 });
  onTestFinished(async () => {
    await receiver.close();
    await journal.close();
  });
  return { home, journal, receiver, port };
}

export async function connectTo(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  onTestFinished(() => {
    socket.destroy();
  });
  return socket;
}

/** Waits for a journal event that satisfies `condition`. */
export function nextEvent<K extends keyof JournalEvents>(
  journal: Journal,
  name: K,
  condition: (...args: JournalEvents[K]) => boolean = () => true,
): Promise<JournalEvents[K]> {
  const { promise, resolve } = Promise.withResolvers<JournalEvents[K]>();
  const listener = (...args: JournalEvents[K]): void => {
    if (!condition(...args)) return;
    journal.off(name, listener as never);
    resolve(args);
  };
  // never: EventEmitter's declaration does not resolve the listener type of a generic event name
  journal.on(name, listener as never);
  return promise;
}

/** Sends a whole stream and waits until the receiver closed its last segment. */
export async function sendAll(journal: Journal, port: number, chunks: Iterable<Buffer>): Promise<void> {
  const closed = nextEvent(journal, 'closed');
  const socket = await connectTo(port);
  socket.setNoDelay(true);
  for (const chunk of chunks) {
    if (!socket.write(chunk)) await once(socket, 'drain');
    // lets the octets leave in a segment of their own
    await new Promise(resolve => setImmediate(resolve));
  }
  socket.end();
  await closed;
}

/** The segments in a journal, by session, in their order. */
export function segmentsBySession(journal: Journal): Map<string, { path: string; octets: Buffer }[]> {
  const sessions = new Map<string, { path: string; octets: Buffer }[]>();
  for (const name of readdirSync(journal.directory).sort()) {
    const info = parseSegmentName(name);
    if (info === null) continue;
    const file = path.join(journal.directory, name);
    sessions.set(info.session, [
      ...(sessions.get(info.session) ?? []),
      { path: file, octets: readFileSync(file) },
    ]);
  }
  return sessions;
}
