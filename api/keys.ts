import { createHash, randomBytes } from 'node:crypto';
import type pg from 'pg';

export const SCOPES = ['read', 'analyse', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

/** A limit of requests: so many per period, or in all where there is none. */
export interface Limit {
  readonly requests: number;
  readonly seconds: number | null;
}

/** Who may ask what, and how much. */
export interface ApiKey {
  readonly keyId: number;
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly quota: Limit | null;
  readonly burst: { readonly requests: number; readonly seconds: number } | null;
  readonly resultsMax: number;
  /** Null: only 0 is allowed. */
  readonly offsetMax: number | null;
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
}

export interface NewKey {
  readonly name: string;
  readonly scopes?: readonly Scope[] | undefined;
  readonly quota?: Limit | null | undefined;
  readonly burst?: { readonly requests: number; readonly seconds: number } | undefined;
  readonly resultsMax?: number | undefined;
  readonly offsetMax?: number | undefined;
  readonly expiresAt?: Date | undefined;
}

const PERIOD_SECONDS: Readonly<Record<string, number>> = {
  minute: 60,
  hour: 3600,
  day: 86_400,
  week: 604_800,
};

const addSql = `
insert into public.api_key (name, hash, scopes, quota, quota_seconds, burst, burst_seconds, results_max, offset_max, expires_at)
values ($1, $2, $3, $4, $5, $6, $7, coalesce($8, 1000000), coalesce($9, 3000000), $10)
on conflict (name) do nothing`;
const listSql = `
select key_id, name, scopes, quota, quota_seconds, burst, burst_seconds, results_max, offset_max, created_at, expires_at, revoked_at
from public.api_key
order by name`;
const findSql = `
select key_id, name, scopes, quota, quota_seconds, burst, burst_seconds, results_max, offset_max, created_at, expires_at, revoked_at
from public.api_key
where hash = $1 and revoked_at is null`;
const revokeSql = 'update public.api_key set revoked_at = now() where name = $1 and revoked_at is null';
const anySql = `
select exists (select from public.api_key) as ever, exists (select from public.api_key where revoked_at is null) as now`;

interface KeyRow {
  readonly key_id: number;
  readonly name: string;
  readonly scopes: Scope[];
  /** bigint comes as text. */
  readonly quota: string | null;
  readonly quota_seconds: number | null;
  readonly burst: number | null;
  readonly burst_seconds: number | null;
  readonly results_max: string;
  readonly offset_max: string | null;
  readonly created_at: Date;
  readonly expires_at: Date | null;
  readonly revoked_at: Date | null;
}

/** Makes a key. @returns the key itself, which is stored nowhere @throws Error when the name is taken */
export async function addKey(pool: pg.Pool, key: NewKey): Promise<string> {
  const secret = `dnstrail-${randomBytes(24).toString('base64url')}`;
  const { rowCount } = await pool.query(addSql, [
    key.name,
    hashOf(secret),
    key.scopes ?? ['read'],
    key.quota?.requests ?? null,
    key.quota?.seconds ?? null,
    key.burst?.requests ?? null,
    key.burst?.seconds ?? null,
    key.resultsMax ?? null,
    key.offsetMax ?? null,
    key.expiresAt ?? null,
  ]);
  if (rowCount === 0)
    throw new Error(
      `there is a key "${key.name}" already (revoked ones keep their name): choose another name`,
    );
  return secret;
}

export async function listKeys(pool: pg.Pool): Promise<ApiKey[]> {
  return (await pool.query<KeyRow>(listSql)).rows.map(keyOf);
}

/** @throws Error when there is no valid key of that name */
export async function revokeKey(pool: pg.Pool, name: string): Promise<void> {
  const { rowCount } = await pool.query(revokeSql, [name]);
  if (rowCount === 0)
    throw new Error(`there is no key "${name}"; "dnstrail keys list" shows those there are`);
}

/** The key whose secret this is, an expired one too, but no revoked one. */
export async function findKey(pool: pg.Pool, secret: string): Promise<ApiKey | undefined> {
  const { rows } = await pool.query<KeyRow>(findSql, [hashOf(secret)]);
  return rows[0] && keyOf(rows[0]);
}

/** Whether keys were ever defined, and whether any is valid now. */
export async function hasKeys(pool: pg.Pool): Promise<{ ever: boolean; now: boolean }> {
  const { rows } = await pool.query<{ ever: boolean; now: boolean }>(anySql);
  return rows[0]!; // always one row
}

/** `1000/day`, also minute, hour and week; `600`: in all; `unlimited`. @throws Error that says what it may be */
export function quotaOf(text: string): Limit | null {
  if (text === 'unlimited') return null;
  const [, requests, period] = /^([1-9]\d{0,12})(?:\/(minute|hour|day|week))?$/.exec(text) ?? [];
  if (requests === undefined)
    throw new Error(
      `"${text}" is no quota: give 1000/day (or minute, hour, week), 600 for so many in all, or unlimited`,
    );
  return {
    requests: Number(requests),
    seconds: period === undefined ? null : (PERIOD_SECONDS[period] ?? null),
  };
}

/** `10/300`: so many requests in so many seconds. @throws Error that says what it may be */
export function burstOf(text: string): { requests: number; seconds: number } {
  const [, requests, seconds] = /^([1-9]\d{0,8})\/([1-9]\d{0,6})$/.exec(text) ?? [];
  if (requests === undefined)
    throw new Error(`"${text}" is no burst rate: give 10/300 for 10 requests in 300 seconds`);
  return { requests: Number(requests), seconds: Number(seconds) };
}

/** A line for a person. */
export function describeKey({ name, scopes, quota, burst, createdAt, expiresAt, revokedAt }: ApiKey): string {
  const period = Object.entries(PERIOD_SECONDS).find(([, seconds]) => seconds === quota?.seconds)?.[0];
  return [
    name.padEnd(20),
    scopes.join(',').padEnd(14),
    (quota === null
      ? 'unlimited'
      : `${quota.requests}${quota.seconds === null ? ' in all' : `/${period ?? `${quota.seconds}s`}`}`
    ).padEnd(14),
    `added ${createdAt.toISOString().slice(0, 10)}`,
    ...(burst === null ? [] : [`${burst.requests} in ${burst.seconds} s`]),
    ...(expiresAt === null ? [] : [`expires ${expiresAt.toISOString().slice(0, 10)}`]),
    ...(revokedAt === null ? [] : [`revoked ${revokedAt.toISOString().slice(0, 10)}`]),
  ].join('  ');
}

function keyOf(row: KeyRow): ApiKey {
  return {
    keyId: row.key_id,
    name: row.name,
    scopes: row.scopes,
    quota: row.quota === null ? null : { requests: Number(row.quota), seconds: row.quota_seconds },
    burst:
      row.burst === null || row.burst_seconds === null
        ? null
        : { requests: row.burst, seconds: row.burst_seconds },
    resultsMax: Number(row.results_max),
    offsetMax: row.offset_max === null ? null : Number(row.offset_max),
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    revokedAt: row.revoked_at,
  };
}

function hashOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}
