import { z } from 'zod';
import { isWithin } from '../allow.ts';
import { defineDetector, isOurs, literal } from '../detector.ts';
import { severityOf } from '../severity.ts';
import { isTopLevelDomain, topLevelDomain } from '../topLevelDomain.ts';

interface Domain {
  readonly domain: string;
  readonly escaped: number;
  readonly too_long: number;
  readonly hyphens: number;
  readonly underscores: number;
  readonly clients: string[];
  readonly lookups: number;
  readonly examples: string[];
  readonly time_first: Date;
  readonly time_last: Date;
}

/**
 * What no host name may be (RFC 952, RFC 1123 section 2.1). Labels that begin with an underscore are names of services
 * (RFC 8552) and well-formed; within a label it is a mistake or a habit.
 */
const oddities = {
  is_escaped: `(rrname ~ '[^a-z0-9._-]' and rrname !~ '^[*]\\.')`,
  is_too_long: `(length(rrname) > 254 or rrname ~ '[a-z0-9_-]{60}')`,
  has_hyphen: `(rrname ~ '(^|\\.)-' or rrname ~ '-\\.')`,
  has_underscore: `rrname ~ '[^._][^.]*_'`,
} as const;

const sql = `
with odd as (
  select right(rrname, domain_length) as domain, rrname, client, asked, time_first, time_last,
    ${Object.entries(oddities)
      .map(([name, condition]) => `${condition} as ${name}`)
      .join(', ')}
  from public.lookup_hour
  where hour >= $1 and hour < $2
    and ${isOurs('client', '$3', '$4')}
    -- cheap questions first: nearly all names answer them with no
    and (length(rrname) > 60 or rrname ~ '[^a-z0-9.-]' or rrname like '-%' or rrname like '%.-%' or rrname like '%-.%')
)
select domain, count(distinct rrname) filter (where is_escaped)::integer as escaped,
  count(distinct rrname) filter (where is_too_long)::integer as too_long,
  count(distinct rrname) filter (where has_hyphen)::integer as hyphens,
  count(distinct rrname) filter (where has_underscore)::integer as underscores,
  (array_agg(distinct host(client)))[:20] as clients, sum(asked)::float8 as lookups, (array_agg(distinct rrname))[:20] as examples,
  min(time_first) as time_first, max(time_last) as time_last
from odd
where is_escaped or is_too_long or has_hyphen or has_underscore
group by domain
order by domain`;

/** Names that no host may have: octets beyond letters, digits and hyphens, hyphens at the edge, underscores within labels. */
export const malformedName = defineDetector({
  kind: 'malformed_name',
  window: 'day',
  baselineDays: 0,
  dependsOn: ['own_networks', 'approved_resolvers', 'own_suffixes'],
  thresholds: z.strictObject({
    names: z
      .number()
      .int()
      .min(1)
      .default(2)
      .describe('names in a day with odd octets from which on a domain is told'),
    long_names: z
      .number()
      .int()
      .min(1)
      .default(5)
      .describe(
        'the same for names with a label of 60 octets or more, which nobody writes, or longer than a name may be',
      ),
    hyphens: z
      .number()
      .int()
      .min(1)
      .default(1)
      .describe('the same for names with a hyphen at the edge of a label'),
    underscores: z
      .number()
      .int()
      .min(1)
      .default(5)
      .describe('the same for names with an underscore within a label, which many use harmlessly'),
  }),
  async find({ client, window, thresholds, settings }) {
    const { rows } = await client.query<Domain>(sql, [
      window.start,
      window.end,
      settings.own_networks,
      settings.approved_resolvers,
    ]);
    return rows
      .filter(
        row =>
          (row.escaped >= thresholds.names ||
            row.too_long >= thresholds.long_names ||
            row.hyphens >= thresholds.hyphens ||
            row.underscores >= thresholds.underscores) &&
          isTopLevelDomain(topLevelDomain(row.domain)) &&
          !isWithin(row.domain, settings.own_suffixes),
      )
      .map(row => {
        const score = row.escaped + row.too_long > 0 ? 60 : row.hyphens > 0 ? 40 : 20;
        return {
          subject: row.domain,
          client: null,
          firstTime: row.time_first,
          lastTime: row.time_last,
          score,
          severity: score < 30 ? ('info' as const) : severityOf(score),
          evidence: {
            names_with_odd_octets: row.escaped,
            names_too_long: row.too_long,
            names_with_hyphen_at_edge: row.hyphens,
            names_with_underscore: row.underscores,
            lookups: row.lookups,
            clients: row.clients,
            some_names: row.examples,
          },
          query: `select client, rrname, asked, nxdomain, time_first from public.lookup_hour where hour >= ${literal(window.start)} and hour < ${literal(window.end)} and right(rrname, domain_length) = ${literal(row.domain)} and (${Object.values(oddities).join(' or ')}) order by time_first`,
        };
      });
  },
});
