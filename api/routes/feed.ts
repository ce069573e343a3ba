import { once } from 'node:events';
import type { Request, Response } from 'express';
import type { Access } from '../access.ts';
import { FEED_EVENTS, type Feed, idOf, positionOf } from '../feed.ts';
import { ApiError, badRequest } from '../problem.ts';
import { goneSignal } from '../respond.ts';
import { parseUrl } from '../url.ts';

const MOST_LISTENERS = 200;
const HEARTBEAT_MS = 15_000;
/** A listener that reads nothing for so long has gone. It goes on with the id of the last event that it has. */
const PATIENCE_MS = 30_000;
const RETRY_MS = 2_000;

/**
 * Server-sent events of what is new (HTML Standard, 9.2). Each has an id; who comes again with it as Last-Event-ID gets what
 * was missed, nothing twice.
 */
export function feedRoute({ feed, access }: { feed: Feed; access: Access }) {
  return async (request: Request, response: Response): Promise<void> => {
    response.locals.surface = 'feed';
    const { parameters } = parseUrl(request.url);
    const events = (parameters.get('events') ?? FEED_EVENTS.join(',')).split(',').map(word => {
      const event = FEED_EVENTS.find(each => each === word);
      if (event === undefined) throw badRequest(`events: some of ${FEED_EVENTS.join(',')}`);
      return event;
    });
    const given = request.headers['last-event-id'] ?? parameters.get('last_event_id');
    const known = typeof given === 'string' && given !== '' ? positionOf(given) : undefined;
    if (feed.listeners >= MOST_LISTENERS) throw new ApiError(503, 'too many listen already');
    const signal = AbortSignal.any([goneSignal(response), feed.closing]);
    const write = async (text: string): Promise<void> => {
      if (response.write(text)) return;
      await once(response, 'drain', { signal: AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]) });
    };
    try {
      const begin = known ?? (await feed.now(signal));
      response.writeHead(200, {
        'content-type': 'text/event-stream',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
      });
      await write(`retry: ${RETRY_MS}\nid: ${idOf(begin)}\n\n`);
      for await (const { news, position } of feed.listen(begin, events, HEARTBEAT_MS, signal)) {
        // a heartbeat also tells how far one is, and whether the key still holds
        if (news.length === 0) await access.callerOf(request, 'read');
        const lines = news.map(
          ({ event, data, position: own }, i) =>
            `id: ${idOf(i === news.length - 1 ? position : own)}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`,
        );
        await write(lines.length === 0 ? `: alive\nid: ${idOf(position)}\n\n` : lines.join(''));
      }
      response.end();
    } catch (error) {
      if (!response.headersSent && !signal.aborted) throw error;
      if (!response.headersSent) response.destroy();
      else if (feed.closing.aborted) response.end();
      else response.destroy();
    }
  };
}
