import type { IncomingMessage } from 'node:http';
import { isIPv4 } from 'node:net';
import type pg from 'pg';
import { type ApiKey, findKey, hasKeys, type Scope } from './keys.ts';
import { ApiError } from './problem.ts';

/** Requests that one caller may have open at a time: dnsdbq opens 16, a pool of analysts behind one key more. */
const CONCURRENT = 256;
/** A key that was found is not looked up again for so long; that is how late a revocation may be noticed. */
const REMEMBERED_MS = 1000;
const MOST_REMEMBERED = 10_000;

/** What a caller may do; no key: on this machine, as long as there is none. */
export interface Caller {
  readonly key: ApiKey | null;
  readonly resultsMax: number;
  /** Null: only 0 is allowed. */
  readonly offsetMax: number | null;
}

/** What is left of a caller's quota, as rate_limit and the headers of answers say it. */
export interface Rate {
  readonly limit: number | 'unlimited';
  readonly remaining: number | 'n/a';
  /** Seconds since 1970. */
  readonly reset: number | 'n/a';
  readonly expires?: number;
  readonly results_max: number;
  readonly offset_max: number | 'n/a';
  readonly burst_size?: number;
  readonly burst_window?: number;
}

const LOCAL: Caller = { key: null, resultsMax: 1_000_000, offsetMax: 3_000_000 };

const chargeSql = `
insert into public.api_usage as usage (key_id, kind, period_start, used)
values ($1, $2, to_timestamp($3), 1)
on conflict (key_id, kind) do update
  set used = case when usage.period_start = excluded.period_start then usage.used + 1 else 1 end,
      period_start = excluded.period_start
  where usage.period_start <> excluded.period_start or usage.used < $4
returning used`;
const usedSql =
  'select used from public.api_usage where key_id = $1 and kind = $2 and period_start = to_timestamp($3)';

/** Keys and what they have used. */
export class Access {
  readonly #pool: pg.Pool;
  readonly #remembered = new Map<string, { readonly key: ApiKey; readonly until: number }>();
  readonly #open = new Map<string, number>();

  constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  /**
   * Who asks, by the key that came with the request.
   * @throws ApiError 403 for no or an unknown key, 401 for an expired one or one without the scope
   */
  async callerOf(request: IncomingMessage, scope: Scope): Promise<Caller> {
    const credentials = credentialsOf(request);
    if (credentials === undefined) return this.#withoutKey(request);
    const key = await this.#find(credentials.secret);
    if (key === undefined) {
      // a client that always sends some key works on a dnstrail without any
      if (!(await hasKeys(this.#pool)).ever) return this.#withoutKey(request);
      throw new ApiError(403, 'Bad API key');
    }
    if (credentials.user !== undefined && credentials.user !== key.name)
      throw new ApiError(403, 'Bad API key');
    if (key.expiresAt !== null && key.expiresAt.getTime() <= Date.now())
      throw new ApiError(401, 'Quota is expired');
    if (!isAllowed(key, scope))
      throw new ApiError(401, `this key may not ${scope}: its scope is ${key.scopes.join(', ')}`);
    return { key, resultsMax: key.resultsMax, offsetMax: key.offsetMax };
  }

  /** Takes one request off the quota. @throws ApiError 429 when it is used up */
  async charge({ key }: Caller): Promise<void> {
    if (key === null) return;
    for (const [kind, limit] of [
      ['burst', key.burst],
      ['quota', key.quota],
    ] as const) {
      if (limit === null) continue;
      const { rows } = await this.#pool.query(chargeSql, [
        key.keyId,
        kind,
        periodStart(limit.seconds),
        limit.requests,
      ]);
      if (rows.length === 0) throw new ApiError(429, 'Rate limit exceeded');
    }
  }

  async rateOf({ key, resultsMax, offsetMax }: Caller): Promise<Rate> {
    const maxima = { results_max: resultsMax, offset_max: offsetMax ?? ('n/a' as const) };
    const burst =
      key?.burst == null ? {} : { burst_size: key.burst.requests, burst_window: key.burst.seconds };
    const expires = key?.expiresAt == null ? {} : { expires: Math.floor(key.expiresAt.getTime() / 1000) };
    if (key?.quota == null)
      return { reset: 'n/a', ...expires, limit: 'unlimited', remaining: 'n/a', ...maxima, ...burst };
    const { requests, seconds } = key.quota;
    const start = periodStart(seconds);
    const { rows } = await this.#pool.query<{ used: string }>(usedSql, [key.keyId, 'quota', start]);
    const remaining = Math.max(0, requests - Number(rows[0]?.used ?? 0));
    return {
      reset: seconds === null ? 'n/a' : start + seconds,
      ...expires,
      limit: requests,
      remaining,
      ...maxima,
      ...burst,
    };
  }

  /** Counts an open request. @returns what to call when it is over @throws ApiError 503 when the caller has too many */
  enter({ key }: Caller): () => void {
    const name = key?.name ?? '';
    const open = this.#open.get(name) ?? 0;
    if (open >= CONCURRENT) throw new ApiError(503, 'Too many concurrent connections');
    this.#open.set(name, open + 1);
    return () => this.#open.set(name, (this.#open.get(name) ?? 1) - 1);
  }

  async #withoutKey(request: IncomingMessage): Promise<Caller> {
    if ((await hasKeys(this.#pool)).ever) throw new ApiError(403, 'Bad API key');
    if (!isLocal(request))
      throw new ApiError(403, 'no key is defined, so only this machine may ask: dnstrail keys add NAME');
    return LOCAL;
  }

  async #find(secret: string): Promise<ApiKey | undefined> {
    const remembered = this.#remembered.get(secret);
    if (remembered !== undefined && remembered.until > Date.now()) return remembered.key;
    this.#remembered.delete(secret);
    const key = await findKey(this.#pool, secret);
    if (key !== undefined) {
      if (this.#remembered.size >= MOST_REMEMBERED) this.#remembered.clear();
      this.#remembered.set(secret, { key, until: Date.now() + REMEMBERED_MS });
    }
    return key;
  }
}

/** Whether the address is of this machine alone. */
export function isLoopback(address: string): boolean {
  return (
    address === 'localhost' ||
    address === '::1' ||
    (isIPv4(address.replace(/^::ffff:/, '')) && /^(?:::ffff:)?127\./.test(address))
  );
}

function isAllowed({ scopes }: ApiKey, scope: Scope): boolean {
  return (
    scopes.includes('admin') || scopes.includes(scope) || (scope === 'read' && scopes.includes('analyse'))
  );
}

/**
 * Whether the request comes from a program on this machine. Not through a proxy, behind which anybody may be; and not from a
 * page in a browser that was led here under another host's name (DNS rebinding).
 */
function isLocal({ socket, headers }: IncomingMessage): boolean {
  if (!isLoopback(socket.remoteAddress ?? '')) return false;
  if (
    headers['x-forwarded-for'] !== undefined ||
    headers.forwarded !== undefined ||
    headers.via !== undefined
  )
    return false;
  const host = (headers.host ?? 'localhost').replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
  return isLoopback(host.toLowerCase());
}

/** X-API-Key; HTTP Basic with the key's name and the key; a bearer token, or a token alone. */
function credentialsOf({ headers }: IncomingMessage): { secret: string; user?: string } | undefined {
  const key = headers['x-api-key'];
  if (typeof key === 'string' && key !== '') return { secret: key };
  const authorization = headers.authorization ?? '';
  const [, scheme, token = ''] = /^(Basic|Bearer) +(\S+)$/i.exec(authorization) ?? [];
  if (scheme === undefined) return authorization === '' ? undefined : { secret: authorization };
  if (scheme.toLowerCase() === 'bearer') return { secret: token };
  const [user = '', ...password] = Buffer.from(token, 'base64').toString().split(':');
  return { user, secret: password.join(':') };
}

/** The beginning of the period that is now, in seconds since 1970; 0 where there is only one. */
function periodStart(seconds: number | null): number {
  return seconds === null ? 0 : Math.floor(Date.now() / 1000 / seconds) * seconds;
}
