import { z } from 'zod';
import { isWithin } from '../allow.ts';
import { defineDetector, isOurs, literal } from '../detector.ts';

/** Common top-level domains that people mistype. */
const TYPED = ['com', 'net', 'org', 'edu', 'gov', 'info', 'de', 'uk', 'io'];
const TYPO = 'a typing error';
/** Suffixes of private networks: RFC 6762 appendix G, RFC 8375, ICANN's reserved "internal". */
const PRIVATE = [
  'local',
  'localdomain',
  'lan',
  'home',
  'internal',
  'intranet',
  'corp',
  'private',
  'domain',
  'belkin',
  'dhcp',
];

interface Tld {
  readonly tld: string;
  readonly lookups: number;
  readonly clients: number;
  readonly names: string[];
  readonly who: string[];
  readonly is_single: boolean;
  /** Of the client that asked most. */
  readonly most_lookups: number;
  readonly time_first: Date;
  readonly time_last: Date;
}

const sql = `
with lookups as (
  select split_part(rrname, '.', -2) || '.' as tld, rrname, client, asked, time_first, time_last,
    rrname ~ '^[^.]*\\.$' as is_single
  from public.lookup_hour
  where hour >= $1 and hour < $2
    and ${isOurs('client', '$5', '$6')}
    and not has_tld
    and not exists (select from unnest($3::text[]) as own(suffix) where rrname = suffix or rrname like '%.' || suffix)
)
select tld, is_single, sum(asked)::float8 as lookups,
  (select max(of_one)::float8 from (
    select sum(asked) as of_one from lookups as again
    where again.tld = lookups.tld and again.is_single = lookups.is_single
    group by client
  ) as by_client) as most_lookups,
  count(distinct client)::integer as clients, min(time_first) as time_first, max(time_last) as time_last,
  (array_agg(distinct rrname))[:20] as names, (array_agg(distinct host(client)))[:20] as who
from lookups
group by 1, 2
having sum(asked) >= case when is_single then $7::integer else $4::integer end and (is_single or count(distinct rrname) >= $8)
order by 1`;

/** Names that cannot resolve, because their top-level domain does not exist: leaks, typing errors, search lists. */
export const nonexistentTld = defineDetector({
  kind: 'nonexistent_tld',
  window: 'day',
  baselineDays: 0,
  dependsOn: ['own_networks', 'approved_resolvers', 'own_suffixes'],
  thresholds: z.strictObject({
    names: z
      .number()
      .int()
      .min(1)
      .default(2)
      .describe('distinct names in a day from which on it is told: one is a slip'),
    single_lookups: z
      .number()
      .int()
      .min(1)
      .default(20)
      .describe('the same for a name without a domain; browsers try random ones, each a few times'),
    lookups: z.number().int().min(1).default(5).describe('lookups in a day from which on it is told'),
    typo_lookups: z
      .number()
      .int()
      .min(1)
      .default(20)
      .describe(
        'what looks like a common top-level domain mistyped is told from so many lookups of one client on: people mistype, and correct it; a program goes on',
      ),
  }),
  async find({ client, window, thresholds, settings }) {
    const { rows } = await client.query<Tld>(sql, [
      window.start,
      window.end,
      settings.own_suffixes,
      thresholds.lookups,
      settings.own_networks,
      settings.approved_resolvers,
      thresholds.single_lookups,
      thresholds.names,
    ]);
    return rows
      .map(row => ({ ...row, cause: likelyCause(row) }))
      .filter(
        ({ tld, cause, most_lookups }) =>
          !isWithin(tld, settings.own_suffixes) &&
          (cause !== TYPO || most_lookups >= thresholds.typo_lookups),
      )
      .map(row => ({
        subject: row.tld,
        client: null,
        firstTime: row.time_first,
        lastTime: row.time_last,
        score: 20,
        severity: 'info' as const,
        evidence: {
          looks_like: row.cause,
          lookups: row.lookups,
          clients: row.clients,
          some_clients: row.who,
          some_names: row.names,
        },
        query: `select client, rrname, asked, nxdomain, time_first from public.lookup_hour where hour >= ${literal(window.start)} and hour < ${literal(window.end)} and ${row.is_single ? `rrname ~ '^[^.]*\\.$'` : `rrname like ${literal(`%.${row.tld}`)}`} order by time_first`,
      }));
  },
});

function likelyCause({ tld, is_single, names }: Tld): string {
  if (is_single) return 'a name without a domain: the short name of a host';
  const label = tld.slice(0, -1);
  if (PRIVATE.includes(label)) return 'names of a private network that leak';
  if (TYPED.some(each => distanceOfOne(each, label))) return TYPO;
  if (names.some(name => /\.(com|net|org|de|io)\.[^.]+\.$/.test(name)))
    return 'a search list that is appended to names';
  return 'names of a private network, or of software that makes them up';
}

/** Whether one edit or one swap of neighbours parts two labels. */
function distanceOfOne(a: string, b: string): boolean {
  if (a === b || Math.abs(a.length - b.length) > 1) return false;
  let start = 0;
  while (start < Math.min(a.length, b.length) && a[start] === b[start]) start++;
  const [restA, restB] = [a.slice(start), b.slice(start)];
  return (
    restA.slice(1) === restB.slice(1) ||
    restA.slice(1) === restB ||
    restA === restB.slice(1) ||
    (restA[0] === restB[1] && restA[1] === restB[0] && restA.slice(2) === restB.slice(2))
  );
}
