import { readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { exporterNameOf } from '../source/rotation.ts';
import type { FileReport } from './loadFile.ts';
import { LoadPool } from './pool.ts';

export interface LoadOptions {
  /** Name of the exporter for all files; by default from each file's name. */
  readonly exporterName?: string | undefined;
  readonly loaders?: number | undefined;
  /** Octets committed of one file. */
  readonly progress?: ((path: string, position: number, size: number | undefined) => void) | undefined;
  /** Called as each file ends. */
  readonly done?: ((report: FileReport) => void) | undefined;
}

/** Files loaded at the same time by each process. */
const FILES_PER_LOADER = 2;
const IPFIX_NAME = /\.(?:ipfix|yaf|med|dat)(?:\.gz)?$/i;

/** Files below the paths: a file as it is named, of a directory those that look like IPFIX, in the order of their names. */
export function filesBelow(paths: readonly string[]): string[] {
  return paths.flatMap(path => {
    if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) return [path];
    return readdirSync(path, { recursive: true, withFileTypes: true })
      .filter(entry => entry.isFile() && IPFIX_NAME.test(entry.name))
      .map(entry => join(entry.parentPath, entry.name))
      .sort();
  });
}

/** Loads complete files and reports on each, in the order given. One bad file does not keep the others. */
export async function loadFiles(
  databaseUrl: string,
  paths: readonly string[],
  options: LoadOptions = {},
): Promise<FileReport[]> {
  const files = filesBelow(paths);
  const loaders = Math.max(1, Math.min(options.loaders ?? 2, files.length));
  const pool = new LoadPool(databaseUrl, loaders);
  const reports: FileReport[] = [];
  try {
    const queue = files.entries();
    const takeNext = async (): Promise<void> => {
      for (const [i, path] of queue) {
        const report = await loadOne(pool, path, options);
        options.done?.(report);
        reports[i] = report;
      }
    };
    await Promise.all(Array.from({ length: loaders * FILES_PER_LOADER }, takeNext));
  } finally {
    await pool.close();
  }
  return reports;
}

async function loadOne(pool: LoadPool, path: string, options: LoadOptions): Promise<FileReport> {
  try {
    const origin = {
      kind: 'load',
      path,
      exporterName: options.exporterName ?? exporterNameOf(path, dirname(path)),
    } as const;
    return await pool.load(origin, { progress: (position, size) => options.progress?.(path, position, size) })
      .report;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return {
      path,
      fileId: null,
      status: 'failed',
      messages: 0,
      data_records: 0,
      flows: 0,
      rrs: 0,
      quarantined: 0,
      error: message,
    };
  }
}
