import pg from 'pg';
import { openPool } from './pool.ts';
import { type EmbeddedPostgres, openEmbedded } from './postgres/embedded.ts';

export { isTransient } from './postgres/transient.ts';

const OLDEST_VERSION = 14;

/** The database of a dnstrail: the one named by DATABASE_URL, or the embedded one of its home. */
export interface Database {
  /** Connection string, password included. */
  readonly url: string;
  /** A shell command that opens psql on the database; without the password. */
  readonly psqlLine: string;
  /** The server, when it is the embedded one. */
  readonly embedded: EmbeddedPostgres | undefined;
  /** A new pool, ended by close(). Losing idle connections is no error: the next query connects again. */
  pool(options?: Omit<pg.PoolConfig, 'connectionString'>): pg.Pool;
  /** Ends the pools, once their clients are released, and gives the embedded server back. */
  close(): Promise<void>;
}

/**
 * Opens the database: `databaseUrl` when given, else the embedded PostgreSQL of `home` (DNSTRAIL_HOME).
 * @throws Error when it cannot be reached (see isTransient) or is older than PostgreSQL 14
 */
export async function openDatabase(options: {
  home: string;
  databaseUrl?: string | undefined;
}): Promise<Database> {
  const embedded = options.databaseUrl ? undefined : await openEmbedded(options.home);
  const url = options.databaseUrl || embedded!.url; // one of them is there
  const pools: pg.Pool[] = [];
  const close = async () => {
    await Promise.all(pools.filter(pool => !pool.ending).map(pool => pool.end()));
    await embedded?.close();
  };
  try {
    if (!embedded) await checkVersion(url);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    url,
    psqlLine: embedded
      ? `psql -h ${quote(embedded.socketDirectory)} -U dnstrail dnstrail`
      : `psql ${quote(withoutPassword(url))}`,
    embedded,
    pool(poolOptions = {}) {
      const pool = openPool(url, { application_name: 'dnstrail', ...poolOptions });
      pools.push(pool);
      return pool;
    },
    close,
  };
}

async function checkVersion(url: string): Promise<void> {
  const client = new pg.Client({
    connectionString: url,
    application_name: 'dnstrail',
    connectionTimeoutMillis: 30_000,
  });
  client.on('error', () => {}); // the query that runs into it throws as well
  try {
    await client.connect();
    const { rows } = await client.query<{ version: string }>(
      `select current_setting('server_version') as version`,
    );
    const version = rows[0]!.version; // always one row
    if (Number.parseInt(version, 10) >= OLDEST_VERSION) return;
    throw new Error(`DATABASE_URL names a PostgreSQL ${version}; dnstrail needs ${OLDEST_VERSION} or newer`);
  } finally {
    await client.end().catch(() => {});
  }
}

/** Two forms are usual, `user:password@` and the parameter `password=`; what is no URL is left out altogether. */
function withoutPassword(url: string): string {
  const shown = url.replace(/^(\w+:\/\/[^/?#@:]*):[^/?#]*@/, '$1@').replace(/([?&])password=[^&]*&?/, '$1');
  return /^postgres(ql)?:\/\//.test(shown) ? shown : '$DATABASE_URL';
}

function quote(word: string): string {
  if (word === '$DATABASE_URL') return `"${word}"`;
  return /^[\w@%+:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
