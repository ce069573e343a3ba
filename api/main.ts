import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import pg from 'pg';
import { log } from '../common/log.ts';
import { letServerGiveWay, Niceness } from '../common/niceness.ts';
import { openPool } from '../common/pool.ts';
import { Access, isLoopback } from './access.ts';
import type { Analyst } from './analyst.ts';
import { createApp } from './app.ts';
import { Desk } from './desk.ts';
import { Feed } from './feed.ts';
import { Gate } from './gate.ts';
import { Ingest } from './ingest.ts';
import { hasKeys } from './keys.ts';
import { Reader } from './reader.ts';

/** Queries at a time; the next ones wait, as long as a query may take. */
const READERS = 16;
/**
 * Of those that take no longer than a moment. More would not be answered sooner on few cores, and each holds pages that others need while it
 * waits for the processor: after a load, 200 clients kept what had come from being sorted for 16 s with 8 of them at once, for 8 s with 3.
 */
const READERS_AT_ONCE = 4;
const MOMENT_MS = 10_000;
/** Connections for what writes, and for what only the owner may see. */
const DESKS = 4;
const CLOSE_MS = 2_000;
const MOST_CONNECTIONS = 2000;

export interface ApiOptions {
  readonly databaseUrl: string;
  readonly listen: { readonly host: string; readonly port: number };
  /** Seconds that a query may take, its answer included. */
  readonly queryTimeoutSeconds?: number | undefined;
  /** Writes what analysts say. */
  readonly analyst: Analyst;
}

/** A running API. */
export interface Api {
  /** Where it listens; the port that was given out for port 0. */
  readonly address: { readonly host: string; readonly port: number };
  /** Lets answers end for two seconds, then cuts them. */
  close(): Promise<void>;
}

/** The address is taken, or not allowed. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
}

/**
 * Serves the query API over a migrated database.
 * @throws ListenError when the port is taken, or when others could reach it and no key is defined
 */
export async function startApi({
  databaseUrl,
  listen,
  queryTimeoutSeconds = 60,
  analyst,
}: ApiOptions): Promise<Api> {
  const poolOptions = {
    application_name: 'dnstrail serve',
    connectionTimeoutMillis: 1000 * queryTimeoutSeconds,
    idleTimeoutMillis: 60_000,
  };
  const control = openPool(databaseUrl, { ...poolOptions, max: 4 });
  const desk = openPool(databaseUrl, {
    ...poolOptions,
    max: DESKS,
    statement_timeout: 1000 * queryTimeoutSeconds,
  });
  let readers: pg.Pool | undefined;
  try {
    if (!isLoopback(listen.host) && !(await hasKeys(control)).now)
      throw new ListenError(
        `will not serve ${listen.host}:${listen.port} to others without a key: add one with "dnstrail keys add NAME", or listen on 127.0.0.1`,
      );
    const role = await readerRole(control);
    const pool = openPool(databaseUrl, {
      ...poolOptions,
      max: READERS,
      async onConnect(client) {
        await client.query(sessionSql, [role, `${queryTimeoutSeconds}s`]);
        await letServerGiveWay(client, Niceness.answering);
      },
    });
    readers = pool;
    const gate = new Gate({
      most: READERS_AT_ONCE,
      momentMs: MOMENT_MS,
      patienceMs: 1000 * queryTimeoutSeconds,
    });
    const reader = new Reader(pool, control, gate);
    const feed = new Feed(reader);
    const app = createApp({
      reader,
      feed,
      access: new Access(control),
      desk: new Desk(desk, analyst),
      ingest: new Ingest(desk),
    });
    const server = createServer(
      { requestTimeout: 30_000, headersTimeout: 15_000, keepAliveTimeout: 65_000 },
      app,
    );
    server.on('clientError', refuse);
    server.maxConnections = MOST_CONNECTIONS;
    const address = await listenOn(server, listen);
    return {
      address,
      async close() {
        const closed = once(server, 'close');
        server.close();
        await feed.close(); // those who listen would stay for ever
        server.closeIdleConnections();
        const cut = setTimeout(() => server.closeAllConnections(), CLOSE_MS);
        await closed;
        clearTimeout(cut);
        await Promise.all([pool.end(), desk.end(), control.end()]);
      },
    };
  } catch (error) {
    await Promise.all([readers?.end(), desk.end(), control.end()]);
    throw error;
  }
}

/** What is no HTTP, or more of it than is taken, gets a line of text too: clients show nothing else. */
function refuse(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  const [status, reason] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? ['431 Request Header Fields Too Large', 'the request is too large']
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? ['408 Request Timeout', 'the request did not come to its end']
        : ['400 Bad Request', 'this is no HTTP'];
  const type = 'Content-Type: text/plain; charset=utf-8';
  socket.end(`HTTP/1.1 ${status}\r\n${type}\r\nConnection: close\r\n\r\nError: ${reason}\n`);
}

/** What holds for each connection that answers questions: it cannot write, and it does not keep the machine busy. */
const sessionSql = `
select
  set_config('role', $1, false),
  set_config('default_transaction_read_only', 'on', false),
  set_config('statement_timeout', $2, false),
  set_config('jit', 'off', false),
  set_config('max_parallel_workers_per_gather', '0', false)`;

/** The role of the migration that can only read, or none where we may not take it. */
async function readerRole(pool: pg.Pool): Promise<string> {
  const client = await pool.connect();
  try {
    await client.query('begin');
    await client.query('set local role dnstrail_api');
    return 'dnstrail_api';
  } catch (error) {
    if (!isRefusal(error)) throw error;
    log.info('no role dnstrail_api: queries run as the owner of the database, in read-only transactions');
    return 'none';
  } finally {
    await client.query('rollback').catch(() => {});
    client.release();
  }
}

/** The role does not exist, or is not granted to us. */
function isRefusal(error: unknown): boolean {
  return error instanceof pg.DatabaseError && ['22023', '42501', '42704'].includes(error.code ?? '');
}

async function listenOn(
  server: Server,
  { host, port }: ApiOptions['listen'],
): Promise<{ host: string; port: number }> {
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    const reason = code === 'EADDRINUSE' ? 'the port is taken' : String(error);
    throw new ListenError(
      `cannot serve HTTP on ${host}:${port} (${reason}): choose another with --http or DNSTRAIL_HTTP`,
      {
        cause: error,
      },
    );
  }
  return { host, port: (server.address() as AddressInfo).port }; // it listens on a port
}
