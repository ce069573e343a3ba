import type { WriteStream } from 'node:tty';
import type { FileReport } from './loadFile.ts';

const WIDTH = 30;
const REDRAW_MS = 100;

/** A progress bar of the files being loaded, on a terminal; elsewhere nothing. */
export class LoadProgress {
  readonly #out: NodeJS.WriteStream | WriteStream;
  #drawnAt = 0;
  #isShown = false;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  update(path: string, position: number, size: number | undefined): void {
    if (!this.#out.isTTY || size === undefined || size === 0 || Date.now() - this.#drawnAt < REDRAW_MS)
      return;
    this.#drawnAt = Date.now();
    const done = Math.min(WIDTH, Math.floor((position / size) * WIDTH));
    const percent = String(Math.floor((position / size) * 100)).padStart(3);
    this.#out.write(`\r\x1b[K[${'#'.repeat(done)}${' '.repeat(WIDTH - done)}] ${percent} % ${path}`);
    this.#isShown = true;
  }

  clear(): void {
    if (this.#isShown) this.#out.write('\r\x1b[K');
    this.#isShown = false;
  }
}

type Counted = 'messages' | 'data_records' | 'flows' | 'rrs' | 'quarantined';

/** Outcome of loading several files; printed as JSON it is the documented object. */
export interface LoadSummary {
  readonly files: readonly Omit<FileReport, 'fileId'>[];
  readonly totals: Readonly<Record<Counted | FileReport['status'], number>>;
  readonly text: string;
  /** Every file is loaded or was before. */
  readonly isComplete: boolean;
}

export function summarise(reports: readonly FileReport[]): LoadSummary & { toJSON(): unknown } {
  const sum = (name: Counted) => reports.reduce((total, report) => total + report[name], 0);
  const count = (status: FileReport['status']) => reports.filter(report => report.status === status).length;
  const totals = {
    messages: sum('messages'),
    data_records: sum('data_records'),
    flows: sum('flows'),
    rrs: sum('rrs'),
    quarantined: sum('quarantined'),
    loaded: count('loaded'),
    duplicate: count('duplicate'),
    partial: count('partial'),
    failed: count('failed'),
  };
  const files = reports.map(({ fileId: _, ...report }) => report);
  const states = (['loaded', 'duplicate', 'partial', 'failed'] as const).filter(status => totals[status] > 0);
  return {
    files,
    totals,
    text: `${reports.length} ${reports.length === 1 ? 'file' : 'files'}: ${states.map(status => `${totals[status]} ${status}`).join(', ') || 'none found'}; ${totals.flows} flows, ${totals.rrs} RRs stored`,
    isComplete: totals.partial === 0 && totals.failed === 0,
    toJSON: () => ({ files, totals }),
  };
}

/** One file's outcome in a line. */
export function summaryLine({ path, status, messages, flows, rrs, error }: FileReport): string {
  const counts =
    status === 'duplicate'
      ? 'was loaded before, nothing to do'
      : `${messages} messages, ${flows} flows, ${rrs} RRs`;
  return `${status.padEnd(9)} ${path}: ${counts}${error === null ? '' : `\n          ${error}`}`;
}
