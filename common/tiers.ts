/** Columns of the deduplicated tiers, in the order that rows are copied in (migrations/0004_deduplicated_tiers.sql). */
export const tierColumns = {
  rrset: ['time_first', 'time_last', 'count', 'rrtype', 'source_id', 'bailiwick_length', 'rrname', 'rdata'],
  rdata: [
    'time_first',
    'time_last',
    'count',
    'rrtype',
    'source_id',
    'rdata_ip',
    'rrname',
    'rdata_name',
    'rdata',
  ],
  asked: ['time_first', 'time_last', 'count', 'day', 'domain_length', 'client', 'rrname'],
  dns_name: ['time_first', 'time_last', 'domain_length', 'rrname'],
} as const;

/** A deduplicated tier: tables `runs.<tier>_<run_id>`, parts of `public.<tier>_gravel`. */
export type TierName = keyof typeof tierColumns;
export const tierNames = Object.keys(tierColumns) as readonly TierName[]; // its keys

/**
 * SQL for the period, by `time_first`, that pieces of an observation are added up in: one day for a hundred days, then one
 * month, after some three years one year.
 * @param daysAgo SQL for the beginning of the UTC day so many days ago
 */
export function periodSql(daysAgo: (days: number) => string): string {
  return `case
    when time_first >= ${daysAgo(100)} then date_bin('1 day', time_first, '2000-01-01Z')
    when time_first >= ${daysAgo(1000)} then date_trunc('month', time_first, 'UTC')
    else date_trunc('year', time_first, 'UTC')
  end`;
}
