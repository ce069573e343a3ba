/**
 * Reads the output of libfixbuf's `ipfix2json`, one JSON object a line, as it is: names of elements are those of
 * libfixbuf 3; the templates of lists are keys such as `template:0xcf00(yaf_dns_rr)`; an empty list is `[{}]`; octets of
 * strings are `\u00HH` each, NUL included, so the text is plain ASCII and nothing of a name is lost.
 */
import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

type Value = number | string | readonly OracleRecord[] | OracleRecord;
/** A data record, or a record in a list of one: element name → value. */
export interface OracleRecord {
  readonly [element: string]: Value;
}

/** Content of a file as text of one character per octet, gunzipped where its name ends in .gz. */
export function readText(path: string): string {
  const content = readFileSync(path);
  return (path.endsWith('.gz') ? gunzipSync(content) : content).toString('latin1');
}

/** Path of `base` or `base.gz`, whichever exists. */
export const findFile = (base: string): string | undefined => [base, `${base}.gz`].find(existsSync);

/** The data records of an oracle in the order of the file; template records are left out. */
export function readDataRecords(path: string): OracleRecord[] {
  const records: OracleRecord[] = [];
  for (const line of readText(path).split('\n')) {
    if (line === '' || line.startsWith('{"template_record:')) continue;
    let unknown = 0; // unknown elements come under one repeated name, of which JSON.parse would keep the last only
    const unique = line.replaceAll('"_alienInformationElement"', () => `"unknown ${unknown++}"`);
    records.push(Object.values(JSON.parse(unique) as Record<string, OracleRecord>)[0]!);
  }
  return records;
}

/** Records of the lists that use one of the templates, at this level. */
export function listed(record: OracleRecord, ...templates: readonly string[]): OracleRecord[] {
  const found: OracleRecord[] = [];
  for (const [key, value] of Object.entries(record))
    if (Array.isArray(value) && templates.some(template => key.startsWith(`template:${template}(`)))
      found.push(...(value as OracleRecord[]));
  return found;
}

/** The first of the named elements that is a number. */
export function number(record: OracleRecord, ...elements: readonly string[]): number | null {
  for (const element of elements) {
    const value = record[element];
    if (typeof value === 'number') return value;
  }
  return null;
}

/** The first of the named elements that is text. */
export function text(record: OracleRecord, ...elements: readonly string[]): string | null {
  for (const element of elements) {
    const value = record[element];
    if (typeof value === 'string') return value;
  }
  return null;
}
