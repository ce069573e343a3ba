import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { linesOf, startTestApi, type TestApi } from '../support/api.ts';
import { eventually } from '../support/processes.ts';

/** Enough to fill every buffer between the database and a client that does not read. */
const NAMES = 60_000;
let api: TestApi;
/** The same, whose queries may take three seconds. */
let hurried: TestApi;

beforeAll(async () => {
  api = await startTestApi([]);
  hurried = await startTestApi([], 3);
  for (const { database } of [api, hurried])
    await database.pool.query(
      `insert into rrset_gravel (time_first, time_last, count, rrtype, source_id, bailiwick_length, rrname, rdata)
       select to_timestamp(1700000000), to_timestamp(1700000001), 1, 16, 0, 8, 'n' || i || '.example.', '"' || repeat('x', 400) || '"'
       from generate_series(1, $1) as i`,
      [NAMES],
    );
});
afterAll(() => Promise.all([api.close(), hurried.close()]));

/** What the connections of an API do now. */
async function running({ database }: TestApi): Promise<number> {
  const { rows } = await database.pool.query<{ n: number }>(
    `select count(*)::int as n from pg_stat_activity
     where application_name = 'dnstrail serve' and datname = current_database() and (state <> 'idle' or wait_event_type = 'Lock')`,
  );
  return rows[0]!.n; // one row
}

async function request(target: string, { port } = api) {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.on('error', () => {});
  socket.write(`GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  return socket;
}

describe('a long answer', () => {
  it('arrives whole, in order, and each row once', async () => {
    const lines = linesOf((await api.get('/dnsdb/v2/lookup/rrset/name/*.example?limit=0')).body);
    const names = lines.slice(1, -1).map(({ obj }) => (obj as { rrname: string }).rrname);
    expect([names.length, new Set(names).size, lines.at(-1)]).toEqual([NAMES, NAMES, { cond: 'succeeded' }]);
    const reversed = names.map(name => [...name].reverse().join(''));
    expect(reversed).toEqual(reversed.toSorted());
  });

  it('begins before it is known whole', async () => {
    const socket = await request('/dnsdb/v2/lookup/rrset/name/*.example?limit=0');
    const [first] = (await once(socket, 'data')) as [Buffer];
    expect(first.toString()).toContain('{"cond":"begin"}\n');
    socket.destroy();
    await eventually('the query to be cancelled', async () => (await running(api)) === 0 || undefined);
  });

  it.each([1, 20, 40])('is given up when its client goes, %i at once, and others are served', async count => {
    const sockets = await Promise.all(
      Array.from({ length: count }, () => request('/dnsdb/v2/lookup/rrset/name/*.example?limit=0')),
    );
    await Promise.all(sockets.slice(0, 16).map(socket => once(socket, 'data')));
    for (const socket of sockets) socket.destroy();
    await eventually('the queries to be cancelled', async () => (await running(api)) === 0 || undefined);
    expect((await api.get('/dnsdb/v2/lookup/rrset/name/n7.example')).status).toBe(200);
  });

  it('goes no faster than its client reads, and fails in the stream when that takes too long', async () => {
    const socket = await request('/dnsdb/v2/lookup/rrset/name/*.example?limit=0', hurried);
    socket.pause();
    await eventually(
      'the query to wait for its reader',
      async () => (await running(hurried)) === 1 || undefined,
    );
    const before = process.memoryUsage().rss;
    await delay(3500); // longer than a query may take
    expect(process.memoryUsage().rss - before).toBeLessThan(64e6);
    let text = '';
    socket.setEncoding('latin1').on('data', chunk => (text += chunk));
    socket.resume();
    await eventually('the end of the answer', () => /"cond":"(?!begin)/.test(text) || undefined);
    expect(text).toContain('{"cond":"failed","msg":"Query timeout"}\n');
    socket.destroy();
  });
});

describe('a question that takes too long', () => {
  it('ends with failed in version 2, a status in version 1, and the server goes on', async () => {
    await hurried.database.pool.query(`create or replace function public.reversed_name(name text) returns text language sql immutable strict
      as $$ select reverse(name) || case when length(pg_sleep(0.01)::text) > 0 then '!' else '' end $$`);
    expect(linesOf((await hurried.get('/dnsdb/v2/lookup/rrset/name/*.example')).body)).toEqual([
      { cond: 'begin' },
      { cond: 'failed', msg: 'Query timeout' },
    ]);
    expect(await hurried.get('/lookup/rrset/name/*.example')).toMatchObject({
      status: 500,
      body: 'Error: Query timeout\n',
    });
  });
});
