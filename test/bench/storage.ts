import pg from 'pg';
import { type Figure, figure, type Result, result } from './measure.ts';
import type { StoredStream } from './scale.ts';

/** Views of the deduplicated tiers, and the text of one of their rows. */
const tiers = {
  rrset: `octet_length(rrname) + octet_length(array_to_string(rdata, ' '))`,
  rdata: 'octet_length(rrname) + coalesce(octet_length(rdata_name), 0)',
  asked: 'octet_length(rrname)',
  dns_name: 'octet_length(rrname)',
} as const;

/** What an RR takes on the disk, and a record of each deduplicated tier, when nothing is left to do. */
export async function storage(stored: StoredStream, { rrs }: { readonly rrs: number }): Promise<Result> {
  await stored.fill(rrs);
  await stored.settle();
  const client = new pg.Client({ connectionString: stored.url });
  await client.connect();
  try {
    const results = [...(await rawFigures(client)), ...(await tierFigures(client))];
    const { rows } = await client.query<{ bytes: string }>(
      'select pg_database_size(current_database()) as bytes',
    );
    const total = Number(rows[0]!.bytes); // one row
    const recipe = await stored.recipe({
      raw: 'all partitions sealed; indexes included unless it says "rows"',
      tiers:
        'runs merged until none is due; octets of tables and indexes by distinct record of the view; ' +
        'text: its names and values once; beyond text: the difference',
    });
    return result('storage', recipe, [
      ...results,
      figure('the whole database', 'MB', [total / 1e6]),
      figure('the whole database, by RR', 'B', [total / stored.rrs]),
    ]);
  } finally {
    await client.end();
  }
}

async function rawFigures(client: pg.Client): Promise<Figure[]> {
  const { rows } = await client.query<{ parent: string; table_bytes: string; bytes: string; rows: string }>(
    `select parent, sum(table_bytes) as table_bytes, sum(bytes) as bytes,
       case parent
         when 'flow' then (select sum(flows) from public.ipfix_file)
         when 'dns_rr' then (select sum(rrs) from public.ipfix_file)
       end as rows
     from public.partition group by parent having sum(table_bytes) > 0 order by parent`,
  );
  return rows.flatMap(row => {
    const [what, count] = [row.parent === 'flow' ? 'flow' : 'RR', Number(row.rows)];
    return [
      figure(`raw ${what}, with indexes`, 'B', [Number(row.bytes) / count]),
      figure(`raw ${what}, rows`, 'B', [Number(row.table_bytes) / count]),
    ];
  });
}

async function tierFigures(client: pg.Client): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const [tier, text] of Object.entries(tiers)) {
    const { rows } = await client.query<{ records: string; text: number; pieces: string; bytes: string }>(
      `select records, text, (select count(*) from public.${tier}_gravel) as pieces,
         (select sum(pg_total_relation_size(inhrelid)) from pg_inherits where inhparent = 'public.${tier}_gravel'::regclass) as bytes
       from (select count(*) as records, avg(${text})::float8 as text from public.${tier}) as view`,
    );
    const { records, text: averageText, pieces, bytes } = rows[0]!; // one row
    const perRecord = Number(bytes) / Number(records);
    figures.push(
      figure(`${tier}, beyond its text`, 'B per record', [perRecord - averageText]),
      figure(`${tier}, with indexes`, 'B per record', [perRecord]),
      figure(`${tier}, text`, 'B per record', [averageText]),
      figure(`${tier}, records`, 'records', [Number(records)]),
      figure(`${tier}, rows of a record`, 'rows', [Number(pieces) / Number(records)]),
      figure(`${tier}, with indexes, of a row`, 'B', [Number(bytes) / Number(pieces)]),
    );
  }
  return figures;
}
