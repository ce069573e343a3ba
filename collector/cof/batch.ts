import type pg from 'pg';
import { openContent, SourceError } from '../source/content.ts';
import { copyGroups, waitForRoom } from '../store/committer.ts';
import { Groups } from '../store/groups.ts';
import {
  advanceImport,
  type ImportEntry,
  type ImportOutcome,
  type ImportStep,
  type RejectedLine,
} from './ledger.ts';
import { type Line, readLines } from './lines.ts';
import { type Read, readRecord } from './record.ts';

/** A batch ends with the first that is reached. */
const BATCH_LINES = 50_000;
const BATCH_BYTES = 4 * 1024 * 1024;
/** Rejected lines that are kept of one import. */
const MOST_REJECTS = 100;
const LONGEST_REJECT = 1000;

/** Lines on their way to the database. */
class Batch implements ImportStep {
  readonly from: number;
  to: number;
  lines = 0;
  imported = 0;
  skipped = 0;
  rejected = 0;
  /** Observed by a sensor of the other system. */
  readonly groups = new Groups();
  /** Found by it in zone files. */
  readonly zoneGroups = new Groups();
  readonly rejects: RejectedLine[] = [];
  outcome: ImportOutcome | undefined;
  readonly #linesBefore: number;
  readonly #rejectedBefore: number;

  constructor({ position, lines, rejected }: Pick<ImportEntry, 'position' | 'lines' | 'rejected'>) {
    this.from = position;
    this.to = position;
    this.#linesBefore = lines;
    this.#rejectedBefore = rejected;
  }

  get isFull(): boolean {
    return this.lines >= BATCH_LINES || this.to - this.from >= BATCH_BYTES;
  }

  /** Number of the last line, from the beginning of the file. */
  get lineNumber(): number {
    return this.#linesBefore + this.lines;
  }

  add(line: Line, read: Read): void {
    this.lines++;
    this.to = line.end;
    if ('rrname' in read) {
      this.imported++;
      (read.isZone ? this.zoneGroups : this.groups).addForeign(read);
    } else if ('skipped' in read) this.skipped++;
    else {
      this.rejected++;
      if (this.#rejectedBefore + this.rejected <= MOST_REJECTS)
        this.rejects.push({
          line: this.lineNumber,
          reason: read.reason,
          text: printable(line.octets.subarray(0, LONGEST_REJECT)),
        });
    }
  }

  /** The one that goes on after it. */
  next(): Batch {
    const rejected = this.#rejectedBefore + this.rejected;
    return new Batch({ position: this.to, lines: this.lineNumber, rejected });
  }
}

/**
 * Reads the lines of a file that are not committed yet.
 * @yields batches; the last one, which may be empty, has the outcome
 * @throws SourceError when the file cannot be read at all
 */
export async function* readBatches(path: string, entry: ImportEntry): AsyncGenerator<Batch, void> {
  let batch = new Batch(entry);
  let outcome: ImportOutcome = { status: 'imported', error: null };
  const content = await openContent(path);
  try {
    for await (const lines of readLines(content, entry.position))
      for (const line of lines) {
        const read = readRecord(line);
        if (line.isUnfinished && 'reason' in read) {
          // left for the complete file, where this line is another one
          const error = `line ${batch.lineNumber + 1}, the last, is cut: ${read.reason}`;
          outcome = { status: 'partial', error };
          break;
        }
        batch.add(line, read);
        if (!batch.isFull) continue;
        yield batch;
        batch = batch.next();
      }
  } catch (error) {
    if (!(error instanceof SourceError)) throw error;
    outcome = { status: 'partial', error: `${error.message}, after line ${batch.lineNumber}` };
  } finally {
    await content.close();
  }
  batch.outcome = outcome;
  yield batch;
}

/** Commits a batch with its position in one transaction. @param zoneSourceId for `zoneGroups`, when there are any */
export async function commitBatch(
  client: pg.PoolClient,
  entry: ImportEntry,
  batch: Batch,
  zoneSourceId: number | undefined,
): Promise<void> {
  await waitForRoom(client);
  await client.query('begin isolation level read committed');
  await copyGroups(client, batch.groups, entry.sourceId);
  if (zoneSourceId !== undefined) await copyGroups(client, batch.zoneGroups, zoneSourceId);
  await advanceImport(client, entry, batch);
  await client.query('commit');
}

/** Octets as printable ASCII, others as `\DDD`. */
export function printable(octets: Buffer): string {
  return octets
    .toString('latin1')
    .replace(/[^ -~]/g, octet => `\\${String(octet.charCodeAt(0)).padStart(3, '0')}`);
}
