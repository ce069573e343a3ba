import { EventEmitter } from 'node:events';
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { log } from '../../common/log.ts';
import { lockDirectory } from './directoryLock.ts';
import { parseSegmentName, type SegmentInfo } from './segmentName.ts';
import { type Continuation, type SegmentLimits, SegmentWriter } from './segmentWriter.ts';

export interface JournalLimits extends SegmentLimits {
  /** Octets that all segments together may hold; passed by at most what is in flight from each socket. */
  readonly quotaBytes: number;
}

const defaultLimits: JournalLimits = {
  segmentBytes: 64 << 20,
  segmentSeconds: 3600,
  quotaBytes: 10 * 2 ** 30,
};

/** Paths are absolute if the home directory is. Sizes in octets. */
export interface JournalEvents {
  segmentOpened: [path: string, info: SegmentInfo];
  grown: [path: string, size: number];
  /** No more comes. `size` may be less than the last `grown`: an incomplete message moved to the next segment. */
  closed: [path: string, size: number];
  /** There is no room: whoever reads from sockets must stop until `resumed`. */
  stalled: [];
  resumed: [];
}

export interface JournalStatistics {
  /** Octets in all segments. */
  readonly octets: number;
  readonly quotaBytes: number;
  readonly segments: number;
  readonly stalled: boolean;
  /** How often there was no room, and for how long altogether. */
  readonly stalls: number;
  readonly stalledMs: number;
}

interface SegmentState {
  readonly info: SegmentInfo;
  size: number;
  open: boolean;
  loaded: boolean;
}

const SYNC_INTERVAL_MS = 1000;
const FIRST_RETRY_MS = 50;
const LONGEST_RETRY_MS = 5000;

/**
 * The directory `journal` of a home directory: what exporters sent, in plain IPFIX files, one growing segment per
 * transport session. A segment stays until it was loaded and its room is needed. Without room, on a full quota as
 * on a disk error, the journal stalls: sockets are not read, TCP pushes back, nothing is dropped.
 */
export class Journal extends EventEmitter<JournalEvents> {
  readonly directory: string;
  readonly #limits: JournalLimits;
  readonly #unlock: () => void;
  /** By path, oldest first. */
  readonly #segments = new Map<string, SegmentState>();
  readonly #writers = new Set<SegmentWriter>();
  readonly #ticker: NodeJS.Timeout;
  #octets = 0;
  #full = false;
  #stalls = 0;
  #stalledMs = 0;
  #stalledSince: number | undefined;
  #diskError: NodeJS.ErrnoException | undefined;
  #retryMs = FIRST_RETRY_MS;
  #retry: NodeJS.Timeout | undefined;
  #directoryChanged = false;

  /** @throws ReceiveError `journal_in_use` while another process owns the directory */
  constructor(home: string, limits: Partial<JournalLimits> = {}) {
    super();
    this.directory = path.join(home, 'journal');
    this.#limits = { ...defaultLimits, ...limits };
    mkdirSync(this.directory, { recursive: true });
    this.#unlock = lockDirectory(this.directory);
    this.#readDirectory();
    this.#ticker = setInterval(() => this.#tick(), SYNC_INTERVAL_MS).unref();
  }

  /** Whether sockets must not be read now. */
  get stalled(): boolean {
    return this.#stalledSince !== undefined;
  }

  get statistics(): JournalStatistics {
    return {
      octets: this.#octets,
      quotaBytes: this.#limits.quotaBytes,
      segments: this.#segments.size,
      stalled: this.stalled,
      stalls: this.#stalls,
      stalledMs: this.#stalledMs + (this.#stalledSince === undefined ? 0 : Date.now() - this.#stalledSince),
    };
  }

  /** Segments that do not grow any more, oldest first; at start those of earlier runs. */
  closedSegments(): { path: string; size: number; info: SegmentInfo }[] {
    return [...this.#segments]
      .filter(([, { open }]) => !open)
      .map(([path, { size, info }]) => ({ path, size, info }));
  }

  /** Says that all of a closed segment is stored: it may be deleted when its room is needed. */
  loaded(segmentPath: string): void {
    const segment = this.#segments.get(segmentPath);
    if (segment === undefined) return;
    segment.loaded = true;
    this.#settle();
  }

  /**
   * Begins the segments of a transport session; the first octets open the first file.
   * @param continuation see SegmentWriter
   */
  openSession(
    peer: { readonly address: string; readonly port: number },
    continuation: () => Continuation,
  ): SegmentWriter {
    const writer = new SegmentWriter(this.directory, this.#limits, peer, continuation, {
      opened: (path, info) => {
        this.#segments.set(path, { info, size: 0, open: true, loaded: false });
        this.#directoryChanged = true;
        this.emit('segmentOpened', path, info);
      },
      grown: (path, size) => {
        this.#resize(path, size).loaded = false;
        this.emit('grown', path, size);
        if (this.#octets >= this.#limits.quotaBytes) this.#settle();
      },
      closed: (path, size) => {
        this.#resize(path, size).open = false;
        this.emit('closed', path, size);
      },
      failed: error => {
        this.#diskError = error;
        this.#settle();
      },
      rotationFailed: (segment, err) =>
        log.warn({ segment, err }, 'no new journal segment, the present one goes on'),
      syncFailed: (segment, err) =>
        log.error({ segment, err }, 'journal segment not synced: a power failure may lose its end'),
    });
    this.#writers.add(writer);
    void writer.ended.then(() => this.#writers.delete(writer));
    return writer;
  }

  /** Closes what is open and gives the directory free. Octets that the disk still refuses are lost, and logged. */
  async close(): Promise<void> {
    clearInterval(this.#ticker);
    clearTimeout(this.#retry);
    const writers = [...this.#writers];
    for (const writer of writers) {
      void writer.close();
      const octets = writer.abandon();
      if (octets > 0)
        log.error(
          { session: writer.session, octets, err: this.#diskError },
          'octets lost: the disk refused them',
        );
    }
    await Promise.all(writers.map(({ ended }) => ended));
    clearTimeout(this.#retry);
    await this.#syncDirectory();
    this.#unlock();
  }

  #readDirectory(): void {
    for (const name of readdirSync(this.directory).sort()) {
      const info = parseSegmentName(name);
      if (info === null) continue;
      const file = path.join(this.directory, name);
      const { size } = statSync(file);
      if (size === 0) {
        rmSync(file); // a process that was killed before its first write
        continue;
      }
      this.#segments.set(file, { info, size, open: false, loaded: false });
      this.#octets += size;
    }
  }

  #tick(): void {
    if (this.#directoryChanged) void this.#syncDirectory();
    for (const writer of this.#writers) {
      if (this.#full) writer.rotate();
      else writer.rotateIfDue();
      writer.sync();
    }
  }

  /** A new file survives a power failure only when its directory was synced too. */
  async #syncDirectory(): Promise<void> {
    this.#directoryChanged = false;
    try {
      const directory = await open(this.directory);
      await directory.sync().finally(() => directory.close());
    } catch (err) {
      log.error(
        { directory: this.directory, err },
        'journal directory not synced: a power failure may lose new segments',
      );
    }
  }

  #resize(path: string, size: number): SegmentState {
    const segment = this.#segments.get(path)!; // the writer announced it with `opened`
    this.#octets += size - segment.size;
    segment.size = size;
    return segment;
  }

  /** Makes room, and stalls or resumes as there is room or not. */
  #settle(): void {
    // once stalled, wait for some room: with a few octets of it the next chunk would stall again
    const slack = this.stalled ? Math.min(this.#limits.segmentBytes, this.#limits.quotaBytes / 8) : 1;
    while (this.#octets > this.#limits.quotaBytes - slack && this.#removeOldest());
    this.#full = this.#octets > this.#limits.quotaBytes - slack;
    const refused = this.#backlogOctets() > 0;
    if (refused) this.#retryLater();
    if ((this.#full || refused) && !this.stalled) this.#stall();
    else if (!this.#full && !refused && this.stalled) this.#resume();
  }

  #backlogOctets(): number {
    let octets = 0;
    for (const writer of this.#writers) octets += writer.backlogOctets;
    return octets;
  }

  #stall(): void {
    this.#stalls++;
    this.#stalledSince = Date.now();
    if (this.#full)
      log.warn(
        this.statistics,
        'journal is full of segments not loaded yet: exporters are held until some are',
      );
    else log.error({ err: this.#diskError }, 'journal cannot be written: exporters are held until it can');
    this.emit('stalled');
    // open segments could be all there is: closed, they can be loaded and removed. Not at once: the session that
    // filled the journal has not read yet what it just wrote
    if (this.#full) setImmediate(() => this.#tick());
  }

  #resume(): void {
    const ms = Date.now() - this.#stalledSince!; // only called while stalled
    this.#stalledMs += ms;
    this.#stalledSince = undefined;
    this.#retryMs = FIRST_RETRY_MS;
    log.info({ ms }, 'journal has room again');
    this.emit('resumed');
  }

  #retryLater(): void {
    if (this.#retry !== undefined) return;
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      this.#retryMs = Math.min(this.#retryMs * 2, LONGEST_RETRY_MS);
      if (isOutOfSpace(this.#diskError)) this.#removeOldest();
      for (const writer of this.#writers) writer.flush();
      this.#settle();
    }, this.#retryMs);
  }

  /** Deletes the oldest segment that was loaded. @returns whether there was one */
  #removeOldest(): boolean {
    for (const [file, segment] of this.#segments) {
      if (segment.open || !segment.loaded) continue;
      try {
        rmSync(file, { force: true });
      } catch (err) {
        segment.loaded = false;
        log.error({ segment: file, err }, 'loaded journal segment cannot be deleted');
        continue;
      }
      this.#segments.delete(file);
      this.#octets -= segment.size;
      return true;
    }
    return false;
  }
}

function isOutOfSpace(error: NodeJS.ErrnoException | undefined): boolean {
  return error?.code === 'ENOSPC' || error?.code === 'EDQUOT';
}
