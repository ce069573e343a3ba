import { readFileSync, writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { log } from './log.ts';

/**
 * Who goes first when there is too much to do, 0 being the first: closing runs, without which every lookup and so everything
 * else gets slower; loading, and merging small runs; other jobs; answering; merging large runs, which nobody waits for. Five
 * more is a third of the time, not nothing: who is last may hold a lock that others wait for, and who asks gives up after a
 * minute.
 */
export const Niceness = { closing: 0, loading: 5, jobs: 10, answering: 12, tidying: 15 } as const;

/** Linux takes one such change in 100 ms from who is not root. */
const RETRY_MS = 150;
const MOST_TRIES = 40;

/** Lets this process give way; not to be waited for, as that may take seconds, and failures are only told. */
export async function giveWay(niceness: number): Promise<void> {
  await setNiceness(process.pid, niceness).catch(tellRefused);
}

/**
 * Lets the server's process for a connection give way, for as long as that is open. Only of a server behind a Unix-domain
 * socket, whose process ids are those of this machine, and where we may; others work no worse.
 */
export async function letServerGiveWay(client: pg.ClientBase, niceness: number): Promise<void> {
  if (niceness === 0) return;
  try {
    const { rows } = await client.query<{ pid: number }>(
      'select pg_backend_pid() as pid where inet_server_addr() is null',
    );
    const pid = rows[0]?.pid;
    if (pid !== undefined && readFileSync(`/proc/${pid}/cmdline`, 'latin1').startsWith('postgres:'))
      void setNiceness(pid, niceness).catch(tellRefused); // the first question does not wait for it
  } catch (error) {
    tellRefused(error);
  }
}

/**
 * Linux shares the time among sessions first, and by niceness among the processes of each (sched(7), autogroup). A process
 * that leads one of its own, as ours and all of PostgreSQL's do, gives way only with its session.
 */
async function setNiceness(pid: number, niceness: number): Promise<void> {
  setPriority(pid, niceness);
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1'); // pid (name) state ppid pgrp session …
  const session = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3]);
  if (session !== pid) return;
  for (let tries = 1; ; tries++) {
    try {
      writeFileSync(`/proc/${pid}/autogroup`, String(niceness));
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN' || tries === MOST_TRIES) throw error;
      await delay(RETRY_MS * (1 + Math.random()), undefined, { ref: false });
    }
  }
}

function tellRefused(error: unknown): void {
  log.debug({ error: String(error) }, 'it works with the priority of all else');
}
