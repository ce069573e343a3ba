import { describe, expect, it } from 'vitest';
import { isLockAbandoned, type Sighting, whyFinished } from '../../../collector/source/finished.ts';

const patience = { settleSeconds: 10, staleSeconds: 600, staleLockSeconds: 900 };
const now = Date.parse('2026-11-21T12:00:00Z');
const DAY = 86_400;

/** A file that has not changed for so many seconds, in the eyes of both clocks unless `modified` says otherwise. */
function file(unchanged: number, traits: Partial<Sighting> = {}, modified = unchanged): Sighting {
  return {
    size: 4096,
    unchangedSince: now - unchanged * 1000,
    modifiedAt: now - modified * 1000,
    locked: false,
    wasLocked: false,
    superseded: false,
    rotated: true,
    endsWhole: undefined,
    ...traits,
  };
}

const locked = { locked: true, wasLocked: true };
const superseded = { superseded: true };
const midMessage = { endsWhole: false };
const empty = { size: 0 };

describe('whyFinished', () => {
  it.each<[string, Sighting, string | undefined]>([
    ['a file seen for the first time', file(0), undefined],
    ['the same, though modified long ago', file(0, {}, DAY), undefined],
    ['a file with a lock', file(60, locked), undefined],
    ['a file whose lock has gone', file(0, { wasLocked: true }), 'unlocked'],
    ['an empty file whose lock has gone', file(0, { wasLocked: true, ...empty }), 'unlocked'],
    ['a lock and a successor, changed a moment ago', file(4, { ...locked, ...superseded }), undefined],
    ['a lock and a successor, quiet', file(5, { ...locked, ...superseded }), 'superseded'],
    ['a lock, quiet for less than the stale time of locks', file(899, locked), undefined],
    ['a lock, quiet for longer', file(900, locked), 'stale'],
    ['a lock found by a restarted collector, old', file(10, locked, 900), 'stale'],
    ['a lock, quiet for a day', file(DAY, locked), 'abandoned'],
    ['a successor at the first look', file(0, superseded), undefined],
    ['a successor at the next look', file(1, superseded), 'superseded'],
    ['an empty file with a successor', file(1, { ...superseded, ...empty }), 'superseded'],
    ['quiet, but not for long', file(9), undefined],
    ['quiet, its end not looked at', file(10), 'settled'],
    ['quiet, ends with a message', file(10, { endsWhole: true }), 'settled'],
    ['quiet, ends inside a message', file(599, midMessage), undefined],
    ['quiet for long, ends inside a message', file(600, midMessage), 'stale'],
    ['old for a restarted collector, ends inside a message', file(10, midMessage, 600), 'stale'],
    ['old by a clock that lags, seen a moment ago', file(9, midMessage, 5000), undefined],
    ['quiet for a day, ends inside a message', file(DAY, midMessage), 'abandoned'],
    [
      'quiet for long, not of a series, ends inside a message',
      file(600, { ...midMessage, rotated: false }),
      'abandoned',
    ],
    ['empty', file(599, empty), undefined],
    ['empty for long', file(600, empty), 'stale'],
    ['empty for long, not of a series', file(600, { ...empty, rotated: false }), 'abandoned'],
  ])('%s', (_, sighting, expected) => {
    expect(whyFinished(sighting, now, patience)).toBe(expected);
  });
});

describe('isLockAbandoned', () => {
  it.each<[string, Sighting, boolean]>([
    ['keeps the lock of a YAF without traffic', file(3600), false],
    ['gives up a lock after a day', file(DAY), true],
    ['keeps a lock with a successor for the stale time', file(899, superseded), false],
    ['gives up a lock with a successor after it', file(900, superseded), true],
  ])('%s', (_, lock, expected) => {
    expect(isLockAbandoned(lock, now, patience)).toBe(expected);
  });
});
