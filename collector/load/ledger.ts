import type pg from 'pg';
import { fingerprint } from '../source/identity.ts';

export type FileKind = 'journal' | 'drop' | 'load';
export type FileStatus = 'loading' | 'loaded' | 'partial' | 'failed';

/** Where a file comes from, as the ledger keeps it. */
export interface FileOrigin {
  readonly kind: FileKind;
  readonly path: string;
  /** Becomes exporter.name. */
  readonly exporterName: string;
  readonly peerAddress?: string | undefined;
  readonly peerPort?: number | undefined;
  /** A journal segment after the first of its session: it begins with a repetition of the templates. */
  readonly startsMidSession?: boolean | undefined;
}

/** What the ledger knows of a file when loading begins or goes on. */
export interface LedgerEntry {
  readonly fileId: number;
  /** Octets whose rows are committed. */
  readonly position: number;
  readonly status: FileStatus;
  /** Octets of the content; undefined for a journal segment. */
  readonly size: number | undefined;
}

interface Row {
  file_id: number;
  position: string;
  status: FileStatus;
  size: string | null;
  sha256: Buffer | null;
}

const columns = 'file_id, position, status, size, sha256';

/**
 * Finds the entry of a complete file by its content, or makes it: the same content under any name, compressed or not, is
 * one entry; a file that has grown since it was loaded continues its entry.
 * @throws SourceError when the file cannot be read
 */
export async function openFile(pool: pg.Pool, origin: FileOrigin): Promise<LedgerEntry> {
  let candidates: readonly Row[] = [];
  const content = await fingerprint(origin.path, async head => {
    const found = await pool.query<Row>(
      `select ${columns} from public.ipfix_file where head = any (select substring($1::bytea for n) from generate_series(0, length($1::bytea)) n)`,
      [head],
    );
    candidates = found.rows;
    return candidates.flatMap(({ size }) => (size === null ? [] : [Number(size)]));
  });
  const same = candidates
    .filter(
      ({ size, sha256 }) =>
        size !== null && sha256 !== null && content.prefixes.get(Number(size))?.equals(sha256),
    )
    .sort((a, b) => Number(b.size) - Number(a.size))[0];
  if (same === undefined) {
    const inserted = await pool.query<Row>(
      `insert into public.ipfix_file (kind, path, exporter_name, head, size, sha256)
       values ($1, $2, $3, $4, $5, $6)
       on conflict (sha256, size) where kind <> 'journal' do nothing
       returning ${columns}`,
      [origin.kind, origin.path, origin.exporterName, content.head, content.size, content.sha256],
    );
    // nothing returned: another process began the same content since we looked
    return inserted.rows[0] === undefined ? openFile(pool, origin) : entryOf(inserted.rows[0]);
  }
  if (Number(same.size) === content.size) return entryOf(same);
  const grown = await pool.query<Row>(
    `update public.ipfix_file
     set size = $2, sha256 = $3, path = $4, status = 'loading', error = null, updated_at = now()
     where file_id = $1 and size = $5
     returning ${columns}`,
    [same.file_id, content.size, content.sha256, origin.path, same.size],
  );
  return grown.rows[0] === undefined ? openFile(pool, origin) : entryOf(grown.rows[0]);
}

/** Finds or makes the entry of a journal segment, by its path: segment names are unique, and they grow. */
export async function openSegment(pool: pg.Pool, origin: FileOrigin): Promise<LedgerEntry> {
  const { rows } = await pool.query<Row>(
    `insert into public.ipfix_file (kind, path, exporter_name, peer_address, peer_port)
     values ('journal', $1, $2, $3, $4)
     on conflict (path) where kind = 'journal' do update set updated_at = now()
     returning ${columns}`,
    [origin.path, origin.exporterName, origin.peerAddress ?? null, origin.peerPort ?? null],
  );
  return entryOf(rows[0]!); // an upsert returns one row
}

/** Ends the loading of a file. @param error what was wrong, null when nothing was */
export async function closeFile(
  pool: pg.Pool,
  fileId: number,
  status: FileStatus,
  error: string | null,
): Promise<void> {
  await pool.query(
    'update public.ipfix_file set status = $2, error = $3, updated_at = now() where file_id = $1',
    [fileId, status, error],
  );
}

/** Keeps the content's digest of a journal segment that is closed, so that loading it again by hand is recognised. */
export async function sealSegment(pool: pg.Pool, fileId: number, path: string): Promise<void> {
  const { head, size, sha256 } = await fingerprint(path);
  await pool.query('update public.ipfix_file set head = $2, size = $3, sha256 = $4 where file_id = $1', [
    fileId,
    head,
    size,
    sha256,
  ]);
}

/** The exporter of a name and observation domain, made when new. */
export async function exporterId(
  pool: pg.Pool,
  name: string,
  observationDomainId: number,
  address: string | undefined,
): Promise<number> {
  const { rows } = await pool.query<{ exporter_id: number }>(
    `with made as (
       insert into public.exporter (name, observation_domain_id, address)
       values ($1, $2, $3)
       on conflict (name, observation_domain_id) do nothing
       returning exporter_id)
     select exporter_id from made
     union all
     select exporter_id from public.exporter where name = $1 and observation_domain_id = $2`,
    [name, observationDomainId, address ?? null],
  );
  const row = rows[0];
  // neither: another process is just committing it
  return row === undefined ? exporterId(pool, name, observationDomainId, address) : row.exporter_id;
}

function entryOf(row: Row): LedgerEntry {
  return {
    fileId: row.file_id,
    position: Number(row.position),
    status: row.status,
    size: row.size === null ? undefined : Number(row.size),
  };
}
