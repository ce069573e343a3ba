import { afterAll, beforeAll, expect, it } from 'vitest';
import { addKey } from '../../api/keys.ts';
import { startTestApi, type TestApi } from '../support/api.ts';
import { knownRecords } from '../support/passiveDns.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi(knownRecords);
});
afterAll(() => api.close());

it('is alive and ready', async () => {
  expect(await api.get('/healthz')).toMatchObject({ status: 200, body: 'ok\n' });
  expect(await api.get('/readyz')).toMatchObject({ status: 200, body: 'ok\n' });
});

it('tells Prometheus what it did, and what the database knows', async () => {
  await api.get('/dnsdb/v2/lookup/rrset/name/example.com');
  await api.get('/dnsdb/v2/lookup/rrset/name/a..b');
  await api.get('/pdns/query/example.com');
  const { headers, body } = await api.get('/metrics');
  expect(headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
  const value = (sample: string) =>
    Number(
      body
        .split('\n')
        .find(line => line.startsWith(`${sample} `))
        ?.slice(sample.length + 1),
    );
  expect(value('dnstrail_up')).toBe(1);
  expect(value('dnstrail_http_requests_total{surface="dnsdb_v2",status="200"}')).toBe(1);
  expect(value('dnstrail_http_requests_total{surface="dnsdb_v2",status="400"}')).toBe(1);
  expect(value('dnstrail_http_request_seconds_bucket{surface="circl",le="+Inf"}')).toBe(1);
  expect(value('dnstrail_http_open_requests')).toBe(1); // this one
  expect(value('dnstrail_database_bytes')).toBeGreaterThan(1e6);
  expect(value('dnstrail_runs')).toBeGreaterThanOrEqual(4);
  const families = [...body.matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(([, name]) => name);
  expect(new Set(families).size).toBe(families.length);
  for (const line of body.split('\n').filter(text => text !== '' && !text.startsWith('#'))) {
    expect(line).toMatch(/^\w+(\{[^{}]*\})? [\d.e+-]+$/);
    expect(families.some(name => name !== undefined && line.startsWith(name))).toBe(true);
  }
});

it('keeps metrics for those with a key, where there are any', async () => {
  const key = await addKey(api.database.pool, { name: 'prometheus' });
  expect((await api.get('/metrics')).status).toBe(403);
  expect((await api.get('/metrics', { authorization: `Bearer ${key}` })).status).toBe(200);
  expect((await api.get('/healthz')).status).toBe(200);
});
