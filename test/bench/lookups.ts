import pg from 'pg';
import { type Figure, figure, quantile, type Result, result, timed } from './measure.ts';
import type { StoredStream } from './scale.ts';
import { ZONE_PATTERN } from './stream.ts';

const LIKE_TIMEOUT_MS = 120_000;
/** Of a page of the API. */
const MOST_RAW_ROWS = 1000;

/** What lookups ask about, picked from what is stored. */
interface Subject {
  readonly name: string;
  readonly zone: string;
  readonly client: string;
  readonly day: string;
  readonly address: string;
  readonly target: string;
}

interface SearchPath {
  readonly name: string;
  readonly sql: string;
  readonly values: (subject: Subject) => readonly string[];
  /** Whether the goals name it. */
  readonly isGoal?: true;
}

const firstLabel = ({ zone }: Subject): string => zone.slice(0, zone.indexOf('.'));

const valuesBelow = `
  select value as rdata, sum(count) from public.rrsets_below($1), unnest(rdata) as value group by value order by 2 desc`;

const searchPaths: readonly SearchPath[] = [
  {
    name: 'exact name',
    sql: 'select * from public.rrset where rrname = $1',
    values: ({ name }) => [name],
    isGoal: true,
  },
  {
    name: '*.domain',
    sql: 'select * from public.rrsets_below($1)',
    values: ({ zone }) => [zone],
    isGoal: true,
  },
  {
    name: 'www.domain.*',
    sql: 'select * from public.rrsets_beginning($1)',
    values: subject => [`www.${firstLabel(subject)}`],
  },
  {
    name: 'rdata, name',
    sql: 'select * from public.rdata where rdata_name = $1',
    values: ({ target }) => [target],
  },
  {
    name: 'rdata, IP',
    sql: 'select * from public.rdata where rdata_ip = $1',
    values: ({ address }) => [address],
    isGoal: true,
  },
  {
    name: 'rdata, CIDR /24',
    sql: 'select * from public.rdata_in($1)',
    values: ({ address }) => [`${address}/24`],
    isGoal: true,
  },
  {
    name: 'rdata, range of 64',
    sql: 'select * from public.rdata_between($1, $1::inet + 63)',
    values: ({ address }) => [address],
  },
  {
    name: 'client + day',
    sql: 'select * from public.asked where client = $1 and day = $2',
    values: ({ client, day }) => [client, day],
    isGoal: true,
  },
  {
    name: 'who asked',
    sql: 'select * from public.first_asked($1)',
    values: ({ name }) => [name],
  },
  {
    name: `raw, name in a day, ${MOST_RAW_ROWS} rows`,
    sql: `select * from public.dns_rr
      where rrname = $1 and time >= $2::timestamptz and time < $2::timestamptz + interval '1 day' limit ${MOST_RAW_ROWS}`,
    values: ({ name, day }) => [name, day],
  },
  {
    name: 'names, substring',
    sql: `select * from public.dns_name where rrname like '%' || $1 || '%'`,
    values: subject => [firstLabel(subject)],
  },
  {
    name: 'names, regular expression',
    sql: 'select * from public.dns_name where rrname ~ $1',
    values: subject => [`^(www|m)\\.${firstLabel(subject)}[0-9]?\\.`],
  },
  { name: '*.domain by value', sql: valuesBelow, values: ({ zone }) => [zone] },
];

/**
 * Each way of searching, cold and warm, for many subjects, half of them by how often they are in the records, half of them
 * all alike; and what the old question costs.
 */
export async function lookups(
  stored: StoredStream,
  { rrs, subjects: count }: { readonly rrs: number; readonly subjects: number },
): Promise<Result> {
  await stored.fill(rrs);
  await stored.settle();
  const subjects = await withClient(stored, client => pickSubjects(client, count / 2));
  const popular = subjects[0]!.zone; // pickSubjects() puts it there
  const measured: Measured[] = [];
  let isDropped = true;
  for (const path of searchPaths) {
    isDropped = (await stored.restart()) && isDropped;
    measured.push(await withClient(stored, client => measure(client, path, subjects)));
  }
  const old = await withClient(stored, client => askOldQuestion(client, popular));
  const recipe = await stored.recipe({
    subjects:
      `${subjects.length}: half as often as they are in the records, half from all names, clients and values alike; ` +
      'each cold, then all again; through pg, one statement each, not prepared, rows received',
    cold: `after a restart of the server before each way of searching, its files ${isDropped ? '' : 'not '}dropped from the cache of the operating system`,
    oldQuestion: `values of names below ${popular}, the most popular, and how often each was seen`,
  });
  const slowest = Math.max(
    ...measured.flatMap(({ path, warm }) => (path.isGoal ? [quantile(warm, 0.95)] : [])),
  );
  return result(
    'lookups',
    recipe,
    [
      figure('p95 warm, the slowest of those in the goal', 'ms', [slowest]),
      ...measured.flatMap(figuresOf),
      ...old.figures,
    ],
    old.absent,
  );
}

interface Measured {
  readonly path: SearchPath;
  readonly cold: readonly number[];
  readonly warm: readonly number[];
  readonly rows: readonly number[];
}

async function measure(client: pg.Client, path: SearchPath, subjects: readonly Subject[]): Promise<Measured> {
  const rows: number[] = [];
  const ask = async (): Promise<number[]> => {
    const milliseconds: number[] = [];
    for (const subject of subjects) {
      const { seconds } = await timed(async () => {
        const { rowCount } = await client.query(path.sql, [...path.values(subject)]);
        rows.push(rowCount ?? 0);
      });
      milliseconds.push(seconds * 1000);
    }
    return milliseconds;
  };
  return { path, cold: await ask(), warm: await ask(), rows };
}

function figuresOf({ path, cold, warm, rows }: Measured): Figure[] {
  const of = (values: readonly number[], when: string, unit: string) =>
    [50, 95, 99].map(percent =>
      figure(`${path.name}: p${percent}${when}`, unit, [quantile(values, percent / 100)]),
    );
  return [...of(warm, ' warm', 'ms'), ...of(cold, ' cold', 'ms'), ...of(rows, '', 'rows')];
}

/** "Which values do the names below a popular domain have, and how often?", of the tier and of the raw records. */
async function askOldQuestion(
  client: pg.Client,
  zone: string,
): Promise<{ figures: Figure[]; absent: string[] }> {
  const runs: number[] = [];
  for (let run = 0; run < 20; run++)
    runs.push((await timed(() => client.query(valuesBelow, [zone]))).seconds * 1000);
  const tier = figure('the old question: rrset', 'ms', runs);
  await client.query(`set statement_timeout = ${LIKE_TIMEOUT_MS}`);
  try {
    const { seconds } = await timed(() =>
      client.query(
        'select rdata, count(*) from public.dns_rr where rrname like $1 and rdata is not null group by rdata order by 2 desc',
        [`%.${zone}`],
      ),
    );
    return { figures: [tier, figure('the old question: dns_rr, like', 'ms', [seconds * 1000])], absent: [] };
  } catch (error) {
    if (!(error instanceof pg.DatabaseError && error.code === '57014')) throw error; // query_canceled
    return { figures: [tier], absent: [`the old question of dns_rr: takes more than ${LIKE_TIMEOUT_MS} ms`] };
  }
}

/** The same for the same stream and size. The first one's zone is the most popular. */
async function pickSubjects(client: pg.Client, half: number): Promise<Subject[]> {
  const { rows: size } = await client.query<{ percent: number }>(
    `select least(100, 100.0 * 2000 / greatest(1, sum(pg_relation_size(relid) / 8192)))::float8 as percent
     from pg_partition_tree('public.dns_rr') where isleaf`,
  );
  const sampled = `public.dns_rr tablesample system (${size[0]!.percent}) repeatable (1)`; // one row
  const pick = async (values: string, from: string, where: string): Promise<string[]> => {
    const { rows } = await client.query<{ value: string }>(
      `select value from (select ${values} as value from ${from} where ${where}) as picked
       order by hashtextextended(value || row_number() over (), 1), value limit ${half}`,
    );
    if (rows.length < half) throw new Error(`only ${rows.length} of ${values}`);
    return rows.map(({ value }) => value);
  };
  const zoneOf = (name: string) => `substring(${name} from '${ZONE_PATTERN}')`;
  const both = async (often: Promise<string[]>, alike: Promise<string[]>) => [
    ...(await often),
    ...(await alike),
  ];
  const names = await both(
    pick('rrname', sampled, 'rrname is not null'),
    pick('distinct rrname', 'public.dns_name_gravel', 'true'),
  );
  const zones = await both(
    pick(zoneOf('rrname'), sampled, `rrname ~ '${ZONE_PATTERN}'`),
    pick(`distinct ${zoneOf('rrname')}`, 'public.rrset_gravel', `rrname ~ '${ZONE_PATTERN}'`),
  );
  const clients = await both(
    pick('host(client)', sampled, 'true'),
    pick('distinct host(client)', sampled, 'true'),
  );
  const addresses = await both(
    pick('host(rdata_ip)', sampled, 'family(rdata_ip) = 4'),
    pick('distinct host(rdata_ip)', 'public.rdata_gravel', 'family(rdata_ip) = 4'),
  );
  const targets = await both(
    pick('rdata', sampled, 'rrtype in (2, 5, 12) and rdata is not null'),
    pick('distinct rdata_name', 'public.rdata_gravel', 'rdata_name is not null'),
  );
  const { rows: days } = await client.query<{ day: string }>(
    `select day::text from public.partition where parent = 'dns_rr' and table_bytes > 0 order by day`,
  );
  const { rows: popular } = await client.query<{ zone: string }>(
    `select ${zoneOf('rrname')} as zone from ${sampled} where rrname ~ '${ZONE_PATTERN}'
     group by zone order by count(*) desc limit 1`,
  );
  zones[0] = popular[0]!.zone;
  return names.map((name, i) => ({
    name,
    zone: zones[i]!, // as many of each
    client: clients[i]!,
    day: days[i % days.length]!.day,
    address: addresses[i]!,
    target: targets[i]!,
  }));
}

async function withClient<T>(stored: StoredStream, run: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: stored.url });
  await client.connect();
  try {
    return await run(client);
  } finally {
    await client.end();
  }
}
