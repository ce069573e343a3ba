import { randomBytes } from 'node:crypto';
import { closeSync, fdatasync, ftruncateSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { type SegmentInfo, segmentName } from './segmentName.ts';

const synchronise = promisify(fdatasync);
const ROTATION_RETRY_MS = 1000;

/** What the next segment of a session needs to be readable alone. */
export interface Continuation {
  /** Messages with all live templates. */
  readonly head: readonly Buffer[];
  /** Octets of the incomplete message at the end of what was appended; they move to the next segment. */
  readonly pendingOctets: number;
}

export interface SegmentLimits {
  /** Size from which a segment is followed by another. */
  readonly segmentBytes: number;
  /** Age from which a segment is followed by another. */
  readonly segmentSeconds: number;
}

/** What becomes of the segments of one session. Sizes in octets. */
export interface SegmentEvents {
  opened(path: string, info: SegmentInfo): void;
  grown(path: string, size: number): void;
  /** `size` is less than the last `grown` where an incomplete message moved to the next segment. */
  closed(path: string, size: number): void;
  /** The disk refused octets; they are kept for `flush`. */
  failed(error: NodeJS.ErrnoException): void;
  /** The next segment could not be made; the present one goes on. */
  rotationFailed(path: string, error: unknown): void;
  syncFailed(path: string, error: unknown): void;
}

interface Segment {
  readonly fd: number;
  readonly path: string;
  readonly info: SegmentInfo;
  /** Octets of templates at its head: a segment that holds no more is not followed by another. */
  readonly headOctets: number;
  size: number;
}

/**
 * Writes what one transport session sends to its segments, one growing file at a time. Octets are with the kernel
 * when `append` returns, so a killed process loses nothing; `sync` saves them from a power failure too.
 */
export class SegmentWriter {
  readonly #directory: string;
  readonly #limits: SegmentLimits;
  readonly #peer: Pick<SegmentInfo, 'peerAddress' | 'peerPort' | 'session'>;
  readonly #continuation: () => Continuation;
  readonly #events: SegmentEvents;
  readonly #ended = Promise.withResolvers<void>();
  #segment: Segment | undefined;
  #segmentCount = 0;
  #backlog: Buffer[] = [];
  #closing = false;
  #rotationFailedAt = Number.NEGATIVE_INFINITY;
  #unsynced = false;
  #syncing = false;
  #synced: Promise<void> = Promise.resolve();

  /** @param continuation asked at each rotation; must describe all that was appended so far */
  constructor(
    directory: string,
    limits: SegmentLimits,
    peer: { readonly address: string; readonly port: number },
    continuation: () => Continuation,
    events: SegmentEvents,
  ) {
    this.#directory = directory;
    this.#limits = limits;
    this.#peer = { peerAddress: peer.address, peerPort: peer.port, session: randomBytes(4).toString('hex') };
    this.#continuation = continuation;
    this.#events = events;
  }

  /** The id in the names of this session's segments. */
  get session(): string {
    return this.#peer.session;
  }

  /** Settles when all octets are written, synced and the last segment is closed. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** Octets that the disk refused so far. */
  get backlogOctets(): number {
    return this.#backlog.reduce((sum, { length }) => sum + length, 0);
  }

  /** Writes the octets at the end of the segment; the first ones open it. */
  append(octets: Buffer): void {
    this.#backlog.push(octets);
    this.flush();
  }

  /** Writes what is left to write. A disk error leaves the rest for the next call. */
  flush(): void {
    try {
      if (this.#backlog.length > 0) this.#writeBacklog();
    } catch (error) {
      this.#events.failed(error as NodeJS.ErrnoException); // fs throws nothing else
      return;
    }
    if (this.#closing) this.#end();
  }

  rotateIfDue(): void {
    const segment = this.#segment;
    if (segment === undefined) return;
    const now = Date.now();
    if (now - this.#rotationFailedAt < ROTATION_RETRY_MS) return;
    const ageMs = now - segment.info.startedAt.getTime();
    if (segment.size >= this.#limits.segmentBytes || ageMs >= this.#limits.segmentSeconds * 1000)
      this.rotate();
  }

  /**
   * Closes the segment at the last message boundary and goes on in a new one, which begins with the live templates
   * and the incomplete message, if there is one. Leaves all as it is when the segment holds no whole message, or
   * when the disk refuses the new one.
   */
  rotate(): void {
    const old = this.#segment;
    if (old === undefined || this.#closing || this.#backlog.length > 0) return;
    if (old.size === old.headOctets) return;
    const { head, pendingOctets } = this.#continuation();
    const boundary = old.size - pendingOctets;
    if (boundary <= old.headOctets) return;
    const next = this.#follow(old, boundary, head);
    if (next === undefined) return;
    this.#closeFile(old);
    this.#segment = next;
    this.#events.closed(old.path, boundary);
    this.#events.opened(next.path, next.info);
    this.#events.grown(next.path, next.size);
  }

  /** Starts to bring what was written to the platter, unless that is under way. */
  sync(): void {
    const segment = this.#segment;
    if (segment === undefined || !this.#unsynced || this.#syncing) return;
    this.#unsynced = false;
    this.#syncing = true;
    this.#synced = this.#synced.then(async () => {
      await this.#syncFile(segment);
      this.#syncing = false;
    });
  }

  /** Closes the segment once all octets are written. @returns `ended` */
  close(): Promise<void> {
    this.#closing = true;
    this.flush();
    return this.ended;
  }

  /** Closes the segment without the octets that the disk refused. @returns how many those are */
  abandon(): number {
    const lost = this.backlogOctets;
    this.#backlog = [];
    this.#closing = true;
    this.#end();
    return lost;
  }

  #open(headOctets: number): Segment {
    const info = { ...this.#peer, startedAt: new Date(), segment: this.#segmentCount };
    const file = path.join(this.#directory, segmentName(info));
    const segment = { fd: openSync(file, 'ax+'), path: file, info, headOctets, size: 0 };
    this.#segmentCount++;
    return segment;
  }

  #writeBacklog(): void {
    if (this.#segment === undefined) {
      this.#segment = this.#open(0);
      this.#events.opened(this.#segment.path, this.#segment.info);
    }
    const segment = this.#segment;
    const before = segment.size;
    try {
      for (let octets = this.#backlog[0]; octets !== undefined; octets = this.#backlog[0]) {
        const written = writeSync(segment.fd, octets);
        segment.size += written;
        if (written === octets.length) this.#backlog.shift();
        else this.#backlog[0] = octets.subarray(written);
      }
    } finally {
      this.#unsynced = true;
      if (segment.size > before) this.#events.grown(segment.path, segment.size);
    }
  }

  /** The segment after `old`, complete up to now, or undefined when it could not be made. */
  #follow(old: Segment, boundary: number, head: readonly Buffer[]): Segment | undefined {
    let next: Segment | undefined;
    try {
      const start = Buffer.concat([...head, readAll(old.fd, boundary, old.size - boundary)]);
      next = this.#open(start.length - (old.size - boundary));
      while (next.size < start.length) next.size += writeSync(next.fd, start, next.size);
      // only now: until here a crash finds the incomplete message at least once
      if (boundary < old.size) ftruncateSync(old.fd, boundary);
      this.#unsynced = true;
      return next;
    } catch (error) {
      this.#rotationFailedAt = Date.now();
      this.#events.rotationFailed(old.path, error);
      if (next === undefined) return undefined;
      this.#segmentCount--;
      closeSync(next.fd);
      rmSync(next.path, { force: true });
      return undefined;
    }
  }

  #closeFile(segment: Segment): void {
    this.#synced = this.#synced.then(async () => {
      await this.#syncFile(segment);
      closeSync(segment.fd);
    });
  }

  async #syncFile(segment: Segment): Promise<void> {
    try {
      await synchronise(segment.fd);
    } catch (error) {
      this.#events.syncFailed(segment.path, error);
    }
  }

  #end(): void {
    const segment = this.#segment;
    if (segment !== undefined) {
      this.#segment = undefined;
      this.#closeFile(segment);
      this.#events.closed(segment.path, segment.size);
    }
    this.#ended.resolve(this.#synced);
  }
}

function readAll(fd: number, position: number, length: number): Buffer {
  const octets = Buffer.alloc(length);
  for (let at = 0; at < length; ) {
    const read = readSync(fd, octets, at, length - at, position + at);
    if (read === 0) throw new Error(`segment ends at ${position + at}, ${length - at} octets before its end`);
    at += read;
  }
  return octets;
}
