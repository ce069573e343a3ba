import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import { MESSAGE_HEADER_LENGTH } from '../../collector/ipfix/index.ts';
import { LoadPool } from '../../collector/load/pool.ts';
import { startCollector } from '../../collector/main.ts';
import { readConfig } from '../../common/config.ts';
import type { Database } from '../../common/database.ts';
import { log } from '../../common/log.ts';
import { OWNER } from '../../common/postgres/server.ts';
import { SOCKET_PORT } from '../../common/postgres/settings.ts';
import { migrate } from '../../migrations/migrate.ts';
import { decode } from './decode.ts';
import { withHome } from './home.ts';
import type { Input } from './input.ts';
import {
  type Figure,
  figure,
  type Result,
  type Run,
  rates,
  ratio,
  recipeOf,
  result,
  timed,
} from './measure.ts';
import {
  CREATE_ACCT,
  NFACCTD_FEED,
  NFACCTD_SETTINGS,
  nfacctdVersion,
  type Stored,
  storeByNfacctd,
} from './nfacctd.ts';
import { PLAIN_FLOWS_MAKE, plainFlowStream } from './plainFlows.ts';
import { treeCpuSeconds } from './treeCpu.ts';

const PLAIN_FLOWS = 600_000;
/** nfacctd takes seconds to start and to end, and ipfixDump ten to read. */
const MOST_ROUNDS = { store: 3, read: 2 };
const POLL_MS = 5;

/**
 * The same octets given to others in the same run: nfacctd stores plain flows, ipfixDump reads the input. Needs Linux, whose
 * /proc tells what waits in a socket and what processes take.
 */
export async function peers(input: Input, runs: number): Promise<Result> {
  const [storeRounds, readRounds] = [Math.min(runs, MOST_ROUNDS.store), Math.min(runs, MOST_ROUNDS.read)];
  const nfacctd = nfacctdVersion();
  const stored = await storePlainFlows(storeRounds, nfacctd !== undefined);
  const read = await readInput(input, readRounds);
  const recipe = recipeOf(input, {
    runs: storeRounds,
    runsOfDecoding: readRounds,
    plainFlows: `${PLAIN_FLOWS_MAKE}; ${PLAIN_FLOWS} flows`,
    ...(nfacctd === undefined
      ? {}
      : { nfacctd, nfacctdSettings: NFACCTD_SETTINGS, nfacctdFeed: NFACCTD_FEED }),
  });
  const absent = nfacctd === undefined ? ['nfacctd: not on PATH (Debian: apt-get install pmacct)'] : [];
  return result('peers', recipe, [...stored, ...read.results], [...absent, ...read.absent]);
}

/** `decode`, and ipfixDump once more without printing: to count the records it walks through all, lists included. */
async function readInput(input: Input, rounds: number): Promise<Pick<Result, 'results' | 'absent'>> {
  const { results, absent } = await decode(input, rounds);
  if (absent.length > 0) return { results, absent };
  const count = () => promisify(execFile)('ipfixDump', ['--in', input.path, '--stats', '--out', '/dev/null']);
  const counts: Run[] = [];
  for (let round = 0; round < rounds; round++) counts.push(await timed(count));
  const rate = rates('ipfixDump --stats', input, counts)[0]!; // it gives several
  return { results: [...results, rate, ratio('decode / ipfixDump --stats', results[0], rate)], absent };
}

/** One way of storing the plain flows. */
interface Storer {
  readonly name: string;
  /** Stores all of them. */
  store(): Promise<Stored>;
  /** Counts and adds up what is stored: the same text for the same values. */
  sums(): Promise<string>;
  empty(): Promise<void>;
  close(): Promise<void>;
}

/** Into one server, with a home of its own. */
async function storePlainFlows(rounds: number, withNfacctd: boolean): Promise<Figure[]> {
  const { level } = log;
  log.level = 'warn'; // what the collector says in passing is no result
  return withHome((database, directory) => storeInTurn(database, directory, rounds, withNfacctd)).finally(
    () => {
      log.level = level;
    },
  );
}

/** Each into emptied tables after a checkpoint. They have to store the same values. */
async function storeInTurn(
  database: Database,
  directory: string,
  rounds: number,
  withNfacctd: boolean,
): Promise<Figure[]> {
  const storers: Storer[] = [];
  try {
    await migrate(database.pool({ max: 1 }));
    const messages = [...plainFlowStream(PLAIN_FLOWS)];
    storers.push(await fileStorer(database, messages, directory));
    storers.push(await tcpStorer(database, messages, directory));
    // the first time apart: connections, partitions and compiled code are new then
    for (const storer of storers) await storeOnce(storer);
    if (withNfacctd) storers.push(await nfacctdStorer(database, messages, directory));
    const runs = storers.map((): Stored[] => []);
    for (let round = 0; round < rounds; round++) {
      const sums = new Set<string>();
      for (const [i, storer] of storers.entries()) {
        const { stored, sum } = await storeOnce(storer);
        runs[i]!.push(stored); // one array for each
        sums.add(sum);
      }
      if (sums.size > 1) throw new Error(`not the same was stored: ${[...sums].join(' and ')}`);
    }
    const names = storers.map(({ name }) => name);
    return figures(names, runs);
  } finally {
    for (const storer of storers.reverse()) await storer.close();
  }
}

async function storeOnce(storer: Storer): Promise<{ stored: Stored; sum: string }> {
  await storer.empty();
  const stored = await storer.store();
  return { stored, sum: await storer.sums() };
}

/** Rates of all; ratios round by round of ours, from a file and from TCP, to the third. */
function figures(names: readonly string[], runs: readonly (readonly Stored[])[]): Figure[] {
  const perSecond = runs.map(each => each.map(({ rows, seconds }) => rows / seconds));
  const perCpu = runs.map(each => each.map(({ rows, cpuSeconds }) => rows / cpuSeconds));
  const ratios = (what: string, [file, tcp, peer]: readonly (readonly number[])[]) =>
    peer === undefined
      ? []
      : [file!, tcp!].map((ours, i) =>
          figure(
            `${what}: ${names[i]} / nfacctd`,
            'ratio',
            ours.map((rate, round) => rate / peer[round]!), // as many rounds
          ),
        );
  return [
    ...names.map((name, i) => figure(`plain flows, ${name}`, 'rows/s', perSecond[i]!)),
    ...ratios('rows/s', perSecond),
    ...names.map((name, i) => figure(`plain flows, ${name}, with server`, 'rows per CPU second', perCpu[i]!)),
    ...ratios('rows per CPU second', perCpu),
  ];
}

/** public.flow, emptied and added up. */
function flowTable(database: Database): Pick<Storer, 'sums' | 'empty'> {
  const pool = database.pool({ max: 1 });
  return {
    async empty() {
      await pool.query('truncate public.flow');
      await pool.query('checkpoint');
    },
    sums: () =>
      sumsOf(
        pool,
        `select count(*), sum(octets), sum(packets), sum(src - '0.0.0.0'), sum(dst - '0.0.0.0'), sum(src_port), sum(dst_port),
           sum(protocol), sum(tos), sum(tcp_flags), sum(ingress), sum(egress),
           sum(extract(epoch from start_time) * 1000)::bigint, sum(extract(epoch from end_time) * 1000)::bigint
         from public.flow`,
      ),
  };
}

async function sumsOf(pool: pg.Pool, sql: string): Promise<string> {
  const { rows } = await pool.query({ text: sql, rowMode: 'array' });
  return rows.join();
}

/** Storing all plain flows by our processes and the server. */
async function measured(database: Database, store: () => Promise<void>): Promise<Stored> {
  const cpu = () => treeCpuSeconds(process.pid, serverPid(database));
  const cpuBefore = cpu();
  const { seconds } = await timed(store);
  return { rows: PLAIN_FLOWS, seconds, cpuSeconds: cpu() - cpuBefore };
}

function serverPid(database: Database): number {
  const { dataDirectory } = database.embedded!; // opened with a home
  return Number.parseInt(readFileSync(join(dataDirectory, 'postmaster.pid'), 'latin1'), 10);
}

/** The loader, one process as for every file. */
async function fileStorer(
  database: Database,
  messages: readonly Buffer[],
  directory: string,
): Promise<Storer> {
  const loader = new LoadPool(database.url, 1);
  const path = join(directory, 'plain.ipfix');
  let run = 0;
  return {
    name: 'dnstrail from a file',
    ...flowTable(database),
    async store() {
      await writeFile(path, Buffer.concat([emptyMessage(run++), ...messages]));
      return measured(database, async () => {
        const report = await loader.load({ kind: 'load', path, exporterName: 'bench' }).report;
        if (report.status !== 'loaded' || report.flows !== PLAIN_FLOWS)
          throw new Error(`not everything was loaded: ${JSON.stringify(report)}`);
      });
    },
    close: () => loader.close(),
  };
}

/** A message without records; its export time makes a file that begins with it new to the ledger. */
function emptyMessage(exportTime: number): Buffer {
  const header = Buffer.alloc(MESSAGE_HEADER_LENGTH);
  header.writeUInt16BE(10, 0);
  header.writeUInt16BE(header.length, 2);
  header.writeUInt32BE(exportTime, 4);
  return header;
}

/** The whole collector: socket, journal, loader; from the first octet sent until the ledger has all flows. */
async function tcpStorer(
  database: Database,
  messages: readonly Buffer[],
  directory: string,
): Promise<Storer> {
  const port = await freePort();
  const collector = await startCollector(
    readConfig(
      { home: join(directory, 'collector'), databaseUrl: database.url, listen: `127.0.0.1:${port}` },
      {},
    ),
  );
  await collector.ready;
  const pool = database.pool({ max: 1 });
  const flowsInLedger = async () => {
    const { rows } = await pool.query<{ flows: number }>(
      `select coalesce(sum(flows), 0)::float8 as flows from public.ipfix_file where kind = 'journal'`,
    );
    return rows[0]!.flows; // always one row
  };
  const octets = Buffer.concat(messages);
  return {
    name: 'dnstrail from TCP',
    ...flowTable(database),
    async store() {
      const all = (await flowsInLedger()) + PLAIN_FLOWS;
      const socket = connect({ port, host: '127.0.0.1' });
      await once(socket, 'connect');
      return measured(database, async () => {
        socket.end(octets);
        while ((await flowsInLedger()) < all) await delay(POLL_MS);
      });
    },
    close: () => collector.close(),
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // a string only for pipes
  server.close();
  await once(server, 'close');
  return port;
}

/** nfacctd, into a database of its own. */
async function nfacctdStorer(
  database: Database,
  messages: readonly Buffer[],
  directory: string,
): Promise<Storer> {
  const target = {
    socketDirectory: database.embedded!.socketDirectory, // opened with a home
    port: SOCKET_PORT,
    user: OWNER,
    database: 'pmacct',
    serverPid: serverPid(database),
  };
  await database.pool({ max: 1 }).query('create database pmacct');
  const { socketDirectory: host, port, user } = target;
  const pool = new pg.Pool({ host, port, user, database: target.database, max: 1 });
  await pool.query(CREATE_ACCT);
  return {
    name: 'nfacctd from UDP',
    async empty() {
      await pool.query('truncate acct');
      await pool.query('checkpoint');
    },
    store: () => storeByNfacctd(messages, PLAIN_FLOWS, target, directory),
    sums: () =>
      sumsOf(
        pool,
        `select count(*), sum(bytes), sum(packets), sum(ip_src - '0.0.0.0'), sum(ip_dst - '0.0.0.0'), sum(port_src), sum(port_dst),
           sum(ip_proto), sum(tos), sum(tcp_flags), sum(iface_in), sum(iface_out),
           sum(extract(epoch from timestamp_start) * 1000 + timestamp_start_residual / 1000)::bigint,
           sum(extract(epoch from timestamp_end) * 1000 + timestamp_end_residual / 1000)::bigint
         from acct`,
      ),
    close: () => pool.end(),
  };
}
