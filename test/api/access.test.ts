import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { analyst } from '../../analytics/analyst.ts';
import { addKey, listKeys, revokeKey } from '../../api/keys.ts';
import { startApi } from '../../api/main.ts';
import { linesOf, startTestApi, type TestApi } from '../support/api.ts';
import { knownRecords } from '../support/passiveDns.ts';
import { eventually, freePort } from '../support/processes.ts';

const LOOKUP = '/dnsdb/v2/lookup/rrset/name/www.example.com/A';
let api: TestApi;
beforeEach(async () => {
  api = await startTestApi(knownRecords);
});
afterEach(() => api.close());

const basic = (user: string, password: string) => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
});
const status = async (target: string, headers = {}) => (await api.get(target, headers)).status;

describe('without any key', () => {
  it('answers programs on this machine, whatever key they send', async () => {
    expect(await status(LOOKUP)).toBe(200);
    expect(await status(LOOKUP, { 'X-Api-Key': 'any' })).toBe(200);
    expect(await status('/pdns/query/example.com', basic('user', 'pw'))).toBe(200);
  });

  it.each([
    ['through a proxy', { 'x-forwarded-for': '203.0.113.9' }],
    ['through a proxy of RFC 7239', { forwarded: 'for=203.0.113.9' }],
    ['from a page led here under another name', { host: 'rebound.example:8053' }],
  ])('refuses what comes %s', async (_what, headers) => {
    expect(await status(LOOKUP, headers)).toBe(403);
  });

  it('does not listen for others', async () => {
    const start = startApi({ databaseUrl: api.database.url, listen: { host: '0.0.0.0', port: 0 }, analyst });
    await expect(start).rejects.toThrow(/will not serve 0\.0\.0\.0:0 to others without a key/);
    await addKey(api.database.pool, { name: 'one' });
    const open = await startApi({
      databaseUrl: api.database.url,
      listen: { host: '0.0.0.0', port: 0 },
      analyst,
    });
    await open.close();
    await revokeKey(api.database.pool, 'one');
    await expect(
      startApi({ databaseUrl: api.database.url, listen: { host: '::', port: 0 }, analyst }),
    ).rejects.toThrow(/without a key/);
  });
});

describe('with a key', () => {
  it('needs it, in any of its places', async () => {
    const key = await addKey(api.database.pool, { name: 'alice' });
    expect(await api.get(LOOKUP)).toMatchObject({ status: 403, body: 'Error: Bad API key\n' });
    expect(await status(LOOKUP, { 'X-API-Key': 'wrong' })).toBe(403);
    for (const headers of [
      { 'X-API-Key': key },
      { 'x-api-key': key },
      { authorization: `Bearer ${key}` },
      { authorization: key },
      basic('alice', key),
    ])
      expect([await status(LOOKUP, headers), await status('/pdns/query/example.com', headers)]).toEqual([
        200, 200,
      ]);
    expect(await status(LOOKUP, basic('bob', key))).toBe(403);
    expect(await api.get('/pdns/query/example.com', basic('alice', 'wrong'))).toMatchObject({
      status: 401,
      headers: { 'www-authenticate': 'Basic realm="dnstrail"' },
      body: 'Error: Bad API key\n',
    });
    expect(await status('/dnsdb/v2/ping')).toBe(200);
  });

  it('forgets a revoked one, and stays closed without another', async () => {
    const key = await addKey(api.database.pool, { name: 'alice' });
    expect(await status(LOOKUP, { 'x-api-key': key })).toBe(200);
    await revokeKey(api.database.pool, 'alice');
    await eventually(
      'the key to be refused',
      async () => (await status(LOOKUP, { 'x-api-key': key })) === 403 || undefined,
    );
    expect(await status(LOOKUP)).toBe(403);
  });

  it('checks the path before the key, the key before Accept, Accept before parameters', async () => {
    const key = await addKey(api.database.pool, { name: 'alice' });
    const wrong = '/dnsdb/v2/lookup/rrset/name/www.example.com/NONSENSE?limit=x';
    expect(await status('/dnsdb/v2/nonsense')).toBe(404);
    expect(await status(wrong, { accept: 'text/html' })).toBe(403);
    expect(await status(wrong, { accept: 'text/html', 'x-api-key': key })).toBe(415);
    expect(await status(wrong, { accept: 'application/json;q=0, application/*', 'x-api-key': key })).toBe(
      400,
    );
  });

  it('counts a quota, shows what is left, and says 429 when it is used up', async () => {
    const key = await addKey(api.database.pool, {
      name: 'alice',
      quota: { requests: 2, seconds: 86_400 },
      resultsMax: 1,
      offsetMax: 5,
    });
    const headers = { 'x-api-key': key };
    const reset = (Math.floor(Date.now() / 86_400_000) + 1) * 86_400;
    const rate = async () => linesOf((await api.get('/dnsdb/v2/rate_limit', headers)).body)[0]?.rate;
    expect(await rate()).toEqual({ reset, limit: 2, remaining: 2, results_max: 1, offset_max: 5 });
    expect(await status(`${LOOKUP}?limit=x`, headers)).toBe(400); // is not charged
    const first = await api.get(LOOKUP, headers);
    expect(first.headers).toMatchObject({
      'x-ratelimit-limit': '2',
      'x-ratelimit-remaining': '1',
      'x-ratelimit-reset': String(reset),
    });
    expect(linesOf(first.body).at(-1)).toEqual({ cond: 'limited', msg: 'Result limit reached' });
    expect(await status(`${LOOKUP}?offset=6`, headers)).toBe(416);
    expect(await status(LOOKUP, headers)).toBe(200);
    expect(await api.get(LOOKUP, headers)).toMatchObject({
      status: 429,
      body: 'Error: Rate limit exceeded\n',
    });
    expect(await status('/pdns/query/example.com', headers)).toBe(429);
    expect(await rate()).toMatchObject({ remaining: 0 });
  });

  it('counts many at once exactly', async () => {
    const key = await addKey(api.database.pool, { name: 'alice', quota: { requests: 10, seconds: null } });
    const all = await Promise.all(Array.from({ length: 25 }, () => status(LOOKUP, { 'x-api-key': key })));
    expect(all.filter(code => code === 200)).toHaveLength(10);
    expect(all.filter(code => code === 429)).toHaveLength(15);
  });

  it('refuses an expired one with 401, and one without the burst left with 429', async () => {
    const expired = await addKey(api.database.pool, { name: 'old', expiresAt: new Date(Date.now() - 1000) });
    expect(await api.get(LOOKUP, { 'x-api-key': expired })).toMatchObject({
      status: 401,
      body: 'Error: Quota is expired\n',
    });
    const slow = await addKey(api.database.pool, {
      name: 'slow',
      burst: { requests: 1, seconds: 1_000_000 },
    });
    expect([
      await status(LOOKUP, { 'x-api-key': slow }),
      await status(LOOKUP, { 'x-api-key': slow }),
    ]).toEqual([200, 429]);
    expect((await api.get('/dnsdb/v2/rate_limit', { 'x-api-key': slow })).body).toContain(
      '"burst_size":1,"burst_window":1000000',
    );
  });

  it('stores no key', async () => {
    const key = await addKey(api.database.pool, { name: 'alice' });
    const { rows } = await api.database.pool.query<{ text: string }>(
      'select api_key::text as text from api_key',
    );
    expect(rows[0]?.text).not.toContain(key.slice(9));
  });
});

describe('dnstrail keys', () => {
  const dnstrail = async (...args: string[]) => {
    const program = new URL('../../dnstrail.ts', import.meta.url).pathname;
    const { stdout } = await promisify(execFile)(process.execPath, [program, 'keys', ...args], {
      env: { ...process.env, DATABASE_URL: api.database.url },
    });
    return stdout;
  };

  it('adds, lists and revokes', async () => {
    const key = (
      await dnstrail(
        'add',
        'ci',
        '--scope',
        'analyse',
        '--quota',
        '1000/day',
        '--burst',
        '10/300',
        '--expires',
        '2099-12-31',
        '--plain',
      )
    ).trim();
    expect(key).toMatch(/^dnstrail-[\w-]{32}$/);
    expect(await listKeys(api.database.pool)).toMatchObject([
      {
        name: 'ci',
        scopes: ['analyse'],
        quota: { requests: 1000, seconds: 86_400 },
        burst: { requests: 10, seconds: 300 },
      },
    ]);
    expect(await status(LOOKUP, { 'x-api-key': key })).toBe(200);
    expect(await dnstrail('list')).toMatch(/^ci +analyse +1000\/day .*10 in 300 s {2}expires 2099-12-31\n$/);
    expect(await dnstrail('revoke', 'ci')).toBe('revoked ci\n');
    await expect(dnstrail('revoke', 'ci')).rejects.toThrow(/there is no key "ci"/);
    await expect(dnstrail('add', 'ci')).rejects.toThrow(/choose another name/);
    await expect(dnstrail('add', 'x', '--quota', '5/year')).rejects.toThrow(
      /"5\/year" is no quota: give 1000\/day/,
    );
  });
});

describe('the database', () => {
  it('is asked by a role that reads only, and not the keys', async () => {
    const { rows } = await api.database.pool.query<{ may: boolean; mayKeys: boolean; mayWrite: boolean }>(
      `select has_table_privilege('dnstrail_api', 'rrset', 'select') as may,
        has_table_privilege('dnstrail_analyst', 'api_key', 'select') as "mayKeys",
        has_table_privilege('dnstrail_api', 'dns_rr', 'insert, update, delete, truncate') as "mayWrite"`,
    );
    expect(rows[0]).toEqual({ may: true, mayKeys: false, mayWrite: false });
    expect(await status(LOOKUP)).toBe(200);
    await api.database.pool.query('revoke select on rrset_gravel from dnstrail_api');
    expect(await api.get(LOOKUP)).toMatchObject({ status: 500, body: 'Error: internal error\n' });
  });
});

describe('startApi', () => {
  it('names a port that is taken, and what to do', async () => {
    const port = await freePort();
    const other = createServer().listen(port, '127.0.0.1');
    await once(other, 'listening');
    const start = startApi({ databaseUrl: api.database.url, listen: { host: '127.0.0.1', port }, analyst });
    await expect(start).rejects.toThrow(
      `cannot serve HTTP on 127.0.0.1:${port} (the port is taken): choose another with --http or DNSTRAIL_HTTP`,
    );
    other.close();
  });

  it('closes while a client holds its connection', async () => {
    const own = await startApi({
      databaseUrl: api.database.url,
      listen: { host: '127.0.0.1', port: 0 },
      analyst,
    });
    const socket = connect(own.address.port, '127.0.0.1');
    await once(socket, 'connect');
    await own.close();
    socket.destroy();
  });
});
