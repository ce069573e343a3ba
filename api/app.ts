import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import helmet from 'helmet';
import { log } from '../common/log.ts';
import { Metrics } from './metrics.ts';
import { ApiError, isOurs, publicError } from './problem.ts';
import { sendErrorLine } from './respond.ts';
import { circlQuery } from './routes/circl.ts';
import { dashboard } from './routes/dashboard.ts';
import { type DnsdbParts, dnsdb1, dnsdb2 } from './routes/dnsdb.ts';
import { health } from './routes/health.ts';
import { apiV1, type V1Parts } from './routes/v1.ts';
import { parseUrl } from './url.ts';

/** Longer texts in the log are cut. */
const LONGEST_LOGGED = 300;
/** How deep `/dnsdb/v2` may be: clients keep the path of their server setting in front of it. */
const DEEPEST_PREFIX = 4;

/** The HTTP application, which does not listen. */
export function createApp(parts: V1Parts): Express {
  const app = express();
  app.disable('etag').disable('x-powered-by').set('query parser', false).set('case sensitive routing', true);
  const metrics = new Metrics();
  app.use((_request, response, next) => {
    metrics.observe(response);
    next();
  });
  app.use(logRequests, helmet(), health({ ...parts, metrics }), passiveDns(parts));
  app.use('/api/v1', apiV1(parts));
  app.use(dashboard());
  app.use((_request, _response, next) => next(new ApiError(404, 'there is no such path')));
  app.use((error: unknown, _request: Request, response: Response, _next: NextFunction) => {
    response.locals.error = error;
    sendErrorLine(response, publicError(error));
  });
  return app;
}

/** The surfaces of DNSDB and CIRCL, whose paths hold octets that Express would refuse to decode, and the segment `.`. */
function passiveDns(parts: DnsdbParts) {
  const [v2, v1, circl] = [dnsdb2(parts), dnsdb1(parts), circlQuery(parts)];
  return async (request: Request, response: Response, next: NextFunction): Promise<void> => {
    const { segments } = parseUrl(request.url);
    const answer = surfaceOf(segments, { v2, v1, circl });
    if (answer === undefined) return next();
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      throw new ApiError(405, 'only GET is allowed here');
    }
    await answer(request, response);
  };
}

type Surface = (request: Request, response: Response, segments: readonly string[]) => Promise<void>;

/** Whom a path is for, whatever a client's server setting puts in front of it. */
function surfaceOf(segments: readonly string[], surfaces: Record<'v2' | 'v1' | 'circl', Surface>) {
  if (segments[0] === 'api') return undefined;
  const to =
    (name: 'v2' | 'v1' | 'circl', from: number) =>
    (request: Request, response: Response): Promise<void> => {
      response.locals.surface = name === 'circl' ? name : `dnsdb_${name}`;
      return surfaces[name](request, response, segments.slice(from));
    };
  for (let i = 0; i < Math.min(segments.length, DEEPEST_PREFIX); i++) {
    const pair = `${segments[i]}/${segments[i + 1] ?? ''}`;
    if (pair === 'dnsdb/v2') return to('v2', i + 2);
    if (segments[i] === 'dnsdb') return undefined; // of a version that is not there
    if (pair === 'pdns/query') return to('circl', i + 2);
    if (
      /^(?:(?:lookup|summarize)\/(?:rrset|rdata|rate_limit)|(?:rrset|rdata)\/(?:name|raw|ip)|rate_limit\/)$/.test(
        pair,
      )
    )
      return to('v1', i);
  }
  return undefined;
}

/** One line a request: no headers and no query string but what clients say of themselves, so no secrets. */
function logRequests(request: Request, response: Response, next: NextFunction): void {
  const begin = performance.now();
  response.once('close', () => {
    const error: unknown = response.locals.error;
    const { parameters } = parseUrl(request.originalUrl.slice(0, 8192));
    const said = ['swclient', 'version', 'id'].flatMap(key => parameters.get(key)?.slice(0, 30) ?? []);
    const entry = {
      method: request.method,
      path: request.originalUrl.replace(/\?.*/s, '').slice(0, LONGEST_LOGGED),
      status: response.statusCode,
      complete: response.writableFinished,
      ms: Math.round(performance.now() - begin),
      ...(typeof response.locals.key === 'string' ? { key: response.locals.key } : {}),
      ...(said.length === 0 ? {} : { client: said.join(' ') }),
      ...(error === undefined ? {} : { error: isOurs(error) ? String(error) : publicError(error).message }),
    };
    if (isOurs(error) && error !== undefined) log.error(entry, 'a request failed');
    else log.info(entry, 'request');
  });
  next();
}
