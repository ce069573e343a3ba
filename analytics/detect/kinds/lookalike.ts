import { domainToUnicode } from 'node:url';
import { z } from 'zod';
import { isWithin } from '../allow.ts';
import { defineDetector, isOurs, literal } from '../detector.ts';
import type { Settings } from '../settings.ts';
import { severityOf } from '../severity.ts';
import { isTopLevelDomain, topLevelDomain } from '../topLevelDomain.ts';

interface Name {
  readonly rrname: string;
  readonly domain: string;
  readonly clients: string[];
  readonly lookups: number;
  readonly resolved: number;
  readonly time_first: Date;
  readonly time_last: Date;
}

const sql = `
select rrname, max(right(rrname, domain_length)) as domain, (array_agg(distinct host(client)))[:20] as clients,
  sum(asked)::float8 as lookups, sum(asked - nxdomain - failed)::float8 as resolved,
  min(time_first) as time_first, max(time_last) as time_last
from public.lookup_hour
where hour >= $1 and hour < $2
  and ${isOurs('client', '$3', '$4')}
group by rrname
order by rrname`;

/** How a name imitates a word, the surest first. */
type Way =
  | 'homoglyph'
  | 'legitimate name as subdomain'
  | 'transposition'
  | 'hyphenation'
  | 'typing error'
  | 'combination'
  | 'keyword';

const scores: Readonly<Record<Way, number>> = {
  homoglyph: 95,
  'legitimate name as subdomain': 90,
  transposition: 85,
  hyphenation: 80,
  'typing error': 70,
  combination: 75,
  keyword: 65,
};

/** Characters that look like others (Unicode TR 39, the ones that occur), and pairs that look like one. */
const confusables: readonly (readonly [string, string])[] = [
  ['rn', 'm'],
  ['vv', 'w'],
  ['cl', 'd'],
  ['0', 'o'],
  ['1', 'l'],
  ['3', 'e'],
  ['4', 'a'],
  ['5', 's'],
  ['7', 't'],
  ['8', 'b'],
  ['а', 'a'],
  ['е', 'e'],
  ['о', 'o'],
  ['р', 'p'],
  ['с', 'c'],
  ['у', 'y'],
  ['х', 'x'],
  ['і', 'i'],
  ['ј', 'j'],
  ['ѕ', 's'],
  ['ԁ', 'd'],
  ['ո', 'n'],
  ['α', 'a'],
  ['ο', 'o'],
  ['ν', 'v'],
  ['ρ', 'p'],
  ['ı', 'i'],
  ['ł', 'l'],
];

/** Words that are put beside a brand to make a name that people trust. */
const LURES =
  /^(update|updates|upgrade|download|downloads|login|logon|signin|secure|security|account|accounts|verify|verification|support|service|services|online|help|helpdesk|portal|mail|webmail|auth|sso|vpn|pay|payment|billing|confirm|alert|app|apps|install|installer|player|plugin|patch|free|official|team|cdn|static|api|my|web|get|the|www|id|net|data|cloud|center|tech|live|live|office|bank)$/;

/** Registered domains that hold a word of the watch list, or something that looks like it, and are not its owner's. */
export const lookalike = defineDetector({
  kind: 'lookalike',
  window: 'hour',
  baselineDays: 0,
  dependsOn: ['own_networks', 'approved_resolvers', 'own_suffixes', 'watch_list'],
  thresholds: z.strictObject({
    resolved_only: z
      .boolean()
      .default(true)
      .describe('only names that resolve: people mistype, and nobody is there'),
    typo_length: z
      .number()
      .int()
      .min(3)
      .default(6)
      .describe(
        'words of at least so many letters are also looked for with one letter wrong, missing or added',
      ),
    transposition_length: z
      .number()
      .int()
      .min(3)
      .default(5)
      .describe('words of at least so many letters are also looked for with two neighbours swapped'),
  }),
  async find({ client, window, thresholds, settings }) {
    if (settings.watch_list.length === 0) return [];
    const { rows } = await client.query<Name>(sql, [
      window.start,
      window.end,
      settings.own_networks,
      settings.approved_resolvers,
    ]);
    const found = new Map<string, { word: string; way: Way; names: Name[] }>();
    for (const row of rows) {
      if (thresholds.resolved_only && row.resolved === 0) continue;
      if (isWithin(row.domain, settings.own_suffixes) || !isTopLevelDomain(topLevelDomain(row.domain)))
        continue;
      const match = imitates(row, settings.watch_list, thresholds);
      if (match === undefined) continue;
      const known = found.get(row.domain);
      if (known === undefined) found.set(row.domain, { ...match, names: [row] });
      else {
        known.names.push(row);
        if (scores[match.way] > scores[known.way]) Object.assign(known, match);
      }
    }
    return [...found].map(([domain, { word, way, names }]) => {
      const score = scores[way];
      return {
        subject: domain,
        client: null,
        firstTime: new Date(Math.min(...names.map(each => each.time_first.getTime()))),
        lastTime: new Date(Math.max(...names.map(each => each.time_last.getTime()))),
        score,
        severity: severityOf(score),
        evidence: {
          word,
          way,
          legitimate: settings.watch_list.find(each => each.word === word)?.legitimate ?? [],
          names: names.slice(0, 20).map(each => each.rrname),
          ...(domain.includes('xn--') && { unicode: domainToUnicode(domain.slice(0, -1)) }),
          clients: [...new Set(names.flatMap(each => each.clients))].slice(0, 20),
          lookups: names.reduce((sum, each) => sum + each.lookups, 0),
          resolved: names.reduce((sum, each) => sum + each.resolved, 0),
        },
        query: `select client, rrname, asked, nxdomain, time_first from public.lookup_hour where hour = ${literal(window.start)} and (rrname = ${literal(domain)} or rrname like ${literal(`%.${domain}`)}) order by time_first`,
      };
    });
  },
});

type Limits = { readonly typo_length: number; readonly transposition_length: number };

/** The word that a name imitates, and how; the surest of all. */
function imitates(
  { rrname, domain }: Pick<Name, 'rrname' | 'domain'>,
  watchList: Settings['watch_list'],
  limits: Limits,
): { word: string; way: Way } | undefined {
  let best: { word: string; way: Way } | undefined;
  for (const { word, legitimate } of watchList) {
    if (isWithin(domain, legitimate)) continue;
    const way = legitimate.some(own => `.${rrname}`.includes(`.${own}`) && !rrname.endsWith(`.${own}`))
      ? 'legitimate name as subdomain'
      : imitation(domain.slice(0, domain.indexOf('.')), word, limits);
    if (way !== undefined && (best === undefined || scores[way] > scores[best.way])) best = { word, way };
  }
  return best;
}

function imitation(ascii: string, word: string, limits: Limits): Way | undefined {
  const label = ascii.startsWith('xn--') ? domainToUnicode(ascii) : ascii;
  if (label === word) return 'keyword'; // the word itself, under another top-level domain
  const parts = label.split(/[-_]/);
  if (label !== word && plain(label) === plain(word)) return 'homoglyph';
  if (label.replaceAll('-', '') === word) return 'hyphenation';
  if (parts.length > 1 && label.includes(word) && parts.includes(word)) return 'combination';
  for (const part of parts) {
    if (part === word) return 'keyword';
    if (part !== word && plain(part) === plain(word)) return 'homoglyph';
    if (word.length >= limits.transposition_length && isTransposed(part, word)) return 'transposition';
    if (word.length >= limits.typo_length && isOneEditAway(part, word)) return 'typing error';
    if (part.startsWith(word) && LURES.test(part.slice(word.length))) return 'combination';
    if (part.endsWith(word) && LURES.test(part.slice(0, -word.length))) return 'combination';
  }
  return undefined;
}

function plain(label: string): string {
  let result = label.normalize('NFKD').replace(/\p{Mark}/gu, '');
  for (const [like, letter] of confusables) result = result.replaceAll(like, letter);
  return result;
}

function isTransposed(a: string, b: string): boolean {
  if (a.length !== b.length || a === b) return false;
  let at = 0;
  while (a[at] === b[at]) at++;
  return a[at] === b[at + 1] && a[at + 1] === b[at] && a.slice(at + 2) === b.slice(at + 2);
}

/** One letter wrong, missing or added. */
function isOneEditAway(a: string, b: string): boolean {
  if (a === b || Math.abs(a.length - b.length) > 1) return false;
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  return (
    a.slice(at + 1) === b.slice(at + 1) || a.slice(at + 1) === b.slice(at) || a.slice(at) === b.slice(at + 1)
  );
}
