import pg from 'pg';

/** A pool whose lost connections are no event of their own: the query that runs into it throws, the next one connects again. */
export function openPool(
  connectionString: string,
  options: Omit<pg.PoolConfig, 'connectionString'> = {},
): pg.Pool {
  const pool = new pg.Pool({ ...options, connectionString });
  pool.on('error', () => {}); // of an idle connection
  pool.on('connect', client => client.on('error', () => {})); // of one between two queries of a transaction
  return pool;
}
