import { isIP } from 'node:net';
import type { Request, Response } from 'express';
import { rrtypeName, rrtypeNumber } from '../../common/rrtypes.ts';
import { namePatternOf } from '../names.ts';
import { ApiError, badRequest, publicError } from '../problem.ts';
import { type CirclQuestion, circl } from '../queries/circl.ts';
import type { Observation } from '../queries/observation.ts';
import { accepts, BARE, goneSignal, rateHeaders, sendErrorLine, sendStream } from '../respond.ts';
import { percentDecode } from '../url.ts';
import { addressRangeOf } from '../values.ts';
import type { DnsdbParts } from './dnsdb.ts';

const MEDIA_TYPES = ['application/x-ndjson', 'application/json', 'text/plain'];
const LAST_SECOND = 253_402_300_799;

interface Page {
  readonly size: number;
  readonly offset: number;
}

/** Passive DNS as CIRCL serves it: `/pdns/query/VALUE`, a name, wildcard, address or network; Common Output Format, one object a line. */
export function circlQuery({ reader, access }: DnsdbParts) {
  return async (request: Request, response: Response, segments: readonly string[]): Promise<void> => {
    try {
      const caller = await access.callerOf(request, 'read').catch(error => {
        if (error instanceof ApiError && error.status === 403) throw new ApiError(401, error.message);
        throw error;
      });
      if (!accepts(request, ...MEDIA_TYPES)) throw new ApiError(415, 'Unsupported Media Type');
      const question = questionOf(segments);
      const filter = headerOf(request, 'dribble-filter-rrtype');
      const rrtype = filter === undefined ? null : (rrtypeNumber(filter) ?? -1);
      const page = pageOf(request);
      await access.charge(caller);
      const leave = access.enter(caller);
      try {
        const headers = rateHeaders(await access.rateOf(caller));
        const signal = goneSignal(response);
        const origin = originOf(request);
        const json = (row: Observation) => rowJson(row, origin);
        const limit = page?.size ?? caller.resultsMax;
        const window = { rrtype, limit: limit + 1, offset: page?.offset ?? 0 };
        const rows = circl(reader, question, window, signal);
        if (page === undefined)
          return await sendStream(
            response,
            { portions: named(rows), limit, framing: BARE, json, headers },
            signal,
          );
        const found: Observation[] = [];
        for await (const portion of rows) found.push(...portion);
        const next = found.length > limit ? { 'x-dribble-cursor': page.offset + limit } : {};
        const portions = named(single(found.slice(0, limit)));
        await sendStream(
          response,
          { portions, limit, framing: BARE, json, headers: { ...headers, ...next } },
          signal,
        );
      } finally {
        leave();
      }
    } catch (error) {
      response.locals.error = error;
      const shown = publicError(error);
      if (shown.status === 401) response.setHeader('www-authenticate', 'Basic realm="dnstrail"');
      sendErrorLine(response, shown);
    }
  };
}

/** Clients look a type up by its name and drop the row, or all of them, where there is none: those are left to DNSDB's paths. */
async function* named(
  portions: AsyncIterable<readonly Observation[]>,
): AsyncGenerator<readonly Observation[], void> {
  for await (const portion of portions)
    yield portion.filter(({ rrtype }) => !rrtypeName(rrtype).startsWith('TYPE'));
}

async function* single(rows: readonly Observation[]): AsyncGenerator<readonly Observation[], void> {
  yield rows;
}

function questionOf(segments: readonly string[]): CirclQuestion {
  const octets = Buffer.from(
    segments.map(segment => percentDecode(segment).toString('latin1')).join('/'),
    'latin1',
  );
  const text = octets.toString('latin1');
  const [first = ''] = text.split(/[,/-]/, 1);
  if (isIP(first) !== 0) return { addresses: addressRangeOf(text) };
  if (text === '') throw badRequest('a name or an address is missing');
  const name = namePatternOf(octets);
  if (name.kind === 'all') throw badRequest('all names are too many: give a domain, as *.example.com');
  return { name };
}

function pageOf(request: Request): Page | undefined {
  const size = headerOf(request, 'dribble-paginate-count');
  const cursor = headerOf(request, 'dribble-paginate-cursor') ?? '0';
  if (size === undefined) return undefined;
  if (!/^[1-9]\d{0,5}$/.test(size) || !/^\d{1,12}$/.test(cursor))
    throw badRequest('dribble-paginate-count and dribble-paginate-cursor are positive integers');
  return { size: Math.min(Number(size), 10_000), offset: Number(cursor) };
}

function headerOf({ headers }: Request, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : undefined;
}

/** Which system answers, as a URI. */
function originOf({ headers }: Request): string {
  const host = headers.host ?? '';
  return `http://${/^[\w.:[\]-]+$/.test(host) ? host : 'localhost'}/`;
}

function rowJson(row: Observation, origin: string): string {
  const second = (time: number) => Math.min(LAST_SECOND, Math.max(0, Math.floor(time)));
  return JSON.stringify({
    rrname: row.rrname,
    rrtype: rrtypeName(row.rrtype),
    rdata: row.rdata,
    time_first: second(row.time_first),
    time_last: second(row.time_last),
    count: row.count,
    origin,
  });
}
