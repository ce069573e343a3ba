import { once } from 'node:events';
import type { Writable } from 'node:stream';
import type pg from 'pg';
import Cursor from 'pg-cursor';
import { nameFromText } from '../../common/presentation.ts';
import { readTime } from '../../common/readTime.ts';
import { rrtypeName, rrtypeNumber } from '../../common/rrtypes.ts';
import { sourceOfZones, zoneSourceName } from './ledger.ts';

/** Which RRsets; all of them where nothing is given. */
export interface ExportFilter {
  /** Last seen at or after: see readTime. */
  readonly since?: string | undefined;
  /** First seen at or before. */
  readonly until?: string | undefined;
  /** An owner name, or `*.domain` for all names below the domain, not the domain itself. */
  readonly name?: string | undefined;
  /** Mnemonic or number. */
  readonly type?: string | undefined;
  /** Name in rrset_source, its zone files too. */
  readonly source?: string | undefined;
}

const ROWS_AT_ONCE = 1000;
/** What `infinity` is exported as: the last second that the format's readers can be expected to take. */
const LAST_US = '253402300799000000';

/** Merged first, then fenced: a fence never changes the counts and times of a row, only whether it is there. */
const exportSql = `
select
  rrset.rrname,
  rrset.rrtype,
  rrset.bailiwick,
  array_to_string(rrset.rdata, e'\\n') as rdata,
  rrset.count,
  case when isfinite(time_first) then (extract(epoch from time_first) * 1000000)::bigint when time_first > now() then ${LAST_US} else 0 end as time_first,
  case when isfinite(time_last) then (extract(epoch from time_last) * 1000000)::bigint when time_last > now() then ${LAST_US} else 0 end as time_last,
  source.kind,
  source.name as source
from public.rrset
join public.rrset_source as source using (source_id)
where ($1::text is null or rrset.rrname = $1)
  and ($2::text is null or public.is_below(rrset.rrname, $2))
  and ($3::integer is null or rrset.rrtype = $3)
  and ($4::smallint[] is null or rrset.source_id = any ($4))
  and ($5::timestamptz is null or rrset.time_last >= $5)
  and ($6::timestamptz is null or rrset.time_first <= $6)
order by rrset.rrname, rrset.rrtype, rrset.bailiwick, rrset.rdata, rrset.source_id`;

interface Row {
  readonly rrname: string;
  readonly rrtype: number;
  readonly bailiwick: string;
  /** One value a line. */
  readonly rdata: string;
  readonly count: string;
  /** Microseconds since the Unix epoch. */
  readonly time_first: string;
  readonly time_last: string;
  readonly kind: 'sensor' | 'import' | 'zone';
  readonly source: string;
}

/**
 * Writes the rows of the view rrset in the Common Output Format (draft-dulaunoy-dnsop-passive-dns-cof-13), one JSON object
 * a line, in the order of rrname (by octet), type, bailiwick, rdata and source. One query, so one state of the database.
 * @throws Error about a filter that cannot be, with what it may be
 */
export async function exportCof(pool: pg.Pool, filter: ExportFilter, out: Writable): Promise<void> {
  const parameters = [
    ...nameParameters(filter.name),
    filter.type === undefined ? null : typeParameter(filter.type),
    filter.source === undefined ? null : await sourceParameter(pool, filter.source),
    timeParameter('--since', filter.since),
    timeParameter('--until', filter.until),
  ];
  const client = await pool.connect();
  try {
    const cursor = client.query(new Cursor<Row>(exportSql, parameters));
    for (;;) {
      const rows = await cursor.read(ROWS_AT_ONCE);
      if (rows.length === 0) return;
      if (!out.write(rows.map(lineOf).join(''))) await once(out, 'drain');
    }
  } finally {
    client.release(true); // the cursor may be open still
  }
}

/**
 * `rdata` is an array even of one value, as the draft prefers; a type without mnemonic is its number. Times are whole
 * seconds; `time_*_ms` (with decimals where it takes microseconds) follow where a second is not all that is known.
 */
function lineOf(row: Row): string {
  const prefix = row.kind === 'zone' ? 'zone_time' : 'time';
  const [first, last] = [Number(row.time_first), Number(row.time_last)];
  const name = rrtypeName(row.rrtype);
  const isWhole = first % 1_000_000 === 0 && last % 1_000_000 === 0;
  const object = {
    count: Number(row.count),
    [`${prefix}_first`]: Math.floor(first / 1_000_000),
    [`${prefix}_last`]: Math.floor(last / 1_000_000),
    ...(isWhole ? {} : { [`${prefix}_first_ms`]: first / 1000, [`${prefix}_last_ms`]: last / 1000 }),
    rrname: row.rrname,
    rrtype: name.startsWith('TYPE') ? row.rrtype : name,
    bailiwick: row.bailiwick,
    rdata: row.rdata.split('\n'),
    ...(row.kind === 'sensor'
      ? {}
      : { origin: row.kind === 'zone' ? sourceOfZones(row.source) : row.source }),
  };
  return `${JSON.stringify(object)}\n`;
}

function nameParameters(name: string | undefined): [string | null, string | null] {
  if (name === undefined) return [null, null];
  const isBelow = name.startsWith('*.');
  const canonical = nameFromText(isBelow ? name.slice(2) : name);
  if (canonical === null)
    throw new Error(
      `--name "${name}" is no domain name: give www.example.com, or *.example.com for all below it`,
    );
  return isBelow ? [null, canonical] : [canonical, null];
}

function typeParameter(type: string): number {
  const number = rrtypeNumber(type);
  if (number === null)
    throw new Error(`--type "${type}" is no RR type: give a mnemonic (AAAA), TYPE123 or a number`);
  return number;
}

/** The sources of a name: what was imported under it, and what the other system found in zone files. */
async function sourceParameter(pool: pg.Pool, name: string): Promise<number[]> {
  const { rows } = await pool.query<{ source_id: number; name: string }>(
    'select source_id, name from public.rrset_source order by source_id',
  );
  const found = rows.filter(source => source.name === name || source.name === zoneSourceName(name));
  if (found.length === 0)
    throw new Error(`there is no source "${name}"; there are: ${rows.map(source => source.name).join(', ')}`);
  return found.map(source => source.source_id);
}

function timeParameter(flag: string, text: string | undefined): Date | null {
  if (text === undefined) return null;
  const time = readTime(text, Date.now());
  if (time === null)
    throw new Error(
      `${flag} "${text}" is no time: give 2026-01-31, 2026-01-31T12:00:00Z, seconds since 1970, or 7d for seven days ago (s, m, h, d, w)`,
    );
  return time;
}
