import { isIP } from 'node:net';
import type pg from 'pg';
import { z } from 'zod';
import { severities } from './severity.ts';

const cidr = z
  .string()
  .refine(isNetwork, 'is no network: write 192.0.2.0/24, 2001:db8::/32 or one address')
  .describe('a network or an address');

const domain = z
  .string()
  .min(1)
  .transform(
    text =>
      `${text
        .toLowerCase()
        .replace(/^(\*\.|\.)/, '')
        .replace(/\.$/, '')}.`,
  )
  .describe('a domain, with or without the trailing dot');

const allowList = z
  .union([
    z.strictObject({ domains: z.array(domain).default([]), networks: z.array(cidr).default([]) }),
    // one list of both
    z.array(z.string()).transform((all, context) => {
      const networks = all.filter(isNetwork);
      const domains = z.array(domain).safeParse(all.filter(each => !isNetwork(each)));
      if (!domains.success) context.addIssue({ code: 'custom', message: 'holds an empty entry' });
      return { domains: domains.data ?? [], networks };
    }),
  ])
  .describe('nothing is ever found about these domains and what is below them, these addresses and clients');

/** What an operator knows about the network; every setting has a default. */
export const settingsSchema = z.strictObject({
  own_networks: z
    .array(cidr)
    .default([])
    .describe('where our clients and servers are; while there is none, every client is ours'),
  approved_resolvers: z
    .array(cidr)
    .default([])
    .describe('resolvers that clients may use; while there is none, no resolver is called rogue'),
  own_suffixes: z
    .array(domain)
    .default([])
    .describe('domains of ours: internal zones and search lists; never rare, malformed, tunnels or bursts'),
  watch_list: z
    .array(
      z.strictObject({
        word: z
          .string()
          .min(3)
          .transform(word => word.toLowerCase())
          .describe('a brand or keyword, as it would stand in a label'),
        legitimate: z.array(domain).default([]).describe('the domains that may hold it'),
      }),
    )
    .default([])
    .describe('words that others like to imitate'),
  allow: allowList.default({ domains: [], networks: [] }),
  burn_in_days: z
    .number()
    .min(0)
    .max(365)
    .default(7)
    .describe("nothing is new in so many first days of a sensor's history"),
  facts_days: z
    .number()
    .int()
    .min(8)
    .default(90)
    .describe('days that the facts of an hour are kept after they were derived'),
  asn_database: z
    .string()
    .regex(/^\//, 'must be an absolute path')
    .nullable()
    .default(null)
    .describe(
      'path of an MMDB file that tells the origin AS of addresses (GeoLite2 ASN or alike); while there is none, networks (/16, /32) stand for ASes',
    ),
  webhook: z
    .strictObject({
      url: z.url({ protocol: /^https?$/ }),
      secret: z.string().min(16).describe('key of the signature, HMAC-SHA-256'),
      least_severity: z.enum(severities).default('medium'),
    })
    .nullable()
    .default(null)
    .describe('where each new detection is sent'),
  thresholds: z
    .record(z.string(), z.record(z.string(), z.unknown()))
    .default({})
    .describe('thresholds by kind that are not the default'),
});

export type Settings = z.output<typeof settingsSchema>;

/** A settings file or a threshold that cannot be used. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
}

/** What is set, with defaults for the rest. */
export async function readSettings(client: pg.Pool | pg.ClientBase): Promise<Settings> {
  const { rows } = await client.query<{ settings: unknown }>(
    `select coalesce(jsonb_object_agg(name, value), '{}') as settings from public.setting`,
  );
  return settingsSchema.parse(rows[0]!.settings); // an aggregate gives one row
}

/** What zod found wrong, one line each. */
export function problemsOf(error: z.ZodError, below = ''): string {
  return error.issues
    .map(({ path, message }) => `${[below, ...path.map(String)].filter(Boolean).join('.')}: ${message}`)
    .join('\n');
}

function isNetwork(text: string): boolean {
  const [address = '', prefix, ...rest] = text.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128));
}
