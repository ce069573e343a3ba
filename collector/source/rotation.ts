import { basename, dirname, relative, sep } from 'node:path';

/** Parts of the name that YAF gives a rotated file: `PREFIX-YYYYMMDDHHMMSS-NNNNN.yaf`. */
export interface RotatedName {
  readonly prefix: string;
  /** When it was opened, UTC, 14 digits. */
  readonly time: string;
  /** Counts from 0 in one run of YAF. Orders the files where a replayed capture gives all the same time. */
  readonly number: number;
}

const ROTATED = /^(?<prefix>.+)-(?<time>\d{14})-(?<number>\d{5,})(\.\w+)+$/;

export function parseRotatedName(name: string): RotatedName | undefined {
  const { prefix, time, number } = ROTATED.exec(name)?.groups ?? {};
  if (prefix === undefined || time === undefined) return undefined;
  return { prefix, time, number: Number(number) };
}

/** Whether YAF opened `a` after `b`, both of one prefix. A restart begins again at 0 with a later time. */
export function isLater(a: RotatedName, b: RotatedName): boolean {
  return a.time > b.time || (a.time === b.time && a.number > b.number);
}

/**
 * Who exported a file: the name before YAF's rotation suffix, else the sub-directory of `root` that holds it, else `files`.
 * @param root the watched directory
 */
export function exporterNameOf(path: string, root: string): string {
  const rotated = parseRotatedName(basename(path));
  if (rotated) return rotated.prefix;
  const [folder = ''] = relative(root, dirname(path)).split(sep);
  return folder === '' || folder === '..' ? 'files' : folder;
}
