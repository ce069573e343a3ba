import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { seal } from '../../../analytics/tasks/seal.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { eventually } from '../../support/processes.ts';
import { clearOfMidnight, daysAgo, insertDay, rowsOf } from '../rows.ts';

const OLD_DAY = '2024-06-11';
const main = new URL('../../../analytics/main.ts', import.meta.url).href;

let database: TestDatabase;

beforeEach(async () => {
  await clearOfMidnight();
  database = await createTestDatabase();
});

afterEach(() => database.drop());

function sealNow() {
  return seal(database.pool, { sealAfterSeconds: 0 });
}

async function plan(query: string): Promise<string> {
  const { rows } = await database.pool.query<{ 'QUERY PLAN': string }>(`explain ${query}`);
  return rows.map(row => row['QUERY PLAN']).join('\n');
}

async function indexes(): Promise<string[]> {
  const { rows } = await database.pool.query<{ name: string }>(
    `select indexname as name from pg_indexes where schemaname = 'partitions' and tablename in ('dns_rr_20240611', 'flow_20240611') order by 1`,
  );
  return rows.map(({ name }) => name);
}

async function states(): Promise<Record<string, string>> {
  const { rows } = await database.pool.query<{ name: string; state: string }>(
    'select name, state from public.partition where table_bytes > 0',
  );
  return Object.fromEntries(rows.map(({ name, state }) => [name, state]));
}

test('a day that is over gets its indexes, and queries use them', async () => {
  await insertDay(database.pool, OLD_DAY, 20_000);
  expect(await states()).toEqual({ flow_20240611: 'hot', dns_rr_20240611: 'hot' });
  expect((await sealNow()).map(({ name }) => name)).toEqual(['flow_20240611', 'dns_rr_20240611']);
  expect(await states()).toEqual({ flow_20240611: 'sealed', dns_rr_20240611: 'sealed' });

  const paths: Record<string, string> = {
    rrname: `select * from dns_rr where rrname = 'www3.example3.com.'`,
    'rdata_ip ': `select * from dns_rr where rdata_ip = '198.51.100.7'`,
    rdata_ip: `select * from dns_rr where rdata_ip <<= '198.51.100.8/30'`,
    client: `select * from dns_rr where client = '10.0.0.7'`,
    'time ': `select * from dns_rr where time >= '${OLD_DAY} 00:00:01Z' and time < '${OLD_DAY} 00:00:02Z'`,
  };
  for (const [column, query] of Object.entries(paths))
    expect(await plan(query)).toContain(`dns_rr_20240611_${column.trim()}_idx`);
  expect(
    await plan(`select * from flow where flow_id = 7 and start_time = '${OLD_DAY} 00:00:00.006Z'`),
  ).toContain('flow_20240611_flow_id_idx');
  expect(await plan(`select * from flow where dst <<= '192.0.2.8/30'`)).toContain('flow_20240611_dst_idx');
  expect(await plan(`select * from flow where src = '10.0.0.7'`)).toContain('flow_20240611_src_idx');
});

test('today, and a day that still gets rows, stay hot', async () => {
  await insertDay(database.pool, daysAgo(0), 10);
  expect(await sealNow()).toEqual([]);

  await insertDay(database.pool, OLD_DAY, 10);
  expect(await seal(database.pool, { sealAfterSeconds: 900 })).toEqual([]);
  await database.pool.query(`update public.partition_life set changed_at = now() - interval '901 seconds'`);
  await insertDay(database.pool, OLD_DAY, 1000, 100);
  expect(await seal(database.pool, { sealAfterSeconds: 900 })).toEqual([]);
  // the server tells of rows a second late
  const sealed = await eventually('the seal', async () => {
    await database.pool.query(`update public.partition_life set changed_at = now() - interval '901 seconds'`);
    const done = await seal(database.pool, { sealAfterSeconds: 900 });
    return done.length > 0 ? done : undefined;
  });
  expect(sealed[0]?.name).toBe('flow_20240611');
});

test('late rows are in the indexes, and the partition is tidied once they stop coming', async () => {
  await insertDay(database.pool, OLD_DAY, 5000);
  await sealNow();
  await insertDay(database.pool, OLD_DAY, 5000, 1_000_000);
  expect(await states()).toEqual({
    flow_20240611: 'sealed, late rows',
    dns_rr_20240611: 'sealed, late rows',
  });
  const name = `select count(*)::integer as n from dns_rr where rrname = 'www3.example3.com.'`;
  const { rows: before } = await database.pool.query(name);
  expect(await plan(name)).toContain('dns_rr_20240611_rrname_idx');

  expect((await sealNow()).map(({ name }) => name)).toEqual(['flow_20240611', 'dns_rr_20240611']);
  expect(await states()).toEqual({ flow_20240611: 'sealed', dns_rr_20240611: 'sealed' });
  const { rows: after } = await database.pool.query(name);
  expect(after).toEqual(before);
  const { rows: scanned } = await database.pool.query(name.replace('rrname =', `rrname || '' =`));
  expect(after).toEqual(scanned);
  expect(await sealNow()).toEqual([]);
});

test('a process that is killed while it seals leaves whole indexes only, and the next one goes on', async () => {
  await insertDay(database.pool, OLD_DAY, 60_000);
  const before = await rowsOf(database.pool, OLD_DAY);
  const child = spawn(process.execPath, [
    '--input-type=module',
    '-e',
    `const { runDue } = await import(${JSON.stringify(main)}); await runDue(process.argv[1], { sealAfterSeconds: 0 });`,
    database.url,
  ]);
  await eventually('the index on names being built', async () => {
    const { rowCount } = await database.pool.query(
      `select from pg_stat_activity where state = 'active' and datname = current_database() and query like 'create index%dns_rr%'`,
    );
    return rowCount === 1 || undefined;
  });
  child.kill('SIGKILL');
  await once(child, 'close');
  expect((await states()).dns_rr_20240611).toBe('hot');

  const sealed = await eventually('the dead process to let go', async () => {
    const done = await sealNow();
    return done.length > 0 ? done : undefined;
  });
  expect(sealed.map(({ name }) => name)).toContain('dns_rr_20240611');
  expect(await indexes()).toEqual([
    ...['client', 'rdata_ip', 'rrname', 'time'].map(name => `dns_rr_20240611_${name}_idx`),
    ...['dst', 'flow_id', 'src', 'time'].map(name => `flow_20240611_${name}_idx`),
  ]);
  expect(await rowsOf(database.pool, OLD_DAY)).toEqual(before);
});

test('two that seal at once share the work without an error', async () => {
  await insertDay(database.pool, OLD_DAY, 2000);
  const both = await Promise.all([sealNow(), sealNow()]);
  expect(both.flat().map(({ name }) => name)).toEqual(['flow_20240611', 'dns_rr_20240611']);
});

test('a partition that somebody writes into is left for later, the others are sealed', async () => {
  await insertDay(database.pool, OLD_DAY, 100);
  await insertDay(database.pool, '2024-06-12', 100);
  const writer = await database.pool.connect();
  await writer.query(`begin; lock table partitions.dns_rr_20240611 in row exclusive mode`);
  const sealed = await sealNow();
  await writer.query('rollback');
  writer.release();
  expect(sealed.map(({ name }) => name)).toEqual(['flow_20240611', 'flow_20240612', 'dns_rr_20240612']);
  expect((await sealNow()).map(({ name }) => name)).toEqual(['dns_rr_20240611']);
});

test('without btree_gin the indexes are btrees', async () => {
  await database.pool.query('drop extension btree_gin');
  await insertDay(database.pool, OLD_DAY, 100);
  await sealNow();
  const { rows } = await database.pool.query(
    `select indexdef from pg_indexes where indexname = 'dns_rr_20240611_rrname_idx'`,
  );
  expect(rows[0].indexdef).toContain('USING btree (rrname)');
});

describe('is_below', () => {
  test.each([
    ['www.example.com.', true],
    ['a.b.example.com.', true],
    ['example.com.', false],
    ['badexample.com.', false],
    ['a\\.example.com.', false],
    ['a\\\\.example.com.', true],
    ['a\\\\\\.example.com.', false],
  ])('of %s and example.com. is %s', async (name, expected) => {
    const { rows } = await database.pool.query(
      `select public.is_below($1, 'example.com.') as below, public.is_below($1, '.example.com.') as dotted`,
      [name],
    );
    expect(rows).toEqual([{ below: expected, dotted: expected }]);
  });

  test('uses an index on reversed_name', async () => {
    await insertDay(database.pool, OLD_DAY, 5000);
    await database.pool.query(
      `create index by_end on partitions.dns_rr_20240611 (public.reversed_name(rrname) text_pattern_ops); analyze partitions.dns_rr_20240611`,
    );
    expect(await plan(`select * from dns_rr where is_below(rrname, 'www3.example3.com.')`)).toContain(
      'by_end',
    );
  });
});
