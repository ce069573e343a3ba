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
 * @param leewayDays how much earlier it changes to the longer one: who reads with two adds no piece up that spans two periods
 */
export function periodSql(leewayDays = 0): string {
  const since = (days: number) =>
    `time_first >= date_trunc('day', now(), 'UTC') - interval '${days - leewayDays} days'`;
  return `case
    when ${since(100)} then date_trunc('day', time_first, 'UTC')
    when ${since(1000)} then date_trunc('month', time_first, 'UTC')
    else date_trunc('year', time_first, 'UTC')
  end`;
}
