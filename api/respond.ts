import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { log } from '../common/log.ts';
import type { Rate } from './access.ts';
import { type ApiError, codeOf, isOurs, publicError, QUERY_CANCELED } from './problem.ts';

/** A client that reads nothing for so long has gone; its connection to the database is needed. */
const PATIENCE_MS = 30_000;
/** A query that has found nothing after this long can only fail in the stream, no more by its status. */
const FIRST_ROWS_MS = 1000;
const KEEP_ALIVE_MS = 10_000;

/** Aborted when the client has gone, which is no error: dnsdbq closes as soon as it has what it wants. */
export function goneSignal(response: ServerResponse): AbortSignal {
  const gone = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) gone.abort(new Error('the client has gone'));
  });
  response.on('error', () => {}); // EPIPE, ECONNRESET: close comes too
  return gone.signal;
}

/** One text line, as clients of DNSDB show it. */
export function sendErrorLine(response: ServerResponse, error: ApiError): void {
  if (response.headersSent) return void response.destroy();
  response.writeHead(error.status === 504 ? 500 : error.status, {
    'content-type': 'text/plain; charset=utf-8',
  });
  response.end(`Error: ${error.message}\n`);
}

export function sendJsonLine(response: ServerResponse, value: object): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify(value)}\n`);
}

export function rateHeaders({ limit, remaining, reset, expires }: Rate): Record<string, string | number> {
  return {
    'x-ratelimit-limit': limit,
    'x-ratelimit-remaining': remaining,
    'x-ratelimit-reset': reset,
    ...(expires === undefined ? {} : { 'x-ratelimit-expires': expires }),
  };
}

/** How a stream of objects is framed. Each text ends with a line feed, and none is an empty line. */
export interface Framing {
  readonly contentType: string;
  readonly begin: string;
  readonly alive: string;
  /** One object. */
  line(json: string): string;
  /** The end of a complete answer, or of one that the limit cut. */
  end(isLimited: boolean): string;
  /** The end of an answer that failed; null: the connection is cut, so that nobody takes it for complete. */
  failed(reason: string): string | null;
}

/** The streaming access framing of DNSDB version 2. */
export const SAF: Framing = {
  contentType: 'application/x-ndjson',
  begin: '{"cond":"begin"}\n',
  alive: '{"cond":"ongoing"}\n',
  line: json => `{"obj":${json}}\n`,
  end: isLimited =>
    isLimited ? '{"cond":"limited","msg":"Result limit reached"}\n' : '{"cond":"succeeded"}\n',
  failed: reason => `${JSON.stringify({ cond: 'failed', msg: reason })}\n`,
};

/** Objects alone, one a line. */
export const BARE: Framing = {
  contentType: 'application/x-ndjson',
  begin: '',
  alive: '',
  line: json => `${json}\n`,
  end: () => '',
  failed: () => null,
};

export interface Answer<Row> {
  /** May give one row more than `limit`, which says that there are more. */
  readonly portions: AsyncIterable<readonly Row[]>;
  readonly limit: number;
  readonly framing: Framing;
  json(row: Row): string;
  readonly headers?: Readonly<Record<string, string | number>>;
  /** Called before the first octet when there is no row at all; may throw an ApiError. */
  readonly onEmpty?: () => void;
}

/**
 * Sends rows as they come, no faster than the client reads. An error that comes early is thrown, so that it has a status;
 * later it ends the stream as the framing says.
 */
export async function sendStream<Row>(
  response: ServerResponse,
  answer: Answer<Row>,
  signal: AbortSignal,
): Promise<void> {
  const { framing, limit } = answer;
  const portions = answer.portions[Symbol.asyncIterator]();
  const begin = (): void => {
    if (response.headersSent || response.destroyed) return;
    response.writeHead(200, { 'content-type': framing.contentType, ...answer.headers });
    if (framing.begin !== '') response.write(framing.begin);
  };
  const waiting = framing.alive === '' ? undefined : setTimeout(begin, FIRST_ROWS_MS);
  const alive =
    framing.alive === ''
      ? undefined
      : setInterval(() => response.headersSent && response.write(framing.alive), KEEP_ALIVE_MS);
  let sent = 0;
  try {
    for (;;) {
      const { done, value } = await portions.next();
      const rows: readonly Row[] = done === true ? [] : value;
      if (done === true && sent === 0) answer.onEmpty?.();
      begin();
      const text = rows
        .slice(0, limit - sent)
        .map(row => framing.line(answer.json(row)))
        .join('');
      const isLimited = sent + rows.length > limit;
      sent = Math.min(limit, sent + rows.length);
      if (done === true || isLimited) return void response.end(text + framing.end(isLimited));
      if (text !== '' && !response.write(text)) await drained(response, signal);
    }
  } catch (error) {
    if (signal.aborted) return;
    if (framing.begin !== '' && codeOf(error) === QUERY_CANCELED) begin(); // what it took belongs to the answer, not to the request
    if (!response.headersSent) throw error;
    if (isOurs(error)) log.error({ error: String(error) }, 'a query failed while its answer was sent');
    const end = framing.failed(publicError(error).message);
    if (end === null) response.destroy();
    else response.end(end);
  } finally {
    clearTimeout(waiting);
    clearInterval(alive);
    await portions.return?.(undefined);
  }
}

/** @throws the signal's reason, or an error when the client stopped reading */
async function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  const tooSlow = AbortSignal.timeout(PATIENCE_MS);
  try {
    await once(response, 'drain', { signal: AbortSignal.any([signal, tooSlow]) });
  } catch (error) {
    if (tooSlow.aborted) response.destroy();
    throw error;
  }
}

/** Whether an Accept header admits one of the media types; without one it does. */
export function accepts({ headers }: IncomingMessage, ...types: readonly string[]): boolean {
  if (headers.accept === undefined || headers.accept.trim() === '') return true;
  return headers.accept.split(',').some(range => {
    const [type = '', ...parameters] = range
      .toLowerCase()
      .split(';')
      .map(part => part.trim());
    if (parameters.some(parameter => /^q=0(\.0*)?$/.test(parameter))) return false;
    return (
      type === '*/*' || types.some(offered => type === offered || type === offered.replace(/\/.*/, '/*'))
    );
  });
}
