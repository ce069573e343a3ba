import type { ImportReport } from './importCof.ts';

const COUNTED = ['lines', 'imported', 'skipped', 'rejected'] as const;
const STATES = ['imported', 'duplicate', 'partial', 'failed'] as const;

/** Outcome of importing several files; printed as JSON it is the documented object. */
export interface ImportSummary {
  readonly text: string;
  /** Every file is imported or was before. */
  readonly isComplete: boolean;
  toJSON(): unknown;
}

export function summariseImports(reports: readonly ImportReport[]): ImportSummary {
  const sum = (name: (typeof COUNTED)[number]) => reports.reduce((total, report) => total + report[name], 0);
  const count = (state: (typeof STATES)[number]) => reports.filter(({ status }) => status === state).length;
  const states = STATES.filter(state => count(state) > 0).map(state => `${count(state)} ${state}`);
  return {
    text: `${reports.length} ${reports.length === 1 ? 'file' : 'files'}: ${states.join(', ')}; ${sum('imported')} records stored, ${sum('rejected')} rejected`,
    isComplete: count('partial') === 0 && count('failed') === 0,
    toJSON: () => ({
      files: reports.map(({ importId, ...report }) => ({ import_id: importId, ...report })),
      totals: {
        ...Object.fromEntries(COUNTED.map(name => [name, sum(name)])),
        files: Object.fromEntries(STATES.map(state => [state, count(state)])),
      },
    }),
  };
}

/** One file's outcome in a line, or in several where something was wrong. */
export function importLine(report: ImportReport): string {
  const { path, status, source, lines, imported, rejected, importId, error } = report;
  const counts =
    status === 'duplicate'
      ? `was imported before, as source "${source}": nothing to do`
      : `${lines} lines, ${imported} records of source "${source}"${rejected === 0 ? '' : `, ${rejected} rejected`}`;
  const more = [
    ...(error === null ? [] : [error]),
    ...(rejected === 0
      ? []
      : [
          `rejected lines: dnstrail sql "select line, reason, text from cof_import_reject where import_id = ${importId}"`,
        ]),
  ];
  return [`${status.padEnd(9)} ${path}: ${counts}`, ...more].join('\n          ');
}
