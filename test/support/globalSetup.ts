import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { openEmbedded } from '../../common/postgres/embedded.ts';
import { migrate } from '../../migrations/migrate.ts';
import { databaseUrl } from './databaseUrl.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Connection string of the server that all test files share; its role may create databases. */
    serverUrl: string;
    /** A migrated database to copy. */
    templateDatabase: string;
  }
}

/**
 * Gives all test files one PostgreSQL server with a migrated template database: the one named by
 * DNSTRAIL_TEST_DATABASE_URL, else an embedded one in a temporary directory.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await openServer();
  try {
    const template = await createTemplate(server.url);
    project.provide('serverUrl', server.url);
    project.provide('templateDatabase', template);
    return async () => {
      await execute(server.url, `drop database ${template}`);
      await server.close();
    };
  } catch (error) {
    await server.close();
    throw error;
  }
}

async function createTemplate(serverUrl: string): Promise<string> {
  const template = `dnstrail_template_${randomBytes(4).toString('hex')}`;
  await execute(serverUrl, `create database ${template}`);
  const pool = new pg.Pool({ connectionString: databaseUrl(serverUrl, template), max: 1 });
  await migrate(pool).finally(() => pool.end());
  return template;
}

async function openServer(): Promise<{ url: string; close(): Promise<void> }> {
  const url = process.env.DNSTRAIL_TEST_DATABASE_URL;
  if (url) return { url, close: async () => {} };
  const home = await mkdtemp(path.join(os.tmpdir(), 'dnstrail-test-'));
  await chmod(home, 0o755); // run by root the server has another account; what is inside stays private
  const embedded = await openEmbedded(home, { durable: false }).catch(async error => {
    await rm(home, { recursive: true });
    throw error;
  });
  return {
    url: embedded.url,
    async close() {
      await embedded.close();
      await rm(home, { recursive: true });
    },
  };
}

async function execute(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(statement).finally(() => client.end());
}
