import type { Request, Response } from 'express';
import { rrtypeName } from '../../common/rrtypes.ts';
import type { Access, Caller } from '../access.ts';
import { booleanOf, fencesOf, limitOf, maxCountOf, offsetOf } from '../parameters.ts';
import { ApiError, publicError } from '../problem.ts';
import { checkPatterns, type FlexRow, flex } from '../queries/flex.ts';
import type { Observation, Window } from '../queries/observation.ts';
import { rawRdata } from '../queries/rawRdata.ts';
import { rdata } from '../queries/rdata.ts';
import { rrsets } from '../queries/rrsets.ts';
import { rdataWire } from '../rdataWire.ts';
import type { Reader } from '../reader.ts';
import {
  accepts,
  BARE,
  type Framing,
  goneSignal,
  rateHeaders,
  SAF,
  sendErrorLine,
  sendJsonLine,
  sendStream,
} from '../respond.ts';
import { parseUrl, type RawUrl } from '../url.ts';
import { endpointOf, flexQuestionOf, type LookupQuestion, lookupQuestionOf } from './dnsdbQuestion.ts';

export interface DnsdbParts {
  readonly reader: Reader;
  readonly access: Access;
}

/** What differs between the versions of DNSDB. */
interface Version {
  readonly framing: Framing;
  /** rdata of a rdata lookup is a string, not an array of one. */
  readonly hasPlainRdata: boolean;
  /** Nothing found is an error 404. */
  readonly missesEmpty: boolean;
}

const V2: Version = { framing: SAF, hasPlainRdata: false, missesEmpty: false };
const V1: Version = {
  framing: { ...BARE, contentType: 'application/json' },
  hasPlainRdata: true,
  missesEmpty: true,
};

const MEDIA_TYPES = ['application/x-ndjson', 'application/json'];
const FIRST_SECOND = 0;
const LAST_SECOND = 253_402_300_799;

/** DNSDB API version 2: everything below `/dnsdb/v2`. */
export function dnsdb2({ reader, access }: DnsdbParts) {
  return (request: Request, response: Response, segments: readonly string[]): Promise<void> =>
    answering(response, async () => {
      const endpoint = endpointOf(segments);
      if (endpoint === 'ping') return sendJsonLine(response, { ping: 'ok' });
      const caller = await callerOf(access, request);
      const url = parseUrl(request.url);
      const rest = segments.slice(1);
      if (endpoint === 'rate_limit') return sendRate(response, access, caller);
      if (endpoint === 'flex') return searchFlex({ reader, access }, response, caller, segments, url);
      return answerLookup({ reader, access }, response, caller, {
        endpoint,
        version: V2,
        segments: rest,
        url,
      });
    });
}

/** DNSDB API version 1: `/lookup/…`, `/summarize/…`, and `/rrset/…`, `/rdata/…`, as dnsdbq asks for when its server URL has a path. */
export function dnsdb1({ reader, access }: DnsdbParts) {
  return (request: Request, response: Response, segments: readonly string[]): Promise<void> =>
    answering(response, async () => {
      const [first] = segments;
      const endpoint = first === 'summarize' ? 'summarize' : 'lookup';
      const rest = first === 'lookup' || first === 'summarize' ? segments.slice(1) : segments;
      const caller = await callerOf(access, request);
      if (rest[0] === 'rate_limit' && rest.length === 1) return sendRate(response, access, caller);
      const url = parseUrl(request.url);
      return answerLookup({ reader, access }, response, caller, {
        endpoint,
        version: V1,
        segments: rest,
        url,
      });
    });
}

/** Errors as one line of text, the connection let go of when the client goes. */
async function answering(response: Response, answer: () => Promise<void>): Promise<void> {
  try {
    await answer();
  } catch (error) {
    response.locals.error = error;
    sendErrorLine(response, publicError(error));
  }
}

async function callerOf(access: Access, request: Request): Promise<Caller> {
  const caller = await access.callerOf(request, 'read');
  if (!accepts(request, ...MEDIA_TYPES)) throw new ApiError(415, 'Unsupported Media Type');
  return caller;
}

async function sendRate(response: Response, access: Access, caller: Caller): Promise<void> {
  sendJsonLine(response, { rate: await access.rateOf(caller) });
}

interface LookupRequest {
  readonly endpoint: 'lookup' | 'summarize';
  readonly version: Version;
  readonly segments: readonly string[];
  readonly url: RawUrl;
}

async function answerLookup(
  parts: DnsdbParts,
  response: Response,
  caller: Caller,
  request: LookupRequest,
): Promise<void> {
  const { endpoint, version, segments, url } = request;
  const { parameters } = url;
  const question = lookupQuestionOf(segments);
  const isSummary = endpoint === 'summarize';
  const limit = limitOf(parameters, caller.resultsMax);
  const window: Window = {
    fences: fencesOf(parameters, Date.now()),
    limit: limit + 1,
    offset: isSummary ? 0 : offsetOf(parameters, caller.offsetMax),
    isGravel: !booleanOf(parameters, 'aggr', true),
  };
  const isHuman = booleanOf(parameters, 'humantime', false);
  const maxCount = isSummary ? maxCountOf(parameters) : Infinity;
  await admitted(parts.access, caller, response, async (headers, signal) => {
    const rows = lookup(parts.reader, question, window, signal);
    const onEmpty = (): void => {
      if (version.missesEmpty) throw new ApiError(404, 'no results found for query.');
    };
    const shared = { framing: version.framing, headers, onEmpty };
    if (!isSummary)
      return sendStream(
        response,
        { ...shared, limit, portions: rows, json: rowJson(question, version, isHuman) },
        signal,
      );
    const summary = summaryOf(rows, limit, maxCount);
    let isLimited = false;
    const framing: Framing = { ...version.framing, end: () => version.framing.end(isLimited) };
    const portions = (async function* () {
      const found = await summary;
      isLimited = found.isLimited;
      if (found.num_results > 0) yield [found];
    })();
    await sendStream(
      response,
      { ...shared, framing, limit: 1, portions, json: found => summaryJson(found, isHuman) },
      signal,
    );
  });
}

function lookup(
  reader: Reader,
  question: LookupQuestion,
  window: Window,
  signal: AbortSignal,
): AsyncIterable<readonly Observation[]> {
  switch (question.side) {
    case 'rrset':
      return rrsets(reader, question, window, signal);
    case 'rdata':
      return rdata(reader, question, window, signal);
    case 'raw':
      return rawRdata(reader, question, window, signal);
  }
}

async function searchFlex(
  parts: DnsdbParts,
  response: Response,
  caller: Caller,
  segments: readonly string[],
  { parameters }: RawUrl,
): Promise<void> {
  const question = flexQuestionOf(segments, parameters.get('exclude'));
  const limit = limitOf(parameters, caller.resultsMax);
  const window = {
    fences: fencesOf(parameters, Date.now()),
    limit: limit + 1,
    offset: offsetOf(parameters, caller.offsetMax),
  };
  const isVerbose = booleanOf(parameters, 'verbose', false);
  const isHuman = booleanOf(parameters, 'humantime', false);
  const isNames = question.target === 'rrnames';
  const json = (row: FlexRow): string =>
    JSON.stringify({
      ...(isVerbose
        ? {
            count: row.count,
            time_first: shown(row.time_first, isHuman),
            time_last: shown(row.time_last, isHuman),
          }
        : {}),
      ...(isNames ? { rrname: row.value } : { rdata: row.value, ...rawOf(row) }),
      rrtype: rrtypeName(row.rrtype),
    });
  await admitted(parts.access, caller, response, async (headers, signal) => {
    await checkPatterns(parts.reader, question, signal);
    const portions = flex(parts.reader, question, window, signal);
    await sendStream(response, { portions, limit, framing: SAF, json, headers }, signal);
  });
}

function rawOf({ rrtype, value }: FlexRow): { raw_rdata?: string } {
  const wire = rdataWire(rrtype, value);
  return wire === null ? {} : { raw_rdata: wire.toString('hex').toUpperCase() };
}

/** Charges the request and counts it as open while it is answered. @throws ApiError 429, 503 */
async function admitted(
  access: Access,
  caller: Caller,
  response: Response,
  answer: (headers: Record<string, string | number>, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  await access.charge(caller);
  const leave = access.enter(caller);
  try {
    await answer(rateHeaders(await access.rateOf(caller)), goneSignal(response));
  } finally {
    leave();
  }
}

interface Summary {
  count: number;
  num_results: number;
  isLimited: boolean;
  readonly times: { first: number; last: number };
  readonly zoneTimes: { first: number; last: number };
}

/** Adds up the rows that a lookup would give, until `maxCount` is reached. */
async function summaryOf(
  portions: AsyncIterable<readonly Observation[]>,
  limit: number,
  maxCount: number,
): Promise<Summary> {
  const none = () => ({ first: Infinity, last: -Infinity });
  const summary: Summary = { count: 0, num_results: 0, isLimited: false, times: none(), zoneTimes: none() };
  for await (const portion of portions) {
    for (const row of portion) {
      if (summary.num_results === limit) return { ...summary, isLimited: true };
      const times = row.is_zone ? summary.zoneTimes : summary.times;
      times.first = Math.min(times.first, row.time_first);
      times.last = Math.max(times.last, row.time_last);
      summary.count += row.count;
      summary.num_results++;
      if (summary.count >= maxCount) return summary;
    }
  }
  return summary;
}

function summaryJson({ count, num_results, times, zoneTimes }: Summary, isHuman: boolean): string {
  const pair = (prefix: string, { first, last }: { first: number; last: number }) =>
    first > last
      ? {}
      : { [`${prefix}_first`]: shown(first, isHuman), [`${prefix}_last`]: shown(last, isHuman) };
  return JSON.stringify({ count, num_results, ...pair('time', times), ...pair('zone_time', zoneTimes) });
}

function rowJson(
  { side }: LookupQuestion,
  { hasPlainRdata }: Version,
  isHuman: boolean,
): (row: Observation) => string {
  return row => {
    const prefix = row.is_zone ? 'zone_time' : 'time';
    return JSON.stringify({
      count: row.count,
      [`${prefix}_first`]: shown(row.time_first, isHuman),
      [`${prefix}_last`]: shown(row.time_last, isHuman),
      rrname: row.rrname,
      rrtype: rrtypeName(row.rrtype),
      ...(side === 'rrset'
        ? { bailiwick: row.bailiwick, rdata: row.rdata.split('\n') }
        : { rdata: hasPlainRdata ? row.rdata : [row.rdata] }),
    });
  };
}

/** Whole seconds since 1970, or RFC 3339. A time without bound is the first or last that clients take. */
function shown(time: number, isHuman: boolean): number | string {
  const second = Math.min(
    LAST_SECOND,
    Math.max(time === -Infinity ? FIRST_SECOND : -62_135_596_800, Math.floor(time)),
  );
  return isHuman ? new Date(1000 * second).toISOString().replace('.000Z', 'Z') : second;
}
