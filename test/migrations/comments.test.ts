import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

/** Tables, views, columns and functions of schema public, and the schemas themselves, that no COMMENT ON describes. */
const UNDESCRIBED = `
  select 'schema ' || nspname as object
  from pg_namespace
  where nspname in ('public', 'partitions') and obj_description(oid, 'pg_namespace') is null
  union all
  select 'relation ' || oid::regclass
  from pg_class
  where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'f') and obj_description(oid, 'pg_class') is null
  union all
  select 'column ' || attrelid::regclass || '.' || attname
  from pg_attribute
  join pg_class on pg_class.oid = attrelid
  where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'f')
    and attnum > 0 and not attisdropped and col_description(attrelid, attnum) is null
  union all
  select 'function ' || oid::regprocedure
  from pg_proc
  where pronamespace = 'public'::regnamespace and obj_description(oid, 'pg_proc') is null
  order by 1`;

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
});

afterAll(() => database.drop());

async function undescribed(): Promise<string[]> {
  return (await database.pool.query<{ object: string }>(UNDESCRIBED)).rows.map(({ object }) => object);
}

test('every table, view, column and function of schema public has a comment', async () => {
  expect(await undescribed()).toEqual([]);
});

test('an object without a comment is noticed', async () => {
  await database.pool.query(`
    create table public.silent (mute integer);
    create view public.silent_view as select 1 as mute_too;
    create function public.silent_function(integer) returns integer language sql return 1;`);
  expect(await undescribed()).toEqual([
    'column silent.mute',
    'column silent_view.mute_too',
    'function silent_function(integer)',
    'relation silent',
    'relation silent_view',
  ]);
});
