import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import type pg from 'pg';
import { detect } from '../tasks/detect.ts';
import { applySettings, detectorOf, showSettings } from './configFile.ts';
import {
  describeDetections,
  explainDetection,
  listDetections,
  mute,
  parseTime,
  setStatus,
  unmute,
} from './list.ts';
import { approveResolver, type UsedResolver, usedResolvers } from './resolvers.ts';
import { SettingsError } from './settings.ts';
import { type WhatIf, whatIf } from './whatIf.ts';

const FOLLOW_MS = 1000;
const statuses = ['new', 'acknowledged', 'closed'] as const;

/** What the entry of the program gives to commands. */
export interface CommandKit<Flags> {
  readonly program: Command;
  /** Makes a subcommand with the flags that name the database. */
  command(name: string, description: string, parent?: Command): Command;
  examples(...lines: string[]): string;
  /** Runs with the schema up to date. */
  withPool(flags: Flags, run: (pool: pg.Pool) => Promise<void>): Promise<void>;
}

interface ListFlags {
  readonly kind?: string;
  readonly since?: string;
  readonly json?: boolean;
  readonly ndjson?: boolean;
  readonly follow?: boolean;
  readonly all?: boolean;
}

interface MuteFlags {
  readonly kind?: string;
  readonly subject?: string;
  readonly client?: string;
  readonly reason: string;
  readonly author: string;
  readonly until: string;
}

/** Adds the commands about settings, detections and resolvers. */
export function addDetectionCommands<Flags>({
  program,
  command,
  examples,
  withPool,
}: CommandKit<Flags>): void {
  const config = program.command('config').description('what you know about your network, and thresholds');
  command('apply', 'set what a file says (JSON); what it does not name stays, null means the default', config)
    .argument('<file>', 'settings; analytics/README.md lists them')
    .addHelpText('after', examples('dnstrail config apply network.json'))
    .action((file: string, flags: Flags) =>
      withPool(flags, async pool => {
        const changed = await applySettings(pool, file);
        console.log(changed.length === 0 ? 'nothing changed' : `changed ${changed.join(', ')}`);
      }),
    );
  command('show', 'print all settings as JSON, defaults included', config).action((flags: Flags) =>
    withPool(flags, async pool => console.log(JSON.stringify(await showSettings(pool), null, 2))),
  );

  const detections = command('detections', 'list what was found')
    .option('--kind <kind>', 'only of this kind')
    .option(
      '--since <time>',
      'only what went on after it: 2026-01-31, 2026-01-31T12:00:00Z, or 7d before now',
    )
    .option('--all', 'also those that are muted or closed')
    .option('--json', 'print one JSON array')
    .option('--ndjson', 'print one JSON object a line')
    .option('--follow', 'with --ndjson: go on with what is found from now on')
    .addHelpText(
      'after',
      examples(
        'dnstrail detections --since 1d',
        'dnstrail detections --json | jq \'.[] | select(.severity == "high")\'',
        'dnstrail detections --ndjson --follow | logger -t dnstrail',
      ),
    )
    .action((flags: Flags & ListFlags) => withPool(flags, pool => list(pool, flags)));
  detections
    .command('show')
    .description('all about one detection: the numbers, the thresholds, the SQL')
    .argument('<id>', 'its number', Number)
    .action((id: number, _own: unknown, at: Command) =>
      withPool(flagsOf<Flags>(at), async pool => {
        const [detection] = await listDetections(pool, { id, all: true });
        if (detection === undefined) throw new SettingsError(`there is no detection ${id}`);
        console.log(explainDetection(detection));
      }),
    );
  detections
    .command('mute')
    .description('mute detections, present and future; those of a name are those below it too')
    .option('--kind <kind>', 'of this kind')
    .option('--subject <subject>', 'about this')
    .option('--client <network>', 'of clients in this network')
    .requiredOption('--reason <text>', 'why')
    .requiredOption('--until <time>', '2026-01-31, or 30d from now')
    .option('--author <name>', 'who says so', process.env.USER ?? 'unknown')
    .addHelpText(
      'after',
      examples(
        'dnstrail detections mute --kind tunnelling --subject example.net. --reason "our own agent" --until 90d',
      ),
    )
    .action((_own: unknown, at: Command) =>
      withPool(flagsOf<Flags>(at), pool => addMute(pool, at.optsWithGlobals())),
    );
  detections
    .command('unmute')
    .description('end a mute')
    .argument('<id>', 'its number', Number)
    .action((id: number, _own: unknown, at: Command) =>
      withPool(flagsOf<Flags>(at), async pool => {
        if (!(await unmute(pool, id))) throw new SettingsError(`there is no mute ${id} that holds`);
        console.log(`ended mute ${id}`);
      }),
    );
  detections
    .command('mark')
    .description(`say how far you are with a detection: ${statuses.join(', ')}`)
    .argument('<id>', 'its number', Number)
    .argument('<status>')
    .action((id: number, given: string, _own: unknown, at: Command) =>
      withPool(flagsOf<Flags>(at), async pool => {
        const status = statuses.find(each => each === given);
        if (status === undefined) throw new SettingsError(`"${given}" is none of ${statuses.join(', ')}`);
        if (!(await setStatus(pool, id, status))) throw new SettingsError(`there is no detection ${id}`);
        console.log(`detection ${id} is ${status}`);
      }),
    );

  const detecting = program.command('detect').description('run the detectors by hand');
  command('run', 'look at everything that is due, then exit', detecting)
    .argument('[kind]', 'only this kind')
    .addHelpText('after', examples('dnstrail detect run', 'dnstrail detect run fast_flux'))
    .action((kind: string | undefined, flags: Flags) =>
      withPool(flags, async pool => {
        if (kind !== undefined) detectorOf(kind);
        const { hours, windows } = await detect(pool, { kind, isUrgent: true });
        const all = (await listDetections(pool, { kind })).length;
        console.log(`${hours} hours with new records, ${windows} windows looked at; ${all} detections`);
      }),
    );
  command('what-if', 'what other thresholds would find in all that is stored; nothing is changed', detecting)
    .argument('<kind>')
    .requiredOption(
      '--set <threshold=value>',
      'a threshold, may be repeated',
      (value, all: string[] = []) => [...all, value],
    )
    .option('--json', 'print one JSON object')
    .addHelpText('after', examples('dnstrail detect what-if nxdomain_burst --set domains=5'))
    .action((kind: string, flags: Flags & { set: string[]; json?: boolean }) =>
      withPool(flags, async pool => {
        const result = await whatIf(pool, kind, flags.set);
        console.log(flags.json ? JSON.stringify(result) : describeWhatIf(result));
      }),
    );

  const resolvers = command('resolvers', 'which resolvers the clients use, and which to approve')
    .option('--json', 'print one JSON array')
    .action((flags: Flags & { json?: boolean }) =>
      withPool(flags, async pool => {
        const used = await usedResolvers(pool);
        console.log(flags.json ? JSON.stringify(used) : describeResolvers(used));
      }),
    );
  resolvers
    .command('approve')
    .description('add a network or an address to approved_resolvers')
    .argument('<cidr>')
    .addHelpText('after', examples('dnstrail resolvers approve 192.0.2.53'))
    .action((network: string, _own: unknown, at: Command) =>
      withPool(flagsOf<Flags>(at), async pool => {
        await approveResolver(pool, network);
        console.log(`approved ${network}`);
      }),
    );
}

/** Flags of a command and of those above it. */
function flagsOf<Flags>(at: Command): Flags {
  return at.optsWithGlobals() as Flags; // whatever the entry's commands have
}

async function list(pool: pg.Pool, { kind, since, json, ndjson, follow, all }: ListFlags): Promise<void> {
  if (kind !== undefined) detectorOf(kind);
  const wanted = { kind, all, since: since === undefined ? undefined : parseTime(since, -1) };
  const found = await listDetections(pool, wanted);
  if (!ndjson) {
    console.log(json ? JSON.stringify(found) : describeDetections(found));
    return;
  }
  let last = 0;
  for (let page = found; ; page = await listDetections(pool, { ...wanted, afterId: last })) {
    for (const detection of page) {
      console.log(JSON.stringify(detection));
      last = Math.max(last, detection.id);
    }
    if (!follow) return;
    await delay(FOLLOW_MS);
  }
}

async function addMute(
  pool: pg.Pool,
  { kind, subject, client, reason, author, until }: MuteFlags,
): Promise<void> {
  if (kind !== undefined) detectorOf(kind);
  const id = await mute(pool, { kind, subject, client, reason, author, until: parseTime(until, 1) });
  console.log(`mute ${id} until ${parseTime(until, 1).toISOString()}`);
}

function describeWhatIf({ kind, windows, before, after, added, gone }: WhatIf): string {
  const lines = (sign: string, all: WhatIf['added']) =>
    all.map(
      ({ subject, client, windows: count, highestScore }) =>
        `${sign} ${subject}${client === null || client === subject ? '' : ` by ${client}`} (${count} windows, score ${highestScore})`,
    );
  return [
    `${kind}: ${before} found now, ${after} with these thresholds, in ${windows} windows`,
    ...lines('+', added),
    ...lines('-', gone),
  ].join('\n');
}

function describeResolvers(used: readonly UsedResolver[]): string {
  if (used.length === 0) return 'no resolver was seen yet; "dnstrail detect run" looks at what was loaded';
  return used
    .map(({ address, clients, lookups, flows, isApproved, isProposed }) => {
      const about = `${address} serves ${clients} clients (${lookups} lookups read, ${flows} flows)`;
      if (isApproved) return `${about}: approved`;
      return isProposed ? `${about}: approve? dnstrail resolvers approve ${address}` : about;
    })
    .join('\n');
}
