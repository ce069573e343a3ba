import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readyRuns } from '../../analytics/runs.ts';
import { JobLock } from '../../analytics/session.ts';
import { closeRuns } from '../../analytics/tasks/closeRuns.ts';
import { dueRuns, mergeDueRuns } from '../../analytics/tasks/mergeRuns.ts';
import { waitForRoom } from '../../collector/store/committer.ts';
import { type TierName, tierNames } from '../../common/tiers.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { eventually } from '../support/processes.ts';

const main = new URL('../../analytics/tasks/mergeRuns.ts', import.meta.url).href;
/** Eight small runs become one. */
const EIGHT = { smallest: { bytes: 16 << 20, fanIn: 8 } };
let database: TestDatabase;

beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(() => database.drop());

/** Adds observations of some names to the hot run, as a loader's transaction does. */
async function observe(from: number, to: number, day = '2026-11-01'): Promise<void> {
  const client = await database.pool.connect();
  try {
    await client.query('begin');
    const { rows } = await client.query<{ run: number }>('select public.use_hot_run() as run');
    const run = rows[0]!.run; // one row
    const names = `generate_series(${from}, ${to}) as i, lateral (select 'www.d' || i % 500 || '.example.' as rrname, timestamptz '${day}Z' + i * interval '1 s' as t) as n`;
    await client.query(
      `insert into runs.rrset_${run} select t, t, 1, 1, 0, length(rrname) - 4, rrname, '192.0.2.' || i % 7 from ${names}`,
    );
    await client.query(
      `insert into runs.rdata_${run}
       select t, t, 1, 1, 0, '192.0.2.0'::inet + i % 7, rrname, null, null from ${names}
       union all select t, t, 1, 2, 0, null, rrname, 'ns' || i % 90 || '.example.', null from ${names}`,
    );
    await client.query(
      `insert into runs.asked_${run} select t, t, 1, (t at time zone 'UTC')::date, length(rrname) - 4, '10.0.0.0'::inet + i % 11, rrname from ${names}`,
    );
    await client.query(
      `insert into runs.dns_name_${run} select t, t, length(rrname) - 4, rrname from ${names}`,
    );
    await client.query('commit');
  } finally {
    client.release();
  }
}

async function makeRuns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    await observe(1 + i * 1000, 1500 + i * 1000);
    await closeRuns(database.pool, { isFinal: true });
  }
}

/** What readers see, in a fixed order. */
async function contents(): Promise<unknown[]> {
  const parts = [];
  for (const tier of tierNames)
    parts.push((await database.pool.query(`select t::text from public.${tier} as t order by 1`)).rows);
  return parts;
}

async function states(): Promise<Record<string, number>> {
  const { rows } = await database.pool.query<{ state: string; count: number }>(
    'select state, count(*)::integer as count from public.run group by 1',
  );
  return Object.fromEntries(rows.map(({ state, count }) => [state, count]));
}

test('runs that are closed, indexed and merged hold what the hot ones held, added up', async () => {
  await observe(1, 2000);
  await observe(1, 1000);
  await makeRuns(8);
  const unmerged = await contents();
  const merged = await mergeDueRuns(database.pool, 'small', EIGHT);
  expect(merged.map(({ tier, runs }) => `${tier} ${runs}`)).toEqual(tierNames.map(tier => `${tier} 8`));
  expect(await contents()).toEqual(unmerged);
  expect(await states()).toEqual({ hot: 4, 'adding up': 4, ready: 4 });
  const { rows } = await database.pool.query(
    `select count(*) from pg_class where relnamespace = 'runs'::regnamespace and relkind = 'r'`,
  );
  expect(rows).toEqual([{ count: '12' }]);
});

test('a key of one period is one row of the merged run', async () => {
  await makeRuns(8);
  await mergeDueRuns(database.pool, 'small', EIGHT);
  const { rows } = await database.pool.query(
    `select count(*)::integer as rows, count(distinct (rrname, rdata, date_trunc('day', time_first, 'UTC')))::integer as keys, sum(count)::integer as observations from public.rrset_gravel`,
  );
  expect(rows[0].rows).toBe(rows[0].keys);
  expect(rows[0].observations).toBe(8 * 1500);
});

test('a run that is closed has one row for each key of a period, and its old table goes', async () => {
  for (let i = 0; i < 3; i++) await observe(1, 1500);
  const hot = await contents();
  expect(await closeRuns(database.pool, { isFinal: true })).toBe(4);
  expect(await contents()).toEqual(hot);
  expect(await states()).toEqual({ hot: 4, 'adding up': 4, ready: 4 });
  const { rows } = await database.pool.query(
    `select (select count(*) from public.rrset_gravel)::integer as rrset, (select sum(count) from public.rrset_gravel)::integer as observations,
       (select count(*) from public.asked_gravel)::integer as asked, (select count(*) from public.dns_name_gravel)::integer as names`,
  );
  expect(rows).toEqual([{ rrset: 1500, observations: 4500, asked: 1500, names: 500 }]);
});

test('a run whose readers do not end is indexed as it is; the next one is added up again', async () => {
  for (let i = 0; i < 2; i++) await observe(1, 100);
  const reader = await database.pool.connect();
  try {
    await reader.query('begin');
    await reader.query('select 1 from public.rrset limit 1'); // and goes on to look at it
    await closeRuns(database.pool, { isFinal: true });
    const { rows } = await database.pool.query(
      `select (select count(*) from public.rrset_gravel)::integer as rrset, (select count(*) from public.asked_gravel)::integer as asked`,
    );
    expect(rows).toEqual([{ rrset: 200, asked: 100 }]);
    expect(await states()).toEqual({ hot: 4, 'adding up': 4, ready: 4, empty: 3 });
    await reader.query('commit');
  } finally {
    reader.release();
  }
  for (let i = 0; i < 2; i++) await observe(101, 200);
  await closeRuns(database.pool, { isFinal: true });
  expect(await states()).toEqual({ hot: 4, 'adding up': 4, ready: 8 });
  const { rows } = await database.pool.query('select count(*)::integer from public.rrset_gravel');
  expect(rows).toEqual([{ count: 300 }]);
});

test('a reader in the middle of a transaction sees the same before, while and after runs are merged', async () => {
  await makeRuns(8);
  const reader = await database.pool.connect();
  try {
    await reader.query('begin isolation level repeatable read');
    await reader.query('select 1 from public.ipfix_file'); // its snapshot is taken; it has not looked at any run yet
    const before = (await database.pool.query('select sum(count) from public.rrset_gravel')).rows;
    expect(await mergeDueRuns(database.pool, 'small', EIGHT)).toHaveLength(4);
    expect(await states()).toMatchObject({ empty: 32 });
    expect((await reader.query('select sum(count) from public.rrset_gravel')).rows).toEqual(before);
    await reader.query('commit');
  } finally {
    reader.release();
  }
  await mergeDueRuns(database.pool, 'small', EIGHT);
  expect(await states()).toEqual({ hot: 4, 'adding up': 4, ready: 4 });
});

test('a job that reads no run does not keep the tables whose rows have moved', async () => {
  const sealing = await database.pool.connect();
  try {
    await sealing.query('select pg_advisory_lock($1)', [JobLock.seal]);
    await sealing.query('begin');
    await sealing.query('select 1 from public.partition');
    await observe(1, 100);
    await closeRuns(database.pool, { isFinal: true });
    expect(await states()).toEqual({ hot: 4, 'adding up': 4, ready: 4 });
    await sealing.query('commit');
  } finally {
    sealing.release(true);
  }
});

test('no reader ever misses or doubles a row while runs are closed and merged', async () => {
  await observe(1, 500);
  const stop = new AbortController();
  let looks = 0;
  let expected = 500;
  const looking = (async () => {
    while (!stop.signal.aborted) {
      const least = expected;
      const { rows } = await database.pool.query<{ sum: string }>(
        'select sum(count) from public.rrset_gravel',
      );
      expect(Number(rows[0]!.sum)).toBeGreaterThanOrEqual(least);
      expect(Number(rows[0]!.sum)).toBeLessThanOrEqual(expected + 300);
      looks++;
    }
  })();
  for (let i = 0; i < 20; i++) {
    await observe(1, 300);
    expected += 300;
    await closeRuns(database.pool, { isFinal: true });
    await mergeDueRuns(database.pool, 'small', EIGHT);
  }
  stop.abort();
  await looking;
  expect(looks).toBeGreaterThan(20);
  const { rows } = await database.pool.query('select sum(count)::integer from public.rrset_gravel');
  expect(rows).toEqual([{ sum: expected }]);
});

test('a loader that adds rows keeps its run open, and the next one takes the new run', async () => {
  const loader = await database.pool.connect();
  try {
    await loader.query('begin');
    const { rows } = await loader.query<{ run: number }>('select public.use_hot_run() as run');
    const run = rows[0]!.run; // one row
    await loader.query(
      `insert into runs.rrset_${run} values (now(), now(), 1, 1, 0, 8, 'a.example.', '192.0.2.1')`,
    );
    await observe(1, 100);
    const closing = closeRuns(database.pool, { isFinal: true });
    await delay(200);
    expect(await states()).toMatchObject({ hot: 4, closed: 4 });
    await observe(101, 200); // not held up
    await loader.query('commit');
    expect(await closing).toBe(4);
  } finally {
    loader.release();
  }
  const { rows } = await database.pool.query('select sum(count)::integer from public.rrset_gravel');
  expect(rows).toEqual([{ sum: 201 }]);
});

test('who adds rows waits while the hot run is large and the one before is being sorted, not longer', async () => {
  const isFull = async () =>
    (await database.pool.query('select public.is_hot_run_full(8192) as full')).rows[0].full;
  const client = await database.pool.connect();
  try {
    await observe(1, 1000);
    expect(await isFull()).toBe(false); // nobody sorts
    await waitForRoom(client, undefined, 8192);
    await observe(1, 10);
    await database.pool.query('select public.next_hot_run()');
    expect(await isFull()).toBe(false);
    await observe(1, 1000);
    expect(await isFull()).toBe(true);
    let hasRoom = false;
    const waiting = waitForRoom(client, undefined, 8192).then(() => {
      hasRoom = true;
    });
    await delay(300);
    expect(hasRoom).toBe(false);
    await closeRuns(database.pool, { isFinal: true });
    await waiting;
    await observe(1, 10);
    await database.pool.query(`select public.next_hot_run()`);
    await observe(1, 1000);
    await database.pool.query(
      `update public.run set closed_at = now() - interval '2 minutes' where state = 'closed'`,
    );
    expect(await isFull()).toBe(false); // whoever sorted is gone
  } finally {
    client.release();
  }
});

test('a process that is killed while it merges has changed nothing, and the next one goes on', async () => {
  await makeRuns(8);
  const before = await contents();
  const block = await database.pool.connect();
  await block.query('begin');
  await block.query('lock table public.run in share row exclusive mode'); // the merge cannot end
  const child = spawn(process.execPath, [
    '--input-type=module',
    '-e',
    `const { mergeDueRuns } = await import(${JSON.stringify(main)});
     const { Pool } = (await import('pg')).default;
     await mergeDueRuns(new Pool({ connectionString: process.argv[1] }), 'small', ${JSON.stringify(EIGHT)});`,
    database.url,
  ]);
  await delay(1500);
  child.kill('SIGKILL');
  await once(child, 'close');
  await block.query('rollback');
  block.release();
  expect(await contents()).toEqual(before);
  for (let tries = 0; (await mergeDueRuns(database.pool, 'small', EIGHT)).length === 0 && tries < 50; tries++)
    await delay(100);
  expect(await contents()).toEqual(before);
  expect(await states()).toMatchObject({ hot: 4, ready: 4 });
});

test('small runs are merged while another session merges large ones', async () => {
  const options = { smallest: { bytes: 400 << 10, fanIn: 8 } };
  for (let i = 0; i < 8; i++) {
    await observe(1 + i * 20_000, 20_000 + i * 20_000);
    await closeRuns(database.pool, { isFinal: true });
  }
  const { rows } = await database.pool.query<{ run_id: number; bytes: number }>(
    `select run_id, bytes::float8 from public.run where tier = 'rrset' and state = 'ready' order by run_id`,
  );
  expect(Math.min(...rows.map(({ bytes }) => bytes))).toBeGreaterThan(options.smallest.bytes);
  const block = await database.pool.connect();
  await block.query('begin');
  await block.query(`lock table runs.rrset_${rows[0]!.run_id} in share mode`); // its rows cannot be moved yet
  const large = mergeDueRuns(database.pool, 'large', options);
  await eventually('the run that large ones become', async () => (await states()).merging === 1 || undefined);
  await makeRuns(8);
  const before = await contents();
  const small = await mergeDueRuns(database.pool, 'small', options);
  expect(small).toContainEqual(expect.objectContaining({ tier: 'rrset', runs: 8 }));
  expect((await states()).merging).toBe(1);
  expect(await contents()).toEqual(before);
  await block.query('commit');
  block.release();
  expect(await large).toContainEqual(expect.objectContaining({ tier: 'rrset', runs: 8 }));
  expect(await contents()).toEqual(before);
});

test('nothing is merged while a process of a version before does all sizes', async () => {
  await makeRuns(8);
  const elder = await database.pool.connect();
  await elder.query('select pg_advisory_lock($1)', [JobLock.merge]);
  expect(await mergeDueRuns(database.pool, 'small', EIGHT)).toEqual([]);
  elder.release(true);
  await eventually(
    'its end',
    async () => (await mergeDueRuns(database.pool, 'small', EIGHT)).length === 4 || undefined,
  );
});

test('runs of one size are merged when there are enough of them, the small ones and the large ones apart', () => {
  const run = (runId: number, megabytes: number) => ({ runId, bytes: megabytes * 2 ** 20 });
  const small = Array.from({ length: 8 }, (_, i) => run(i, 1 + i));
  const large = Array.from({ length: 8 }, (_, i) => run(10 + i, 100));
  expect(dueRuns('dns_name', [...small.slice(1), ...large], 'small')).toBeUndefined();
  expect(dueRuns('dns_name', [...small, ...large.slice(1)], 'large')).toBeUndefined();
  expect(dueRuns('dns_name', [...large, ...small], 'small')).toEqual(small);
  expect(dueRuns('dns_name', [...large, ...small], 'large')).toEqual(large);
  const larger = Array.from({ length: 8 }, (_, i) => run(20 + i, 1000));
  expect(dueRuns('dns_name', [...larger, ...large], 'large')).toEqual(large);
  expect(dueRuns('dns_name', [...larger, ...large.slice(1)], 'large')).toEqual(larger);
  const many = Array.from({ length: 32 }, (_, i) => run(30 + i, 5 + i));
  expect(dueRuns('rrset', [...large, ...many.slice(1)], 'small')).toBeUndefined();
  expect(dueRuns('rrset', [...large, ...many], 'small')).toEqual(many);
});

test('each lookup uses its index', async () => {
  for (let i = 0; i < 2; i++) await observe(1 + i * 20_000, 20_000 + i * 20_000);
  await closeRuns(database.pool, { isFinal: true });
  const client = await database.pool.connect();
  try {
    await client.query('set enable_seqscan = off');
    const lookups: Readonly<Record<string, string>> = {
      rrset_rrname: `select * from rrset where rrname = 'www.d7.example.'`,
      rrset_reversed: `select * from rrsets_below('d7.example.')`,
      rrset_rrname_idx: `select * from rrsets_beginning('www.d7')`,
      rdata_rdata_ip: `select * from rdata where rdata_ip = '192.0.2.3'`,
      rdata_rdata_ip_idx: `select * from rdata_in('192.0.2.0/30')`,
      rdata_rdata_name: `select * from rdata where rdata_name = 'ns3.example.'`,
      rdata_reversed: `select * from rdata_below('ns3.example.')`,
      asked_rrname: `select * from first_asked('www.d7.example.')`,
      asked_client: `select * from asked where client = '10.0.0.3' and day = '2026-11-01'`,
      dns_name_reversed: `select * from dns_name where is_below(rrname, 'd7.example.')`,
    };
    for (const [index, lookup] of Object.entries(lookups)) {
      const { rows } = await client.query<{ 'QUERY PLAN': string }>(`explain ${lookup}`);
      const [tier = '', ...suffix] = index
        .replace(/_idx$/, '')
        .split(/(?<=^(?:rrset|rdata|asked|dns_name))_/);
      const [run] = await readyRuns(client, tier as TierName); // as the pattern above says
      expect(rows.map(row => row['QUERY PLAN']).join('\n')).toContain(
        `${tier}_${run!.runId}_${suffix.join('_')}_idx`,
      );
    }
  } finally {
    client.release();
  }
});
