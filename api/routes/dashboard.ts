import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import type { Request, Response } from 'express';
import { Router } from 'express';
import helmet from 'helmet';
import { log } from '../../common/log.ts';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
};
const ENCODINGS = [
  ['br', '.br'],
  ['gzip', '.gz'],
] as const;
/** The names of assets change with their content. */
const FOREVER = 'public, max-age=31536000, immutable';

/** Scripts, styles and answers from here alone; nobody may frame it, and forms lead nowhere. */
const policy = helmet({
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      'default-src': ["'none'"],
      'script-src': ["'self'"],
      'style-src': ["'self'"],
      'img-src': ["'self'", 'data:'],
      'connect-src': ["'self'"],
      'base-uri': ["'none'"],
      'form-action': ["'none'"],
      'frame-ancestors': ["'none'"],
    },
  },
  referrerPolicy: { policy: 'no-referrer' },
});

/** One file with its compressed forms, in memory: all of them are some hundred kilobytes. */
interface Asset {
  readonly type: string;
  readonly plain: Buffer;
  readonly compressed: readonly { readonly encoding: string; readonly content: Buffer }[];
}

/** The dashboard: its page at `/`, what that loads below `/assets`. It holds no data; what it shows it asks the API for. */
export function dashboard(directory = join(import.meta.dirname, '../dashboard/built')): Router {
  const assets = readAssets(directory);
  if (assets.size === 0) log.warn({ directory }, 'the dashboard is not built: run "npm run build:dashboard"');
  const router = Router();
  router.get(/^\/$/, policy, (request, response, next) => {
    const page = assets.get('index.html');
    if (page === undefined) return next();
    send(request, response.setHeader('cache-control', 'no-cache'), page);
  });
  router.get(/^\/assets\/[\w.-]+$/, policy, (request, response, next) => {
    const asset = assets.get(request.path.slice('/assets/'.length));
    if (asset === undefined) return next();
    send(request, response.setHeader('cache-control', FOREVER), asset);
  });
  return router;
}

function readAssets(directory: string): ReadonlyMap<string, Asset> {
  const read = (name: string) => readFileSync(join(directory, name));
  return new Map(
    namesIn(directory)
      .filter(name => TYPES[extname(name)] !== undefined)
      .map(name => [
        name,
        {
          type: TYPES[extname(name)]!, // it has one
          plain: read(name),
          compressed: ENCODINGS.map(([encoding, suffix]) => ({ encoding, content: read(name + suffix) })),
        },
      ]),
  );
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}

function send(request: Request, response: Response, { type, plain, compressed }: Asset): void {
  const best = compressed.find(({ encoding }) => request.acceptsEncodings(encoding) !== false);
  response.setHeader('content-type', type).setHeader('vary', 'accept-encoding');
  if (best !== undefined) response.setHeader('content-encoding', best.encoding);
  response.end(best?.content ?? plain);
}
