import { readFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import type pg from 'pg';
import { log } from './log.ts';

/**
 * Who goes first when there is too much to do, 0 being the first: closing runs, without which every lookup and so everything
 * else gets slower; loading; other jobs; answering. The next one gets a third of the time of the one before, not nothing: it
 * may hold a lock that others wait for.
 */
export const Niceness = { closing: 0, loading: 5, jobs: 10, answering: 15 } as const;

/**
 * Lets the server's process for a connection give way, for as long as that is open. Only of a server behind a Unix-domain
 * socket, whose process ids are those of this machine, and where we may; others work no worse.
 */
export async function giveWay(client: pg.ClientBase, niceness: number): Promise<void> {
  try {
    const { rows } = await client.query<{ pid: number }>(
      'select pg_backend_pid() as pid where inet_server_addr() is null',
    );
    const pid = rows[0]?.pid;
    if (pid !== undefined && readFileSync(`/proc/${pid}/cmdline`, 'latin1').startsWith('postgres:'))
      setPriority(pid, niceness);
  } catch (error) {
    log.debug({ error: String(error) }, 'the server works for us with the priority of all else');
  }
}
