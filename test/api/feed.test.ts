import { once } from 'node:events';
import { request } from 'node:http';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { addKey, revokeKey } from '../../api/keys.ts';
import { startTestApi, type TestApi } from '../support/api.ts';

let api: TestApi;
const listeners: Listener[] = [];
beforeEach(async () => {
  api = await startTestApi([]);
});
afterEach(async () => {
  for (const listener of listeners.splice(0)) listener.close();
  await api.close();
});

interface Heard {
  readonly id: string;
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
}

interface Listener {
  readonly status: number;
  readonly heard: readonly Heard[];
  /** The id that a browser would come again with. */
  lastId(): string;
  /** Resolves once so many events were heard. */
  until(count: number): Promise<void>;
  readonly ended: Promise<unknown>;
  close(): void;
}

/** Listens as EventSource does, on a connection of its own. */
async function listen(target = '', headers: Record<string, string> = {}): Promise<Listener> {
  const sent = request({ port: api.port, path: `/api/v1/feed${target}`, headers, agent: false }).end();
  const [response] = await once(sent, 'response');
  const heard: Heard[] = [];
  let [rest, lastId] = ['', ''];
  let wake = () => {};
  let first = () => {};
  const opened = new Promise<void>(resolve => {
    first = resolve;
  });
  response.on('error', () => {}); // cut
  response.setEncoding('utf8').on('data', (chunk: string) => {
    const blocks = (rest + chunk).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const fields = Object.fromEntries(block.split('\n').map(line => line.split(/: (.*)/s)));
      lastId = fields.id ?? lastId;
      if (fields.data !== undefined)
        heard.push({ id: lastId, event: fields.event ?? '', data: JSON.parse(fields.data) });
    }
    first();
    wake();
  });
  const ended = new Promise(resolve => response.once('close', resolve));
  if (response.statusCode === 200) await opened;
  const listener: Listener = {
    status: response.statusCode ?? 0,
    heard,
    lastId: () => lastId,
    async until(count) {
      while (heard.length < count)
        await new Promise<void>(resolve => {
          wake = resolve;
        });
    },
    ended,
    close: () => sent.destroy(),
  };
  listeners.push(listener);
  return listener;
}

const detectionSql = `
insert into public.detection (kind, subject, first_time, last_time, windows, score, severity, evidence, thresholds, query)
select 'first_seen', subject, now(), now(), 1, 10, 'info', '{}', '{}', 'select 1' from unnest($1::text[]) as subject`;
const domainSql = `
insert into public.known_domain (time_first, exporter_id, client, resolver, domain, rrname)
select now(), 1, '10.0.0.1', '10.0.0.53', domain, 'www.' || domain from unnest($1::text[]) as domain`;
const subjects = ({ heard }: Listener) => heard.map(({ data }) => data.subject ?? data.domain);
const named = (count: number, letter: string) =>
  Array.from({ length: count }, (_, i) => `${letter}${String(i).padStart(4, '0')}.example.`);

it('tells of new detections and domains, and not of what was there before', async () => {
  await api.database.pool.query(detectionSql, [['old.example.']]);
  const listener = await listen();
  await api.database.pool.query(detectionSql, [['a.example.']]);
  await api.database.pool.query(domainSql, [['b.example.']]);
  await listener.until(2);
  expect(listener.heard).toMatchObject([
    {
      event: 'detection',
      data: { kind: 'first_seen', subject: 'a.example.', severity: 'info', status: 'new' },
    },
    { event: 'domain', data: { domain: 'b.example.', rrname: 'www.b.example.', client: '10.0.0.1' } },
  ]);
});

it('tells only what is asked for, and nothing that is muted', async () => {
  await api.database.pool.query(
    `insert into public.mute (subject, reason, author, expires_at) values ('muted.example.', 'known', 'test', now() + interval '1 day')`,
  );
  const listener = await listen('?events=detection');
  await api.database.pool.query(domainSql, [['a.example.']]);
  await api.database.pool.query(detectionSql, [['muted.example.', 'b.example.']]);
  await listener.until(1);
  expect(subjects(listener)).toEqual(['b.example.']);
});

it('goes on behind the last id, within a transaction and within a page of it, without loss or double', async () => {
  const first = await listen();
  const all = [...named(700, 'a'), ...named(600, 'b')];
  await api.database.pool.query(detectionSql, [all]);
  await first.until(1300);
  expect(subjects(first)).toEqual(all);
  const again = await Promise.all(
    [0, 1, 498, 499, 500, 999, 1298, 1299].map(async at => {
      const listener = await listen('', { 'last-event-id': first.heard[at]!.id });
      await listener.until(1299 - at);
      return { at, listener };
    }),
  );
  await api.database.pool.query(detectionSql, [['later.example.']]);
  for (const { at, listener } of again) {
    await listener.until(1300 - at);
    expect([at, subjects(listener)]).toEqual([at, [...all.slice(at + 1), 'later.example.']]);
  }
});

it('goes on behind an id from before anything was heard', async () => {
  const first = await listen();
  const id = first.lastId();
  first.close();
  await api.database.pool.query(detectionSql, [['missed.example.']]);
  const again = await listen(`?last_event_id=${encodeURIComponent(id)}`);
  await again.until(1);
  expect(subjects(again)).toEqual(['missed.example.']);
});

it('misses nothing of transactions that began early and end late', async () => {
  const listener = await listen();
  const early = await api.database.pool.connect();
  await early.query('begin');
  await early.query(detectionSql, [['early.example.']]);
  await api.database.pool.query(detectionSql, [['between.example.']]);
  await listener.until(1);
  const again = await listen('', { 'last-event-id': listener.lastId() });
  await early.query('commit');
  early.release();
  await Promise.all([listener.until(2), again.until(1)]);
  expect([subjects(listener), subjects(again)]).toEqual([
    ['between.example.', 'early.example.'],
    ['early.example.'],
  ]);
});

it('hears each of many writers once, however often it is cut', async () => {
  const writing = Promise.all(
    Array.from({ length: 6 }, async (_, writer) => {
      for (const name of named(20, `w${writer}-`)) await api.database.pool.query(detectionSql, [[name]]);
    }),
  );
  const heard: unknown[] = [];
  let id = (await listen('?last_event_id=1:1:')).lastId(); // all there is
  for (let cut = 3; heard.length < 120; cut = 3 + ((cut * 7) % 17)) {
    const listener = await listen('', { 'last-event-id': id });
    await listener.until(Math.min(cut, 120 - heard.length));
    listener.close();
    heard.push(...subjects(listener));
    id = listener.lastId();
  }
  await writing;
  expect([heard.length, new Set(heard).size]).toEqual([120, 120]);
});

it('ends with the server', async () => {
  const listener = await listen();
  await Promise.all([api.close(), listener.ended]);
  api = await startTestApi([]);
});

it('refuses ids and events that there are not', async () => {
  const ids = ['nonsense', '1:2', '0:1:', '2:1:', '1:5:4,3', '1:5:6', `1:${'9'.repeat(20)}:`, "1:1:'--"];
  const inside = [
    '1:1:/1:1:/x/detection/1',
    '1:1:/1:1:/1/other/1',
    '1:1:/1:1:/1/domain',
    '1:1:/x/1/domain/a',
  ];
  for (const target of [...ids, ...inside]
    .map(id => `?last_event_id=${encodeURIComponent(id)}`)
    .concat('?events=all')) {
    const reply = await api.get(`/api/v1/feed${target}`);
    expect([target, reply.status, reply.headers['content-type']]).toEqual([
      target,
      400,
      'application/problem+json',
    ]);
  }
});

it('needs a key where there are any', async () => {
  const key = await addKey(api.database.pool, { name: 'listener' });
  expect((await listen()).status).toBe(403);
  expect((await listen('', { 'x-api-key': key })).status).toBe(200);
  await revokeKey(api.database.pool, 'listener');
});
