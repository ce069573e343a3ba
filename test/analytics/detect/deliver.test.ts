import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { setSettings } from '../../../analytics/detect/configFile.ts';
import { deliver } from '../../../analytics/detect/deliver.ts';
import { listDetections } from '../../../analytics/detect/list.ts';
import { startWorker } from '../../../analytics/main.ts';
import { detect } from '../../../analytics/tasks/detect.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { eventually } from '../../support/processes.ts';
import { insertLookups } from './records.ts';

const secret = 'a secret of some length';

interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

let database: TestDatabase;
let answer = 200;
const received: Received[] = [];

const server = createServer((request, response) => {
  let body = '';
  request.setEncoding('utf8');
  request.on('data', text => (body += text));
  request.on('end', () => {
    received.push({ headers: request.headers, body });
    response.writeHead(answer).end();
  });
});

beforeEach(async () => {
  database = await createTestDatabase();
  received.length = 0;
  answer = 200;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // it listens
  await setSettings(database.pool, {
    approved_resolvers: ['10.0.0.53'],
    webhook: { url: `http://127.0.0.1:${port}/hook`, secret, least_severity: 'low' },
  });
});

afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await database.drop();
});

const rogue = (client: string) => ({
  at: '2024-05-01T00:10:00Z',
  name: 'a.example.com.',
  client,
  resolver: '8.8.8.8',
});

test('each detection is sent once, signed, and again only while it is not taken', async () => {
  await insertLookups(database.pool, [rogue('10.0.2.3'), rogue('10.0.2.4')]);
  const worker = startWorker({ databaseUrl: database.url });
  try {
    // its own schema is made step by step meanwhile
    await eventually('a worker', () =>
      database.pool.query(`select graphile_worker.add_job('detect', job_key => 'detect')`).then(
        () => true,
        () => undefined,
      ),
    );
    await eventually('two messages', async () => received.length >= 2 || undefined);
    await detect(database.pool, { isUrgent: true });
    await database.pool.query(`select graphile_worker.add_job('detect', job_key => 'detect')`);
    await eventually('no job to be left', async () => {
      const { rows } = await database.pool.query(
        `select count(*)::integer as left from graphile_worker.jobs where task_identifier in ('detect', 'deliver')`,
      );
      return rows[0].left === 0 || undefined;
    });
  } finally {
    await worker.close();
  }
  const sent = received.map(({ body }) => JSON.parse(body));
  const listed = await listDetections(database.pool, { kind: 'rogue_resolver' });
  expect(sent.sort((a, b) => a.id - b.id)).toEqual(listed);
  for (const { headers, body } of received) {
    const [, seconds, signature] =
      /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers['x-dnstrail-signature'])) ?? [];
    expect(signature).toBe(createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex'));
    expect(headers['x-dnstrail-detection']).toBe(String(JSON.parse(body).id));
  }
});

test('a receiver that refuses, or is away, makes the job fail, so that it is tried again', async () => {
  await insertLookups(database.pool, [rogue('10.0.2.3')]);
  await detect(database.pool, { isUrgent: true });
  const [detection] = await listDetections(database.pool, { kind: 'rogue_resolver' });
  answer = 503;
  await expect(deliver(database.pool, detection!.id)).rejects.toThrow('answered 503'); // there is one
  server.closeAllConnections();
  server.close();
  await expect(deliver(database.pool, detection!.id)).rejects.toThrow('cannot reach');
});
