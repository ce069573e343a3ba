import { openContent, SourceError } from '../source/content.ts';
import { printable } from './batch.ts';
import { readLines } from './lines.ts';
import { readRecord } from './record.ts';

/** Lines looked at. */
const LINES_TRIED = 1000;
const SHOWN = 60;
const EXAMPLE =
  '{"rrname":"www.example.com.","rrtype":"A","rdata":["192.0.2.1"],"time_first":1700000000,"time_last":1710000000,"count":2}';

/**
 * Looks whether a file is of the Common Output Format at all, before anything is made of it.
 * @throws Error that says what was expected when none of its first lines is; SourceError when it cannot be read
 */
export async function checkFormat(path: string): Promise<void> {
  const content = await openContent(path);
  let tried = 0;
  let wrong: { readonly line: number; readonly text: string; readonly reason: string } | undefined;
  try {
    search: for await (const lines of readLines(content))
      for (const line of lines) {
        tried++;
        const read = readRecord(line);
        if ('rrname' in read || ('skipped' in read && read.skipped === 'framing')) return;
        if ('reason' in read)
          wrong ??= { line: tried, text: printable(line.octets.subarray(0, SHOWN)), reason: read.reason };
        if (tried >= LINES_TRIED && wrong !== undefined) break search;
      }
  } catch (error) {
    if (!(error instanceof SourceError) || error.code !== 'GZIP') throw error; // the beginning tells nothing yet
  } finally {
    await content.close();
  }
  if (wrong === undefined) return;
  throw new Error(
    `none of the first ${tried} lines is a record of the Common Output Format. Line ${wrong.line} begins "${wrong.text}": ${wrong.reason}. ` +
      `Expected is one JSON object a line, such as ${EXAMPLE}${wrong.text.startsWith('[') ? `; jq -c '.[]' makes that of an array` : ''}`,
  );
}
