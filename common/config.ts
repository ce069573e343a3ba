import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { z } from 'zod';

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  kb: 1e3,
  m: 1e6,
  mb: 1e6,
  g: 1e9,
  gb: 1e9,
  t: 1e12,
  tb: 1e12,
};

const bytes = z.union([z.number(), z.string()]).transform((value, context) => {
  const [, digits, unit = ''] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(String(value).trim()) ?? [];
  const factor = UNITS[unit.toLowerCase()];
  if (digits !== undefined && factor !== undefined) return Math.round(Number(digits) * factor);
  context.addIssue({ code: 'custom', message: 'a number of octets such as 500MB or 10GB' });
  return z.NEVER;
});

const endpoint = z.string().transform((value, context) => {
  const [, host, port] = /^(?:(.+):)?(\d{1,5})$/.exec(value.trim()) ?? [];
  if (port !== undefined && Number(port) < 65536)
    return { host: (host ?? '127.0.0.1').replace(/^\[(.*)\]$/, '$1'), port: Number(port) };
  context.addIssue({ code: 'custom', message: 'an address and port such as 127.0.0.1:18000 or [::1]:18000' });
  return z.NEVER;
});

/** Empty: none. */
const optional = <Schema extends z.ZodType>(schema: Schema) =>
  z.union([z.literal('').transform(() => undefined), schema]);

const seconds = (least: number) => z.coerce.number().min(least, `a number of seconds, at least ${least}`);

/** One setting: where it can be given, its meaning, and what is allowed. */
interface Setting<Schema extends z.ZodType> {
  /** Environment variable. */
  readonly env: string;
  /** What it means, with its unit. */
  readonly meaning: string;
  readonly default: string;
  readonly schema: Schema;
}

function setting<Schema extends z.ZodType>(
  env: string,
  fallback: string,
  schema: Schema,
  meaning: string,
): Setting<Schema> {
  return { env, default: fallback, schema, meaning };
}

/** All settings. A flag beats the environment, the environment the configuration file, the file the default. */
export const settings = {
  home: setting(
    'DNSTRAIL_HOME',
    './var',
    z
      .string()
      .min(1)
      .transform(path => resolve(path)),
    'directory of everything dnstrail keeps: journal, incoming files, embedded database',
  ),
  databaseUrl: setting(
    'DATABASE_URL',
    '',
    z.string().regex(/^$|^postgres(ql)?:\/\//, 'a URL that begins with postgres://'),
    'PostgreSQL 14 or newer to use; empty: the embedded one in home',
  ),
  listen: setting('DNSTRAIL_LISTEN', '127.0.0.1:18000', endpoint, 'address and port for IPFIX over TCP'),
  watch: setting(
    'DNSTRAIL_WATCH',
    '',
    z.string(),
    'directory to take rotated files from; empty: incoming in home',
  ),
  afterLoad: setting(
    'DNSTRAIL_AFTER_LOAD',
    'archive',
    z.enum(['archive', 'delete', 'leave']),
    'what becomes of a taken file: archive, delete or leave',
  ),
  settleSeconds: setting(
    'DNSTRAIL_SETTLE_SECONDS',
    '10',
    seconds(0),
    'seconds without growth after which a file without lock that ends on a message is complete',
  ),
  staleSeconds: setting(
    'DNSTRAIL_STALE_SECONDS',
    '600',
    seconds(1),
    'seconds without growth after which a file is taken whatever its end or its lock says',
  ),
  journalQuota: setting(
    'DNSTRAIL_JOURNAL_QUOTA',
    '10GB',
    bytes,
    'octets of disk for the journal; when it is full of segments that are not loaded yet, exporters have to wait',
  ),
  segmentSize: setting(
    'DNSTRAIL_SEGMENT_SIZE',
    '64MB',
    bytes,
    'octets after which a journal segment is closed',
  ),
  segmentSeconds: setting(
    'DNSTRAIL_SEGMENT_SECONDS',
    '3600',
    seconds(1),
    'seconds after which a journal segment is closed',
  ),
  sealAfterSeconds: setting(
    'DNSTRAIL_SEAL_AFTER_SECONDS',
    '900',
    seconds(0),
    'seconds without new rows after which a day that is over gets its indexes',
  ),
  retainDays: setting(
    'DNSTRAIL_RETAIN_DAYS',
    '',
    optional(z.coerce.number().int().min(1, 'a number of days, at least 1')),
    'days of flows and records to keep; older ones are dropped; empty: all',
  ),
  retainBytes: setting(
    'DNSTRAIL_RETAIN_BYTES',
    '',
    optional(bytes),
    'octets that flows and records may take with their indexes; the oldest days beyond are dropped; empty: no limit',
  ),
  archiveDirectory: setting(
    'DNSTRAIL_ARCHIVE_DIRECTORY',
    '',
    z.string(),
    'directory that days are written to before they are dropped; empty: they are not',
  ),
  http: setting(
    'DNSTRAIL_HTTP',
    '127.0.0.1:8053',
    optional(endpoint),
    'address and port of the query API, other than loopback only with keys; empty: none',
  ),
  queryTimeout: setting(
    'DNSTRAIL_QUERY_TIMEOUT',
    '60',
    seconds(0.1),
    'seconds that a question to the query API may take, its answer included',
  ),
  loaders: setting(
    'DNSTRAIL_LOADERS',
    '2',
    z.coerce.number().int().min(1).max(64),
    'processes that load files',
  ),
} as const;

export type SettingName = keyof typeof settings;
export type Config = { readonly [Name in SettingName]: z.output<(typeof settings)[Name]['schema']> };

/** A setting with a value that is not allowed. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/**
 * Reads the configuration.
 * @param flags values given on the command line, by setting name
 * @param file JSON object of values by setting name; default: the environment's DNSTRAIL_CONFIG
 * @throws ConfigError that names the setting, its value and what is allowed
 */
export function readConfig(
  flags: Partial<Record<SettingName, string>> = {},
  environment: NodeJS.ProcessEnv = process.env,
  file: string | undefined = environment.DNSTRAIL_CONFIG,
): Config {
  const fromFile = file === undefined || file === '' ? {} : readConfigFile(file);
  const entries = Object.entries(settings).map(([name, { env, default: fallback, schema }]) => {
    const flag = flags[name as SettingName]; // the keys of settings
    const value = flag ?? environment[env] ?? fromFile[name] ?? fallback;
    const result = schema.safeParse(value);
    if (result.success) return [name, result.data];
    const source =
      flag !== undefined ? 'given as flag' : environment[env] !== undefined ? `from ${env}` : `from ${file}`;
    throw new ConfigError(
      `${name} (${source}) is ${JSON.stringify(value)}: must be ${result.error.issues.map(({ message }) => message).join(', ')}`,
    );
  });
  return Object.fromEntries(entries) as Config; // one entry for each setting, of its schema's type
}

function readConfigFile(path: string): Record<string, unknown> {
  if (!existsSync(path)) throw new ConfigError(`configuration file ${path} does not exist`);
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new ConfigError(`configuration file ${path} is not JSON: ${String(error)}`, { cause: error });
  }
  const result = z.record(z.string(), z.unknown()).safeParse(content);
  if (!result.success) throw new ConfigError(`configuration file ${path} must hold one JSON object`);
  const unknown = Object.keys(result.data).filter(key => !(key in settings));
  if (unknown.length > 0)
    throw new ConfigError(
      `configuration file ${path} has unknown keys ${unknown.join(', ')}; known are ${Object.keys(settings).join(', ')}`,
    );
  return result.data;
}
