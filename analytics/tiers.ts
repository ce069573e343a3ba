/** A deduplicated tier: how runs of it are merged and indexed (migrations/0004_deduplicated_tiers.sql). */
export interface Tier {
  readonly columns: string;
  /** What follows `insert into … (columns)`; `$runs` stands for the rows of all runs to be merged. */
  readonly merged: string;
  /** Indexes of every run, by the suffix of their name: what follows the table in `create index`. */
  readonly indexes: Readonly<Record<string, string>>;
  /** Indexes of merged runs only: they pay where names are few and rows many. Needs pg_trgm. */
  readonly trigrams?: Readonly<Record<string, string>>;
}

/**
 * Pieces of the same period are added up: of one day for a hundred days, then of one month, after some three years of one
 * year.
 */
const period = `case
    when time_first >= now() - interval '100 days' then date_trunc('day', time_first, 'UTC')
    when time_first >= now() - interval '1000 days' then date_trunc('month', time_first, 'UTC')
    else date_trunc('year', time_first, 'UTC')
  end`;

/** What is_below() asks: its body compares in the default collation, whatever that of the column. */
const reversed = (column: string) => `((public.reversed_name(${column}) collate "default") text_pattern_ops)`;

/**
 * Rows are sorted by what they are looked up by, so that an answer is in few pages: names by their end, with all of a
 * domain together, addresses by value.
 */
export const tiers = {
  rrset: {
    columns: 'time_first, time_last, count, rrtype, source_id, bailiwick_length, rrname, rdata',
    merged: `
      select min(time_first), max(time_last), sum(count), rrtype, source_id, bailiwick_length, reverse(reversed), rdata
      from (select *, reverse(rrname) as reversed, ${period} as period from $runs) as rows
      group by reversed, rrtype, bailiwick_length, rdata, source_id, period
      order by reversed, rrtype, bailiwick_length, rdata, source_id, period`,
    indexes: {
      rrname_idx: '(rrname)',
      reversed_idx: reversed('rrname'),
    },
  },
  rdata: {
    columns: 'time_first, time_last, count, rrtype, source_id, rdata_ip, rrname, rdata_name, rdata',
    merged: `
      select min(time_first), max(time_last), sum(count), rrtype, source_id, rdata_ip, rrname, rdata_name, rdata
      from (select *, ${period} as period from $runs) as rows
      group by rdata_ip, rdata_name, rrname, rrtype, rdata, source_id, period
      order by rdata_ip, rdata_name, rrname, rrtype, rdata, source_id, period`,
    indexes: {
      rdata_ip_idx: '(rdata_ip) where rdata_ip is not null',
      rdata_name_idx: '(rdata_name) where rdata_name is not null',
      reversed_idx: `${reversed('rdata_name')} where rdata_name is not null`,
    },
  },
  asked: {
    columns: 'time_first, time_last, count, day, domain_length, client, rrname',
    merged: `
      select min(time_first), max(time_last), sum(count), day, domain_length, client, rrname
      from $runs
      group by rrname, day, client, domain_length
      order by rrname, day, client, domain_length`,
    indexes: {
      rrname_idx: '(rrname)',
      client_idx: '(client, day)',
    },
  },
  dns_name: {
    columns: 'time_first, time_last, domain_length, rrname',
    merged: `
      select min(time_first), max(time_last), domain_length, reverse(reversed)
      from (select *, reverse(rrname) as reversed from $runs) as rows
      group by reversed, domain_length
      order by reversed, domain_length`,
    indexes: {
      rrname_idx: '(rrname)',
      reversed_idx: reversed('rrname'),
    },
    trigrams: {
      trigram_idx: 'using gin (rrname extensions.gin_trgm_ops)',
    },
  },
} as const satisfies Readonly<Record<string, Tier>>;

export type TierName = keyof typeof tiers;
export const tierNames = Object.keys(tiers) as readonly TierName[]; // its keys
