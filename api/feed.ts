import { setTimeout as delay } from 'node:timers/promises';
import { log } from '../common/log.ts';
import { badRequest } from './problem.ts';
import type { Reader } from './reader.ts';

export const FEED_EVENTS = ['detection', 'domain'] as const;
export type FeedEvent = (typeof FEED_EVENTS)[number];

/** One new thing. */
export interface News {
  readonly event: FeedEvent;
  readonly data: object;
  /** Where one goes on behind it. */
  readonly position: Position;
}

/**
 * How far somebody has listened: all that `from` shows (a snapshot of PostgreSQL, pg_snapshot as text); of what `to` shows besides, all up to
 * `after` in the order of transaction, event and key.
 */
export interface Position {
  readonly from: string;
  readonly to: string;
  readonly after: readonly [xid: string, event: FeedEvent, key: string] | null;
}

const POLL_MS = 1000;
const AT_ONCE = 500;
const LONGEST_ID = 8000;

/** Whether anything is new since the snapshot $1; without one it is taken for so. */
const headSql = `
select pg_current_snapshot()::text as snapshot,
  $1::pg_snapshot is null or exists (
    select from public.detection
    where created_in >= pg_snapshot_xmin($1::pg_snapshot) and not pg_visible_in_snapshot(created_in, $1::pg_snapshot)
  ) or exists (
    select from public.known_domain
    where created_in >= pg_snapshot_xmin($1::pg_snapshot) and not pg_visible_in_snapshot(created_in, $1::pg_snapshot)
  ) as is_news`;

const isBetween = `
  created_in >= pg_snapshot_xmin($1::pg_snapshot) and not pg_visible_in_snapshot(created_in, $1::pg_snapshot)
  and pg_visible_in_snapshot(created_in, $2::pg_snapshot)`;

const newsSql = `
select created_in::text as xid, event, key, data
from (
  select created_in, 'detection' as event, to_char(detection_id, 'FM0000000000000000000') as key, json_build_object(
    'id', detection_id, 'kind', shown.kind, 'subject', shown.subject, 'client', host(shown.client),
    'first_time', shown.first_time, 'last_time', shown.last_time, 'score', shown.score, 'severity', shown.severity, 'status', shown.status
  ) as data
  from public.detection
  join public.detection_shown as shown using (detection_id)
  where 'detection' = any ($3) and ${isBetween} and mute_id is null
  union all
  select created_in, 'domain', domain, json_build_object(
    'domain', domain, 'rrname', rrname, 'time_first', time_first, 'client', host(client), 'resolver', host(resolver)
  )
  from public.known_domain
  where 'domain' = any ($3) and ${isBetween}
) as news
where $4::xid8 is null or (created_in, event, key collate "C") > ($4, $5, $6)
order by created_in, event, key collate "C"
limit $7`;

interface NewsRow {
  readonly xid: string;
  readonly event: FeedEvent;
  readonly key: string;
  readonly data: object;
}

/** Tells what is new: looks once a second while somebody listens, and each listener reads at its own pace. */
export class Feed {
  readonly #reader: Reader;
  readonly #closing = new AbortController();
  #listeners = 0;
  /** How often something was new. */
  #version = 0;
  #head: string | undefined;
  #next = Promise.withResolvers<void>();
  #watching: Promise<void> | undefined;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  /** Aborted when the server ends. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  get listeners(): number {
    return this.#listeners;
  }

  /** Where everything is known: what comes is new. */
  async now(signal: AbortSignal): Promise<Position> {
    const [row] = await this.#reader.all<{ snapshot: string }>(
      'select pg_current_snapshot()::text as snapshot',
      [],
      signal,
    );
    const { snapshot } = row!; // a select without from gives one row
    return { from: snapshot, to: snapshot, after: null };
  }

  /** What is new behind a position, as it comes, in portions; an empty one when nothing was for `patienceMs`. */
  async *listen(
    position: Position,
    events: readonly FeedEvent[],
    patienceMs: number,
    signal: AbortSignal,
  ): AsyncGenerator<{ readonly news: readonly News[]; readonly position: Position }, void> {
    this.#listeners++;
    this.#watching ??= this.#watch();
    try {
      for (let [at, version] = [position, -1]; !signal.aborted; ) {
        if (at.from === at.to && at.after === null) {
          if (!(await this.#hasMoreThan(version, patienceMs, signal))) {
            yield { news: [], position: at };
            continue;
          }
          version = this.#version; // before the snapshot: what that does not show yet counts as new
          at = { from: at.to, to: (await this.now(signal)).to, after: null };
        }
        const news = await this.#newsOf(at, events, signal);
        at = news.length === AT_ONCE ? news.at(-1)!.position : { from: at.to, to: at.to, after: null };
        if (news.length > 0) yield { news, position: at };
      }
    } finally {
      this.#listeners--;
    }
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('the server ends'));
    await this.#watching;
  }

  async #newsOf(at: Position, events: readonly FeedEvent[], signal: AbortSignal): Promise<News[]> {
    const { from, to, after } = at;
    const rows = await this.#reader.all<NewsRow>(
      newsSql,
      [from, to, events, ...(after ?? [null, null, null]), AT_ONCE],
      signal,
    );
    return rows.map(({ xid, event, key, data }) => ({
      event,
      data,
      position: { from, to, after: [xid, event, key] },
    }));
  }

  /** Waits for something new. @returns whether there was, in time */
  async #hasMoreThan(version: number, patienceMs: number, signal: AbortSignal): Promise<boolean> {
    const late = new AbortController();
    const wait = delay(patienceMs, false, { signal: AbortSignal.any([signal, late.signal]) }).catch(
      () => false,
    );
    while (!signal.aborted && this.#version === version)
      if ((await Promise.race([this.#next.promise.then(() => true), wait])) === false) break;
    late.abort();
    return this.#version !== version;
  }

  /** A database that is away is waited for: those who listen hear of it when it is back. */
  async #watch(): Promise<void> {
    const signal = this.#closing.signal;
    while (this.#listeners > 0 && !signal.aborted) {
      try {
        const [row] = await this.#reader.all<{ snapshot: string; is_news: boolean }>(
          headSql,
          [this.#head ?? null],
          signal,
        );
        if (row?.is_news) {
          this.#head = row.snapshot;
          this.#version++;
          this.#next.resolve();
          this.#next = Promise.withResolvers();
        }
      } catch (error) {
        if (!signal.aborted) log.warn({ error: String(error) }, 'the feed waits for the database');
      }
      await delay(POLL_MS, undefined, { signal }).catch(() => {});
    }
    this.#watching = undefined;
  }
}

/** A position as the id of an event. */
export function idOf({ from, to, after }: Position): string {
  return after === null ? to : [from, to, ...after].join('/');
}

/** The position of an id. @throws ApiError 400 */
export function positionOf(id: string): Position {
  const [from = '', to = from, xid, event, ...key] = id.split('/');
  const known = FEED_EVENTS.find(each => each === event);
  const isWhole = xid === undefined;
  const isInside = xid !== undefined && /^\d{1,19}$/.test(xid) && known !== undefined && key.length > 0;
  if (id.length > LONGEST_ID || !isSnapshot(from) || !isSnapshot(to) || !(isWhole || isInside))
    throw badRequest('Last-Event-ID is not the id of an event from here');
  return { from, to, after: isInside ? [xid, known, key.join('/')] : null };
}

/** xmin:xmax:xip,…: the transactions from xmin on that are not visible are xmax, those after it and those listed, in order. */
function isSnapshot(text: string): boolean {
  const [, least, most, open = ''] = /^(\d{1,19}):(\d{1,19}):([\d,]*)$/.exec(text) ?? [];
  if (least === undefined || most === undefined || !/^(?:\d{1,19}(?:,\d{1,19})*)?$/.test(open)) return false;
  const all = [least, ...(open === '' ? [] : open.split(',')), most].map(BigInt);
  // xmin may be the first of the list, and xmax where the list is empty; else each is more than the one before
  return all.every((xid, i) => (i === 0 ? xid > 0n : i === 1 ? xid >= all[0]! : xid > all[i - 1]!));
}
