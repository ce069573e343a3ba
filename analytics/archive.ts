import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync, readdirSync, statSync } from 'node:fs';
import { mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import type pg from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import { z } from 'zod';
import { type Parent, parents } from './sealedIndexes.ts';

/** Name of the file that makes a directory an archive. */
const MANIFEST = 'manifest.json';
/** The fastest: reading must not take longer than the disk needs. */
const GZIP_LEVEL = 1;

const tableSchema = z.object({
  /** Name in the directory: COPY BINARY of PostgreSQL, compressed. */
  file: z.string().regex(/^\w+\.copy\.gz$/),
  columns: z.array(z.string().regex(/^\w+$/)),
  rows: z.number(),
  /** Octets and SHA-256 before compression. */
  bytes: z.number(),
  sha256: z.string(),
});

const manifestSchema = z.object({
  format: z.literal('dnstrail archive'),
  version: z.literal(1),
  archiveId: z.uuid(),
  /** UTC day of the rows. */
  day: z.iso.date(),
  createdAt: z.string(),
  exporters: z.array(
    z.object({
      exporter_id: z.number(),
      name: z.string(),
      observation_domain_id: z.string(),
      address: z.string().nullable(),
    }),
  ),
  tables: z.record(z.enum(parents), tableSchema),
});

/** What an archive holds: the manifest beside its files. */
export type Manifest = z.output<typeof manifestSchema>;
type ArchivedTable = z.output<typeof tableSchema>;

/** An archive that cannot be read, or whose content is not what its manifest says. */
export class ArchiveError extends Error {
  override readonly name = 'ArchiveError';
}

/** The archives that a path means: it may be one, or a directory of some. */
export function archivesAt(path: string): string[] {
  if (existsSync(join(path, MANIFEST))) return [path];
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) return [];
  return readdirSync(path)
    .map(name => join(path, name))
    .filter(each => existsSync(join(each, MANIFEST)) && !each.endsWith('.partial'))
    .sort();
}

/** The child of a parent that holds a day (`YYYY-MM-DD`). */
export function partitionName(parent: Parent, day: string): string {
  return `${parent}_${day.replaceAll('-', '')}`;
}

/**
 * Writes the partitions of a day into a directory of their own below `directory`: one file a table, read back and
 * compared, and a manifest, all on disk when this returns. Runs in the caller's transaction, which must keep others from
 * writing into these partitions.
 * @returns where it is, how many rows it holds, and the octets of its files
 */
export async function writeArchive(
  client: pg.PoolClient,
  { archiveId, day, directory }: { archiveId: string; day: string; directory: string },
): Promise<{ path: string; rows: number; bytes: number }> {
  const path = archivePath(directory, day, archiveId);
  const partial = `${path}.partial`;
  await mkdir(partial, { recursive: true });
  try {
    const tables = {
      flow: await writeTable(client, partial, 'flow', day),
      flow_packet: await writeTable(client, partial, 'flow_packet', day),
      dns_rr: await writeTable(client, partial, 'dns_rr', day),
    };
    const exporters = await client.query<Manifest['exporters'][number]>(
      'select exporter_id, name, observation_domain_id::text, address::text from public.exporter order by exporter_id',
    );
    const manifest: Manifest = {
      format: 'dnstrail archive',
      version: 1,
      archiveId,
      day,
      createdAt: new Date().toISOString(),
      exporters: exporters.rows,
      tables,
    };
    await writeFile(join(partial, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`);
    let rows = 0;
    let bytes = 0;
    for (const table of Object.values(tables)) {
      await readTable(partial, table, new PassThrough().resume());
      rows += table.rows;
      bytes += (await stat(join(partial, table.file))).size;
      await sync(join(partial, table.file));
    }
    await sync(join(partial, MANIFEST));
    await sync(partial);
    await rename(partial, path);
    await sync(directory);
    return { path, rows, bytes };
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    throw error;
  }
}

/** Removes what an attempt left whose drop was not committed. */
export async function removeArchive(directory: string, day: string, archiveId: string): Promise<void> {
  const path = archivePath(directory, day, archiveId);
  for (const each of [path, `${path}.partial`]) await rm(each, { recursive: true, force: true });
}

/** A day may be archived again, after it was restored or rows came late. */
function archivePath(directory: string, day: string, archiveId: string): string {
  return join(directory, `dnstrail-${day}-${archiveId.slice(0, 8)}`);
}

/** Reads the manifest of an archive. @throws ArchiveError when there is none that we understand */
export async function readManifest(directory: string): Promise<Manifest> {
  try {
    return manifestSchema.parse(JSON.parse(await readFile(join(directory, MANIFEST), 'utf8')));
  } catch (error) {
    throw new ArchiveError(`${directory} is not an archive that this dnstrail can read`, { cause: error });
  }
}

/** Writes the octets of an archived table to `out`, ending it. @throws ArchiveError when they are not what the manifest says */
export async function readTable(
  directory: string,
  table: ArchivedTable,
  out: NodeJS.WritableStream,
): Promise<void> {
  const path = join(directory, table.file);
  const measure = measuring(({ bytes, sha256 }) => {
    if (bytes !== table.bytes || sha256 !== table.sha256)
      throw new ArchiveError(`${path} is damaged: it is not what was written`);
  });
  await pipeline(createReadStream(path), createGunzip(), measure, out);
}

async function writeTable(
  client: pg.PoolClient,
  directory: string,
  parent: Parent,
  day: string,
): Promise<ArchivedTable> {
  const partition = `partitions.${partitionName(parent, day)}`;
  const { rows } = await client.query<{ name: string }>(
    'select attname as name from pg_catalog.pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped order by attnum',
    [partition],
  );
  const columns = rows.map(({ name }) => name);
  const file = `${parent}.copy.gz`;
  let measured = { bytes: 0, sha256: '' };
  const copy = client.query(copyTo(`copy ${partition} (${columns.join(', ')}) to stdout (format binary)`));
  await pipeline(
    copy,
    measuring(result => {
      measured = result;
    }),
    createGzip({ level: GZIP_LEVEL }),
    createWriteStream(join(directory, file)),
  );
  return { file, columns, rows: copy.rowCount, ...measured };
}

/** Passes octets on, and tells their number and digest at the end; what `done` throws fails the stream. */
function measuring(done: (result: { bytes: number; sha256: string }) => void): Transform {
  const hash = createHash('sha256');
  let bytes = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, next) {
      hash.update(chunk);
      bytes += chunk.length;
      next(null, chunk);
    },
    flush(next) {
      try {
        done({ bytes, sha256: hash.digest('hex') });
        next();
      } catch (error) {
        next(error instanceof Error ? error : new Error(String(error)));
      }
    },
  });
}

async function sync(path: string): Promise<void> {
  const file = await open(path);
  await file.sync().finally(() => file.close());
}
