import { request } from 'node:http';
import { analyst } from '../../analytics/analyst.ts';
import { type Api, startApi } from '../../api/main.ts';
import { createTestDatabase, type TestDatabase } from './database.ts';
import { importRecords } from './passiveDns.ts';

/** What came back for a request, the body as text. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** A running API over a database of its own. */
export interface TestApi {
  readonly database: TestDatabase;
  readonly url: string;
  readonly port: number;
  /** Sends a request whose target goes out exactly as it is. */
  get(
    target: string,
    headers?: Readonly<Record<string, string>>,
    method?: string,
    body?: string,
  ): Promise<Reply>;
  close(): Promise<void>;
}

/** Starts the API on a free port over a database that holds `records`. */
export async function startTestApi(
  records: readonly object[],
  queryTimeoutSeconds?: number,
): Promise<TestApi> {
  const database = await createTestDatabase();
  if (records.length > 0) await importRecords(database.pool, records);
  const api: Api = await startApi({
    databaseUrl: database.url,
    listen: { host: '127.0.0.1', port: 0 },
    queryTimeoutSeconds,
    analyst,
  });
  const { port } = api.address;
  return {
    database,
    url: `http://127.0.0.1:${port}`,
    port,
    get: (target, headers = {}, method = 'GET', body) =>
      new Promise((resolve, reject) => {
        const sent = request({ port, path: target, headers, method, agent: false }, response => {
          let text = '';
          response.setEncoding('latin1').on('data', chunk => (text += chunk));
          response.on('error', reject);
          response.on('end', () =>
            resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }),
          );
        });
        sent.on('error', reject).end(body);
      }),
    async close() {
      await api.close();
      await database.drop();
    },
  };
}

/** The lines of a body that is NDJSON: each ends with a line feed, and none is empty. */
export function linesOf(body: string): readonly Record<string, unknown>[] {
  if (body !== '' && !body.endsWith('\n'))
    throw new Error(`the last line has no line feed: ${body.slice(-100)}`);
  return body
    .split('\n')
    .slice(0, -1)
    .map(line => JSON.parse(line));
}
