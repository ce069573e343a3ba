import { basename } from 'node:path';
import type pg from 'pg';
import { commitBatch, readBatches } from './batch.ts';
import { checkFormat } from './checkFormat.ts';
import {
  closeImport,
  type ImportCounts,
  type ImportEntry,
  openImport,
  openSource,
  zoneSourceName,
} from './ledger.ts';

const EXTENSIONS = /(?:\.(?:gz|json|ndjson|jsonl|cof|txt))+$/i;

/** Outcome of importing one file; the counts are of this run, not of earlier ones. */
export interface ImportReport extends ImportCounts {
  readonly path: string;
  /** Key of public.cof_import; null when it failed before that. */
  readonly importId: number | null;
  /** Name of the source that its rows are marked with. */
  readonly source: string;
  readonly status: 'imported' | 'duplicate' | 'partial' | 'failed';
  /** What was wrong, where, and what to do; null when nothing was. */
  readonly error: string | null;
}

export interface ImportOptions {
  /** Name of the source; by default that of the file without its extensions. */
  readonly source?: string | undefined;
  /** The path to show, where the content was put somewhere else. */
  readonly shownPath?: string | undefined;
  /** Octets of the content that are committed. */
  readonly progress?: ((position: number, size: number) => void) | undefined;
}

/**
 * Imports a file of the Common Output Format, plain or gzip, exactly once, whatever happens in between: the ledger says
 * where to go on. What goes wrong is in the report.
 */
export async function importCof(
  pool: pg.Pool,
  path: string,
  { source, shownPath = path, progress }: ImportOptions = {},
): Promise<ImportReport> {
  const origin = { path: shownPath, source: source ?? basename(shownPath).replace(EXTENSIONS, '') };
  const counts = { lines: 0, imported: 0, skipped: 0, rejected: 0 };
  let entry: ImportEntry | undefined;
  const report = (status: ImportReport['status'], error: string | null): ImportReport => ({
    path: shownPath,
    importId: entry?.importId ?? null,
    source: entry?.source ?? origin.source,
    status,
    ...counts,
    error,
  });
  const client = await pool.connect();
  const onError = (): void => {}; // lost while idle: the next query throws
  client.on('error', onError);
  let isSound = false;
  try {
    await checkFormat(path);
    entry = await openImport(client, path, origin);
    const outcome =
      entry.status === 'imported' ? undefined : await importLines(client, path, entry, counts, progress);
    await closeImport(client);
    isSound = true;
    return outcome === undefined ? report('duplicate', null) : report(outcome.status, outcome.error);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return report(
      'failed',
      entry === undefined ? message : `${message}; import it again to go on where it stopped`,
    );
  } finally {
    // a connection that failed is not used again: closing it rolls back, and frees the lock
    client.off('error', onError);
    client.release(!isSound);
  }
}

/** Imports the lines from the entry's position on; a batch is read while the one before is committed. */
async function importLines(
  client: pg.PoolClient,
  path: string,
  entry: ImportEntry,
  counts: Record<keyof ImportCounts, number>,
  progress: ImportOptions['progress'],
) {
  let zoneSourceId: number | undefined;
  let committing: Promise<void> = Promise.resolve();
  for await (const batch of readBatches(path, entry)) {
    await committing;
    if (batch.zoneGroups.size > 0)
      zoneSourceId ??= await openSource(client, zoneSourceName(entry.source), 'zone');
    committing = commitBatch(client, entry, batch, zoneSourceId).then(() => {
      for (const name of ['lines', 'imported', 'skipped', 'rejected'] as const) counts[name] += batch[name];
      progress?.(batch.to, entry.size);
    });
    if (batch.outcome === undefined) {
      committing.catch(() => {}); // thrown above, with the next batch
      continue;
    }
    await committing;
    return batch.outcome;
  }
  throw new Error('the last batch has no outcome');
}
