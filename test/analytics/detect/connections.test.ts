import { afterEach, beforeEach, expect, test } from 'vitest';
import { detect } from '../../../analytics/tasks/detect.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { insertLookups, type Lookup } from './records.ts';

let database: TestDatabase;

beforeEach(async () => {
  database = await createTestDatabase();
});

afterEach(() => database.drop());

/** A TLS connection. */
const connect = (at: string, address: string, client = '10.0.0.1'): Lookup => ({
  at,
  name: '-',
  client,
  resolver: address,
  port: 443,
  protocol: 6,
  application: 443,
  isDecoded: false,
});

const resolve = (at: string, name: string, address: string, ttl = 300, client = '10.0.0.1'): Lookup => ({
  at,
  name,
  client,
  answers: [
    { type: 5, rdata: 'edge.cdn.net.' },
    { name: 'edge.cdn.net.', ttl, rdata: address },
  ],
});

async function connections(): Promise<unknown[]> {
  const { rows } = await database.pool.query(
    'select host(client) as client, rrname, host(address) as address, flows::integer from public.connection order by rrname, client',
  );
  return rows;
}

test('a flow gets the name that its client resolved last before, within the TTL and a grace', async () => {
  await insertLookups(database.pool, [
    resolve('2024-05-01T00:50:00Z', 'www.first.com.', '198.51.100.1'),
    resolve('2024-05-01T00:59:00Z', 'www.second.com.', '198.51.100.1'),
    resolve('2024-05-01T00:59:30Z', 'www.other.com.', '198.51.100.1', 300, '10.0.0.2'),
    connect('2024-05-01T01:00:00Z', '198.51.100.1'),
    connect('2024-05-01T01:04:50Z', '198.51.100.1'), // within the grace
    connect('2024-05-01T01:06:00Z', '198.51.100.1'), // too late
    resolve('2024-05-01T01:10:00Z', 'www.third.com.', '198.51.100.1'), // after it
  ]);
  await detect(database.pool, { isUrgent: true });
  expect(await connections()).toEqual([
    { client: '10.0.0.1', rrname: 'www.second.com.', address: '198.51.100.1', flows: 2 },
  ]);
});

test('a lookup that comes late names the flows of the hour after it', async () => {
  await insertLookups(database.pool, [connect('2024-05-01T01:00:00Z', '198.51.100.1')]);
  await detect(database.pool, { isUrgent: true });
  expect(await connections()).toEqual([]);
  await insertLookups(database.pool, [resolve('2024-05-01T00:59:00Z', 'www.second.com.', '198.51.100.1')]);
  await detect(database.pool, { isUrgent: true });
  expect(await connections()).toMatchObject([{ rrname: 'www.second.com.' }]);
});

test('names that were resolved and not connected to are told', async () => {
  await insertLookups(database.pool, [
    resolve('2024-05-01T00:10:00Z', 'www.used.com.', '198.51.100.1'),
    resolve('2024-05-01T00:11:00Z', 'www.unused.com.', '198.51.100.2'),
    connect('2024-05-01T00:10:01Z', '198.51.100.1'),
  ]);
  const { rows } = await database.pool.query(
    `select rrname, lookups::integer from public.unconnected_names('2024-05-01T00:00:00Z', '2024-05-01T01:00:00Z')`,
  );
  expect(rows).toEqual([{ rrname: 'www.unused.com.', lookups: 1 }]);
});
