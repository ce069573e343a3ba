import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endpoints } from '../../api/routes/v1.ts';
import { loadFiles } from '../../collector/load/load.ts';
import { linesOf, startTestApi, type TestApi } from '../support/api.ts';

const ALWAYS = 'since=1990-01-01';
let api: TestApi;
/** A name with addresses, asked for by a client. */
let name: string;
let client: string;

beforeAll(async () => {
  api = await startTestApi([]);
  const file = new URL('../fixtures/yaf2164-small.ipfix', import.meta.url).pathname;
  await loadFiles(api.database.url, [file], {});
  const { rows } = await api.database.pool.query<{ rrname: string; client: string }>(
    `select a.rrname, host(a.client) as client from asked a join rdata d on d.rrname = a.rrname
     where d.rdata_ip is not null and exists (select from rdata o where o.rdata_ip = d.rdata_ip and o.rrname <> d.rrname) order by 1, 2 limit 1`,
  );
  ({ rrname: name, client } = rows[0]!); // the file has some
});
afterAll(() => api.close());

const json = async (target: string, headers = {}) =>
  JSON.parse((await api.get(`/api/v1${target}`, headers)).body);
const post = (target: string, body: unknown) =>
  api.get(
    `/api/v1${target}`,
    { 'content-type': 'application/json' },
    'POST',
    typeof body === 'string' ? body : JSON.stringify(body),
  );

describe('/api/v1', () => {
  it('serves its document as OpenAPI 3.1, which is this one', async () => {
    const { status, body } = await api.get('/api/v1/openapi.json');
    expect(status).toBe(200);
    const document = JSON.parse(body);
    expect(
      Object.entries<object>(document.paths).flatMap(([path, methods]) =>
        Object.keys(methods).map(method => `${method} ${path}`),
      ),
    ).toEqual(expect.arrayContaining(endpoints.map(({ method, path }) => `${method} /api/v1${path}`)));
    await expect(`${JSON.stringify(document, null, 2)}\n`).toMatchFileSnapshot('openapi.snapshot');
  });

  it('serves a page to read', async () => {
    const { headers, body } = await api.get('/api/v1/');
    expect(headers['content-type']).toMatch('text/html');
    for (const { path } of endpoints) expect(body).toContain(`/api/v1${path}<`);
    expect(body).not.toContain('<script');
  });

  it('knows a name, its clients and the domain it is in', async () => {
    const found = await json(`/names/${name.toUpperCase()}`);
    const { rows } = await api.database.pool.query<{ first: Date; asked: number }>(
      'select min(time_first) as first, sum(count)::int as asked from asked where rrname = $1',
      [name],
    );
    expect(found).toMatchObject({ rrname: name, questions: rows[0]?.asked });
    expect(found.addresses.length).toBeGreaterThan(0);
    expect((await json(`/names/${name}/clients`)).items[0]).toMatchObject({
      time_first: rows[0]?.first.toISOString(),
    });
    const domain = await json(`/domains/${found.registered_domain}`);
    expect(domain.names).toBe(
      (await json(`/domains/${found.registered_domain}/names?limit=10000`)).items.length,
    );
    expect((await api.get('/api/v1/names/nosuch.example')).status).toBe(404);
  });

  it('pivots from a name to those it shares an address with, and who asked for them', async () => {
    const rrname = 'n0.example.';
    const { pool } = api.database;
    const { run } = (await pool.query<{ run: number }>('select public.use_hot_run() as run')).rows[0]!; // one row
    const name = `'n' || i || '.example.'`;
    for (const insert of [
      `rrset_${run} select now(), now(), 1, 1, 0, 8, ${name}, '192.0.2.7' from generate_series(0, 30) as i`,
      `rdata_${run} select now(), now(), 1, 1, 0, '192.0.2.7', ${name} from generate_series(0, 30) as i`,
      `asked_${run} select now(), now(), 2, current_date, 8, inet '10.0.0.0' + host, ${name}
       from generate_series(0, 20) as i, generate_series(1, 3) as host`,
    ])
      await pool.query(`insert into runs.${insert}`);
    const { items } = await json(`/pivot/${rrname}?limit=10000`);
    const { rows } = await pool.query(
      `select host(n.rdata_ip) as address, n.rrname, host(a.client) as client, a.questions::int, a.time_first, a.time_last
       from (
         select distinct o.rdata_ip, o.rrname from rdata d join rdata o using (rdata_ip) where d.rrname = $1 and o.rrname <> $1
       ) as n
       left join (
         select rrname, client, sum(count) as questions, min(time_first) as time_first, max(time_last) as time_last
         from asked group by rrname, client
       ) as a using (rrname)
       order by n.rdata_ip, n.rrname, a.time_first, a.client`,
      [rrname],
    );
    expect(rows).toHaveLength(20 * 3 + 10); // more names than it looks at first
    expect(items).toEqual(JSON.parse(JSON.stringify(rows)));
    for (const limit of [1, 3, 20])
      expect((await json(`/pivot/${rrname}?limit=${limit}`)).items).toEqual(items.slice(0, limit));
  });

  it.each([1, 7, 100])(
    'pages through records, %i at least at a time, without a gap or a double',
    async limit => {
      const all: unknown[] = [];
      for (let cursor = ''; ; ) {
        const { items, next } = await json(`/records?${ALWAYS}&limit=${limit}${cursor}`);
        all.push(...items);
        if (next === null) break;
        cursor = `&cursor=${next}`;
        if (all.length > 5000) break;
      }
      const { rows } = await api.database.pool.query<{ n: number }>(`select count(*)::int as n from dns_rr`);
      expect(all.length).toBe(rows[0]?.n);
      expect(all).toEqual((await json(`/records?${ALWAYS}&limit=10000`)).items);
    },
  );

  it('filters records', async () => {
    const { items } = await json(`/records?${ALWAYS}&name=${name}&client=${client}&type=A&limit=10000`);
    const { rows } = await api.database.pool.query<{ n: number }>(
      'select count(*)::int as n from dns_rr where rrname = $1 and client = $2 and rrtype = 1',
      [name, client],
    );
    expect([
      items.length,
      items.every((item: { rrname: string; rrtype: string }) => item.rrname === name && item.rrtype === 'A'),
    ]).toEqual([rows[0]?.n, true]);
    expect((await json(`/records?until=1990-01-01&${ALWAYS}`)).items).toEqual([]);
  });

  it('pages through clients and their names', async () => {
    for (const path of ['/clients', `/clients/${client}/names`]) {
      const all = await json(`${path}?${ALWAYS}&limit=10000`);
      const paged: unknown[] = [];
      let next: string | null = '';
      do {
        const page: { items: unknown[]; next: string | null } = await json(
          `${path}?${ALWAYS}&limit=1${next ? `&cursor=${next}` : ''}`,
        );
        paged.push(...page.items);
        next = page.next;
      } while (next !== null);
      expect(paged).toEqual(all.items);
    }
  });

  it('takes fifty thousand names at once, and tells those that were seen', async () => {
    const names = [...Array.from({ length: 49_999 }, (_, i) => `n${i}.nosuch.example`), name];
    const reply = await api.get(
      '/api/v1/lookup/names',
      { 'content-type': 'application/json', accept: 'application/x-ndjson' },
      'POST',
      JSON.stringify({ names }),
    );
    const rows = linesOf(reply.body);
    expect([rows.length, rows.filter(({ seen }) => seen).map(row => row.name)]).toEqual([50_000, [name]]);
    expect((await post('/lookup/names', { names: [...names, 'one.more'] })).status).toBe(400);
  });

  it('gives NDJSON and CSV by Accept', async () => {
    const ndjson = await api.get(`/api/v1/clients?${ALWAYS}`, { accept: 'application/x-ndjson' });
    expect([ndjson.headers['content-type'], linesOf(ndjson.body).length]).toEqual([
      'application/x-ndjson',
      (await json(`/clients?${ALWAYS}`)).items.length,
    ]);
    const csv = await api.get(`/api/v1/names/${name}`, { accept: 'text/csv' });
    expect(csv.headers['content-type']).toBe('text/csv; charset=utf-8');
    expect(csv.body).toMatch(
      /^rrname,registered_domain,time_first,time_last,questions,clients,addresses\r\n[^\r\n]+\r\n$/,
    );
  });

  it.each([
    ['/names/a..b', 400, /name: not a domain name/],
    ['/names/%FF%FE', 404, /never seen/],
    ['/names/*.example.com', 400, /wildcard/],
    ['/records?since=yesterday', 400, /since: no time/],
    ['/records?limit=0', 400, /limit/],
    ['/records?limit=1e99', 400, /limit/],
    ['/records?cursor=nonsense', 400, /cursor/],
    ['/records?cursor=WyIxJyBvciAxPTEiLCIxIl0', 400, /cursor/],
    ['/records?type=NONSENSE', 400, /type: unknown RR type/],
    ['/clients/192.0.2.0%2F24/names', 400, /address: not one address/],
    ['/nothing', 404, /no such path/],
  ])('tells what is wrong with %s as a problem', async (target, status, detail) => {
    const reply = await api.get(`/api/v1${target}`);
    expect([reply.status, reply.headers['content-type']]).toEqual([status, 'application/problem+json']);
    expect(JSON.parse(reply.body)).toEqual({
      type: 'about:blank',
      title: expect.any(String),
      status,
      detail: expect.stringMatching(detail),
    });
  });

  it.each<[string, unknown, number]>([
    ['no JSON', '{"names":', 400],
    ['no object', '[1]', 400],
    ['another type', { names: 'a' }, 400],
    ['a name that is none', { names: ['a', 'b..c'] }, 400],
    ['a body that is too large', `{"names":["${'a'.repeat(17e6)}"]}`, 413],
  ])('refuses a body with %s', async (_what, body, status) => {
    expect((await post('/lookup/names', body)).status).toBe(status);
  });

  it('refuses an Accept that it cannot please', async () => {
    expect((await api.get(`/api/v1/names/${name}`, { accept: 'image/png' })).status).toBe(406);
  });
});
