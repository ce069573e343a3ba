import { existsSync, readFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startWorker } from '../../analytics/main.ts';
import { addKey } from '../../api/keys.ts';
import { loadFiles } from '../../collector/load/load.ts';
import { startTestApi, type TestApi } from '../support/api.ts';
import { knownRecords } from '../support/passiveDns.ts';
import { eventually } from '../support/processes.ts';

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
  expect(value('dnstrail_feed_listeners')).toBe(0);
  expect(value('process_resident_memory_bytes')).toBeGreaterThan(1e7);
  expect(value('dnstrail_hours_due')).toBe(0);
  const families = [...body.matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(([, name]) => name);
  expect(new Set(families).size).toBe(families.length);
  for (const line of body.split('\n').filter(text => text !== '' && !text.startsWith('#'))) {
    expect(line).toMatch(/^\w+(\{[^{}]*\})? [\d.e+-]+$/);
    expect(families.some(name => name !== undefined && line.startsWith(name))).toBe(true);
  }
});

/** Undefined where sessions have none. */
function sessionNiceness(pid: number): number | undefined {
  const file = `/proc/${pid}/autogroup`;
  return existsSync(file) ? Number(readFileSync(file, 'utf8').replace(/^.* nice /, '')) : undefined;
}

it.skipIf(process.platform !== 'linux' || process.env.DNSTRAIL_TEST_DATABASE_URL !== undefined)(
  'lets loading go first',
  async () => {
    await api.get('/dnsdb/v2/lookup/rrset/name/example.com');
    const { rows } = await api.database.pool.query<{ pid: number }>(
      "select pid from pg_stat_activity where datname = current_database() and application_name = 'dnstrail serve'",
    );
    const found = await eventually('those that answer to give way, with their sessions', () => {
      const given = rows.map(({ pid }) => [getPriority(pid), sessionNiceness(pid) ?? getPriority(pid)]);
      return given.some(([own, session]) => own! > 10 && own === session) ? given : undefined; // pairs
    });
    expect(found.filter(([own]) => own! <= 10).length).toBeGreaterThan(0); // keys and settings are no questions
  },
);

it('keeps metrics for those with a key, where there are any', async () => {
  const key = await addKey(api.database.pool, { name: 'prometheus' });
  expect((await api.get('/metrics')).status).toBe(403);
  expect((await api.get('/metrics', { authorization: `Bearer ${key}` })).status).toBe(200);
  expect((await api.get('/healthz')).status).toBe(200);
});

it('tells how exporters and jobs are, whatever their names', async () => {
  const file = new URL('../fixtures/yaf2164-small.ipfix', import.meta.url).pathname;
  await loadFiles(api.database.url, [file], { exporterName: 'a "sensor" {1}' });
  await startWorkerOnce(api.database.url);
  const { body } = await api.get('/metrics', {
    authorization: `Bearer ${await addKey(api.database.pool, { name: 'again' })}`,
  });
  expect(body).toMatch(
    /^dnstrail_exporter_silent_seconds\{exporter="a _sensor_ _1_",domain="0"\} [\d.e-]+$/m,
  );
  expect(body).toMatch(/^dnstrail_job_failing\{task="\w+"\} 0$/m);
});

/** Long enough for its tables to be there, and the crontab to be known. */
async function startWorkerOnce(databaseUrl: string): Promise<void> {
  const worker = startWorker({ databaseUrl });
  await eventually('a crontab', async () => {
    const sql = 'select from graphile_worker._private_known_crontabs';
    const found = await api.database.pool.query(sql).catch(() => undefined); // its table is not there yet
    return found?.rowCount || undefined;
  });
  await worker.close();
}
