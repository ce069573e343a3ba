import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { Journal, type JournalLimits } from '../../../collector/receive/journal.ts';
import type { Continuation } from '../../../collector/receive/segmentWriter.ts';
import { log } from '../../../common/log.ts';
import { nextEvent, temporaryHome } from './support.ts';

log.level = 'silent';

const peer = { address: '192.0.2.1', port: 4711 };
const head = Buffer.from('HEAD');

function openJournal(home: string, limits: Partial<JournalLimits> = {}): Journal {
  const journal = new Journal(home, limits);
  onTestFinished(() => journal.close());
  return journal;
}

function continuation(pendingOctets = 0): () => Continuation {
  return () => ({ head: [head], pendingOctets });
}

test('octets are in the file when append returns', () => {
  const journal = openJournal(temporaryHome());
  const opened = vi.fn();
  journal.on('segmentOpened', opened);
  const writer = journal.openSession(peer, continuation());
  writer.append(Buffer.from('abc'));
  const [segment, info] = opened.mock.calls[0]!;
  expect(info).toMatchObject({
    peerAddress: '192.0.2.1',
    peerPort: 4711,
    session: writer.session,
    segment: 0,
  });
  expect(readFileSync(segment, 'utf8')).toBe('abc');
  writer.append(Buffer.from('def'));
  expect(readFileSync(segment, 'utf8')).toBe('abcdef');
});

test('a session without octets leaves no file', async () => {
  const journal = openJournal(temporaryHome());
  await journal.openSession(peer, continuation()).close();
  expect(journal.closedSegments()).toEqual([]);
});

test('a rotation moves the incomplete message behind the head of the next segment', () => {
  const journal = openJournal(temporaryHome());
  const events: unknown[][] = [];
  for (const name of ['segmentOpened', 'grown', 'closed'] as const)
    journal.on(name, (file: string, ...rest: unknown[]) =>
      events.push([name, readFileSync(file, 'utf8'), rest[0]]),
    );
  const writer = journal.openSession(peer, continuation(3));
  writer.append(Buffer.from('messagemes'));
  writer.rotate();
  writer.append(Buffer.from('sage'));
  expect(events).toEqual([
    ['segmentOpened', '', expect.objectContaining({ segment: 0 })],
    ['grown', 'messagemes', 10],
    ['closed', 'message', 7],
    ['segmentOpened', 'HEADmes', expect.objectContaining({ segment: 1, session: writer.session })],
    ['grown', 'HEADmes', 7],
    ['grown', 'HEADmessage', 11],
  ]);
  expect(journal.statistics).toMatchObject({ octets: 7 + 11, segments: 2 });
});

test('a segment without a whole message is not rotated', () => {
  const journal = openJournal(temporaryHome());
  const writer = journal.openSession(peer, continuation(3));
  writer.append(Buffer.from('mes'));
  writer.rotate();
  expect(journal.statistics.segments).toBe(1);
});

test('a segment is rotated by age, but not again while it holds its head only', () => {
  vi.useFakeTimers({ toFake: ['Date', 'setInterval'] });
  onTestFinished(() => {
    vi.useRealTimers();
  });
  const journal = openJournal(temporaryHome(), { segmentSeconds: 60 });
  journal.openSession(peer, continuation()).append(Buffer.from('message'));
  vi.advanceTimersByTime(59_000);
  expect(journal.closedSegments()).toHaveLength(0);
  vi.advanceTimersByTime(2_000);
  expect(journal.closedSegments()).toHaveLength(1);
  vi.advanceTimersByTime(600_000);
  expect(journal.closedSegments()).toHaveLength(1);
});

test('segments of an earlier run are listed oldest first, other files and empty segments are not', async () => {
  const home = temporaryHome();
  const earlier = new Journal(home);
  const first = earlier.openSession(peer, continuation());
  first.append(Buffer.from('first'));
  first.rotate();
  first.append(Buffer.from('second'));
  await earlier.close();
  writeFileSync(path.join(home, 'journal/notes.txt'), 'x');
  const empty = path.join(home, 'journal/20261121T054200.123Z_192.0.2.1_40000_0a1b2c3d_00000.ipfix');
  writeFileSync(empty, '');
  const journal = openJournal(home);
  expect(journal.closedSegments()).toMatchObject([
    { size: 5, info: { segment: 0 } },
    { size: 10, info: { segment: 1 } },
  ]);
  expect(existsSync(empty)).toBe(false);
  expect(journal.statistics.octets).toBe(15);
});

test('loaded segments stay until their room is needed, then go oldest first', () => {
  const journal = openJournal(temporaryHome(), { quotaBytes: 1000 });
  const writer = journal.openSession(peer, continuation());
  for (let i = 0; i < 3; i++) {
    writer.append(Buffer.alloc(200));
    writer.rotate();
  }
  const paths = journal.closedSegments().map(({ path }) => path);
  for (const segment of paths) journal.loaded(segment);
  expect(paths.map(segment => existsSync(segment))).toEqual([true, true, true]);
  writer.append(Buffer.alloc(500));
  expect(paths.map(segment => existsSync(segment))).toEqual([false, true, true]);
  expect(journal.stalled).toBe(false);
});

test('a full journal of segments that are not loaded stalls, deletes nothing, and resumes after loaded()', async () => {
  const journal = openJournal(temporaryHome(), { quotaBytes: 1000 });
  const writer = journal.openSession(peer, continuation());
  writer.append(Buffer.alloc(600));
  writer.rotate();
  const closed = nextEvent(journal, 'closed');
  writer.append(Buffer.alloc(500));
  expect(journal.stalled).toBe(true);
  // the open segment is closed, or it could never be loaded and removed
  await closed;
  expect(journal.closedSegments().map(({ size }) => size)).toEqual([600, 504]);
  const resumed = nextEvent(journal, 'resumed');
  journal.loaded(journal.closedSegments()[0]!.path);
  await resumed;
  expect(journal.closedSegments().map(({ size }) => size)).toEqual([504]);
  expect(journal.statistics).toMatchObject({ stalled: false, stalls: 1 });
});

test('an open segment counts as loaded only as far as it had grown', () => {
  const journal = openJournal(temporaryHome(), { quotaBytes: 1000 });
  const writer = journal.openSession(peer, continuation());
  writer.append(Buffer.alloc(100));
  writer.rotate();
  const [segment] = journal.closedSegments();
  const open = journal.openSession(peer, continuation());
  const opened = vi.fn();
  journal.on('segmentOpened', opened);
  open.append(Buffer.alloc(10));
  journal.loaded(opened.mock.calls[0]![0]);
  open.append(Buffer.alloc(10));
  open.rotate();
  journal.loaded(segment!.path);
  writer.append(Buffer.alloc(2000));
  expect(existsSync(segment!.path)).toBe(false);
  expect(existsSync(opened.mock.calls[0]![0])).toBe(true);
});

test('octets that the disk refuses are kept, stall the journal, and are written when it can', async () => {
  const home = temporaryHome();
  const journal = openJournal(home);
  rmSync(journal.directory, { recursive: true });
  const writer = journal.openSession(peer, continuation());
  writer.append(Buffer.from('abc'));
  expect(journal.stalled).toBe(true);
  expect(writer.backlogOctets).toBe(3);
  const resumed = nextEvent(journal, 'resumed');
  mkdirSync(journal.directory);
  await resumed;
  writer.append(Buffer.from('def'));
  await writer.close();
  expect(journal.closedSegments().map(({ path }) => readFileSync(path, 'utf8'))).toEqual(['abcdef']);
});

test('a session that ends while the disk refuses its octets is closed after they are written', async () => {
  const journal = openJournal(temporaryHome());
  rmSync(journal.directory, { recursive: true });
  const writer = journal.openSession(peer, continuation());
  writer.append(Buffer.from('abc'));
  const ended = writer.close();
  expect(journal.closedSegments()).toEqual([]);
  mkdirSync(journal.directory);
  await ended;
  expect(journal.closedSegments().map(({ path }) => readFileSync(path, 'utf8'))).toEqual(['abc']);
});
