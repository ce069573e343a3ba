import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { EventEmitter, once } from 'node:events';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { readMessageHeader } from '../../collector/ipfix/index.ts';
import { treeCpuSeconds } from './treeCpu.ts';

/** Where nfacctd writes to: a database of a server that asks for no password, by its Unix-domain socket. */
export interface Target {
  readonly socketDirectory: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  /** Process of the server, whose CPU time counts too. */
  readonly serverPid: number;
}

/** Its table. The names are nfacctd's, the types those of public.flow; it keeps what is below a second apart, in microseconds. */
export const CREATE_ACCT = `create table acct (
  ip_src inet, ip_dst inet, port_src integer, port_dst integer, ip_proto smallint, tos smallint, tcp_flags smallint,
  iface_in bigint, iface_out bigint, timestamp_start timestamp, timestamp_start_residual integer,
  timestamp_end timestamp, timestamp_end_residual integer, packets bigint, bytes bigint
) with (autovacuum_enabled = false)`;

/**
 * Found to be the fastest on two cores. It aggregates on every field, so no two flows become one row. A cache is written when
 * it is full: its entries and 100 for each second of the refresh time, so that six of them hold nearly 600 000 flows. Smaller
 * and larger ones, the refresh time of 1 s, ZeroMQ between its processes, and a lock on the table are slower or equal.
 */
const SETTINGS = {
  plugins: 'pgsql',
  aggregate:
    'src_host, dst_host, src_port, dst_port, proto, tos, tcpflags, in_iface, out_iface, timestamp_start, timestamp_end',
  nfacctd_pipe_size: 8_388_608,
  plugin_pipe_size: 512_000_000,
  plugin_buffer_size: 512_000,
  sql_use_copy: true,
  sql_dont_try_update: true,
  sql_optimize_clauses: true,
  sql_num_protos: true,
  sql_cache_entries: 98_573,
  sql_refresh_time: 10,
  sql_max_writers: 100,
  sql_locking_style: 'none',
  timestamps_utc: true,
};

/** The settings that decide its speed, for the recipe of a result. */
export const NFACCTD_SETTINGS = Object.entries(SETTINGS)
  .map(([key, value]) => `${key}: ${value}`)
  .join('; ');

/** Flows sent and not yet stored; nfacctd's queue between its processes holds more: some 550 octets each. */
const MOST_AHEAD = 600_000;
/** Flows that wait in its core process until a buffer for the plugin is full. */
const MOST_IN_BUFFER = 2_000;
/** Octets in its socket from which on the sender waits; the kernel counts 2.3 kB for a message. */
const MOST_IN_SOCKET = 256_000;
/** Messages between two looks at what waits there. */
const BURST = 32;
/** It says that it waits for data while its plugin still fills its cache with zeros. */
const START_MS = 1_000;
const PATIENCE_MS = 30_000;

/** The installed nfacctd in words, or undefined when it is not on the PATH. */
export function nfacctdVersion(): string | undefined {
  try {
    return execFileSync('nfacctd', ['-V'], { encoding: 'utf8' }).split('\n', 1)[0];
  } catch {
    return undefined;
  }
}

/** How it is fed and measured, for the recipe of a result. */
export const NFACCTD_FEED =
  'as fast as it reads: a sender that looks at its socket (/proc/net/udp) every 32 messages and waits while more than 256 kB are there; ' +
  'from the first datagram to the commit of the last full cache, by its log; nothing lost: its table must hold all flows at the end';

/** What was stored, and what it took. */
export interface Stored {
  readonly rows: number;
  /** From the first octet sent, or from the file, to the last commit. */
  readonly seconds: number;
  /** Of the processes that store, the server's among them. */
  readonly cpuSeconds: number;
}

/**
 * Starts an nfacctd, sends it messages by UDP on loopback as fast as it takes them, and ends it. The last rows, less than
 * a cache, are not in the result: they would wait for the refresh time, and are written when nfacctd is told to end.
 * @param messages one datagram each; their sequence numbers tell the flows before them
 * @param flows in all messages; more than a cache
 * @throws Error with the end of its log when it stops storing. Whether all rows arrived is for the caller to count.
 */
export async function storeByNfacctd(
  messages: readonly Buffer[],
  flows: number,
  target: Target,
  directory: string,
): Promise<Stored> {
  const port = await freePort();
  const nfacctd = await Nfacctd.start(port, target, directory);
  const socket = createSocket('udp4');
  try {
    socket.connect(port, '127.0.0.1');
    await once(socket, 'connect');
    const begin = performance.now();
    const cpuBefore = treeCpuSeconds(nfacctd.pid, target.serverPid);
    for (let i = 0; i < messages.length; i += BURST) {
      const burst = messages.slice(i, i + BURST);
      while (octetsWaiting(port) > MOST_IN_SOCKET) await delay(1);
      await nfacctd.stored(sequenceNumber(burst[0]!) - MOST_AHEAD); // not empty: i < length
      await Promise.all(burst.map(message => send(socket, message)));
    }
    await nfacctd.storedFullCaches(flows);
    const seconds = (performance.now() - begin) / 1000;
    return {
      rows: nfacctd.rows,
      seconds,
      cpuSeconds: treeCpuSeconds(nfacctd.pid, target.serverPid) - cpuBefore,
    };
  } finally {
    socket.close();
    await nfacctd.end();
  }
}

/** A running nfacctd and what its log says that it committed. */
class Nfacctd extends EventEmitter<{ line: [] }> {
  /** Rows committed so far. */
  rows = 0;
  /** Rows of a full cache, once one was written. */
  #cacheRows = 0;
  readonly #process: ChildProcess;
  readonly #closed: Promise<unknown>;
  readonly #log: string[] = [];

  static async start(port: number, target: Target, directory: string): Promise<Nfacctd> {
    const path = join(directory, 'nfacctd.conf');
    await writeFile(path, configuration(port, target));
    const nfacctd = new Nfacctd(spawn('nfacctd', ['-f', path], { stdio: ['ignore', 'pipe', 'pipe'] }));
    try {
      await nfacctd.#until(() => nfacctd.#log.some(line => line.includes('waiting for NetFlow/IPFIX data')));
      await delay(START_MS);
      return nfacctd;
    } catch (error) {
      await nfacctd.end();
      throw error;
    }
  }

  private constructor(child: ChildProcess) {
    super();
    this.#process = child;
    this.#closed = once(child, 'close');
    for (const output of [child.stdout, child.stderr])
      if (output !== null) createInterface(output).on('line', line => this.#read(line));
    child.on('exit', () => this.emit('line'));
  }

  get pid(): number {
    return this.#process.pid!; // its log said that it runs
  }

  /** Waits until so many rows are committed. */
  async stored(rows: number): Promise<void> {
    if (this.rows < rows) await this.#until(() => this.rows >= rows);
  }

  /** Waits until what is not committed of so many rows fits into a cache and a buffer. */
  async storedFullCaches(rows: number): Promise<void> {
    await this.#until(() => this.rows >= rows - this.#cacheRows - MOST_IN_BUFFER);
  }

  /** Has it write what it holds, and waits until all its processes are gone. */
  async end(): Promise<void> {
    this.#process.kill('SIGINT');
    const late = setTimeout(() => this.#process.kill('SIGKILL'), PATIENCE_MS);
    await this.#closed;
    clearTimeout(late);
  }

  #read(line: string): void {
    this.#log.push(line);
    const [, rows] = /Purging cache - END .*QN: (\d+)\//.exec(line) ?? []; // a writer says so after its commit
    if (rows !== undefined && rows !== '0') {
      this.rows += Number(rows);
      this.#cacheRows = Math.max(this.#cacheRows, Number(rows));
    }
    this.emit('line');
  }

  async #until(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) {
      const log = () => this.#log.slice(-10).join('\n');
      if (this.#process.exitCode !== null || this.#process.signalCode !== null)
        throw new Error(`nfacctd ended:\n${log()}`);
      await once(this, 'line', { signal: AbortSignal.timeout(PATIENCE_MS) }).catch(cause => {
        throw new Error(`nfacctd stored ${this.rows} rows and went no further:\n${log()}`, { cause });
      });
    }
  }
}

function configuration(port: number, target: Target): string {
  const lines = {
    daemonize: false,
    nfacctd_ip: '127.0.0.1',
    nfacctd_port: port,
    ...SETTINGS,
    sql_host: target.socketDirectory,
    sql_port: target.port,
    sql_user: target.user,
    sql_db: target.database,
    sql_table: 'acct',
  };
  return Object.entries(lines)
    .map(([key, value]) => `${key}: ${value}\n`)
    .join('');
}

function sequenceNumber(message: Buffer): number {
  return readMessageHeader(message, 0, 0).sequenceNumber;
}

function send(socket: Socket, message: Buffer): Promise<void> {
  return new Promise((resolve, reject) =>
    socket.send(message, error => (error === null ? resolve() : reject(error))),
  );
}

async function freePort(): Promise<number> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  await once(socket, 'close');
  return port;
}

/** What the kernel holds for the socket bound to a port, in its own octets (Linux). @throws Error when something was dropped */
function octetsWaiting(port: number): number {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  for (const line of readFileSync('/proc/net/udp', 'latin1').split('\n')) {
    const [, address, , , queues, , , , , , , , drops] = line.trim().split(/\s+/);
    if (!address?.endsWith(local) || queues === undefined) continue;
    if (drops !== '0') throw new Error(`the kernel dropped ${drops} datagrams before nfacctd read them`);
    return Number.parseInt(queues.slice(queues.indexOf(':') + 1), 16);
  }
  return 0;
}
