import net from 'node:net';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isTransient, openDatabase } from '../../../common/database.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
});

afterAll(() => database.drop());

async function failureOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    error => error,
  );
}

async function connect(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect().finally(() => client.end());
}

describe('worth another try is', () => {
  test('a connection that an administrator ends', async () => {
    const client = await database.pool.connect();
    client.on('error', () => {});
    const failure = await failureOf(client.query('select pg_terminate_backend(pg_backend_pid())'));
    expect(isTransient(failure)).toBe(true);
    expect(isTransient(await failureOf(client.query('select 1')))).toBe(true);
    client.release(true);
  });

  test('a port where nobody listens, and a socket that is not there', async () => {
    expect(isTransient(await failureOf(connect('postgresql://nobody@127.0.0.1:1/none')))).toBe(true);
    expect(isTransient(await failureOf(connect('postgresql://nobody@/none?host=/nonexistent')))).toBe(true);
  });

  test('a server that hangs up', async () => {
    const server = net.createServer(socket => socket.end()).listen(0, '127.0.0.1');
    await new Promise(resolve => server.once('listening', resolve));
    const { port } = server.address() as net.AddressInfo; // of a TCP server
    expect(
      isTransient(await failureOf(connect(`postgresql://nobody@127.0.0.1:${port}/none?sslmode=disable`))),
    ).toBe(true);
    server.close();
  });

  test.each(['08006', '57P01', '57P03', '53100', '53300', '40001', '40P01'])('SQLSTATE %s', async code => {
    const raise = `do $$ begin raise exception 'made up' using errcode = '${code}'; end $$`;
    expect(isTransient(await failureOf(database.pool.query(raise)))).toBe(true);
  });
});

describe('not worth another try is', () => {
  test.each(['select 1 / 0', 'select nothing', `select 'x'::inet`])('%s', async text => {
    expect(isTransient(await failureOf(database.pool.query(text)))).toBe(false);
  });

  test('a database that does not exist, a file that does not exist, and what is no error', async () => {
    const noDatabase = await failureOf(
      connect(database.url.replace(/dnstrail_test_\w+/, 'no_such_database')),
    );
    expect(isTransient(noDatabase)).toBe(false);
    expect(isTransient(Object.assign(new Error('no such file'), { code: 'ENOENT', syscall: 'open' }))).toBe(
      false,
    );
    expect(isTransient('ECONNREFUSED')).toBe(false);
  });
});

test('a database given by its URL is used as it is, and its pools survive losing idle connections', async () => {
  const opened = await openDatabase({ home: '/nonexistent', databaseUrl: database.url });
  expect(opened.embedded).toBeUndefined();
  expect(opened.psqlLine).toMatch(/^psql /);
  const pool = opened.pool({ max: 1 });
  await pool.query('select 1');
  const gone = new Promise(resolve => pool.once('remove', resolve));
  await database.pool.query(
    'select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname = current_database()',
  );
  await gone;
  expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
  await opened.close();
  expect(pool.ended).toBe(true);
});

test('the psql line does not show the password', async () => {
  const withPassword = `${database.url}${database.url.includes('?') ? '&' : '?'}password=s3cret`;
  const opened = await openDatabase({ home: '/nonexistent', databaseUrl: withPassword });
  expect(opened.psqlLine).not.toContain('s3cret');
  await opened.close();
});
