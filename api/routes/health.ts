import { type Request, type Response, Router } from 'express';
import type { Access } from '../access.ts';
import type { Feed } from '../feed.ts';
import type { Ingest } from '../ingest.ts';
import type { Metrics } from '../metrics.ts';
import type { Reader } from '../reader.ts';
import { goneSignal } from '../respond.ts';

/** `/healthz`: the process runs. `/readyz`: the database answers too. `/metrics`: for Prometheus, with a key where there are any. */
export function health({
  reader,
  access,
  metrics,
  ingest,
  feed,
}: {
  reader: Reader;
  access: Access;
  metrics: Metrics;
  ingest: Ingest;
  feed: Feed;
}): Router {
  const router = Router();
  const text = (response: Response, status: number, line: string) =>
    void response.status(status).type('text/plain').send(`${line}\n`);
  router.get('/healthz', (_request, response) => text(response, 200, 'ok'));
  router.get('/readyz', async (_request: Request, response: Response) => {
    try {
      await reader.all('select from public.hot_run', [], goneSignal(response));
      text(response, 200, 'ok');
    } catch {
      text(response, 503, 'the database does not answer');
    }
  });
  router.get('/metrics', async (request: Request, response: Response) => {
    await access.callerOf(request, 'read');
    const body = await metrics.text({ reader, ingest, feed }, goneSignal(response));
    response.set('content-type', 'text/plain; version=0.0.4; charset=utf-8').send(body);
  });
  return router;
}
