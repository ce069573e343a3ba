import { periodSql, type TierName, tierColumns } from '../common/tiers.ts';
import { utcDay } from './days.ts';

/** How runs of a deduplicated tier are merged and indexed. */
export interface Tier {
  /** What the rows that become one have in common. */
  readonly key: readonly string[];
  /** Whether their period is the same too. */
  readonly hasPeriod?: true;
  readonly sortedBy: string;
  /** Indexes of every run, by the suffix of their name: what follows the table in `create index`. */
  readonly indexes: Readonly<Record<string, string>>;
  /** Indexes of larger runs only. Needs pg_trgm. */
  readonly trigrams?: Readonly<Record<string, string>>;
}

/** What is_below() asks: its body compares in the default collation, whatever that of the column. */
const reversed = (column: string) => `((public.reversed_name(${column}) collate "default") text_pattern_ops)`;

/**
 * Rows are sorted by what they are looked up by, so that an answer is in few pages: names by their end, with all of a
 * domain together, addresses by value; questions by client, as every client asks for hundreds of names a day, and the names
 * that matter were asked for by few.
 */
export const tiers: Readonly<Record<TierName, Tier>> = {
  rrset: {
    key: ['rrname', 'rrtype', 'bailiwick_length', 'rdata', 'source_id'],
    hasPeriod: true,
    sortedBy: 'reverse(rrname)',
    indexes: {
      rrname_idx: '(rrname)',
      reversed_idx: reversed('rrname'),
    },
  },
  rdata: {
    key: ['rdata_ip', 'rdata_name', 'rrname', 'rrtype', 'rdata', 'source_id'],
    hasPeriod: true,
    sortedBy: 'rdata_ip, rdata_name, rrname',
    indexes: {
      rdata_ip_idx: '(rdata_ip) where rdata_ip is not null',
      rdata_name_idx: '(rdata_name) where rdata_name is not null',
      reversed_idx: `${reversed('rdata_name')} where rdata_name is not null`,
    },
  },
  asked: {
    key: ['day', 'client', 'rrname', 'domain_length'],
    sortedBy: 'client, day', // a day first would make all comparisons slow ones
    indexes: {
      rrname_idx: '(rrname)',
      client_idx: '(client, day)',
    },
  },
  dns_name: {
    key: ['rrname', 'domain_length'],
    sortedBy: 'reverse(rrname)',
    indexes: {
      rrname_idx: '(rrname)',
      reversed_idx: reversed('rrname'),
    },
    trigrams: {
      trigram_idx: 'using gin (rrname extensions.gin_trgm_ops)',
    },
  },
};

const aggregates: Readonly<Record<string, string>> = {
  time_first: 'min(time_first)',
  time_last: 'max(time_last)',
  count: 'public.add_up(count)',
};

/** SQL that fills a run with the rows of others, equal keys added up; expensive ones, so what is the same for all is a constant. */
export function mergeSql(tier: TierName, runId: number, tables: readonly string[]): string {
  const columns = tierColumns[tier];
  const rows = tables.map(table => `select ${columns.join(', ')} from ${table}`).join(' union all ');
  const { key, hasPeriod, sortedBy } = tiers[tier];
  const period = periodSql(days => `timestamptz '${utcDay(-days)}T00:00Z'`);
  return `
    insert into runs.${tier}_${runId} (${columns.join(', ')})
    select ${columns.map(column => aggregates[column] ?? column).join(', ')}
    from (${rows}) as rows
    group by ${(hasPeriod ? [...key, period] : key).join(', ')}
    order by ${sortedBy}`;
}
