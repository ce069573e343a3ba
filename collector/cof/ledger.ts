import { crc32 } from 'node:zlib';
import type pg from 'pg';
import { fingerprint } from '../source/identity.ts';

/** Lines by what became of them; `lines` is the sum of the others. */
export interface ImportCounts {
  readonly lines: number;
  /** Became a row of rrset. */
  readonly imported: number;
  /** Carry no record by right: empty, or framing. */
  readonly skipped: number;
  /** Are no usable record. */
  readonly rejected: number;
}

/** What the ledger knows of a file that is imported (public.cof_import). */
export interface ImportEntry extends ImportCounts {
  readonly importId: number;
  readonly sourceId: number;
  /** Name of the source that its rows are marked with. */
  readonly source: string;
  /** Octets of the content. */
  readonly size: number;
  /** Octets whose lines are committed. */
  readonly position: number;
  readonly status: 'importing' | 'imported' | 'partial';
}

/** How an import ended. */
export interface ImportOutcome {
  readonly status: 'imported' | 'partial';
  /** Why it is partial. */
  readonly error: string | null;
}

/** What a batch of lines adds to the ledger, in the transaction of its rows. */
export interface ImportStep extends ImportCounts {
  readonly from: number;
  readonly to: number;
  readonly rejects: readonly RejectedLine[];
  /** Of the last step. */
  readonly outcome: ImportOutcome | undefined;
}

export interface RejectedLine {
  readonly line: number;
  readonly reason: string;
  /** Printable ASCII. */
  readonly text: string;
}

interface Row extends Readonly<Record<'position' | 'size' | keyof ImportCounts, string>> {
  readonly import_id: number;
  readonly source_id: number;
  readonly source: string;
  readonly sha256: Buffer;
  readonly status: ImportEntry['status'];
}

/** First key of our advisory locks on imports ("COFI"); the second is made of the content's first octets. */
const IMPORT_LOCK = 0x434f4649;

const selectSql = `
select i.import_id, i.source_id, s.name as source, i.size, i.sha256, i.position, i.status, i.lines, i.imported, i.skipped, i.rejected
from public.cof_import as i
join public.rrset_source as s using (source_id)`;

const findSql = `${selectSql}
where i.head = any (select substring($1::bytea for n) from generate_series(least(1, length($1::bytea)), length($1::bytea)) as n)
order by i.size desc`;

const growSql = `
update public.cof_import
set size = $3, sha256 = $4, status = 'importing', error = null, updated_at = now()
where import_id = $1 and size = $2`;

const insertSql = `
insert into public.cof_import (source_id, path, head, size, sha256)
values ($1, $2, $3, $4, $5)`;

const advanceSql = `
update public.cof_import
set position = $4,
    lines = lines + $5,
    imported = imported + $6,
    skipped = skipped + $7,
    rejected = rejected + $8,
    status = coalesce($9, status),
    error = $10,
    updated_at = now()
where import_id = $1
  and size = $2
  and position = $3
  and status <> 'imported'`;

const rejectSql = `
insert into public.cof_import_reject (import_id, line, reason, text)
select $1, line, reason, text from unnest($2::bigint[], $3::text[], $4::text[]) as rejects (line, reason, text)`;

/**
 * Finds the entry of a file by its content, or makes it. A file that begins with a content that was imported before
 * continues that: the entry becomes the longer one's. Keeps other processes from importing it, or another file that begins
 * alike, until `closeImport`; a crash frees that too.
 * @param path where the content is read
 * @param origin `path` as the ledger shows it; `source`: name of the source for a new entry
 * @throws SourceError when the file cannot be read
 */
export async function openImport(
  client: pg.PoolClient,
  path: string,
  origin: { readonly path: string; readonly source: string },
): Promise<ImportEntry> {
  let candidates: readonly Row[] = [];
  const content = await fingerprint(path, async head => {
    await client.query('select pg_advisory_lock($1, $2)', [IMPORT_LOCK, crc32(head) | 0]);
    candidates = (await client.query<Row>(findSql, [head])).rows;
    return candidates.map(({ size }) => Number(size));
  });
  const { head, size, sha256 } = content;
  const known = candidates.find(row => content.prefixes.get(Number(row.size))?.equals(row.sha256));
  if (known === undefined) {
    const sourceId = await openSource(client, origin.source, 'import');
    await client.query(insertSql, [sourceId, origin.path, head, size, sha256]);
  } else if (Number(known.size) !== size)
    await client.query(growSql, [known.import_id, known.size, size, sha256]);
  const { rows } = await client.query<Row>(`${selectSql} where i.sha256 = $1 and i.size = $2`, [
    sha256,
    size,
  ]);
  return entryOf(rows[0]!); // just made, or found
}

export async function closeImport(client: pg.PoolClient): Promise<void> {
  await client.query('select pg_advisory_unlock_all()');
}

/**
 * Finds or makes a source of rrset rows by its name.
 * @throws Error when the name is that of a source of another kind
 */
export async function openSource(
  client: pg.PoolClient,
  name: string,
  kind: 'import' | 'zone',
): Promise<number> {
  const found = await client.query<{ source_id: number; kind: string }>(
    'select source_id, kind from public.rrset_source where name = $1',
    [name],
  );
  const source = found.rows[0];
  if (source === undefined) {
    await client.query(
      'insert into public.rrset_source (name, kind) values ($1, $2) on conflict (name) do nothing',
      [name, kind],
    );
    return openSource(client, name, kind);
  }
  if (source.kind !== kind)
    throw new Error(
      `the source "${name}" is of kind ${source.kind} (table rrset_source): choose another --source`,
    );
  return source.source_id;
}

const OF_ZONES = ' (zone files)';

/** Name of the source of what the system behind another source found in zone files. */
export function zoneSourceName(source: string): string {
  return source + OF_ZONES;
}

/** The other way round. */
export function sourceOfZones(zoneSource: string): string {
  return zoneSource.endsWith(OF_ZONES) ? zoneSource.slice(0, -OF_ZONES.length) : zoneSource;
}

/**
 * Adds a batch to the ledger; the part of its transaction that makes it count.
 * @throws Error when the entry is not where the batch begins: somebody else imports the file too
 */
export async function advanceImport(
  client: pg.PoolClient,
  entry: ImportEntry,
  step: ImportStep,
): Promise<void> {
  const { importId, size } = entry;
  const { from, to, lines, imported, skipped, rejected, rejects, outcome } = step;
  const counts = [lines, imported, skipped, rejected];
  const ending = [outcome?.status ?? null, outcome?.error ?? null];
  const advanced = await client.query(advanceSql, [importId, size, from, to, ...counts, ...ending]);
  if (advanced.rowCount !== 1)
    throw new Error(
      `import ${importId} is not at octet ${from} any more: somebody else imports this file too`,
    );
  if (rejects.length > 0)
    await client.query(rejectSql, [
      importId,
      rejects.map(({ line }) => line),
      rejects.map(({ reason }) => reason),
      rejects.map(({ text }) => text),
    ]);
}

function entryOf(row: Row): ImportEntry {
  return {
    importId: row.import_id,
    sourceId: row.source_id,
    source: row.source,
    size: Number(row.size),
    position: Number(row.position),
    status: row.status,
    lines: Number(row.lines),
    imported: Number(row.imported),
    skipped: Number(row.skipped),
    rejected: Number(row.rejected),
  };
}
