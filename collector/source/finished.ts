/** What the looks at a file have shown so far. Times in milliseconds of one clock. */
export interface Sighting {
  readonly size: number;
  readonly modifiedAt: number;
  /** The look that first found this size and modification time (the later of file and lock, if there is one). */
  readonly unchangedSince: number;
  /** `NAME.lock` lies beside it: YAF `--lock` creates that before the file and removes it once the file is closed. */
  readonly locked: boolean;
  /** An earlier look found the lock that is gone now. */
  readonly wasLocked: boolean;
  /** Its writer has moved on: a later file of the series `PREFIX-YYYYMMDDHHMMSS-NNNNN` exists. */
  readonly superseded: boolean;
  /** It is of such a series, so its writer stays with it until there is a successor. */
  readonly rotated: boolean;
  /** Whether it ends where a message ends; undefined until somebody has looked. */
  readonly endsWhole: boolean | undefined;
}

export interface Patience {
  /** A file that ends with a whole message is finished when it has not changed for so long. */
  readonly settleSeconds: number;
  /** A file is finished, however it ends, when it has not changed for so long. */
  readonly staleSeconds: number;
  /** A lock was left behind by a YAF that was killed when neither it nor its file has changed for so long. */
  readonly staleLockSeconds: number;
}

/**
 * Why a file is finished. `settled` of a sighting without `endsWhole` holds only if it turns out to end whole. After
 * `stale` the writer may still be there, idle: the file is worth reading, but not yet safe to take away.
 */
export type Finished = 'unlocked' | 'superseded' | 'settled' | 'stale' | 'abandoned';

const SUPERSEDED_LOCK_SECONDS = 5;
/** YAF acts on rotation and signals only when a packet comes, so a quiet night is no proof that it is gone. */
const ABANDONED_SECONDS = 86_400;

/** Whether a file is finished by the rules of YAF's rotation; undefined while it may still grow. */
export function whyFinished(file: Sighting, now: number, patience: Patience): Finished | undefined {
  const unchanged = (now - file.unchangedSince) / 1000;
  const idle = (seconds: number): boolean => isIdle(file, now, seconds, patience);
  if (file.locked) {
    if (file.superseded && unchanged >= SUPERSEDED_LOCK_SECONDS) return 'superseded';
    if (idle(Math.max(ABANDONED_SECONDS, patience.staleLockSeconds))) return 'abandoned';
    return idle(patience.staleLockSeconds) ? 'stale' : undefined;
  }
  if (file.wasLocked) return 'unlocked';
  if (file.superseded && unchanged > 0) return 'superseded';
  if (file.size > 0 && file.endsWhole !== false && unchanged >= patience.settleSeconds) return 'settled';
  if (idle(file.rotated ? Math.max(ABANDONED_SECONDS, patience.staleSeconds) : patience.staleSeconds))
    return 'abandoned';
  return idle(patience.staleSeconds) ? 'stale' : undefined;
}

/** Whether a lock without a file was left behind. An idle YAF has one too, for as long as no packet comes. */
export function isLockAbandoned(lock: Sighting, now: number, patience: Patience): boolean {
  const seconds = lock.superseded
    ? patience.staleLockSeconds
    : Math.max(ABANDONED_SECONDS, patience.staleLockSeconds);
  return isIdle(lock, now, seconds, patience);
}

/**
 * Modification times also count, so that a restart of ours does not start the wait anew, but never alone: the clock that
 * sets them may be another machine's.
 */
function isIdle(file: Sighting, now: number, seconds: number, patience: Patience): boolean {
  const unchanged = now - file.unchangedSince;
  if (unchanged >= seconds * 1000) return true;
  return unchanged >= patience.settleSeconds * 1000 && now - file.modifiedAt >= seconds * 1000;
}
