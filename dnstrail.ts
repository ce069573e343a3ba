#!/usr/bin/env node
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { Command, Option } from 'commander';
import type pg from 'pg';
import { analyst } from './analytics/analyst.ts';
import { archivesAt } from './analytics/archive.ts';
import { describeRetained, describeSealed } from './analytics/describe.ts';
import { addDetectionCommands } from './analytics/detect/commands.ts';
import { startWorker } from './analytics/main.ts';
import { restoreArchive } from './analytics/restore.ts';
import { retain } from './analytics/tasks/retain.ts';
import { seal } from './analytics/tasks/seal.ts';
import { addKeyCommands } from './api/commands.ts';
import { startApi } from './api/main.ts';
import { type ExportFilter, exportCof } from './collector/cof/exportCof.ts';
import { type ImportReport, importCof } from './collector/cof/importCof.ts';
import { withSpooled } from './collector/cof/spool.ts';
import { importLine, summariseImports } from './collector/cof/summary.ts';
import { decodeFile } from './collector/inspect/decode.ts';
import { describeHealth, examineFile, newestFiles, SKEW_SECONDS } from './collector/inspect/doctor.ts';
import type { RowFormat } from './collector/inspect/printRows.ts';
import { runSql } from './collector/inspect/sql.ts';
import { describeStatus, readStatus } from './collector/inspect/status.ts';
import { loadFiles } from './collector/load/load.ts';
import { LoadProgress, summarise, summaryLine } from './collector/load/progress.ts';
import { startCollector } from './collector/main.ts';
import { startScreen } from './collector/startScreen.ts';
import { type Config, ConfigError, readConfig, type SettingName, settings } from './common/config.ts';
import { type Database, openDatabase } from './common/database.ts';
import { log } from './common/log.ts';
import { giveWay, Niceness } from './common/niceness.ts';
import { withPatience } from './common/patience.ts';
import { migrate } from './migrations/migrate.ts';
import packageJson from './package.json' with { type: 'json' };

const everything = Object.keys(settings) as SettingName[]; // the keys of settings
const databaseSettings: readonly SettingName[] = ['home', 'databaseUrl'];
const jobSettings: readonly SettingName[] = [
  'sealAfterSeconds',
  'retainDays',
  'retainBytes',
  'archiveDirectory',
];
const apiSettings: readonly SettingName[] = ['http', 'queryTimeout'];
const collecting = everything.filter(name => !jobSettings.includes(name) && !apiSettings.includes(name));

type Flags = Partial<Record<SettingName, string>> & { readonly config?: string };

const program = new Command('dnstrail')
  .description('Passive DNS from IPFIX: who resolved what, when, through which resolver, and what came back')
  .version(packageJson.version)
  .showHelpAfterError('(dnstrail --help lists the commands)');

command(
  'up',
  'run everything: embedded PostgreSQL (unless DATABASE_URL is set), schema, IPFIX receiver, watched directory, jobs, query API',
  everything,
)
  .addHelpText(
    'after',
    examples(
      'dnstrail up',
      'DATABASE_URL=postgres://dnstrail@db/dnstrail dnstrail up --listen 0.0.0.0:18000 --watch /data/yaf',
    ),
  )
  .action(async (flags: Flags) => collect(configOf(flags), true));

command('collect', 'run the collector alone: receive, journal, load', collecting)
  .addHelpText(
    'after',
    examples(
      'dnstrail collect --listen 0.0.0.0:18000',
      'dnstrail collect --watch /data/yaf --after-load delete',
    ),
  )
  .action(async (flags: Flags) => collect(configOf(flags), false));

command(
  'load',
  'load files, or all IPFIX files below directories; what was loaded before is recognised by its content',
  ['home', 'databaseUrl', 'loaders'],
)
  .argument('<path...>', 'files (.gz too) and directories')
  .option(
    '--exporter <name>',
    "name of the exporter (default: the part of each name before YAF's rotation suffix)",
  )
  .option('--json', 'print one JSON object instead of a line per file')
  .addHelpText(
    'after',
    examples(
      'dnstrail load test/fixtures/',
      'dnstrail load --json sensor1-20261121000000-00000.yaf | jq .totals',
    ),
  )
  .action(load);

command(
  'cof',
  'import what another passive DNS observed (Common Output Format: one JSON object a line), each content once',
  databaseSettings,
  program.command('import').description('take over data of other systems'),
)
  .argument('<file...>', 'files (.gz too); - is standard input')
  .option(
    '--source <name>',
    'mark the rows with this source (default: the name of each file without its extensions)',
  )
  .option('--json', 'print one JSON object instead of a line per file')
  .addHelpText(
    'after',
    examples(
      'dnstrail import cof --source https://www.circl.lu/pdns/ circl.ndjson.gz',
      'dnsdbq -r "*.example.com" -j | dnstrail import cof --source dnsdb -',
    ),
  )
  .action(importFiles);

command(
  'cof',
  'write the deduplicated RRsets to standard output in the Common Output Format (NDJSON)',
  databaseSettings,
  program.command('export').description('give data to other systems'),
)
  .option(
    '--since <time>',
    'last seen at or after: 2026-01-31, 2026-01-31T12:00:00Z, Unix seconds, or 7d for the last seven days',
  )
  .option('--until <time>', 'first seen at or before')
  .option('--name <name>', 'owner name, or *.domain for all names below it (not the domain itself)')
  .option('--type <type>', 'RR type')
  .option('--source <name>', 'only of this source; "observed" is what was observed here')
  .addHelpText(
    'after',
    examples(
      'dnstrail export cof | gzip > rrsets.ndjson.gz',
      "dnstrail export cof --name '*.example.com' --type AAAA --since 30d",
    ),
  )
  .action((flags: Flags & ExportFilter) =>
    withSchema(flags, (_database, pool) => printing(() => exportCof(pool, flags, process.stdout))),
  );

command(
  'work',
  'run the jobs alone: make partitions ahead, seal days that are over, keep what the limits allow',
  [...databaseSettings, ...jobSettings],
)
  .addHelpText(
    'after',
    examples('dnstrail work', 'dnstrail work --retain-days 90 --archive-directory /data/archive'),
  )
  .action((flags: Flags) =>
    withSchema(flags, async database => {
      const worker = startWorker({ databaseUrl: database.url, ...jobsOf(configOf(flags)) });
      console.log('running jobs; Ctrl-C stops');
      await stopSignal().wait;
      await worker.close();
    }),
  );

command('serve', 'run the query API alone: DNSDB, CIRCL and our own', [...databaseSettings, ...apiSettings])
  .addHelpText(
    'after',
    examples(
      'dnstrail serve',
      'DATABASE_URL=postgres://dnstrail@db/dnstrail dnstrail serve --http 0.0.0.0:8053',
    ),
  )
  .action((flags: Flags) =>
    withSchema(flags, async database => {
      const { http, queryTimeout } = configOf(flags);
      if (http === undefined)
        throw new Error('--http is empty: give an address and port such as 127.0.0.1:8053');
      const api = await startApi({
        databaseUrl: database.url,
        listen: http,
        queryTimeoutSeconds: queryTimeout,
        analyst,
      });
      void giveWay(Niceness.answering);
      console.log(`serving HTTP on ${api.address.host}:${api.address.port}; Ctrl-C stops`);
      await stopSignal().wait;
      await api.close();
    }),
  );

command('seal', 'build the indexes of all days that are over now', databaseSettings)
  .addHelpText('after', examples('dnstrail seal'))
  .action((flags: Flags) =>
    withSchema(flags, async (_database, pool) =>
      console.log(describeSealed(await seal(pool, { sealAfterSeconds: 0 }))),
    ),
  );

command('retain', 'drop the days that are too old or too much, archived before if a directory is given', [
  ...databaseSettings,
  'retainDays',
  'retainBytes',
  'archiveDirectory',
])
  .option('--dry-run', 'only show what would go, and when the disk would be full')
  .option('--json', 'print one JSON object')
  .addHelpText(
    'after',
    examples(
      'dnstrail retain --dry-run --retain-days 90',
      'dnstrail retain --retain-bytes 500GB --archive-directory /data/archive',
    ),
  )
  .action(retainDays);

command('restore', 'load archived days back', databaseSettings)
  .argument('<path...>', 'archives, or directories of some')
  .addHelpText('after', examples('dnstrail restore /data/archive/dnstrail-2026-01-31-1a2b3c4d'))
  .action((paths: string[], flags: Flags) =>
    withSchema(flags, (_database, pool) => restore(pool, paths, console.log)),
  );

command('migrate', 'bring the schema of the database up to date', ['home', 'databaseUrl'])
  .addHelpText('after', examples('DATABASE_URL=postgres://dnstrail@db/dnstrail dnstrail migrate'))
  .action((flags: Flags) =>
    withDatabase(flags, async database => {
      const { applied } = await migrate(database.pool({ max: 1 }));
      console.log(applied.length === 0 ? 'the schema is up to date' : `applied ${applied.join(', ')}`);
    }),
  );

command('status', 'what was received, what became of it, what is missing', ['home', 'databaseUrl'])
  .option('--json', 'print one JSON object')
  .addHelpText('after', examples('dnstrail status', 'dnstrail status --json | jq .exporters'))
  .action((flags: Flags & { json?: boolean }) =>
    withSchema(flags, async (_database, pool) => {
      const status = await readStatus(pool);
      console.log(flags.json ? JSON.stringify(status) : describeStatus(status));
    }),
  );

command('sql', 'run one SQL statement', ['home', 'databaseUrl'])
  .argument('<query>', 'the statement')
  .addOption(
    new Option('--format <format>', 'how rows are printed')
      .choices(['table', 'json', 'csv'])
      .default('table'),
  )
  .addHelpText(
    'after',
    examples(
      `dnstrail sql "select rrname, rdata, client, time from dns_rr where rrname = 'www.example.com.' limit 5"`,
      `dnstrail sql --format csv 'select * from flows' > flows.csv`,
    ),
  )
  .action((query: string, flags: Flags & { format: RowFormat }) =>
    withSchema(flags, (_database, pool) => printing(() => runSql(pool, query, flags.format, process.stdout))),
  );

command('psql', "open the system's psql on the database", ['home', 'databaseUrl'])
  .argument('[args...]', 'arguments for psql, after --')
  .addHelpText('after', examples('dnstrail psql', "dnstrail psql -- -c '\\d+ dns_rr'"))
  .action((args: string[], flags: Flags) =>
    withSchema(flags, async database => {
      const { error, status } = spawnSync('psql', [database.url, ...args], { stdio: 'inherit' });
      if (error !== undefined)
        throw new Error(
          `cannot run psql (${error.message}): install the PostgreSQL client, or use "dnstrail sql"`,
        );
      process.exitCode = status ?? 1;
    }),
  );

command(
  'decode',
  'print an IPFIX file as NDJSON: messages, templates, records, and what is wrong; needs no database',
  [],
)
  .argument('<file>', 'file of IPFIX messages, .gz too')
  .addHelpText(
    'after',
    examples(
      'dnstrail decode sensor1.yaf | head',
      `dnstrail decode sensor1.yaf | jq -c 'select(.kind == "undecodable")'`,
    ),
  )
  .action(async (file: string) => {
    await printing(async () => {
      if ((await decodeFile(file, process.stdout)) > 0) process.exitCode = 1;
    });
  });

command(
  'doctor',
  'is anything arriving, which templates, clock skew, gaps, unknown elements: of the newest files, or the ones named',
  ['home'],
)
  .argument('[file...]', 'files of IPFIX messages')
  .option('--json', 'print one JSON object a file')
  .addHelpText('after', examples('dnstrail doctor', 'dnstrail doctor sensor1-20261121000000-00000.yaf'))
  .action(doctor);

addDetectionCommands<Flags>({
  program,
  command: (name, description, parent) => command(name, description, databaseSettings, parent),
  examples,
  withPool: (flags, run) => withSchema(flags, (_database, pool) => run(pool)),
});

addKeyCommands<Flags>({
  program,
  command: (name, description, parent) => command(name, description, databaseSettings, parent),
  examples,
  withPool: (flags, run) => withSchema(flags, (_database, pool) => run(pool)),
});

/** A subcommand with flags for the settings it uses. */
function command(
  name: string,
  description: string,
  used: readonly SettingName[],
  parent: Command = program,
): Command {
  const made = parent.command(name).description(description);
  for (const key of used) {
    const { env, meaning, default: fallback } = settings[key];
    const flag = key.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`);
    made.option(
      `--${flag} <value>`,
      `${meaning} (env ${env}${fallback === '' ? '' : `, default ${fallback}`})`,
    );
  }
  return made.option('--config <file>', 'JSON file of settings (env DNSTRAIL_CONFIG)');
}

function examples(...lines: string[]): string {
  return `\nExamples:\n${lines.map(line => `  $ ${line}`).join('\n')}`;
}

function configOf({ config, ...flags }: Flags): Config {
  return config === undefined ? readConfig(flags) : readConfig(flags, process.env, config);
}

async function collect(config: Config, isAll: boolean): Promise<void> {
  const collector = await startCollector(config);
  const stop = stopSignal();
  const { host, port } = collector.address;
  console.log(`listening for IPFIX on ${host}:${port} (TCP); opening the database …`);
  let running: { close(): Promise<void> } | undefined;
  const worker = collector.ready
    .then(async database => {
      const started = isAll ? await startQuestionsAndJobs(database.url, config, stop.signal) : undefined;
      console.log(startScreen({ config, database, watched: collector.watched, api: started?.address }));
      running = started;
      return started;
    })
    .catch(error => {
      if (stop.signal.aborted) return undefined;
      console.error(`dnstrail: ${error instanceof Error ? error.message : String(error)}`);
      process.exitCode = 1;
      stop.now();
      return undefined;
    });
  await stop.wait;
  console.log('stopping: committing what was received (again Ctrl-C to leave it to the next start) …');
  // jobs end while there is a database: closing the collector stops ours
  const jobs = running;
  await jobs?.close();
  await Promise.all([jobs ?? worker.then(started => started?.close()), collector.close()]);
  console.log('stopped; nothing is lost, the next start goes on here');
}

/** The query API, first since its port may be taken, and the jobs. A database that goes away meanwhile is waited for. */
async function startQuestionsAndJobs(databaseUrl: string, config: Config, signal: AbortSignal) {
  const { http: listen, queryTimeout: queryTimeoutSeconds } = config;
  const api =
    listen &&
    (await withPatience(
      () => startApi({ databaseUrl, listen, queryTimeoutSeconds, analyst }),
      signal,
      (error, retryInMs) =>
        log.warn({ error: String(error), retryInMs }, 'the query API waits for the database'),
    ));
  const jobs = startWorker({ databaseUrl, ...jobsOf(config) });
  return { address: api?.address, close: async () => void (await Promise.all([api?.close(), jobs.close()])) };
}

/** Waits for Ctrl-C or SIGTERM; the second one ends the process at once. */
function stopSignal(): { wait: Promise<void>; now(): void; signal: AbortSignal } {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => (stop.signal.aborted ? process.exit(1) : stop.abort()));
  return {
    wait: once(stop.signal, 'abort').then(() => undefined),
    now: () => stop.abort(),
    signal: stop.signal,
  };
}

function jobsOf({ sealAfterSeconds, retainDays, retainBytes, archiveDirectory }: Config) {
  return { sealAfterSeconds, retainDays, retainBytes, archiveDirectory: archiveDirectory || undefined };
}

function retainDays(flags: Flags & { dryRun?: boolean; json?: boolean }): Promise<void> {
  return withSchema(flags, async (database, pool) => {
    const { home, retainDays, retainBytes, archiveDirectory } = configOf(flags);
    const disk = database.embedded === undefined ? undefined : await statfs(home);
    const isDryRun = flags.dryRun === true;
    const retained = await retain(pool, {
      retainDays,
      retainBytes,
      archiveDirectory: archiveDirectory || undefined,
      freeBytes: disk === undefined ? undefined : disk.bavail * disk.bsize,
      dryRun: isDryRun,
    });
    console.log(flags.json ? JSON.stringify(retained) : describeRetained(retained, isDryRun));
  });
}

async function restore(
  pool: pg.Pool,
  paths: readonly string[],
  print: (line: string) => void,
): Promise<void> {
  for (const path of paths) {
    const archives = archivesAt(path);
    if (archives.length === 0) throw new Error(`${path} is no archive, and holds none`);
    for (const archive of archives) {
      const { day, status, flows, rrs } = await restoreArchive(pool, archive);
      const outcome = status === 'duplicate' ? 'its rows are here already' : `${flows} flows, ${rrs} RRs`;
      print(`${status.padEnd(9)} ${archive} (${day}): ${outcome}`);
    }
  }
}

async function load(paths: string[], flags: Flags & { json?: boolean; exporter?: string }): Promise<void> {
  for (const path of paths)
    if (statSync(path, { throwIfNoEntry: false }) === undefined)
      throw new Error(`there is no file or directory ${path}`);
  const archives = paths.filter(path => archivesAt(path).length > 0);
  await withSchema(flags, async (database, pool) => {
    await restore(pool, archives, flags.json ? console.error : console.log);
    if (archives.length === paths.length && !flags.json) return;
    const progress = new LoadProgress(process.stderr);
    const reports = await loadFiles(
      database.url,
      paths.filter(path => !archives.includes(path)),
      {
        exporterName: flags.exporter,
        loaders: configOf(flags).loaders,
        progress: (path, position, size) => progress.update(path, position, size),
        done: report => {
          progress.clear();
          if (!flags.json) console.log(summaryLine(report));
        },
      },
    );
    progress.clear();
    const summary = summarise(reports);
    console.log(flags.json ? JSON.stringify(summary) : summary.text);
    if (!summary.isComplete) process.exitCode = 1;
  });
}

async function importFiles(
  paths: string[],
  flags: Flags & { json?: boolean; source?: string },
): Promise<void> {
  const { source } = flags;
  if (paths.includes('-') && source === undefined)
    throw new Error('standard input has no name: say with --source where the data is from');
  await withSchema(flags, async (_database, pool) => {
    const progress = new LoadProgress(process.stderr);
    const reports: ImportReport[] = [];
    for (const shownPath of paths) {
      const run = (path: string) =>
        importCof(pool, path, {
          source,
          shownPath,
          progress: (position, size) => progress.update(shownPath, position, size),
        });
      const report = await (shownPath === '-' ? withSpooled(process.stdin, run) : run(shownPath));
      progress.clear();
      if (!flags.json) console.log(importLine(report));
      reports.push(report);
    }
    const summary = summariseImports(reports);
    console.log(flags.json ? JSON.stringify(summary) : summary.text);
    if (!summary.isComplete) process.exitCode = 1;
  });
}

async function doctor(files: string[], flags: Flags & { json?: boolean }): Promise<void> {
  const { home } = configOf(flags);
  const chosen = files.length > 0 ? files : newestFiles(home, 5);
  if (chosen.length === 0) {
    console.log(
      `nothing has arrived in ${home}: no journal segment, no file in incoming. Is "dnstrail up" running, and does the exporter send to it?`,
    );
    process.exitCode = 1;
    return;
  }
  for (const path of chosen) {
    const health = await examineFile(path);
    console.log(flags.json ? JSON.stringify(health) : describeHealth(health));
    const isWell =
      health.messages > 0 && health.sequenceGaps === 0 && Object.keys(health.undecodable).length === 0;
    if (!isWell || (health.clockSkewSeconds ?? 0) > SKEW_SECONDS) process.exitCode = 1;
  }
}

async function withDatabase(flags: Flags, run: (database: Database) => Promise<void>): Promise<void> {
  const { home, databaseUrl } = configOf(flags);
  const database = await openDatabase({ home, databaseUrl });
  try {
    await run(database);
  } finally {
    await database.close();
  }
}

/** Runs with the schema up to date. */
function withSchema(flags: Flags, run: (database: Database, pool: pg.Pool) => Promise<void>): Promise<void> {
  return withDatabase(flags, async database => {
    const pool = database.pool({ max: 2 });
    await migrate(pool);
    await run(database, pool);
  });
}

/** Runs what prints much; ends quietly when the reader (head, less) has seen enough. */
async function printing(run: () => Promise<void>): Promise<void> {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  await run();
}

try {
  await program.parseAsync();
} catch (error) {
  console.error(`dnstrail: ${error instanceof Error ? error.message : String(error)}`);
  if (!(error instanceof ConfigError) && process.env.DNSTRAIL_LOG === 'debug') console.error(error);
  process.exitCode = 1;
}
