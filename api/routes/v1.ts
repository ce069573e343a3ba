import express, { type NextFunction, type Request, type Response, Router } from 'express';
import type { z } from 'zod';
import type { Desk } from '../desk.ts';
import type { Feed } from '../feed.ts';
import type { Ingest } from '../ingest.ts';
import type { Scope } from '../keys.ts';
import { ApiError, publicError } from '../problem.ts';
import { accepts, goneSignal, rateHeaders } from '../respond.ts';
import { parseUrl, percentDecode } from '../url.ts';
import { addressEndpoints } from '../v1/addresses.ts';
import { clientEndpoints } from '../v1/clients.ts';
import { detectionEndpoints } from '../v1/detections.ts';
import type { Endpoint, Page } from '../v1/endpoint.ts';
import { ledgerEndpoints } from '../v1/ledger.ts';
import { lookupEndpoints } from '../v1/lookups.ts';
import { nameEndpoints } from '../v1/names.ts';
import { openApi } from '../v1/openapi.ts';
import { documentPage } from '../v1/page.ts';
import { recordEndpoints } from '../v1/records.ts';
import { resolverEndpoints } from '../v1/resolvers.ts';
import { settingsEndpoints } from '../v1/settings.ts';
import { suggestEndpoints } from '../v1/suggest.ts';
import { trafficEndpoints } from '../v1/traffic.ts';
import type { DnsdbParts } from './dnsdb.ts';
import { feedRoute } from './feed.ts';

/** A body of 50000 names of 253 characters. */
const LARGEST_BODY = '16mb';
const VERSION = '1';

export const endpoints: readonly Endpoint[] = [
  ...nameEndpoints,
  ...recordEndpoints,
  ...clientEndpoints,
  ...addressEndpoints,
  ...lookupEndpoints,
  ...suggestEndpoints,
  ...trafficEndpoints,
  ...detectionEndpoints,
  ...resolverEndpoints,
  ...settingsEndpoints,
  ...ledgerEndpoints,
];

export interface V1Parts extends DnsdbParts {
  readonly feed: Feed;
  readonly desk: Desk;
  readonly ingest: Ingest;
}

/** Our own API: everything below `/api/v1`. */
export function apiV1({ reader, access, desk, ingest, feed }: V1Parts): Router {
  const router = Router();
  const document = openApi(endpoints, VERSION);
  const admit = async (
    request: Request,
    response: Response<unknown, Locals>,
    next: NextFunction,
  ): Promise<void> => {
    response.locals.surface = 'v1';
    const caller = await access.callerOf(request, response.locals.scope ?? 'read');
    await access.charge(caller);
    response.once('close', access.enter(caller));
    response.set(rateHeaders(await access.rateOf(caller)) as Record<string, string>); // Express writes numbers too
    response.locals.author = caller.key?.name ?? 'local';
    next();
  };
  router.get('/feed', admit, feedRoute({ feed, access }));
  router.get('/openapi.json', (_request, response) => void response.json(document));
  const page = documentPage(endpoints);
  router.get('/', (_request, response) => void response.type('html').send(page));
  for (const endpoint of endpoints) {
    const hasBody = endpoint.method === 'post' || endpoint.method === 'patch';
    router[endpoint.method](
      patternOf(endpoint.path),
      (request: Request, response: Response<unknown, Locals>, next: NextFunction) => {
        if (endpoint.scope !== 'read') refuseOtherSites(request);
        response.locals.scope = endpoint.scope;
        next();
      },
      admit,
      ...(hasBody ? [express.json({ limit: LARGEST_BODY })] : []),
      async (request: Request, response: Response<unknown, Locals>) => {
        const type = typeFor(request);
        const input = endpoint.input.safeParse(
          hasBody
            ? withPath(request.body, pathInputOf(request, endpoint.path))
            : {
                ...Object.fromEntries(parseUrl(request.url).parameters),
                ...pathInputOf(request, endpoint.path),
              },
        );
        if (!input.success) throw new ApiError(400, problemOf(input.error));
        const office = { desk, ingest, author: response.locals.author ?? 'local' };
        const page = await endpoint.answer(reader, input.data as never, goneSignal(response), office); // parsed by its own schema
        if (!response.destroyed) send(response, endpoint, page, type);
      },
    );
  }
  router.use((_request, _response, next) => next(new ApiError(404, 'there is no such path')));
  router.use(sendProblem);
  return router;
}

/** What the steps of an answer tell each other. */
interface Locals {
  surface?: string;
  scope?: Scope;
  author?: string;
}

/** A page of another site that a browser shows here must not write, whatever it may send (Fetch Metadata). */
function refuseOtherSites({ headers }: Request): void {
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none')
    throw new ApiError(403, 'pages of other sites may not write');
}

type MediaType = 'application/json' | 'application/x-ndjson' | 'text/csv';

function typeFor(request: Request): MediaType {
  const exact = (['application/x-ndjson', 'text/csv'] as const).find(type =>
    request.headers.accept?.includes(type),
  );
  if (exact !== undefined) return exact;
  if (accepts(request, 'application/json')) return 'application/json';
  throw new ApiError(406, 'the answer is application/json, application/x-ndjson or text/csv');
}

/** A regular expression, since Express would refuse names whose octets are no UTF-8 before we see them. */
function patternOf(path: string): RegExp {
  return new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+')}/?$`);
}

/** The parameters of the path, which have the names that the endpoint's path gives them. */
function pathInputOf(request: Request, path: string): Record<string, string> {
  const { segments } = parseUrl(request.url);
  return Object.fromEntries(
    path
      .split('/')
      .slice(1)
      .flatMap((part, i) => {
        const [, name] = /^\{(\w+)\}$/.exec(part) ?? [];
        return name === undefined ? [] : [[name, percentDecode(segments[i] ?? '').toString()] as const];
      }),
  );
}

/** A body with the parameters of the path; what is no object is left to the schema to refuse. */
function withPath(body: unknown, named: Record<string, string>): unknown {
  return typeof body === 'object' && body !== null && !Array.isArray(body) ? { ...body, ...named } : body;
}

function send(
  response: Response,
  { isOne, row }: Endpoint,
  { rows, next = null }: Page,
  type: MediaType,
): void {
  response.setHeader('content-type', type === 'text/csv' ? 'text/csv; charset=utf-8' : type);
  if (next !== null) response.setHeader('link', `<?cursor=${next}>; rel="next"`);
  switch (type) {
    case 'application/json':
      response.end(`${JSON.stringify(isOne ? rows[0] : { items: rows, next })}\n`);
      return;
    case 'application/x-ndjson':
      response.end(rows.map(item => `${JSON.stringify(item)}\n`).join(''));
      return;
    case 'text/csv': {
      const known = Object.keys(row.shape);
      const columns = known.length > 0 ? known : Object.keys(rows[0] ?? {});
      const lines = rows.map(item =>
        columns.map(column => csvOf((item as Record<string, unknown>)[column])).join(','),
      );
      response.end([columns.join(','), ...lines, ''].join('\r\n'));
    }
  }
}

/** One field (RFC 4180). What a spreadsheet would take for a formula gets an apostrophe in front. */
function csvOf(value: unknown): string {
  const text =
    value === null || value === undefined
      ? ''
      : value instanceof Date
        ? value.toISOString()
        : Array.isArray(value)
          ? value.map(each => (typeof each === 'object' ? JSON.stringify(each) : String(each))).join(' ')
          : typeof value === 'object'
            ? JSON.stringify(value)
            : String(value);
  const safe = typeof value === 'string' && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function problemOf(error: z.ZodError): string {
  return error.issues
    .slice(0, 5)
    .map(({ path, message }) => `${path.join('.') || 'the request'}: ${message}`)
    .join('; ');
}

/** RFC 9457. */
function sendProblem(error: unknown, _request: Request, response: Response, _next: NextFunction): void {
  response.locals.error = error;
  if (response.headersSent || response.destroyed) return void response.destroy();
  const { status, message } = bodyError(error) ?? publicError(error);
  if (status === 401 || status === 403) response.setHeader('www-authenticate', 'Basic realm="dnstrail"');
  response
    .status(status)
    .type('application/problem+json')
    .end(
      `${JSON.stringify({ type: 'about:blank', title: TITLES[status] ?? 'Error', status, detail: message })}\n`,
    );
}

/** What express.json() refuses. */
function bodyError(error: unknown): ApiError | undefined {
  if (
    !(error instanceof Error) ||
    error instanceof ApiError ||
    !('status' in error) ||
    typeof error.status !== 'number' ||
    error.status >= 500
  )
    return undefined;
  return new ApiError(
    error.status,
    error.status === 413 ? `the body is larger than ${LARGEST_BODY}` : 'the body is not JSON',
  );
}

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  406: 'Not Acceptable',
  413: 'Content Too Large',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
};
