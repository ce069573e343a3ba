import { once } from 'node:events';
import type { Writable } from 'node:stream';
import type pg from 'pg';
import Cursor from 'pg-cursor';
import { type RowFormat, rowPrinter } from './printRows.ts';

/** Type oids of PostgreSQL's numbers: int8, int2, int4, oid, float4, float8, numeric. */
const NUMBER_TYPES: ReadonlySet<number> = new Set([20, 21, 23, 26, 700, 701, 1700]);
const BOOLEAN_TYPE = 16;
const ROWS_AT_ONCE = 1000;

/** Runs one statement and prints its rows as they come; the values are PostgreSQL's own text. */
export async function runSql(pool: pg.Pool, query: string, format: RowFormat, out: Writable): Promise<void> {
  const client = await pool.connect();
  const asText = { getTypeParser: () => (text: string) => text };
  try {
    const cursor = client.query(
      // the types of pg-cursor ask for more of a parser than it uses
      new Cursor<string[]>(query, [], { rowMode: 'array', types: asText as unknown as pg.CustomTypesConfig }),
    );
    let print: ((rows: readonly string[][]) => string[]) | undefined;
    for (let count = 0; ; ) {
      const { rows, result } = await readRows(cursor);
      print ??= rowPrinter(format, result.fields.map(columnOf));
      const lines = result.fields.length === 0 ? [] : print(rows);
      count += rows.length;
      const isLast = rows.length < ROWS_AT_ONCE;
      if (isLast && format === 'table') lines.push(outcome(result, count));
      if (lines.length > 0 && !out.write(`${lines.join('\n')}\n`)) await once(out, 'drain');
      if (isLast) return;
    }
  } finally {
    client.release(true); // the cursor may be open still
  }
}

function readRows(cursor: Cursor<string[]>): Promise<{ rows: string[][]; result: pg.QueryResult }> {
  return new Promise((resolve, reject) => {
    cursor.read(ROWS_AT_ONCE, (error, rows, result) => (error ? reject(error) : resolve({ rows, result })));
  });
}

function columnOf({ name, dataTypeID }: pg.FieldDef) {
  return { name, isNumber: NUMBER_TYPES.has(dataTypeID), isBoolean: dataTypeID === BOOLEAN_TYPE };
}

/** What psql says after a statement. */
function outcome({ fields, command, rowCount }: pg.QueryResult, rows: number): string {
  if (fields.length > 0) return `(${rows} ${rows === 1 ? 'row' : 'rows'})`;
  return rowCount === null ? command : `${command} ${rowCount}`;
}
