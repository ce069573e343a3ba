import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import pg from 'pg';
import { log } from '../log.ts';
import { type Cluster, locateCluster } from './cluster.ts';
import { type RunningServer, runningServer } from './lock.ts';
import { readOrCreateFile } from './privateFile.ts';
import { OWNER, startServer, stopServer } from './server.ts';
import { SOCKET_PORT } from './settings.ts';
import { isChangingState, isTransient } from './transient.ts';

/** Advisory lock of the database `postgres`: shared by all users of a cluster, exclusive to who stops it. */
const LEASE_KEY = 7234872349000;
const PASSWORD_KEY = 7234872349002;

const PATIENCE_MS = 60_000;
const PATIENCE_WITH_RECOVERY_MS = 600_000;
const RETRY_MS = 50;

export interface EmbeddedOptions {
  /** Also listen on 127.0.0.1 at this port. Default: the environment variable DNSTRAIL_POSTGRES_PORT, if it is set. */
  readonly port?: number;
  /** False: does not wait for the disk, so that only crashes of processes are survived; for tests. Counts when the server is started. */
  readonly durable?: boolean;
}

/** A lease on the PostgreSQL server of a home directory, which runs as long as somebody has one. */
export interface EmbeddedPostgres {
  /** Connection string of the database, through the Unix-domain socket. */
  readonly url: string;
  /** Connection string through TCP, password included, when the server listens. */
  readonly tcpUrl: string | undefined;
  readonly socketDirectory: string;
  readonly dataDirectory: string;
  readonly logFile: string;
  readonly binDirectory: string;
  /** Operating system account that the server runs as. */
  readonly serverUser: string;
  /** Whether this call started the server rather than joined it. */
  readonly started: boolean;
  /** Starts the server again if it went away, and waits until it can be used. To be called when connections get lost. */
  ensureRunning(): Promise<void>;
  /** Gives the lease back; the last one stops the server. */
  close(): Promise<void>;
}

/**
 * Starts or joins the PostgreSQL server whose data belong to `home`, made at first use. Any number of processes may
 * do so at the same time; one that is killed leaves nothing that hinders the next.
 * @throws Error with what to do about it
 */
export async function openEmbedded(home: string, options: EmbeddedOptions = {}): Promise<EmbeddedPostgres> {
  const port = options.port ?? portFromEnvironment();
  const cluster = locateCluster(home, { port, durable: options.durable ?? true });
  let { lease, started, server } = await join(cluster);
  let joining: Promise<void> | undefined;
  let closing: Promise<void> | undefined;
  if (port !== undefined && !(server.listensOnTcp && server.port === port)) {
    log.warn(
      { port },
      'PostgreSQL was started without this DNSTRAIL_POSTGRES_PORT and keeps its own until it is stopped',
    );
  }
  return {
    url: `postgresql://${OWNER}@/${OWNER}?host=${encodePath(server.socketDirectory)}&port=${SOCKET_PORT}&sslmode=disable`,
    tcpUrl: server.listensOnTcp ? await setPassword(cluster, lease, server) : undefined,
    socketDirectory: server.socketDirectory,
    dataDirectory: cluster.dataDirectory,
    logFile: cluster.logFile,
    binDirectory: `${cluster.binaries.root}/bin`,
    serverUser: cluster.account.name,
    started,
    async ensureRunning() {
      if (closing) throw new Error('the embedded PostgreSQL was closed');
      if (await isUsable(lease)) return;
      joining ??= join(cluster)
        .then(joined => {
          lease = joined.lease;
        })
        .finally(() => {
          joining = undefined;
        });
      await joining;
    },
    close() {
      closing ??= (joining ?? Promise.resolve()).catch(() => {}).then(() => giveBack(cluster, lease));
      return closing;
    },
  };
}

interface Joined {
  readonly lease: pg.Client;
  readonly server: RunningServer;
  readonly started: boolean;
}

async function join(cluster: Cluster): Promise<Joined> {
  const begin = Date.now();
  let deadline = begin + PATIENCE_MS;
  let started = false;
  let lastError: unknown;
  for (;;) {
    try {
      const server = runningServer(cluster);
      if (server?.ready) {
        const lease = await takeLease(server);
        if (lease) return { lease, server, started };
      } else if (server) {
        deadline = extended(begin);
      } else if (await startServer(cluster)) {
        started = true;
        continue;
      }
    } catch (error) {
      if (!isTransient(error)) throw error;
      lastError = error;
      if (isChangingState(error)) deadline = extended(begin);
    }
    if (Date.now() > deadline) {
      throw new Error(`PostgreSQL in ${cluster.dataDirectory} did not become ready, see ${cluster.logFile}`, {
        cause: lastError,
      });
    }
    await setTimeout(RETRY_MS);
  }
}

/** A server that is recovering or shutting down is at work, and worth waiting for. */
function extended(begin: number): number {
  return Math.min(Date.now() + PATIENCE_MS, begin + PATIENCE_WITH_RECOVERY_MS);
}

/** A connection that holds the lease, or nothing when the server is about to be stopped. */
async function takeLease({ socketDirectory, port }: RunningServer): Promise<pg.Client | undefined> {
  const client = new pg.Client({
    host: socketDirectory,
    port,
    user: OWNER,
    database: 'postgres',
    ssl: false,
    application_name: 'dnstrail lease',
    connectionTimeoutMillis: PATIENCE_MS,
  });
  client.on('error', () => {}); // the server went away: found out by who uses the lease
  try {
    await client.connect();
    const { rows } = await client.query<{ taken: boolean }>(
      `select pg_try_advisory_lock_shared(${LEASE_KEY}) as taken`,
    );
    if (rows[0]?.taken) {
      await createDatabase(client);
      return client;
    }
  } catch (error) {
    await client.end().catch(() => {});
    throw error;
  }
  await client.end();
  return undefined;
}

async function createDatabase(lease: pg.Client): Promise<void> {
  const { rowCount } = await lease.query('select from pg_database where datname = $1', [OWNER]);
  if (rowCount) return;
  try {
    await lease.query(`create database ${OWNER}`);
  } catch (error) {
    const { code } = error as { code?: string };
    if (code !== '42P04' && code !== '23505') throw error; // duplicate: another process was faster
  }
}

async function giveBack(cluster: Cluster, held: pg.Client): Promise<void> {
  const lease = (await isUsable(held)) ? held : await rejoin(cluster);
  if (!lease) return;
  try {
    await lease.query(`select pg_advisory_unlock_shared(${LEASE_KEY})`);
    const { rows } = await lease.query<{ last: boolean }>(
      `select pg_try_advisory_lock(${LEASE_KEY}) as last`,
    );
    if (rows[0]?.last) await stopServer(cluster);
  } catch (error) {
    if (!isTransient(error)) throw error; // else it is being stopped
  } finally {
    await lease.end().catch(() => {});
  }
}

/** A lease on the server if it still runs, after ours was lost. */
async function rejoin(cluster: Cluster): Promise<pg.Client | undefined> {
  const server = runningServer(cluster);
  return server && (await takeLease(server).catch(() => undefined));
}

async function isUsable(lease: pg.Client): Promise<boolean> {
  return lease.query('select').then(
    () => true,
    () => false,
  );
}

/** Gives the role the password that a file beside the data keeps, made at first use. */
async function setPassword(cluster: Cluster, lease: pg.Client, { port }: RunningServer): Promise<string> {
  const file = path.join(cluster.directory, 'password');
  const password = readOrCreateFile(
    file,
    `${randomBytes(24).toString('base64url')}\n`,
    cluster.account,
  ).trim();
  await lease.query(
    `select pg_advisory_xact_lock(${PASSWORD_KEY}); alter role ${OWNER} password '${password}'`,
  );
  return `postgresql://${OWNER}:${password}@127.0.0.1:${port}/${OWNER}`;
}

function encodePath(directory: string): string {
  return directory.split('/').map(encodeURIComponent).join('/');
}

function portFromEnvironment(): number | undefined {
  const text = process.env.DNSTRAIL_POSTGRES_PORT;
  if (!text) return undefined;
  const port = Number(text);
  if (Number.isInteger(port) && port > 0 && port < 65536) return port;
  throw new Error(`DNSTRAIL_POSTGRES_PORT must be a port number, not "${text}"`);
}
