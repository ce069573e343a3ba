import { resolve } from 'node:path';
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import type pg from 'pg';
import { log } from '../../common/log.ts';
import { isTransient } from '../../common/postgres/transient.ts';
import { readMessageHeader } from '../ipfix/index.ts';
import type { Follow } from '../source/content.ts';
import { readMessages } from '../source/messages.ts';
import type { Batch } from '../store/batch.ts';
import { Committer, PositionConflict } from '../store/committer.ts';
import type { Partitions } from '../store/partitions.ts';
import { FileDecoder } from './fileDecoder.ts';
import {
  exporterId,
  type FileCounts,
  type FileOrigin,
  findSegment,
  growFile,
  type LedgerEntry,
  openFile,
  openSegment,
  readEntry,
  sealSegment,
} from './ledger.ts';

/** Outcome of loading one file; the counts are of this run, not of earlier ones. */
export interface FileReport extends FileCounts {
  readonly path: string;
  readonly fileId: number | null;
  readonly status: 'loaded' | 'duplicate' | 'partial' | 'failed';
  /** What was wrong, where, and what to do; null when nothing was. */
  readonly error: string | null;
}

/** A journal segment that is being written. */
export interface GrowingFile extends Follow {
  /**
   * Octets of the file once it is closed. A rotation moves an incomplete message to the next segment, so this may be less
   * than what was read.
   */
  finalSize(): number | undefined;
}

export interface LoadContext {
  readonly pool: pg.Pool;
  readonly partitions: Partitions;
  /** Octets of rows that a batch collects before it is sent. */
  readonly batchBytes: () => number;
  /** Groups of observations that are collected before they are sent. */
  readonly mostGroups: () => number;
  /** Committed octets of the file, now and then. */
  readonly progress?: ((position: number, size: number | undefined) => void) | undefined;
  /** Tells that the file grew or was closed; only for journal segments that are being written. */
  readonly follow?: GrowingFile | undefined;
  /** Aborted: stop after what is committed; the rest is loaded next time. */
  readonly signal?: AbortSignal | undefined;
}

/** Loading was stopped before its end; the ledger knows where it goes on. */
export class LoadStopped extends Error {
  override readonly name = 'LoadStopped';
}

const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 10_000;
/** Observation domains that one file may have; more are damaged headers, and each would become an exporter. */
const MOST_DOMAINS = 1024;
/**
 * Octets decoded before the sockets get their turn, half a millisecond: their buffers hold little more than what
 * PostgreSQL takes in that time, and it would wait while we decode (test/bench, "load").
 */
const TURN_BYTES = 1 << 16;
/**
 * Observations are grouped over several batches until one is so old: a second of a full stream makes half as many rows as
 * its batches one by one would.
 */
const LONGEST_GROUPING_MS = 1000;

/**
 * Loads one file, exactly once, whatever happens in between: the ledger says where to go on. A database that is away is
 * waited for; a message that the database refuses is put in quarantine, the ones around it are stored.
 * @throws SourceError when the file cannot be read; LoadStopped after `signal`
 */
export async function loadFile(origin: FileOrigin, context: LoadContext): Promise<FileReport> {
  const rejected = new Map<number, string>();
  const begun: Attempt['begun'] = {};
  let suspects = { from: 0, to: 0 };
  for (let wait = FIRST_WAIT_MS; ; wait = Math.min(wait * 2, LONGEST_WAIT_MS)) {
    if (context.signal?.aborted) throw new LoadStopped(origin.path);
    const attempt: Attempt = { rejected, suspects, begun, progressed: false };
    try {
      return await loadOnce(origin, context, attempt);
    } catch (error) {
      if (attempt.progressed) wait = FIRST_WAIT_MS;
      if (error instanceof BatchRejected) {
        // the refused batch again, message by message, until the one that is refused is found
        if (error.messages === 1) {
          if (rejected.has(error.firstMessage)) throw error;
          rejected.set(error.firstMessage, error.message);
        } else if (error.from === suspects.from && error.to === suspects.to) throw error;
        else suspects = { from: error.from, to: error.to };
      } else if (error instanceof PositionConflict) {
        log.warn({ file: origin.path }, 'somebody else loads this file too; reading the ledger again');
        await delay(wait);
      } else if (isTransient(error)) {
        log.warn(
          { file: origin.path, error: String(error), retryInMs: wait },
          'database not available, waiting',
        );
        context.partitions.forget();
        await delay(wait, undefined, { signal: context.signal }).catch(() => {});
      } else throw error;
    }
  }
}

interface Attempt {
  readonly rejected: ReadonlyMap<number, string>;
  /** Octets whose messages are committed one at a time, because the database refused one of them. */
  readonly suspects: { readonly from: number; readonly to: number };
  /** What was committed before the first of our attempts; a commit whose answer was lost counts as ours. */
  readonly begun: { counts?: FileCounts };
  progressed: boolean;
}

/** The database will not take the rows of a batch, now or later (SQLSTATE class 22 or 23). */
class BatchRejected extends Error {
  override readonly name = 'BatchRejected';
  readonly from: number;
  readonly to: number;
  readonly messages: number;
  readonly firstMessage: number;

  constructor(batch: Batch, cause: Error) {
    super(`the database refused the records: ${cause.message}`, { cause });
    this.from = batch.from;
    this.to = batch.to;
    this.messages = batch.counts.messages;
    this.firstMessage = batch.firstMessage ?? batch.from;
  }
}

async function loadOnce(origin: FileOrigin, context: LoadContext, attempt: Attempt): Promise<FileReport> {
  const { pool } = context;
  if (origin.kind === 'journal') {
    const entry = await openSegment(pool, origin, context.follow !== undefined);
    if (entry.status !== 'loading') return reportOf(origin, entry, attempt);
    return loadFrom(entry, origin, context, attempt);
  }
  const segment = await findSegment(pool, resolve(origin.path));
  if (segment !== undefined) return reportOf(origin, segment, attempt);
  const found = await openFile(pool, origin);
  return withFileLock(pool, found.entry.fileId, async () => {
    // as it is now that we have the lock; the content needs no second look unless somebody has seen more of it
    const now = await readEntry(pool, found.entry.fileId);
    const current = now.size === found.entry.size ? { ...found, entry: now } : await openFile(pool, origin);
    const entry = await growFile(pool, origin, current);
    if (entry?.fileId !== found.entry.fileId)
      throw new PositionConflict(`${origin.path} became part of another file's entry`);
    return entry.status === 'loading'
      ? loadFrom(entry, origin, context, attempt)
      : reportOf(origin, entry, attempt);
  });
}

/** Runs while no other process loads the same file. A crash frees the lock. */
async function withFileLock<T>(pool: pg.Pool, fileId: number, run: () => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let lost: Error | undefined;
  const onError = (error: Error) => {
    lost = error;
  };
  client.on('error', onError);
  try {
    await client.query('select pg_advisory_lock($1, $2)', [FILE_LOCK, fileId]);
    const result = await run();
    await client.query('select pg_advisory_unlock($1, $2)', [FILE_LOCK, fileId]);
    return result;
  } catch (error) {
    lost ??= error instanceof Error ? error : new Error(String(error));
    throw error;
  } finally {
    client.off('error', onError);
    client.release(lost);
  }
}

/** First key of our advisory locks on files ("IPFX"). */
const FILE_LOCK = 0x49504658;

/** The report on an entry that is not to be loaded, or not any more: a duplicate unless one of our attempts began it. */
function reportOf(origin: FileOrigin, entry: LedgerEntry, { begun }: Attempt): FileReport {
  const { fileId, status, error, counts } = entry;
  const before = begun.counts;
  return {
    path: origin.path,
    fileId,
    status: before === undefined || status === 'loading' ? 'duplicate' : status,
    messages: counts.messages - (before ?? counts).messages,
    data_records: counts.data_records - (before ?? counts).data_records,
    flows: counts.flows - (before ?? counts).flows,
    rrs: counts.rrs - (before ?? counts).rrs,
    quarantined: counts.quarantined - (before ?? counts).quarantined,
    error: before === undefined ? null : error,
  };
}

async function loadFrom(
  entry: LedgerEntry,
  origin: FileOrigin,
  context: LoadContext,
  attempt: Attempt,
): Promise<FileReport> {
  const { pool } = context;
  attempt.begun.counts ??= entry.counts;
  const decoder = new FileDecoder(entry.fileId, entry, attempt.rejected, origin.startsMidSession === true);
  const committer = new Committer(pool, context.partitions, entry.fileId, context.signal);
  const { suspects } = attempt;
  let unattended = 0;

  const submit = async (batch: Batch): Promise<void> => {
    await committer.submit(batch, error => (isDataError(error) ? new BatchRejected(batch, error) : error));
    attempt.progressed = true;
    context.progress?.(batch.to, entry.size);
  };
  const send = async (withGroups: boolean): Promise<void> => {
    if (!decoder.batch.isEmpty || (withGroups && decoder.groups.size > 0))
      await submit(decoder.takeBatch(withGroups));
  };
  const areGroupsDue = (): boolean =>
    decoder.groups.age >= LONGEST_GROUPING_MS || decoder.groups.size >= context.mostGroups();

  const source =
    context.follow === undefined ? undefined : followWith(context.follow, () => send(true), committer);
  for await (const block of readMessages(origin.path, source === undefined ? {} : { follow: source })) {
    // a stopped growing file ends anywhere: what its last block says of the end is not so
    if (context.signal?.aborted) break;
    if (block.bad !== undefined) {
      const { offset, code, message, bytes } = block.bad;
      const length = Math.min(
        block.bad.length,
        (context.follow?.finalSize() ?? Number.POSITIVE_INFINITY) - offset,
      );
      if (length > 0 || block.bad.length === 0)
        decoder.skip(offset, length, code, message, bytes.subarray(0, length));
    } else {
      for (let at = block.start; at < block.end; ) {
        const offset = block.streamOffset + at - block.start;
        const length = block.buffer.readUInt16BE(at + 2);
        const message = block.buffer.subarray(at, at + length);
        const domain = readMessageHeader(message, 0, offset).observationDomainId;
        if (decoder.knowsExporter(domain)) decoder.decode(message, offset);
        else if (decoder.exporterCount < MOST_DOMAINS) {
          decoder.setExporter(
            domain,
            await exporterId(pool, origin.exporterName, domain, origin.peerAddress),
          );
          decoder.decode(message, offset);
        } else {
          const detail = `octet ${offset}: observation domain ${domain} is the ${MOST_DOMAINS + 1}st of its file`;
          decoder.skip(offset, length, 'domain_limit', detail, message);
        }
        // one that begins before them counts too: a file may go on in the middle of a message, where a shorter copy ended
        const isSuspect = offset + length > suspects.from && offset < suspects.to;
        if (decoder.batch.length >= context.batchBytes() || isSuspect || offset + length === suspects.from)
          await send(areGroupsDue());
        at += length;
        unattended += length;
        if (unattended >= TURN_BYTES) {
          unattended = 0;
          await nextTurn();
        }
      }
    }
  }
  if (context.signal?.aborted) {
    await send(true);
    await committer.flush();
    throw new LoadStopped(origin.path);
  }
  decoder.finish();
  if (origin.kind === 'journal') await sealSegment(pool, entry.fileId, origin.path);
  const last = decoder.takeBatch(true);
  last.outcome = { status: statusOf(decoder), error: describe(decoder) };
  await submit(last);
  await committer.flush();
  return reportOf(origin, await readEntry(pool, entry.fileId), attempt);
}

/** Commits what there is before it waits for the file to grow: whoever looks sees everything that arrived. */
function followWith(follow: Follow, send: () => Promise<void>, committer: Committer): Follow {
  return {
    async waitForGrowth(size) {
      await send();
      await committer.flush();
      return follow.waitForGrowth(size);
    },
  };
}

function statusOf({ findings, messages }: FileDecoder): 'loaded' | 'partial' | 'failed' {
  if (messages === 0) return 'failed';
  return findings === 0 ? 'loaded' : 'partial';
}

function describe({ firstFinding, findings, messages }: FileDecoder): string | null {
  if (firstFinding === undefined) return messages === 0 ? 'the file is empty' : null;
  const more = findings > 1 ? ` (and ${findings - 1} more, see table quarantine)` : '';
  const outcome =
    messages === 0 ? 'nothing in it is IPFIX; check what wrote this file' : 'everything else is stored';
  return `${firstFinding.reason}: ${firstFinding.detail}${more}; ${outcome}`;
}

/** Errors that the same rows will meet again: data exception, integrity constraint. */
function isDataError(error: unknown): error is Error {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return code.startsWith('22') || code.startsWith('23');
}
