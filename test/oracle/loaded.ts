/** Says how the tables and the ledger differ from what is expected of a file that was loaded. */
import type pg from 'pg';
import type { FileReport } from '../../collector/load/loadFile.ts';
import { compareRows, readRows } from './compare.ts';
import type { ExpectedRows } from './rows.ts';

interface LedgerRow {
  readonly data_records: string;
  readonly flows: string;
  readonly flow_packets: string;
  readonly option_records: string;
  readonly other_records: string;
  readonly rrs: string;
  readonly fillers: string;
  readonly quarantined: string;
}

const selectLedger = `
  select data_records, flows, flow_packets, option_records, other_records, rrs, fillers, quarantined
  from public.ipfix_file where file_id = $1`;

/** Differences in words; none if status, ledger and rows are as expected. */
export async function loadedDifferences(
  pool: pg.Pool,
  report: FileReport | undefined,
  expected: ExpectedRows,
): Promise<string[]> {
  if (report === undefined || report.fileId === null) return [`not loaded: ${JSON.stringify(report)}`];
  const { rows } = await pool.query<LedgerRow>(selectLedger, [report.fileId]);
  const actual = await readRows(pool, report.fileId);
  return [
    ...(report.status === 'loaded' ? [] : [`status is ${report.status}: ${report.error}`]),
    ...ledgerDifferences(rows[0]!, expected),
    ...compareRows(actual, expected, { payload: report.path.includes('-payload.') }),
  ];
}

function ledgerDifferences(ledger: LedgerRow, expected: ExpectedRows): string[] {
  const counts: Readonly<Record<keyof LedgerRow, number>> = {
    data_records: expected.dataRecords,
    flows: expected.flows.length,
    flow_packets: expected.packets.length,
    option_records: expected.optionRecords,
    other_records: expected.otherRecords,
    rrs: expected.rrs.length,
    fillers: expected.fillers,
    quarantined: 0,
  };
  return Object.entries(counts)
    .filter(([column, count]) => Number(ledger[column as keyof LedgerRow]) !== count)
    .map(([column, count]) => `ledger: ${column} is ${ledger[column as keyof LedgerRow]}, not ${count}`);
}
