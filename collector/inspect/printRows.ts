/** How rows are printed. */
export type RowFormat = 'table' | 'json' | 'csv';

/** A column: its name, and whether its values are numbers (right-aligned, bare in JSON). */
export interface PrintedColumn {
  readonly name: string;
  readonly isNumber: boolean;
  readonly isBoolean: boolean;
}

/** Values as PostgreSQL prints them; null for NULL. */
export type PrintedRow = readonly (string | null)[];

/**
 * Makes a printer: it gets the rows in portions and gives lines. A table's widths come from the first portion.
 * JSON is one object a row, one row a line; numbers beyond 2^53 stay text.
 */
export function rowPrinter(
  format: RowFormat,
  columns: readonly PrintedColumn[],
): (rows: readonly PrintedRow[]) => string[] {
  if (format === 'json')
    return rows =>
      rows.map(row =>
        JSON.stringify(
          Object.fromEntries(columns.map((column, i) => [column.name, jsonValue(row[i] ?? null, column)])),
        ),
      );
  if (format === 'csv') {
    let head: string[] = [columns.map(({ name }) => csvCell(name)).join(',')];
    return rows => {
      const lines = [...head, ...rows.map(row => row.map(csvCell).join(','))];
      head = [];
      return lines;
    };
  }
  let widths: number[] | undefined;
  return rows => {
    const cells = rows.map(row => row.map(tableCell));
    const first = widths === undefined;
    widths ??= columns.map(({ name }, i) => Math.max(name.length, ...cells.map(row => row[i]?.length ?? 0)));
    const line = (row: readonly string[]) =>
      row
        .map((cell, i) =>
          columns[i]?.isNumber ? cell.padStart(widths?.[i] ?? 0) : cell.padEnd(widths?.[i] ?? 0),
        )
        .join(' | ')
        .trimEnd();
    const head = first
      ? [line(columns.map(({ name }) => name)), widths.map(width => '-'.repeat(width)).join('-+-')]
      : [];
    return [...head, ...cells.map(line)];
  };
}

function jsonValue(
  text: string | null,
  { isNumber, isBoolean }: PrintedColumn,
): string | number | boolean | null {
  if (text === null) return null;
  if (isBoolean) return text === 't';
  const number = isNumber ? Number(text) : Number.NaN;
  return Number.isFinite(number) && (!Number.isInteger(number) || Number.isSafeInteger(number))
    ? number
    : text;
}

function csvCell(text: string | null): string {
  if (text === null) return '';
  return /[",\r\n]/.test(text) || text === '' ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Control characters would break the lines of a terminal. */
function tableCell(text: string | null): string {
  return text === null
    ? ''
    : text.replace(/[\x00-\x1f\x7f]/g, c => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
