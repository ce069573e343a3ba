import type pg from 'pg';
import { type Fingerprint, fingerprint } from '../source/identity.ts';

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
  /** Octets whose observations are committed in the deduplicated tiers; at most `position`. */
  readonly groupedPosition: number;
  readonly status: FileStatus;
  /** Octets of the content; undefined for a journal segment. */
  readonly size: number | undefined;
  /** What was wrong with it. */
  readonly error: string | null;
  readonly counts: FileCounts;
}

/** Of what is committed; `rrs` are all rows of public.dns_rr. */
export type FileCounts = Readonly<Record<(typeof countColumns)[number], number>>;

const countColumns = ['messages', 'data_records', 'flows', 'rrs', 'quarantined'] as const;

/** The ledger's entry of a file, and the content that the file has. */
export interface FoundFile {
  readonly entry: LedgerEntry;
  readonly content: Fingerprint;
}

interface Row extends Readonly<Record<keyof FileCounts, string>> {
  readonly file_id: number;
  readonly position: string;
  readonly grouped_position: string;
  readonly status: FileStatus;
  readonly size: string | null;
  readonly sha256: Buffer | null;
  readonly error: string | null;
}

const columns =
  'file_id, position, grouped_position, status, size, sha256, error, messages, data_records, flows, rrs + payload_rrs as rrs, quarantined';

/**
 * Finds the entry of a complete file by its content, or makes it: the same content under any name, compressed or not, is
 * one entry. A file that has grown since it was loaded has the entry of its beginning, until `growFile` continues that.
 * @throws SourceError when the file cannot be read
 */
export async function openFile(pool: pg.Pool, origin: FileOrigin): Promise<FoundFile> {
  const { same, content } = await findContent(pool, origin.path);
  if (same !== undefined) return { entry: entryOf(same), content };
  const inserted = await pool.query<Row>(
    `insert into public.ipfix_file (kind, path, exporter_name, head, size, sha256)
     values ($1, $2, $3, $4, $5, $6)
     on conflict (sha256, size) where kind <> 'journal' do nothing
     returning ${columns}`,
    [origin.kind, origin.path, origin.exporterName, content.head, content.size, content.sha256],
  );
  // nothing returned: another process began the same content since we looked
  return inserted.rows[0] === undefined
    ? openFile(pool, origin)
    : { entry: entryOf(inserted.rows[0]), content };
}

/**
 * Continues the entry of a file that has grown. Only for who has the file's lock: whoever loads its beginning would end
 * the entry at that. The path of a journal segment stays, because that is what it is known by.
 * @returns the entry as it is now; undefined when the beginning is not the one that was found, so look again
 */
export async function growFile(
  pool: pg.Pool,
  origin: FileOrigin,
  { entry, content }: FoundFile,
): Promise<LedgerEntry | undefined> {
  if (entry.size === content.size) return entry;
  const { rows } = await pool.query<Row>(
    `update public.ipfix_file
     set size = $2, sha256 = $3, status = 'loading', error = null, updated_at = now(),
       path = case kind when 'journal' then path else $4 end
     where file_id = $1 and size = $5
     returning ${columns}`,
    [entry.fileId, content.size, content.sha256, origin.path, entry.size],
  );
  return rows[0] && entryOf(rows[0]);
}

/** The longest entry whose content is that of the file, or the beginning of it. */
async function findContent(
  pool: pg.Pool,
  path: string,
): Promise<{ same: Row | undefined; content: Fingerprint }> {
  let candidates: readonly Row[] = [];
  const content = await fingerprint(path, async head => {
    const found = await pool.query<Row>(
      `select ${columns} from public.ipfix_file where head = any (select substring($1::bytea for n) from generate_series(least(1, length($1::bytea)), length($1::bytea)) n)`,
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
  return { same, content };
}

/** The entry of a journal segment, when the path is that of one: still growing it is known by no content yet. */
export async function findSegment(pool: pg.Pool, path: string): Promise<LedgerEntry | undefined> {
  const { rows } = await pool.query<Row>(
    `select ${columns} from public.ipfix_file where kind = 'journal' and path = $1`,
    [path],
  );
  return rows[0] && entryOf(rows[0]);
}

/**
 * Finds or makes the entry of a journal segment, by its path: segment names are unique, and they grow.
 * @param grows it is being written; else somebody may have loaded it by hand before we came to it
 */
export async function openSegment(pool: pg.Pool, origin: FileOrigin, grows: boolean): Promise<LedgerEntry> {
  if (!grows && (await findSegment(pool, origin.path)) === undefined) await adoptSegment(pool, origin);
  const { rows } = await pool.query<Row>(
    `insert into public.ipfix_file (kind, path, exporter_name, peer_address, peer_port)
     values ('journal', $1, $2, $3, $4)
     on conflict (path) where kind = 'journal' do update set updated_at = now()
     returning ${columns}`,
    [origin.path, origin.exporterName, origin.peerAddress ?? null, origin.peerPort ?? null],
  );
  return entryOf(rows[0]!); // an upsert returns one row
}

/** Makes what was loaded by hand of a segment, all of it or its beginning, the segment's entry. */
async function adoptSegment(pool: pg.Pool, origin: FileOrigin): Promise<void> {
  const { same, content } = await findContent(pool, origin.path);
  if (same === undefined) return;
  await pool.query(
    `update public.ipfix_file
     set kind = 'journal', path = $2, peer_address = $3, peer_port = $4, size = $5, sha256 = $6,
       status = case size when $5 then status else 'loading' end
     where file_id = $1 and kind <> 'journal'`,
    [
      same.file_id,
      origin.path,
      origin.peerAddress ?? null,
      origin.peerPort ?? null,
      content.size,
      content.sha256,
    ],
  );
}

/** The entry of a file as it is now. */
export async function readEntry(pool: pg.Pool, fileId: number): Promise<LedgerEntry> {
  const { rows } = await pool.query<Row>(`select ${columns} from public.ipfix_file where file_id = $1`, [
    fileId,
  ]);
  return entryOf(rows[0]!); // entries are never deleted
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
    groupedPosition: Number(row.grouped_position),
    status: row.status,
    size: row.size === null ? undefined : Number(row.size),
    error: row.error,
    counts: Object.fromEntries(countColumns.map(name => [name, Number(row[name])])) as FileCounts, // all of them
  };
}
