import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { setSettings } from '../../analytics/detect/configFile.ts';
import { listDetections } from '../../analytics/detect/list.ts';
import { detect } from '../../analytics/tasks/detect.ts';
import { addKey, revokeKey } from '../../api/keys.ts';
import { endpoints } from '../../api/routes/v1.ts';
import { loadFiles } from '../../collector/load/load.ts';
import { makeCorpus, writeCorpus } from '../corpus/corpus.ts';
import { startTestApi, type TestApi } from '../support/api.ts';

/** A day of a small network with attacks in it, through the collector and the detectors. */
const OPTIONS = { seed: 1, days: 1, clients: 10, scale: 0.1, copies: 1 };
const corpus = makeCorpus(OPTIONS);
const DAY = `since=${corpus.from.toISOString()}&until=${corpus.to.toISOString()}`;
const folder = mkdtempSync(join(tmpdir(), 'dnstrail-network-'));

let api: TestApi;
/** Somebody who tunnels, and who connects. */
let subject: { id: number; client: string };
let connection: { client: string; rrname: string; address: string };

beforeAll(async () => {
  api = await startTestApi([]);
  await writeCorpus(folder, OPTIONS);
  await setSettings(api.database.pool, { ...corpus.operator, burn_in_days: 0 });
  await loadFiles(api.database.url, [folder], { exporterName: 'sensor1' });
  await api.database.pool.query('analyze'); // as autovacuum does within a minute
  await detect(api.database.pool, { isUrgent: true });
  subject = (await json(`/detections?${DAY}&kind=tunnelling`)).items[0];
  connection = (await json(`/connections?${DAY}`)).items[0];
});
afterAll(async () => {
  await api.close();
  rmSync(folder, { recursive: true });
});

const json = async (target: string, headers = {}) =>
  JSON.parse((await api.get(`/api/v1${target}`, headers)).body);
const send = async (method: string, target: string, body?: unknown, headers: Record<string, string> = {}) => {
  const type = body === undefined ? {} : { 'content-type': 'application/json' };
  const reply = await api.get(`/api/v1${target}`, { ...type, ...headers }, method, JSON.stringify(body));
  return { status: reply.status, body: JSON.parse(reply.body) };
};
const one = async <Row extends object>(sql: string, values: unknown[] = []): Promise<Row> =>
  (await api.database.pool.query<Row>(sql, values)).rows[0]!; // every query here has one

/** All pages of a list, so many rows at a time. */
async function paged(target: string, limit: number): Promise<Record<string, unknown>[]> {
  const all: Record<string, unknown>[] = [];
  for (let cursor = ''; ; ) {
    const { items, next } = await json(`${target}&limit=${limit}${cursor}`);
    all.push(...items);
    if (next === null) return all;
    cursor = `&cursor=${next}`;
  }
}

describe('the document', () => {
  const bodies: Readonly<Record<string, unknown>> = {
    '/lookup/names': { names: ['corp.example', 'nosuch.example'] },
    '/lookup/addresses': { addresses: ['192.0.2.1'] },
    '/detections/{id}/status': { status: 'new' },
    '/mutes': { subject: 'quiet.example', reason: 'known', until: '1d' },
    '/what-if': { kind: 'nxdomain_burst', set: { domains: 500 } },
    '/resolvers': { network: '192.0.2.0/24' },
    '/settings': { facts_days: 90 },
  };

  it.each(endpoints.map(({ method, path }) => [method, path] as const))(
    'holds for the answer of %s %s',
    async (method, path) => {
      const document = await json('/openapi.json');
      const { isOne } = endpoints.find(each => each.path === path && each.method === method)!; // one of them
      if (path === '/mutes/{id}') await send('post', '/mutes', bodies['/mutes']);
      const mute = await one<{ id: number }>('select coalesce(max(mute_id), 0) as id from public.mute');
      if (path === '/mutes' && method === 'get') await send('post', '/mutes', bodies['/mutes']);
      const target = path
        .replace('{id}', String(path.startsWith('/mutes') ? mute.id : subject.id))
        .replace('{name}', connection.rrname)
        .replace('{address}', path.startsWith('/clients') ? connection.client : connection.address)
        .replace('{dimension}', 'domains')
        .replace('{network}', '192.0.2.0%2F24');
      const { since } = endpoints.find(each => each.path === path)!.input.shape;
      const query = path === '/suggest' ? 'q=1' : path === '/files' ? 'since=1d' : since ? DAY : '';
      const reply = await send(
        method,
        method === 'get' ? `${target}?${query}` : target,
        method === 'get' || method === 'delete' ? undefined : bodies[path],
      );
      expect(reply).toMatchObject({ status: 200 });
      const schema =
        document.paths[`/api/v1${path}`][method].responses['200'].content['application/json'].schema;
      expect(z.fromJSONSchema(schema).safeParse(reply.body).error?.issues).toBeUndefined();
      const known = Object.keys((isOne ? schema : schema.properties.items.items).properties);
      const rows: object[] = isOne ? [reply.body] : reply.body.items;
      const mayBeEmpty = /neighbours|pivot/.test(path);
      expect(rows.length).toBeGreaterThan(mayBeEmpty ? -1 : 0);
      for (const row of rows) expect(Object.keys(row).sort()).toEqual(expect.arrayContaining(known));
    },
  );
});

describe('traffic', () => {
  it.each(['minute', 'hour', 'day'])('adds up by the %s to all there was', async step => {
    const items = await paged(`/traffic?${DAY}&step=${step}`, 100);
    const sum = (key: string) => items.reduce((total, item) => total + Number(item[key]), 0);
    const { queries, responses, nxdomain, clients } = await one<Record<string, number>>(
      `select sum(queries)::int as queries, sum(responses)::int as responses, sum((rcodes ->> 'NXDOMAIN')::int)::int as nxdomain,
         (select count(distinct client)::int from public.client_hour) as clients from public.traffic_minute`,
    );
    expect([sum('queries'), sum('responses')]).toEqual([queries, responses]);
    const rcodes = items.map(item => (item.rcodes as Record<string, number>).NXDOMAIN ?? 0);
    expect(rcodes.reduce((a, b) => a + b)).toBe(nxdomain);
    expect(items.map(item => String(item.time))).toEqual([...items.map(item => String(item.time))].sort());
    if (step === 'day') expect(items).toMatchObject([{ clients }]);
  });

  it('chooses the step by the window', async () => {
    const times = async (until: string) =>
      (await json(`/traffic?since=2026-03-02&until=${until}`)).items.map((item: { time: string }) =>
        item.time.slice(11, 16),
      );
    expect(await times('2026-03-02T12:00:00Z')).toContain('09:01');
    expect((await times('2026-03-03')).every((time: string) => time.endsWith(':00'))).toBe(true);
    expect(await times('2026-05-03')).toEqual(['00:00']);
  });

  it('shows one sensor, and nothing of one that there is not', async () => {
    expect((await json(`/traffic?${DAY}&sensor=sensor1`)).items).toHaveLength(24);
    expect((await json(`/traffic?${DAY}&sensor=nosuch`)).items).toEqual([]);
    expect((await json(`/top/domains?${DAY}&sensor=nosuch`)).items).toEqual([]);
  });

  it.each([
    ['domains', `select value, lookups from public.traffic_top where dimension = 'domain'`],
    ['clients', 'select host(client) as value, asked as lookups from public.lookup_hour'],
    ['tlds', 'select tld as value, lookups from public.tld_hour'],
    ['types', 'select key as value, value::int as lookups from public.traffic_hour, jsonb_each_text(qtypes)'],
  ])('tells the top %s, and pages through them', async (dimension, sql) => {
    const { rows } = await api.database.pool.query(
      `select value, sum(lookups)::int as lookups from (${sql}) as all_of_them group by value order by 2 desc, value collate "C"`,
    );
    const found = await paged(`/top/${dimension}?${DAY}`, 7);
    expect(found.map(({ value, lookups }) => ({ value, lookups }))).toEqual(rows);
  });
});

describe('detections', () => {
  it('are those that there are, page by page, by any filter', async () => {
    const all = (await listDetections(api.database.pool)).length;
    expect(all).toBeGreaterThan(10);
    const found = await paged(`/detections?${DAY}`, 7);
    expect(found.length).toBe(all);
    expect(new Set(found.map(({ id }) => id)).size).toBe(all);
    const by = (query: string) => paged(`/detections?${DAY}&${query}`, 1000);
    const high = found.filter(({ severity }) => severity === 'high');
    expect(await by('severity=high')).toEqual(high);
    expect(await by('severity=info,low,medium,high&status=new,closed')).toEqual(found);
    expect(await by('kind=tunnelling,fast_flux')).toEqual(
      found.filter(({ kind }) => kind === 'tunnelling' || kind === 'fast_flux'),
    );
    expect(await by(`client=${subject.client}`)).toEqual(
      found.filter(({ client }) => client === subject.client),
    );
    expect(await json('/detections?since=1d')).toEqual({ items: [], next: null });
    const counted = (await json(`/detections/counts?${DAY}`)).items;
    expect(counted.reduce((sum: number, { count }: { count: number }) => sum + count, 0)).toBe(all);
  });

  it('of a domain are those of the names below it too', async () => {
    const { subject: domain } = await json(`/detections/${subject.id}`);
    const found = await paged(`/detections?${DAY}&subject=${domain}`, 100);
    expect(found.length).toBeGreaterThan(1);
    expect(found.every(each => `.${each.subject}`.endsWith(`.${domain}`))).toBe(true);
  });

  it('are explained, and shown window by window and by their rows', async () => {
    const found = await json(`/detections/${subject.id}`);
    expect(found).toMatchObject({
      kind: 'tunnelling',
      question: 'Which clients carry data in names?',
      explanation: expect.stringContaining('Shannon entropy'),
      evidence: expect.objectContaining({ names: expect.any(Number) }),
      thresholds: expect.objectContaining({ characters: 700 }),
    });
    const { rows } = await api.database.pool.query(found.query);
    const shown = await json(`/detections/${subject.id}/rows?limit=10000`);
    expect(shown.items).toEqual(JSON.parse(JSON.stringify(rows)));
    expect((await json(`/detections/${subject.id}/rows?limit=3`)).items).toEqual(shown.items.slice(0, 3));
    const csv = await api.get(`/api/v1/detections/${subject.id}/rows?limit=2`, { accept: 'text/csv' });
    expect(csv.body.split('\r\n')[0]).toBe(Object.keys(shown.items[0]).join(','));
    expect((await json(`/detections/${subject.id}/windows`)).items).toHaveLength(found.windows);
  });

  it('have rows that can be shown, of every kind', async () => {
    const found = await paged(`/detections?${DAY}`, 1000);
    for (const { id, kind } of new Map(found.map(each => [each.kind, each])).values())
      expect([kind, (await json(`/detections/${id}/rows`)).items?.length > 0]).toEqual([kind, true]);
  });

  it('get a status', async () => {
    expect(await send('post', `/detections/${subject.id}/status`, { status: 'closed' })).toEqual({
      status: 200,
      body: { id: subject.id, status: 'closed' },
    });
    expect((await json(`/detections/${subject.id}`)).status).toBe('closed');
    expect((await paged(`/detections?${DAY}&status=closed`, 10)).map(({ id }) => id)).toEqual([subject.id]);
    await send('post', `/detections/${subject.id}/status`, { status: 'new' });
  });

  it('are silenced by a mute, until it ends', async () => {
    const { status, body } = await send('post', '/mutes', {
      kind: 'tunnelling',
      client: `${subject.client}/32`,
      reason: 'ours',
      until: '7d',
    });
    expect([status, body]).toEqual([200, expect.objectContaining({ author: 'local', subject: null })]);
    expect((new Date(body.expires_at).getTime() - Date.now()) / 86_400_000).toBeCloseTo(7, 1);
    const ids = async (muted: string) =>
      (await paged(`/detections?${DAY}&muted=${muted}`, 1000)).map(({ id }) => id);
    expect([await ids('no'), await ids('yes')]).toEqual([
      expect.not.arrayContaining([subject.id]),
      [subject.id],
    ]);
    expect(await ids('all')).toContain(subject.id);
    expect(await send('delete', `/mutes/${body.id}`)).toEqual({ status: 200, body: { id: body.id } });
    expect(await ids('no')).toContain(subject.id);
    expect((await send('delete', `/mutes/${body.id}`)).status).toBe(404);
  });

  it('would be others with other thresholds, of which nothing is stored', async () => {
    const before = await one('select count(*) from public.detection');
    const { body } = await send('post', '/what-if', { kind: 'tunnelling', set: { characters: 1e6 } });
    expect(body).toMatchObject({ kind: 'tunnelling', after: 0, added: [], windows: 1 });
    expect(body.gone.map(({ client }: { client: string }) => client)).toContain(subject.client);
    expect(await one('select count(*) from public.detection')).toEqual(before);
    expect((await json('/settings')).thresholds.tunnelling.characters).toBe(700);
  });

  it('are of kinds that the manual explains', async () => {
    const { items } = await json('/kinds');
    expect(items).toHaveLength(13);
    for (const page of items)
      expect(page).toMatchObject({
        question: expect.stringMatching(/\?$/),
        explanation: expect.stringMatching(/.{50}/),
        thresholds: expect.arrayContaining([expect.objectContaining({ meaning: expect.any(String) })]),
      });
    expect(Object.keys((await json('/settings')).thresholds).sort()).toEqual(
      items.map(({ kind }: { kind: string }) => kind).sort(),
    );
  });
});

describe('clients, resolvers and addresses', () => {
  it('knows what only one client asked for', async () => {
    const found = await paged(`/clients/${subject.client}/unusual?${DAY}`, 100);
    const { rows } = await api.database.pool.query<{ rrname: string }>(
      `select rrname from asked group by rrname having count(distinct client) = 1 and min(host(client)) = $1 order by rrname collate "C"`,
      [subject.client],
    );
    expect(found.map(({ rrname }) => rrname)).toEqual(rows.map(({ rrname }) => rrname));
    expect(found.length).toBeGreaterThan(30);
  });

  it('adds up a client', async () => {
    const found = await json(`/clients/${subject.client}?${DAY}`);
    expect(found).toMatchObject(
      await one(
        'select sum(count)::int as questions, count(distinct rrname)::int as names from asked where client = $1',
        [subject.client],
      ),
    );
    const hours = await paged(`/clients/${subject.client}/activity?${DAY}`, 3);
    expect(hours.reduce((sum, { lookups }) => sum + Number(lookups), 0)).toBe(found.lookups);
    expect(JSON.parse((await api.get('/api/v1/clients/192.0.2.250')).body)).toMatchObject({
      questions: 0,
      names: 0,
      time_first: null,
    });
  });

  it('tells who connected, by the most octets', async () => {
    const found = await paged(`/connections?${DAY}`, 50);
    expect(found.map(({ octets }) => octets)).toEqual(
      found.map(({ octets }) => Number(octets)).sort((a, b) => b - a),
    );
    expect({ n: found.length }).toEqual(await one('select count(*)::int as n from connection'));
    for (const [key, value] of Object.entries({
      client: connection.client,
      address: connection.address,
      name: connection.rrname,
    })) {
      const some = await paged(`/connections?${DAY}&${key}=${value}`, 1000);
      expect(some).toEqual(found.filter(row => row[key === 'name' ? 'rrname' : key] === value));
    }
  });

  it('tells what was resolved and never connected to', async () => {
    const [since, until] = ['2026-03-02T09:00:00Z', '2026-03-02T10:00:00Z'];
    const { n } = await one<{ n: number }>('select count(*)::int as n from unconnected_names($1, $2)', [
      since,
      until,
    ]);
    const found = await paged(`/unconnected?since=${since}&until=${until}`, 25);
    expect([found.length, found.length > 25]).toEqual([n, true]);
    expect((await api.get('/api/v1/unconnected?since=2026-03-01&until=2026-03-09')).status).toBe(400);
  });

  it('pages through flows, and filters them', async () => {
    const query = `/flows?${DAY}&client=${connection.client}&address=${connection.address}`;
    const found = await paged(query, 3);
    const { n } = await one<{ n: number }>(
      'select count(*)::int as n from flow where src = $1 and dst = $2',
      [connection.client, connection.address],
    );
    expect([found.length, new Set(found.map(({ flow_id }) => flow_id)).size]).toEqual([n, n]);
  });

  it('tells the names on an address and beside it', async () => {
    const found = await json(`/addresses/${connection.address}`);
    const names = await paged(`/addresses/${connection.address}/names?${DAY}`, 1);
    expect(new Set(names.map(({ rrname }) => rrname)).size).toBe(found.names);
    const { address } = await one<{ address: string }>(
      `select min(host(rdata_ip)) as address from rdata where family(rdata_ip) = 4
       group by network(set_masklen(rdata_ip, 24)) having count(distinct rdata_ip) > 2 limit 1`,
    );
    const beside = await paged(`/addresses/${address}/neighbours?since=2026-03-01`, 2);
    const { n } = await one<{ n: number }>(
      `select count(*)::int as n from (select distinct rdata_ip, rrname from rdata where rdata_ip <<= network(set_masklen($1::inet, 24)) and rdata_ip <> $1) as r`,
      [address],
    );
    expect(beside.length).toBe(n);
    expect(JSON.parse((await api.get('/api/v1/addresses/192.0.2.250')).body)).toMatchObject({
      names: 0,
      flows: 0,
      questions: 0,
      time_last: null,
    });
  });

  it('approves resolvers and withdraws them', async () => {
    const approved = async () =>
      (await paged(`/resolvers?${DAY}`, 5))
        .filter(({ approved }) => approved)
        .map(({ resolver }) => resolver);
    const before = await approved();
    const rogue = (await paged(`/resolvers?${DAY}`, 100)).find(({ approved }) => !approved)?.resolver;
    await send('post', '/resolvers', { network: `${rogue}/32` });
    expect((await approved()).sort()).toEqual([...before, rogue].sort());
    expect((await send('delete', `/resolvers/${rogue}%2F32`)).status).toBe(200);
    expect(await approved()).toEqual(before);
  });

  it('lists top-level domains', async () => {
    const found = await paged(`/tlds?${DAY}`, 2);
    expect(found.map(({ tld, lookups }) => ({ tld, lookups }))).toEqual(
      (
        await api.database.pool.query(
          'select tld, sum(lookups)::int as lookups from tld_hour group by 1 order by 2 desc, 1',
        )
      ).rows,
    );
    expect((await paged(`/tlds?${DAY}&exists=false`, 9)).every(({ exists }) => exists === false)).toBe(true);
  });
});

describe('suggestions', () => {
  it.each([
    ['10.0.', 'client', /^10\.0\./],
    ['1', 'client', /^1/],
    ['CORP.EX', 'name', /^corp\.ex/],
    ['www.', 'name', /^www\./],
  ])('for %s are %ss that begin so', async (q, kind, pattern) => {
    const { items } = await json(`/suggest?q=${encodeURIComponent(q)}&limit=5`);
    const some = items.filter((item: { kind: string }) => item.kind === kind);
    expect(some.length).toBeGreaterThan(0);
    expect(some.length).toBeLessThanOrEqual(5);
    for (const { value } of items) expect(value).toMatch(pattern);
  });

  it('are registered domains that begin so, before names', async () => {
    const { domain } = await one<{ domain: string }>('select min(domain) as domain from known_domain');
    const { items } = await json(`/suggest?q=${domain.slice(0, -2)}`);
    expect(items[0]).toEqual({ kind: 'domain', value: domain });
  });

  it('find every address by each beginning of it', async () => {
    const { rows } = await api.database.pool.query<{ address: string }>(
      `(select distinct host(rdata_ip) as address from rdata where family(rdata_ip) = 4 limit 3)
       union all (select distinct host(rdata_ip) from rdata where family(rdata_ip) = 6 limit 3)`,
    );
    expect(rows.length).toBeGreaterThan(3);
    for (const { address } of rows)
      for (const length of [address.length - 2, address.length - 1, address.length]) {
        const { items } = await json(`/suggest?q=${encodeURIComponent(address.slice(0, length))}&limit=50`);
        expect([address, length, items]).toEqual([
          address,
          length,
          expect.arrayContaining([{ kind: 'address', value: address }]),
        ]);
      }
  });

  it.each(['%', "'--", '999.1', '1.2.3.4.5', ':::::', '\\', 'ä', '10..1', '0300'])(
    'for %s are none, and no error',
    async q => {
      expect(await json(`/suggest?q=${encodeURIComponent(q)}`)).toEqual({ items: [], next: null });
    },
  );
});

describe('what came in', () => {
  it('closes: each file with what became of it', async () => {
    const { items } = await json('/files?since=1d');
    expect(items).toMatchObject([{ exporter: 'sensor1', status: 'loaded', balanced: true, kind: 'load' }]);
    expect((await json('/files?since=1d&status=failed,partial')).items).toEqual([]);
    expect((await json('/exporters')).items).toMatchObject([
      { exporter: 'sensor1', files: 1, sequence_gaps: 0, data_records: items[0].data_records },
    ]);
  });

  it('is seen arriving', async () => {
    const first = await json('/health/ingest');
    expect(first).toMatchObject({
      files_loading: 0,
      records_first: '2026-03-02T00:00:00.000Z',
      exporters: [{ exporter: 'sensor1', lag_seconds: null }],
    });
    expect(first.disk_bytes === null || first.disk_bytes > first.disk_free_bytes).toBe(true);
  });
});

describe('settings', () => {
  it('change by what is named, and are looked at again', async () => {
    const before = await json('/settings');
    const { body } = await send('patch', '/settings', {
      thresholds: { tunnelling: { names: 40 } },
      own_suffixes: null,
    });
    expect(body.changed.sort()).toEqual(['own_suffixes', 'thresholds']);
    const after = await json('/settings');
    expect([after.own_suffixes, after.thresholds.tunnelling.names]).toEqual([[], 40]);
    expect(after.own_networks).toEqual(before.own_networks);
    await send('patch', '/settings', { thresholds: null, own_suffixes: before.own_suffixes });
    expect(await json('/settings')).toEqual(before);
  });

  it('do not tell the secret of the webhook', async () => {
    const webhook = { url: 'http://127.0.0.1:9/', secret: 'a secret of sixteen', least_severity: 'high' };
    await send('patch', '/settings', { webhook });
    const { body } = await api.get('/api/v1/settings');
    expect(body).toContain('127.0.0.1:9');
    expect(body).not.toContain('sixteen');
    const client = await api.database.pool.connect();
    for (const role of ['dnstrail_api', 'dnstrail_analyst']) {
      await client.query(`set role ${role}`);
      expect((await client.query(`select from public.setting where name = 'webhook'`)).rowCount).toBe(0);
      expect((await client.query('select from public.setting')).rowCount).toBeGreaterThan(0);
    }
    await client.query('reset role');
    client.release();
    await send('patch', '/settings', { webhook: null });
  });
});

describe('who may write', () => {
  it('is who has a key for it', async () => {
    const keys = {
      read: await addKey(api.database.pool, { name: 'reader', scopes: ['read'] }),
      analyse: await addKey(api.database.pool, { name: 'alice', scopes: ['analyse'] }),
      admin: await addKey(api.database.pool, { name: 'root', scopes: ['admin'] }),
    };
    const status = async (key: keyof typeof keys, method: string, target: string, body?: unknown) =>
      (await send(method, target, body, { 'x-api-key': keys[key] })).status;
    const mute = { subject: 'a.example', reason: 'known', until: '1d' };
    const mark = `/detections/${subject.id}/status`;
    expect([
      await status('read', 'post', mark, { status: 'new' }),
      await status('read', 'post', '/mutes', mute),
      await status('read', 'post', '/what-if', { kind: 'tunnelling', set: { names: 1 } }),
      await status('analyse', 'patch', '/settings', {}),
      await status('analyse', 'post', '/resolvers', { network: '192.0.2.1' }),
      await status('analyse', 'post', mark, { status: 'new' }),
      await status('admin', 'patch', '/settings', {}),
      await status('admin', 'get', '/settings'),
    ]).toEqual([401, 401, 401, 401, 401, 200, 200, 200]);
    const { body } = await send('post', '/mutes', mute, { 'x-api-key': keys.analyse });
    expect(body.author).toBe('alice');
    for (const name of ['reader', 'alice', 'root']) await revokeKey(api.database.pool, name);
    await api.database.pool.query('delete from public.api_key');
  });

  it('is no page of another site', async () => {
    const mark = `/detections/${subject.id}/status`;
    const from = async (site: string) =>
      (await send('post', mark, { status: 'new' }, { 'sec-fetch-site': site })).status;
    expect([await from('cross-site'), await from('same-site'), await from('same-origin')]).toEqual([
      403, 403, 200,
    ]);
  });
});
