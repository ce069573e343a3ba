import { stat } from 'node:fs/promises';
import { type AsnResponse, open, type Reader } from 'maxmind';
import { log } from '../../common/log.ts';

/** Where some addresses come from. */
interface Origins {
  /** Distinct origin ASes; addresses that the file does not know count as one more. */
  readonly ases: number;
  /** Their numbers, ascending; the first 20. */
  readonly numbers: readonly number[];
  /** Addresses that the file does not know. */
  readonly unknown: number;
}

let opened:
  | { readonly path: string; readonly mtimeMs: number; readonly reader: Reader<AsnResponse> }
  | undefined;

/**
 * Reads origin ASes from an MMDB file (MaxMind DB 2.0: GeoLite2 ASN, or another with `autonomous_system_number`), which is
 * kept open until it changes. A file that cannot be read is logged and does not hinder: what stands in for ASes does.
 * @returns nothing when no file is set or it cannot be read
 */
export async function originReader(
  path: string | null,
): Promise<((addresses: readonly string[]) => Origins) | undefined> {
  if (path === null) return undefined;
  try {
    const { mtimeMs } = await stat(path);
    if (opened?.path !== path || opened.mtimeMs !== mtimeMs)
      opened = { path, mtimeMs, reader: await open<AsnResponse>(path) };
  } catch (error) {
    log.warn({ path, error: String(error) }, 'the file of origin ASes (asn_database) cannot be read');
    return undefined;
  }
  const { reader } = opened;
  return addresses => {
    const found = addresses.map(address => reader.get(address)?.autonomous_system_number);
    const numbers = [...new Set(found.filter(number => number !== undefined))].sort((a, b) => a - b);
    const unknown = found.filter(number => number === undefined).length;
    return { ases: numbers.length + (unknown > 0 ? 1 : 0), numbers: numbers.slice(0, 20), unknown };
  };
}

/** What evidence says of the networks that were counted. */
export function networksCounted(origins: Origins | undefined): Readonly<Record<string, unknown>> {
  return origins === undefined
    ? { networks_stand_for: 'origin ASes, which are not known here: no file is set (asn_database)' }
    : {
        origin_ases: origins.ases,
        some_origin_ases: origins.numbers,
        ...(origins.unknown > 0 && { addresses_of_unknown_origin: origins.unknown }),
      };
}
