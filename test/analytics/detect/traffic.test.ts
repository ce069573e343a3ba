import { afterAll, beforeAll, expect, test } from 'vitest';
import { detect } from '../../../analytics/tasks/detect.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { insertLookups } from './records.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
  await insertLookups(database.pool, [
    {
      at: '2024-05-01T00:10:00Z',
      name: 'www.example.com.',
      client: '10.0.0.1',
      answers: [{ rdata: '192.0.2.1' }],
    },
    {
      at: '2024-05-01T00:10:30Z',
      name: 'www.example.com.',
      client: '10.0.0.2',
      qtype: 28,
      answers: [{ rdata: '2001:db8::1' }],
    },
    { at: '2024-05-01T00:11:00Z', name: 'no.example.org.', client: '10.0.0.1', rcode: 3 },
    { at: '2024-05-01T00:12:00Z', name: 'late.example.org.', client: '10.0.0.1', rcode: null },
    {
      at: '2024-05-01T00:12:00Z',
      name: 'www.example.com.',
      client: '10.0.0.1',
      exporter: 2,
      answers: [{ rdata: '192.0.2.1' }],
    },
    {
      at: '2024-05-01T00:12:01Z',
      name: 'printer.local.',
      client: '10.0.0.1',
      resolver: '224.0.0.251',
      port: 5353,
    },
  ]);
  await detect(database.pool, { isUrgent: true });
});

afterAll(() => database.drop());

test('traffic is counted per minute, hour and sensor', async () => {
  const { rows: minutes } = await database.pool.query(
    `select to_char(minute at time zone 'UTC', 'MI') as minute, exporter_id, queries, responses, clients, rcodes, qtypes
     from public.traffic_minute order by 1, 2`,
  );
  expect(minutes).toEqual([
    {
      minute: '10',
      exporter_id: 1,
      queries: 2,
      responses: 2,
      clients: 2,
      rcodes: { NOERROR: 2 },
      qtypes: { A: 1, AAAA: 1 },
    },
    {
      minute: '11',
      exporter_id: 1,
      queries: 1,
      responses: 1,
      clients: 1,
      rcodes: { NXDOMAIN: 1 },
      qtypes: { A: 1 },
    },
    { minute: '12', exporter_id: 1, queries: 1, responses: 0, clients: 1, rcodes: {}, qtypes: { A: 1 } },
    {
      minute: '12',
      exporter_id: 2,
      queries: 1,
      responses: 1,
      clients: 1,
      rcodes: { NOERROR: 1 },
      qtypes: { A: 1 },
    },
  ]);
  const { rows: hours } = await database.pool.query(
    `select exporter_id, queries::integer, responses::integer, clients, resolvers, names, domains, rcodes, qtypes
     from public.traffic_hour order by 1`,
  );
  expect(hours[0]).toEqual({
    exporter_id: 1,
    queries: 4,
    responses: 3,
    clients: 2,
    resolvers: 1,
    names: 3,
    domains: 2,
    rcodes: { NOERROR: 2, NXDOMAIN: 1 },
    qtypes: { A: 3, AAAA: 1 },
  });
});

test('the most frequent domains, TLDs, clients and resolvers of an hour are there in their order', async () => {
  const { rows } = await database.pool.query(
    `select dimension, rank, value, lookups::integer, nxdomain::integer from public.traffic_top where exporter_id = 1 order by 1, 2`,
  );
  expect(rows).toEqual([
    { dimension: 'client', rank: 1, value: '10.0.0.1', lookups: 4, nxdomain: 1 },
    { dimension: 'client', rank: 2, value: '10.0.0.2', lookups: 1, nxdomain: 0 },
    { dimension: 'domain', rank: 1, value: 'example.com.', lookups: 3, nxdomain: 0 },
    { dimension: 'domain', rank: 2, value: 'example.org.', lookups: 2, nxdomain: 1 },
    { dimension: 'resolver', rank: 1, value: '10.0.0.53', lookups: 5, nxdomain: 1 },
    { dimension: 'tld', rank: 1, value: 'com.', lookups: 3, nxdomain: 0 },
    { dimension: 'tld', rank: 2, value: 'org.', lookups: 2, nxdomain: 1 },
  ]);
});

test('an hour that is derived again counts nothing twice', async () => {
  const read = async () =>
    (await database.pool.query('select * from public.traffic_minute order by 1, 2')).rows;
  const before = await read();
  await database.pool.query('insert into public.landed_hour (hour) select hour from public.fact_hour');
  await detect(database.pool, { isUrgent: true });
  expect(await read()).toEqual(before);
});
