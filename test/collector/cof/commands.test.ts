import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { eventually, runDnstrail } from '../../support/processes.ts';

const program = path.join(import.meta.dirname, '../../../dnstrail.ts');
const RECORDS = 120_000;
let database: TestDatabase;
let folder: string;
let file: string;

beforeAll(async () => {
  database = await createTestDatabase();
  folder = mkdtempSync(path.join(tmpdir(), 'dnstrail-cof-'));
  file = path.join(folder, 'big.json');
  await writeLines();
});
afterAll(async () => {
  await database.drop();
  rmSync(folder, { recursive: true });
});

/** Several batches; the line before the last is none, so that the last batch has something to put into cof_import_reject. */
async function writeLines(): Promise<void> {
  const out = createWriteStream(file);
  for (let i = 0; i < RECORDS; i++) {
    if (i === RECORDS - 1) out.write('no record\n');
    const line = {
      rrname: `host${i}.zone${i % 997}.example.`,
      rrtype: 'A',
      rdata: [`198.51.100.${i % 256}`],
      time_first: 1_700_000_000 + i,
      time_last: 1_710_000_000,
    };
    if (!out.write(`${JSON.stringify(line)}\n`)) await once(out, 'drain');
  }
  out.end();
  await once(out, 'close');
}

const importFile = (...flags: string[]) =>
  runDnstrail(['import', 'cof', ...flags, file], { DATABASE_URL: database.url });

it('an import that is killed goes on where it was: each line counts once, whoever else imports the file', async () => {
  const client = await database.pool.connect();
  // keeps the last batch from being committed
  await client.query('begin');
  await client.query('lock table cof_import_reject in access exclusive mode');
  const killed = importFile();
  const { position, size } = await eventually('the first batch', async () => {
    killed.mustRun();
    const { rows } = await database.pool.query<{ position: string; size: string }>(
      'select position, size from cof_import where position > 0',
    );
    return rows[0];
  });
  await killed.end('SIGKILL');
  await client.query('rollback');
  client.release();
  expect(Number(position)).toBeLessThan(Number(size));

  const others = [importFile('--json'), importFile('--json')];
  const ends = await Promise.all(others.map(other => other.exited));
  expect(ends.map(({ code }) => code)).toEqual([0, 0]);
  const files = others.map(other => JSON.parse(other.stdout()).files[0] as { status: string; lines: number });
  expect(files.map(({ status }) => status).sort()).toEqual(['duplicate', 'imported']);
  const { rows } = await database.pool.query(
    `select status, lines::integer, imported::integer, rejected::integer,
       (select sum(count)::integer from rrset) as observations,
       (select count(*)::integer from rrset) as rrsets,
       (select sum(count)::integer from rdata) as values,
       (select count(*)::integer from dns_name) as names
     from cof_import`,
  );
  const [records, lines] = [RECORDS, RECORDS + 1];
  expect(rows).toEqual([
    {
      status: 'imported',
      lines,
      imported: records,
      rejected: 1,
      observations: records,
      rrsets: records,
      values: records,
      names: records,
    },
  ]);
  expect(files.reduce((sum, report) => sum + report.lines, 0)).toBeLessThan(lines);
});

it('an import says what became of each file, and where to look', async () => {
  const again = importFile();
  expect(await again.exited).toMatchObject({ code: 0 });
  expect(again.stdout()).toContain(
    `duplicate ${file}: was imported before, as source "big": nothing to do\n`,
  );
  const missing = runDnstrail(['import', 'cof', path.join(folder, 'missing.json')], {
    DATABASE_URL: database.url,
  });
  expect(await missing.exited).toMatchObject({ code: 1 });
  expect(missing.stdout()).toContain('there is no such file');
});

it('an export ends quietly when its reader has seen enough', async () => {
  const env = { ...process.env, DATABASE_URL: database.url };
  const child = spawn(process.execPath, [program, 'export', 'cof'], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stderr, [first]] = await Promise.all([
    text(child.stderr),
    once(child.stdout, 'data').finally(() => child.stdout.destroy()),
    once(child, 'close').then(([code]) => expect(code).toBe(0)),
  ]);
  expect(String(first)).toMatch(/^{"count":1,"time_first":/);
  expect(stderr).toBe('');
});
