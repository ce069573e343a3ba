import { useEffect, useState } from 'preact/hooks';

const KEY = 'dnstrail-key';

/** What the server says of a request it does not answer. */
export class ApiProblem extends Error {
  override readonly name = 'ApiProblem';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }

  /** Whether a key would help. */
  get wantsKey(): boolean {
    return this.status === 401 || this.status === 403;
  }
}

export type Parameters = Readonly<Record<string, string | number | null | undefined>>;

/** Keeps the key for as long as the tab is open. */
export function setKey(key: string): void {
  sessionStorage.setItem(KEY, key);
  dispatchEvent(new Event('dnstrail-key'));
}

/** Whether a key was entered. */
export function hasKey(): boolean {
  return sessionStorage.getItem(KEY) !== null;
}

/** A path of this server with parameters; those without value are left out. */
export function urlOf(path: string, parameters: Parameters = {}): string {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(parameters))
    if (value !== null && value !== undefined && value !== '') query.set(key, String(value));
  const text = query.toString();
  return text === '' ? path : `${path}?${text}`;
}

/** Sends a request with the key. @throws ApiProblem for what is not answered with 2xx */
export async function request(url: string, options: RequestInit = {}): Promise<Response> {
  const key = sessionStorage.getItem(KEY);
  const headers = new Headers(options.headers);
  if (key !== null) headers.set('x-api-key', key);
  const response = await fetch(url, { ...options, headers });
  if (response.ok) return response;
  throw new ApiProblem(response.status, await reasonOf(response));
}

async function reasonOf(response: Response): Promise<string> {
  const text = await response.text();
  if (!response.headers.get('content-type')?.includes('json')) return text.replace(/^Error: /, '').trim();
  const { detail } = JSON.parse(text) as { detail?: string }; // RFC 9457
  return detail ?? `the server answered ${response.status}`;
}

/** One JSON answer. */
export async function getJson<T>(url: string, signal?: AbortSignal): Promise<T> {
  const response = await request(url, { headers: { accept: 'application/json' }, ...(signal && { signal }) });
  return response.json() as Promise<T>;
}

/** A list of `/api/v1`. */
export async function getItems<T>(url: string, signal?: AbortSignal): Promise<readonly T[]> {
  return (await getJson<{ items: T[] }>(url, signal)).items;
}

/** Changes something. */
export async function sendJson<T>(method: string, url: string, body: unknown): Promise<T> {
  const headers = { 'content-type': 'application/json', accept: 'application/json' };
  const response = await request(url, { method, headers, body: JSON.stringify(body) });
  const text = await response.text();
  return (text === '' ? undefined : JSON.parse(text)) as T;
}

/** The rows of a DNSDB answer (its streaming format: one object a line, `obj` of each a row). */
export async function getSaf<T>(url: string, signal?: AbortSignal): Promise<readonly T[]> {
  const headers = { accept: 'application/x-ndjson' };
  const response = await request(url, { headers, ...(signal && { signal }) });
  return (await response.text())
    .split('\n')
    .filter(line => line !== '')
    .flatMap(line => (JSON.parse(line) as { obj?: T }).obj ?? []);
}

/** What a question came to so far. `previous` answers stay while the next is fetched, so that nothing jumps. */
export interface Asked<T> {
  readonly data: T | undefined;
  readonly error: Error | undefined;
  readonly loading: boolean;
  retry(): void;
}

/**
 * Asks when `key` changes, and again when a key was entered or `retry` is called; an answer nobody waits for any more is given up.
 * @param key what the question depends on; null asks nothing
 */
export function useAsked<T>(key: string | null, ask: (signal: AbortSignal) => Promise<T>): Asked<T> {
  const [state, setState] = useState<{ key: string | null; data?: T; error?: Error }>({ key: null });
  const [turn, setTurn] = useState(0);
  const retry = () => setTurn(each => each + 1);
  useEffect(() => {
    addEventListener('dnstrail-key', retry);
    return () => removeEventListener('dnstrail-key', retry);
  }, []);
  // `ask` is made anew by each rendering; what it asks for is its key
  useEffect(() => {
    if (key === null) return;
    const gone = new AbortController();
    ask(gone.signal).then(
      data => gone.signal.aborted || setState({ key, data }),
      error => {
        if (gone.signal.aborted) return;
        setState({ key, error });
        if (error instanceof ApiProblem && error.wantsKey) dispatchEvent(new Event('dnstrail-wants-key'));
      },
    );
    return () => gone.abort();
  }, [key, turn]);
  return { data: state.data, error: state.error, loading: state.key !== key, retry };
}

/** One event of a feed (HTML standard, server-sent events). */
export interface FeedEvent {
  readonly id: string;
  readonly type: string;
  readonly data: unknown;
}

/**
 * Server-sent events over fetch, as EventSource cannot send a key. Connects again after what the server asks for, and goes on
 * after the last event.
 * @returns when `signal` is aborted
 */
export async function follow(
  url: string,
  listener: { event(event: FeedEvent): void; state(isOpen: boolean, error?: Error): void },
  signal: AbortSignal,
): Promise<void> {
  let lastId = '';
  let retryMs = 3000;
  while (!signal.aborted) {
    try {
      const headers: Record<string, string> = { accept: 'text/event-stream' };
      if (lastId !== '') headers['last-event-id'] = lastId;
      const { body } = await request(url, { headers, signal });
      if (body === null) throw new Error('the feed has no body');
      listener.state(true);
      let rest = '';
      for await (const text of body.pipeThrough(new TextDecoderStream())) {
        const blocks = (rest + text).split(/\r?\n\r?\n/);
        rest = blocks.pop() ?? '';
        for (const block of blocks) {
          const fields = fieldsOf(block);
          if (fields.has('retry')) retryMs = Number(fields.get('retry'));
          const id = fields.get('id');
          if (id !== undefined) lastId = id;
          const data = fields.get('data');
          if (data !== undefined)
            listener.event({ id: lastId, type: fields.get('event') ?? 'message', data: JSON.parse(data) });
        }
      }
      listener.state(false);
    } catch (error) {
      if (signal.aborted) return;
      listener.state(false, error as Error);
      if (error instanceof ApiProblem && error.wantsKey) dispatchEvent(new Event('dnstrail-wants-key'));
    }
    await new Promise(resolve => setTimeout(resolve, retryMs));
  }
}

function fieldsOf(block: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const line of block.split(/\r?\n/)) {
    const [, name = '', value = ''] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
    if (name === '') continue;
    const before = fields.get(name);
    fields.set(name, name === 'data' && before !== undefined ? `${before}\n${value}` : value);
  }
  return fields;
}
