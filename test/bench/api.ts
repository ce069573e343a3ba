import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { Subprocess } from '../../common/subprocess.ts';
import { ask } from './ask.ts';
import type { CrowdOptions, CrowdReport } from './crowd.ts';
import { type Figure, figure, quantile, type Result, result } from './measure.ts';
import type { StoredStream, StreamFile } from './scale.ts';
import { ZONE_PATTERN } from './stream.ts';

const CLIENTS = 200;
/** Rows of one answer at most. */
const MOST_ROWS = 1000;
/** A query may take 60 s. */
const CROWD_PATIENCE_MS = 90_000;
/** Files are written before the clock starts, for more than two cores load; loading ends early should they not last. */
const MOST_RRS_PER_SECOND = 250_000;

interface Question {
  readonly name: string;
  /** The path of a request about a subject. */
  readonly target: (subject: Subject) => string;
}

interface Subject {
  readonly name: string;
  readonly zone: string;
  readonly address: string;
}

const dnsdb = (path: string) => `/dnsdb/v2/lookup/${path}?limit=${MOST_ROWS}`;

const questions: readonly Question[] = [
  { name: 'exact', target: ({ name }) => dnsdb(`rrset/name/${encodeURIComponent(name)}`) },
  { name: 'wildcard', target: ({ zone }) => dnsdb(`rrset/name/*.${encodeURIComponent(zone)}`) },
  { name: 'IP', target: ({ address }) => dnsdb(`rdata/ip/${address}`) },
  { name: 'CIDR', target: ({ address }) => dnsdb(`rdata/ip/${address},24`) },
  { name: 'pivot', target: ({ name }) => `/api/v1/pivot/${encodeURIComponent(name)}?limit=100` },
];

/**
 * The query API as a process of its own, over HTTP: each question alone, one after the other; then by many clients at a time, none of
 * which waits between its questions, while files are loaded.
 */
export async function api(
  stored: StoredStream,
  {
    rrs,
    subjects: count,
    seconds,
  }: { readonly rrs: number; readonly subjects: number; readonly seconds: number },
): Promise<Result> {
  await stored.fill(rrs);
  await stored.settle();
  const subjects = await pickSubjects(stored.url, count);
  const server = await Served.start(stored.url);
  try {
    const asked: Figure[] = [];
    let slowest = 0;
    for (const question of questions) {
      const { cold, warm } = await askAll(server, question, subjects);
      slowest = Math.max(slowest, quantile(warm, 0.95));
      asked.push(...quantiles(question.name, warm), ...quantiles(`${question.name}, first time`, cold));
    }
    const alone = await ingest(stored, await writeFiles(stored, seconds), seconds);
    await stored.settle(); // what the jobs have left of it is not the clients' doing
    const targets = subjects.flatMap(subject => questions.map(({ target }) => target(subject)));
    const { told: quiet } = await withCrowd(server, targets, () => delay(seconds * 1000));
    const before = server.residentBytes();
    const files = await writeFiles(stored, seconds);
    const { told, result: together } = await withCrowd(server, targets, () => ingest(stored, files, seconds));
    const errors = quiet.errors + told.errors;
    return result(
      'api',
      await stored.recipe({
        subjects: `${subjects.length}: half as often as they are in the records, half from all names and addresses alike`,
        questions: `DNSDB lookups of at most ${MOST_ROWS} rows, pivots of 100; each subject once, then all again; HTTP keep-alive`,
        clients: `${CLIENTS} at a time for ${seconds} s, and again until the last file is loaded; questions without a pause, from a process of niceness 19`,
        ingest: 'RRs committed in the same time without clients, and with them',
      }),
      [
        figure('p95, the slowest question', 'ms', [slowest]),
        ...asked,
        figure(`errors of ${CLIENTS} clients`, 'requests', [errors]),
        figure(`answers to ${CLIENTS} clients`, 'requests/s', [quiet.milliseconds.length / quiet.seconds]),
        ...quantiles(`of ${CLIENTS} clients`, quiet.milliseconds),
        figure(`answers to ${CLIENTS} clients, while loading`, 'requests/s', [
          told.milliseconds.length / told.seconds,
        ]),
        ...quantiles(`of ${CLIENTS} clients, while loading`, told.milliseconds),
        figure('memory of the API before loading', 'MB', [before / 1e6]),
        figure('memory of the API afterwards', 'MB', [server.residentBytes() / 1e6]),
        figure('loading alone', 'RRs/s', [alone]),
        figure('loading with clients', 'RRs/s', [together]),
        figure('loading with clients / alone', 'ratio', [together / alone]),
      ],
      errors === 0 ? [] : [`an error was ${told.example || quiet.example}`],
    );
  } finally {
    await server.stop();
  }
}

/** Enough for so long. */
async function writeFiles(stored: StoredStream, seconds: number): Promise<StreamFile[]> {
  const files: StreamFile[] = [];
  for (let rrs = 0; rrs < seconds * MOST_RRS_PER_SECOND; rrs += files.at(-1)!.rrs)
    files.push(await stored.write());
  return files;
}

/** Loads one file after another for so long. @returns RRs a second */
async function ingest(stored: StoredStream, files: readonly StreamFile[], seconds: number): Promise<number> {
  const before = stored.rrs;
  const begin = performance.now();
  const isOver = () => performance.now() - begin > seconds * 1000;
  function* inTime(): Generator<StreamFile> {
    for (const file of files) {
      if (isOver()) return;
      yield file;
    }
  }
  await stored.load(inTime());
  return ((stored.rrs - before) * 1000) / (performance.now() - begin);
}

async function askAll(
  server: Served,
  { target }: Question,
  subjects: readonly Subject[],
): Promise<{ cold: number[]; warm: number[] }> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const askEach = async (): Promise<number[]> => {
    const milliseconds: number[] = [];
    for (const subject of subjects) {
      const begin = performance.now();
      const error = await ask(server.port, target(subject), agent);
      if (error !== undefined) throw new Error(`${target(subject)}: ${error}`);
      milliseconds.push(performance.now() - begin);
    }
    return milliseconds;
  };
  const times = { cold: await askEach(), warm: await askEach() };
  agent.destroy();
  return times;
}

function quantiles(name: string, milliseconds: readonly number[]): Figure[] {
  return [50, 95, 99].map(percent =>
    figure(`${name}: p${percent}`, 'ms', [quantile(milliseconds, percent / 100)]),
  );
}

/** Lets a crowd ask until `during` is done. */
async function withCrowd<T>(
  server: Served,
  targets: readonly string[],
  during: () => Promise<T>,
): Promise<{ told: CrowdReport; result: T }> {
  const report = Promise.withResolvers<CrowdReport>();
  const crowd = new Subprocess<never, CrowdReport>(new URL('./crowd', import.meta.url), {
    options: { port: server.port, targets, clients: CLIENTS } satisfies CrowdOptions,
    patienceMs: CROWD_PATIENCE_MS,
    received: report.resolve,
    failed: how => report.reject(new Error(`the process of the clients ${how}`)),
  });
  const left = report.promise.then(() => Promise.reject(new Error('the clients left')));
  const result = await Promise.race([during(), left]).finally(() => crowd.stop());
  return { told: await report.promise, result };
}

/** `dnstrail serve` on a port of its own. */
class Served {
  readonly #process: ChildProcess;
  readonly port: number;

  private constructor(process: ChildProcess, port: number) {
    this.#process = process;
    this.port = port;
  }

  static async start(databaseUrl: string): Promise<Served> {
    const program = join(import.meta.dirname, '../../dnstrail.ts');
    const child = spawn(process.execPath, [program, 'serve', '--http', '127.0.0.1:0'], {
      env: { ...process.env, DATABASE_URL: databaseUrl, DNSTRAIL_LOG: 'error' },
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true, // a session of its own, as a service has, for what it says of its priority
    });
    for await (const line of createInterface({ input: child.stdout })) {
      const [, port] = /^serving HTTP on .*:(\d+);/.exec(line) ?? [];
      if (port !== undefined) return new Served(child, Number(port));
    }
    throw new Error('the query API did not start');
  }

  residentBytes(): number {
    const [, kilobytes] =
      /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.#process.pid}/status`, 'utf8')) ?? [];
    return Number(kilobytes) * 1024;
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null) return;
    this.#process.kill('SIGTERM');
    await once(this.#process, 'exit');
  }
}

async function pickSubjects(url: string, count: number): Promise<Subject[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const half = Math.ceil(count / 2);
    const pick = async (value: string, from: string, where: string): Promise<string[]> =>
      (
        await client.query<{ value: string }>(
          `select value from (select ${value} as value from ${from} where ${where} limit 100000) as picked
           where value is not null
           order by hashtextextended(value || row_number() over (), 1), value limit ${half}`,
        )
      ).rows.map(row => row.value);
    const records = 'public.dns_rr tablesample system (5) repeatable (1)';
    const names = [
      ...(await pick('rrname', records, 'rrname is not null')),
      ...(await pick('distinct rrname', 'public.rrset_gravel', 'rrtype = 1')),
    ];
    const zone = `substring(rrname from '${ZONE_PATTERN}')`;
    const zones = [
      ...(await pick(zone, records, `rrname ~ '${ZONE_PATTERN}'`)),
      ...(await pick(`distinct ${zone}`, 'public.rrset_gravel', `rrname ~ '${ZONE_PATTERN}'`)),
    ];
    const addresses = [
      ...(await pick('host(rdata_ip)', records, 'family(rdata_ip) = 4')),
      ...(await pick('distinct host(rdata_ip)', 'public.rdata_gravel', 'family(rdata_ip) = 4')),
    ];
    return names.map((name, i) => ({
      name,
      zone: zones[i % zones.length]!, // none is empty in a database that is full
      address: addresses[i % addresses.length]!,
    }));
  } finally {
    await client.end();
  }
}
