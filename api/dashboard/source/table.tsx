import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { hasKey } from './api.ts';
import { count } from './format.ts';
import { Copyable, Dialog, Menu } from './parts.tsx';

export interface Column<Row> {
  readonly title: string;
  readonly show: (row: Row) => ComponentChildren;
  /** What it is ordered by; columns without it cannot be. */
  readonly by?: (row: Row) => string | number;
  readonly isNumber?: boolean;
  /** Left out at phone width. */
  readonly isWide?: boolean;
  /** Takes what the other columns leave, and is cut at the end where that is not enough. */
  readonly isCut?: boolean;
  /** Shares what the other columns leave with another one like it. */
  readonly isHalf?: boolean;
}

/** Where rows came from: what gives the same elsewhere. */
export interface Source {
  /** Path and query on this server. */
  readonly url: string;
  readonly accept?: string;
  readonly sql: string;
}

/** Rows as a table that can be ordered and taken along. The first so many are drawn, "more" draws the rest. */
export function Table<Row extends object>(props: {
  label: string;
  rows: readonly Row[];
  columns: readonly Column<Row>[];
  source?: Source;
  /** How many are drawn first. */
  first?: number;
  /** Of the row that is marked. */
  current?: number;
}) {
  const { label, rows, columns, first = 50, current, source } = props;
  const [order, setOrder] = useState<{ column: number; isDown: boolean }>();
  const [drawn, setDrawn] = useState(first);
  const ordered = order === undefined ? rows : sorted(rows, columns[order.column]?.by, order.isDown);
  return (
    <>
      <div class="scroll" tabIndex={-1}>
        <table>
          <caption class="hidden">{label}</caption>
          <thead>
            <tr>
              {columns.map(({ title, by, isNumber, isWide }, i) => (
                <th
                  key={title}
                  scope="col"
                  class={classOf(isNumber, isWide)}
                  aria-sort={order?.column !== i ? undefined : order.isDown ? 'descending' : 'ascending'}
                >
                  {by === undefined ? (
                    title
                  ) : (
                    <button
                      type="button"
                      onClick={() =>
                        setOrder({
                          column: i,
                          isDown: order?.column === i ? !order.isDown : isNumber === true,
                        })
                      }
                    >
                      {title}
                      <span aria-hidden="true">{order?.column !== i ? '' : order.isDown ? ' ↓' : ' ↑'}</span>
                    </button>
                  )}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {ordered.slice(0, drawn).map((row, i) => (
              <tr key={i} data-current={i === current ? '' : undefined}>
                {columns.map(({ title, show, isNumber, isWide, isCut, isHalf }) => (
                  <td key={title} class={classOf(isNumber, isWide, isCut && !isHalf, isHalf)}>
                    {isCut ? <span class="long">{show(row)}</span> : show(row)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <div class="foot">
        <span class="row">
          {count(rows.length)} {rows.length === 1 ? 'row' : 'rows'}
          {rows.length > drawn && (
            <button type="button" class="button quiet" onClick={() => setDrawn(drawn + 500)}>
              Show more
            </button>
          )}
        </span>
        {source !== undefined && <Export label={label} rows={rows} source={source} />}
      </div>
    </>
  );
}

function classOf(...[isNumber, isWide, isCut, isHalf]: (boolean | undefined)[]): string | undefined {
  const names = [isNumber && 'num', isWide && 'wide', isCut && 'fit', isHalf && 'half']
    .filter(Boolean)
    .join(' ');
  return names === '' ? undefined : names;
}

function sorted<Row>(rows: readonly Row[], by: Column<Row>['by'], isDown: boolean): readonly Row[] {
  if (by === undefined) return rows;
  const ascending = rows.toSorted((a, b) => {
    const [left, right] = [by(a), by(b)];
    return left < right ? -1 : left > right ? 1 : 0;
  });
  return isDown ? ascending.reverse() : ascending;
}

/** Rows as files, and as the lines for a shell and for psql that give the same. */
export function Export({ label, rows, source }: { label: string; rows: readonly object[]; source: Source }) {
  const [shown, setShown] = useState<'curl' | 'sql'>();
  const file = label.toLowerCase().replace(/[^a-z0-9.]+/g, '-');
  return (
    <>
      <Menu
        label="Export"
        items={[
          ['CSV', () => save(`${file}.csv`, 'text/csv', csvOf(rows))],
          ['NDJSON', () => save(`${file}.ndjson`, 'application/x-ndjson', ndjsonOf(rows))],
          ['curl', () => setShown('curl')],
          ['SQL', () => setShown('sql')],
        ]}
      />
      {shown !== undefined && (
        <Dialog title="The same elsewhere" close={() => setShown(undefined)}>
          {shown === 'curl' ? (
            <Copyable label="In a shell" text={curlOf(source)} />
          ) : (
            <Copyable label="In psql, or dnstrail sql" text={source.sql} />
          )}
        </Dialog>
      )}
    </>
  );
}

function curlOf({ url, accept = 'text/csv' }: Source): string {
  const key = hasKey() ? ` -H "X-API-Key: $DNSTRAIL_KEY"` : '';
  return `curl -H 'Accept: ${accept}'${key} '${new URL(url, location.href).href.replaceAll("'", '%27')}'`;
}

function ndjsonOf(rows: readonly object[]): string {
  return rows.map(row => `${JSON.stringify(row)}\n`).join('');
}

function csvOf(rows: readonly object[]): string {
  const columns = Object.keys(rows[0] ?? {});
  const lines = rows.map(row =>
    columns.map(column => field((row as Record<string, unknown>)[column])).join(','),
  );
  return [columns.join(','), ...lines, ''].join('\r\n');
}

/** One field (RFC 4180). What a spreadsheet would take for a formula gets an apostrophe in front. */
function field(value: unknown): string {
  const text =
    value === null || value === undefined
      ? ''
      : Array.isArray(value)
        ? value.join(' ')
        : typeof value === 'object'
          ? JSON.stringify(value)
          : String(value);
  const safe = typeof value !== 'number' && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function save(name: string, type: string, text: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** A text as a literal of SQL. */
export function quoted(text: string): string {
  const literal = `'${text.replaceAll("'", "''")}'`;
  return text.includes('\\') ? `E${literal.replaceAll('\\', '\\\\')}` : literal;
}
