import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { MessageSplitter, Session, type Undecodable } from '../../../collector/ipfix/index.ts';
import { Journal } from '../../../collector/receive/journal.ts';
import { TcpReceiver } from '../../../collector/receive/tcp.ts';
import { log } from '../../../common/log.ts';
import {
  connectTo,
  dataSet,
  dataSets,
  fixture,
  message,
  nextEvent,
  segmentsBySession,
  sendAll,
  startReceiver,
  templateSet,
  temporaryHome,
} from './support.ts';

log.level = 'silent';

const template = message(0, [templateSet(256)]);
const data = (sequenceNumber: number, octets = 400): Buffer =>
  message(sequenceNumber, [dataSet(256, octets)]);

/** All octets of the only session in a journal. */
function received(journal: Journal): Buffer {
  const sessions = [...segmentsBySession(journal).values()];
  expect(sessions).toHaveLength(1);
  return Buffer.concat(sessions[0]!.map(({ octets }) => octets));
}

function* split(stream: Buffer, lengthAt: (at: number) => number): Generator<Buffer> {
  for (let at = 0, length: number; at < stream.length; at += length) {
    length = lengthAt(at);
    yield stream.subarray(at, at + length);
  }
}

describe('a journal segment is the stream as it was sent', () => {
  const stream = fixture('yaf2164-small.ipfix');
  let random = 12345;
  const nextRandom = (): number => {
    random = (random * 1103515245 + 12345) % 2 ** 31;
    return random;
  };
  test.each<[string, (at: number) => number]>([
    ['in one piece', () => stream.length],
    ['in single octets for the first 2 kB', at => (at < 2000 ? 1 : 4096)],
    ['in pieces of 1 to 3000 octets', () => 1 + (nextRandom() % 3000)],
  ])('%s', async (_, lengthAt) => {
    const { journal, receiver, port } = await startReceiver();
    await sendAll(journal, port, split(stream, lengthAt));
    expect(received(journal).equals(stream)).toBe(true);
    expect(receiver.statistics).toMatchObject({
      sessionsTotal: 1,
      octets: stream.length,
      messages: 9,
      framingErrors: 0,
    });
  });
});

test('three exporters at once with the same template ids keep streams of their own', async () => {
  const { journal, receiver, port } = await startReceiver();
  const streams = [1, 2, 3].map(i => fixture(`tcp-reconnect-conn${i}.ipfix`));
  const closed = Promise.withResolvers<void>();
  let open = streams.length;
  journal.on('closed', () => --open === 0 && closed.resolve());
  const sockets = await Promise.all(streams.map(() => connectTo(port)));
  for (let at = 0; at < Math.max(...streams.map(({ length }) => length)); at += 1000) {
    for (const [i, socket] of sockets.entries()) socket.write(streams[i]!.subarray(at, at + 1000));
    await new Promise(resolve => setImmediate(resolve));
  }
  expect(receiver.statistics.sessionsOpen).toBe(3);
  for (const socket of sockets) socket.end();
  await closed.promise;
  const files = [...segmentsBySession(journal).values()].map(segments =>
    Buffer.concat(segments.map(({ octets }) => octets)),
  );
  expect(files).toHaveLength(3);
  for (const stream of streams) expect(files.some(file => file.equals(stream))).toBe(true);
});

test('a stream cut inside a message keeps its truncated tail', async () => {
  const { journal, port } = await startReceiver();
  const stream = fixture('yaf2164-tcp-cut.ipfix');
  await sendAll(journal, port, [stream]);
  expect(received(journal).equals(stream)).toBe(true);
});

test('a broken connection closes its segment with all that came', async () => {
  const { journal, port } = await startReceiver();
  const grown = nextEvent(journal, 'grown', (_, size) => size === 50);
  const closed = nextEvent(journal, 'closed');
  const socket = await connectTo(port);
  socket.write(data(0).subarray(0, 50));
  await grown;
  socket.resetAndDestroy();
  await closed;
  expect(received(journal)).toHaveLength(50);
});

test('a peer that speaks HTTP is cut off and reported, its octets stay, the others go on', async () => {
  const warn = vi.spyOn(log, 'warn');
  onTestFinished(() => warn.mockRestore());
  const { journal, receiver, port } = await startReceiver();
  const exporter = await connectTo(port);
  exporter.write(template);
  const request = Buffer.from('GET / HTTP/1.1\r\nHost: collector.example\r\n\r\n');
  const closed = nextEvent(journal, 'closed', (_, size) => size === request.length);
  const browser = await connectTo(port);
  browser.on('error', () => {}); // a reset is one way of being cut off
  const answered = vi.fn();
  browser.on('data', answered);
  const over = once(browser, 'close');
  browser.write(request);
  await over;
  await closed;
  expect(answered).not.toHaveBeenCalled();
  expect(warn.mock.calls).toHaveLength(1);
  expect(warn.mock.calls[0]![0]).toMatchObject({ offset: 0, code: 'version', looksLike: 'HTTP' });
  expect(receiver.statistics).toMatchObject({ framingErrors: 1, sessionsOpen: 1 });

  const grown = nextEvent(journal, 'grown', (_, size) => size === template.length + data(0).length);
  exporter.write(data(0));
  await grown;
  const files = [...segmentsBySession(journal).values()].flat().map(({ octets }) => octets);
  expect(files.some(file => file.equals(request))).toBe(true);
});

test('garbage behind good messages is kept to the end of its chunk and ends the session at once', async () => {
  const { journal, receiver, port } = await startReceiver();
  const stream = Buffer.concat([template, data(0), Buffer.from('not a message')]);
  const closed = nextEvent(journal, 'closed');
  const socket = await connectTo(port);
  socket.on('error', () => {});
  socket.write(stream);
  await closed;
  expect(received(journal).equals(stream)).toBe(true);
  expect(receiver.statistics).toMatchObject({ framingErrors: 1, messages: 2 });
});

describe.each(['yaf2164-small.ipfix', 'yaf3-small.ipfix'])('%s in many small segments', name => {
  test('each segment can be read alone, and together they hold every data set once', async () => {
    const { journal, receiver, port } = await startReceiver({ segmentBytes: 8000 });
    const stream = fixture(name);
    const socket = await connectTo(port);
    const closed = once(socket, 'close');
    for (const chunk of split(stream, () => 5000)) {
      const grown = nextEvent(journal, 'grown');
      socket.write(chunk);
      await grown;
    }
    socket.end();
    await closed;
    await receiver.close();
    const [segments] = [...segmentsBySession(journal).values()];
    expect(segments!.length).toBeGreaterThan(3);
    expect(segments!.map(({ octets }) => undecodableIn(octets))).toEqual(segments!.map(() => []));

    const stored = segments!.flatMap(({ octets }) => dataSets(octets));
    // heads repeat RFC 5610 records, one a set; without them the sets are those that were sent
    const flows = (sets: readonly string[]): string[] => sets.filter(set => !/^\d+ d006/.test(set));
    expect(flows(stored)).toEqual(flows(dataSets(stream)));
  });
});

/** Problems of a stream for a session that sees nothing else. */
function undecodableIn(stream: Buffer): Undecodable[] {
  const problems: Undecodable[] = [];
  const session = new Session();
  const splitter = new MessageSplitter();
  const sink = { dataRecord: () => {}, undecodable: (problem: Undecodable) => problems.push(problem) };
  for (const whole of splitter.push(stream)) session.decodeMessage(whole, 0, sink);
  session.finish(sink);
  expect(splitter.pending).toBe(0);
  return problems;
}

test('without room exporters are held, not dropped, and go on when segments were loaded', async () => {
  const { journal, receiver, port } = await startReceiver({ quotaBytes: 1 << 20, segmentBytes: 256 << 10 });
  const stream = Buffer.concat([
    template,
    ...Array.from({ length: 400 }, (_, i) => data(i * 10_000, 40_000)),
  ]);
  const kept: Buffer[] = [];
  const stalled = nextEvent(journal, 'stalled');
  const socket = await connectTo(port);
  const ended = once(socket, 'close');
  let sent = false;
  socket.end(stream, () => {
    sent = true;
  });
  await stalled;
  const held = receiver.statistics.octets;
  await delay(50);
  expect(receiver.statistics.octets).toBe(held);
  expect(held).toBeLessThan(2 << 20);
  expect(sent).toBe(false);

  // a loader: takes what is closed, says so, is told of more
  const load = (segment: string): void => {
    kept.push(readFileSync(segment));
    journal.loaded(segment);
  };
  journal.on('closed', load);
  for (const { path } of journal.closedSegments()) load(path);
  await ended;
  expect(dataSets(Buffer.concat(kept))).toEqual(dataSets(stream));
  expect(journal.statistics.stalls).toBeGreaterThan(0);
  expect(journal.statistics.octets).toBeLessThan(2 << 20);
});

test('statistics tell of each session when it spoke last and how far its clock is off', async () => {
  const { journal, receiver, port } = await startReceiver();
  const grown = nextEvent(journal, 'grown');
  const socket = await connectTo(port);
  const now = Math.round(Date.now() / 1000);
  const late = message(0, [templateSet(256)]);
  late.writeUInt32BE(now - 100, 4);
  socket.write(late);
  await grown;
  const [session] = receiver.statistics.sessions;
  expect(session).toMatchObject({
    peerAddress: '127.0.0.1',
    peerPort: socket.localPort,
    octets: late.length,
    messages: 1,
  });
  expect(session!.lastMessageAt!.getTime()).toBeGreaterThan((now - 1) * 1000);
  expect(session!.exportTimeSkewSeconds).toBeGreaterThan(-160);
  expect(session!.exportTimeSkewSeconds).toBeLessThan(-98);
});

test('more exporters than allowed are closed and counted', async () => {
  const { receiver, port } = await startReceiver({}, { maxSessions: 1 });
  await connectTo(port);
  const second = connect(port, '127.0.0.1');
  second.on('error', () => {});
  await once(second, 'close');
  expect(receiver.statistics).toMatchObject({ sessionsOpen: 1, sessionsRefused: 1 });
});

test('a silent exporter is closed after the idle timeout, if there is one', async () => {
  const { port } = await startReceiver({}, { idleTimeoutMs: 30 });
  const socket = await connectTo(port);
  await once(socket, 'close');
  expect(socket.bytesRead).toBe(0);
});

test('a busy port is named, with what to do', async () => {
  const busy = createServer().listen(0, '127.0.0.1');
  await once(busy, 'listening');
  onTestFinished(() => void busy.close());
  const { port } = busy.address() as { port: number };
  const journal = new Journal(temporaryHome());
  onTestFinished(() => journal.close());
  await expect(new TcpReceiver(journal).listen({ port })).rejects.toMatchObject({
    code: 'cannot_listen',
    message: expect.stringMatching(
      new RegExp(`127\\.0\\.0\\.1:${port}: the port is in use.*choose another port`),
    ),
  });
});

test('close reads what exporters sent before it, accepts nobody, and ends their sessions', async () => {
  const { journal, receiver, port } = await startReceiver();
  const socket = await connectTo(port);
  const over = once(socket, 'close');
  const stream = Buffer.concat([
    template,
    ...Array.from({ length: 100 }, (_, i) => data(i * 15_000, 60_000)),
  ]);
  const grown = nextEvent(journal, 'grown');
  await new Promise<void>(resolve => socket.write(stream, () => resolve()));
  await grown;
  await receiver.close();
  await over;
  expect(received(journal).equals(stream)).toBe(true);
  expect(journal.closedSegments()).toHaveLength(1);
  await expect(connectTo(port)).rejects.toThrow('ECONNREFUSED');
});

test('close does not wait for exporters that are held because the journal is full', async () => {
  const { journal, receiver, port } = await startReceiver({ quotaBytes: 10_000 });
  const socket = await connectTo(port);
  socket.on('error', () => {}); // octets it still sends meet a closed socket
  const stalled = nextEvent(journal, 'stalled');
  socket.write(Buffer.concat([template, data(0, 60_000), data(1, 60_000), data(2, 60_000)]));
  await stalled;
  const over = new Promise(resolve => socket.on('close', resolve));
  await receiver.close();
  await over;
  await vi.waitFor(() => expect(journal.closedSegments()).toHaveLength(journal.statistics.segments));
});
