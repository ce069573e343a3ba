import { type Command, Option } from 'commander';
import type pg from 'pg';
import { addKey, burstOf, describeKey, listKeys, quotaOf, revokeKey, SCOPES, type Scope } from './keys.ts';

/** What the command line gives us to add commands to it. */
export interface CommandLine<Flags> {
  readonly program: Command;
  /** A subcommand with the flags of the database. */
  command(name: string, description: string, parent: Command): Command;
  examples(...lines: string[]): string;
  /** Runs with the schema up to date. */
  withPool(flags: Flags, run: (pool: pg.Pool) => Promise<void>): Promise<void>;
}

interface AddFlags {
  readonly scope?: Scope;
  readonly quota: string;
  readonly burst?: string;
  readonly resultsMax?: string;
  readonly offsetMax?: string;
  readonly expires?: string;
  readonly plain?: boolean;
}

/** Adds `dnstrail keys add|list|revoke`. */
export function addKeyCommands<Flags extends object>({
  program,
  command,
  examples,
  withPool,
}: CommandLine<Flags>): void {
  const keys = program.command('keys').description('keys of the query API: add, list, revoke');
  command('add', 'make a key and print it; it is stored nowhere', keys)
    .argument('<name>', 'who it is for; also the user name for HTTP Basic')
    .addOption(
      new Option('--scope <scope>', 'read: ask; analyse: and mark what was found; admin: all')
        .choices(SCOPES)
        .default('read'),
    )
    .option(
      '--quota <quota>',
      'requests: 1000/day (or minute, hour, week), 600 for so many in all, unlimited',
      'unlimited',
    )
    .option('--burst <rate>', 'requests in seconds: 10/300')
    .option('--results-max <rows>', 'rows of one answer at most (default 1000000)')
    .option('--offset-max <rows>', 'largest offset (default 3000000)')
    .option('--expires <date>', 'from when on it is not accepted: 2027-01-31')
    .option('--plain', 'print the key alone')
    .addHelpText(
      'after',
      examples(
        'dnstrail keys add alice',
        'export DNSDB_API_KEY=$(dnstrail keys add ci --quota 1000/day --plain)',
      ),
    )
    .action((name: string, flags: Flags & AddFlags) =>
      withPool(flags, async pool => {
        const key = await addKey(pool, newKey(name, flags));
        console.log(
          flags.plain
            ? key
            : `${key}\n\nThis is the only time it is shown. Clients send it as X-API-Key; as HTTP Basic with the user ${name}.`,
        );
      }),
    );
  command('list', 'the keys there are and were', keys).action((flags: Flags) =>
    withPool(flags, async pool => {
      const all = await listKeys(pool);
      console.log(all.length === 0 ? 'no key: only this machine may ask' : all.map(describeKey).join('\n'));
    }),
  );
  command('revoke', 'take a key back, within a second', keys)
    .argument('<name>', 'as it was added')
    .action((name: string, flags: Flags) =>
      withPool(flags, async pool => {
        await revokeKey(pool, name);
        console.log(`revoked ${name}`);
      }),
    );
}

function newKey(name: string, flags: AddFlags) {
  if (!/^[^\s:]{1,64}$/.test(name))
    throw new Error(`"${name}" cannot be a name: give up to 64 characters without colon and space`);
  return {
    name,
    scopes: [flags.scope ?? ('read' as const)],
    quota: quotaOf(flags.quota),
    burst: flags.burst === undefined ? undefined : burstOf(flags.burst),
    resultsMax: rowsOf('--results-max', flags.resultsMax, 1),
    offsetMax: rowsOf('--offset-max', flags.offsetMax, 0),
    expiresAt: flags.expires === undefined ? undefined : dateOf(flags.expires),
  };
}

function rowsOf(flag: string, text: string | undefined, least: number): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,12}$/.test(text) || Number(text) < least)
    throw new Error(`${flag} "${text}" is no number of rows, at least ${least}`);
  return Number(text);
}

function dateOf(text: string): Date {
  const date = new Date(`${text}T00:00:00Z`);
  if (!/^\d{4}-\d\d-\d\d$/.test(text) || Number.isNaN(date.getTime()))
    throw new Error(`--expires "${text}" is no date such as 2027-01-31`);
  return date;
}
