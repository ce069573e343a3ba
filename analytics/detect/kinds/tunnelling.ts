import { z } from 'zod';
import { isWithin } from '../allow.ts';
import { defineDetector, isOurs, literal, queryWholes } from '../detector.ts';
import { scoreOf, severityOf } from '../severity.ts';

interface Pair {
  readonly client: string;
  readonly domain: string;
  readonly names: number;
  readonly characters: number;
  readonly longest_label: number;
  readonly lookups: number;
  readonly text_asked: number;
  readonly nxdomain: number;
  readonly clients: number;
  readonly all_clients: number;
  readonly time_first: Date;
  readonly time_last: Date;
  readonly examples: string[];
}

const sql = `
with grouped as materialized (
  select client, right(rrname, domain_length) as domain, count(*) filter (where length(rrname) > domain_length) as parts,
    sum(greatest(0, length(rrname) - domain_length - 1)) as characters
  from public.lookup_hour
  where hour >= $1 and hour < $2 and ${isOurs('client', '$6', '$7')}
  group by 1, 2
),
everybody as (
  select count(distinct client)::integer as all_clients
  from public.client_hour
  where hour >= $1 and hour < $2 and ${isOurs('client', '$6', '$7')}
),
users as (
  select domain, count(*)::integer as clients
  from grouped
  group by domain
  having count(*) <= (select greatest($8::float8, $9::float8 * all_clients) from everybody)
),
busy as (
  -- names of several hours count several times here: no fewer than there are
  select client, domain from grouped join users using (domain) where parts >= $3 and characters >= $4::float8
),
pairs as (
  select client, right(rrname, domain_length) as domain, count(distinct rrname)::integer as names,
    sum(asked)::float8 as lookups, sum(text_asked)::float8 as text_asked, sum(nxdomain)::float8 as nxdomain,
    min(time_first) as time_first, max(time_last) as time_last
  from public.lookup_hour
  where hour >= $1 and hour < $2 and length(rrname) > domain_length
    and (client, right(rrname, domain_length)) in (select client, domain from busy)
  group by 1, 2
  having count(distinct rrname) >= $3
),
carried as (
  select client, domain, sum(length(rrname) - domain_length - 1)::float8 as characters,
    max(length(label)) as longest_label, (array_agg(rrname order by rrname))[:200] as examples
  from (
    select distinct client, right(rrname, domain_length) as domain, rrname, domain_length
    from public.lookup_hour
    where hour >= $1 and hour < $2 and (client, right(rrname, domain_length)) in (select client, domain from pairs)
  ) as names
  cross join lateral (
    select max(part) as label from (
      select part from string_to_table(left(rrname, -domain_length - 1), '.') as p(part) order by length(part) desc limit 1
    ) as longest
  ) as longest
  group by client, domain
)
select host(client) as client, domain, names, characters, longest_label, lookups, text_asked, nxdomain, clients, time_first, time_last, examples,
  all_clients
from pairs
join carried using (client, domain)
join users using (domain)
cross join everybody
where characters >= $4::float8 and characters >= $5::float8 * names
order by client, domain`;

/** Data carried in names: many long names of one domain, by hardly more than one client. */
export const tunnelling = defineDetector({
  kind: 'tunnelling',
  window: 'day',
  baselineDays: 0,
  dependsOn: ['own_networks', 'approved_resolvers', 'own_suffixes'],
  thresholds: z.strictObject({
    names: z
      .number()
      .int()
      .min(2)
      .default(30)
      .describe('at least so many distinct names in a day below one domain by one client'),
    characters: z
      .number()
      .int()
      .min(0)
      .default(700)
      .describe('at least so many characters in them, before the domain'),
    mean_length: z.number().min(0).default(20).describe('at least so many characters in each on average'),
    entropy: z
      .number()
      .min(0)
      .default(3)
      .describe('at least so many bits a character (Shannon, over all its names)'),
    clients: z
      .number()
      .int()
      .min(1)
      .default(3)
      .describe(
        'at most so many clients use the domain that day: anti-virus and CDN names are long too, but many ask for them …',
      ),
    client_share: z.number().min(0).max(1).default(0.01).describe('… or this share of all clients'),
  }),
  async find({ client, window, thresholds, settings }) {
    const rows = await queryWholes<Pair>(client, sql, [
      window.start,
      window.end,
      thresholds.names,
      thresholds.characters,
      thresholds.mean_length,
      settings.own_networks,
      settings.approved_resolvers,
      thresholds.clients,
      thresholds.client_share,
    ]);
    return rows
      .map(row => ({
        ...row,
        entropy: entropyOf(row.examples.map(name => name.slice(0, -row.domain.length - 1))),
      }))
      .filter(
        row =>
          row.entropy >= thresholds.entropy &&
          !isBlockList(row) &&
          !row.domain.endsWith('.arpa.') &&
          !isWithin(row.domain, settings.own_suffixes),
      )
      .map(row => {
        const textShare = row.text_asked / row.lookups;
        const score = Math.min(
          100,
          scoreOf(row.characters, thresholds.characters) + (textShare > 0.3 ? 15 : 0),
        );
        return {
          subject: row.domain,
          client: row.client,
          firstTime: row.time_first,
          lastTime: row.time_last,
          score,
          severity: severityOf(score),
          evidence: {
            names: row.names,
            characters: row.characters,
            octets_at_most: Math.round((row.characters * row.entropy) / 8),
            bits_a_character: Math.round(row.entropy * 100) / 100,
            mean_length: Math.round(row.characters / row.names),
            longest_label: row.longest_label,
            lookups: row.lookups,
            share_of_txt_and_null: Math.round(textShare * 1000) / 1000,
            nxdomain: row.nxdomain,
            clients_of_the_domain: row.clients,
            of_clients: row.all_clients,
            some_names: row.examples.slice(0, 10),
          },
          query: `select rrname, asked, text_asked, time_first, resolver from public.lookup_hour where hour >= ${literal(window.start)} and hour < ${literal(window.end)} and client = ${literal(row.client)} and rrname like ${literal(`%.${row.domain}`)} order by time_first`,
        };
      });
  },
});

/** Reversed addresses before the domain (RFC 5782): a mail server asks for one of every host that comes. */
function isBlockList({ domain, examples }: Pick<Pair, 'domain' | 'examples'>): boolean {
  const reversed = examples.filter(name =>
    /^((\d{1,3}\.){4}|([0-9a-f]\.){32})/.test(name.slice(0, -domain.length)),
  );
  return reversed.length > 0.9 * examples.length;
}

/** Shannon entropy of the characters of some texts, in bits a character. */
function entropyOf(texts: readonly string[]): number {
  const counts = new Map<string, number>();
  let all = 0;
  for (const text of texts)
    for (const character of text) {
      counts.set(character, (counts.get(character) ?? 0) + 1);
      all++;
    }
  let bits = 0;
  for (const count of counts.values()) bits -= (count / all) * Math.log2(count / all);
  return bits;
}
