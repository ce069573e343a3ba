import { createWriteStream } from 'node:fs';
import { open, writeFile } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { MESSAGE_HEADER_LENGTH } from '../../collector/ipfix/index.ts';
import { LoadPool } from '../../collector/load/pool.ts';
import { migrate } from '../../migrations/migrate.ts';
import { withHome } from './home.ts';
import type { Input } from './input.ts';
import {
  type Figure,
  figure,
  type Recipe,
  type Result,
  type Run,
  rates,
  recipeOf,
  result,
  timed,
} from './measure.ts';
import { copyRows, type EncodedRows, encodeRows } from './rawCopy.ts';

/** Connections of the loader for one file. */
const CONNECTIONS = 3;

/**
 * File → committed rows, checkpoint and ledger, by one loading process as the collector runs it; embedded PostgreSQL with
 * durable commits in a fresh home. Each run loads the same records as new content: a message without records in
 * front makes it a different file. After each, the baseline sends the same encoded rows by COPY: nothing is decoded.
 */
export function load(input: Input, runs: number): Promise<Result> {
  return withHome(async database => {
    const loader = new LoadPool(database.url, 1);
    try {
      const pool = database.pool({ max: CONNECTIONS });
      await migrate(pool);
      const rows = await encodeRows(input.path);
      const [own, raw]: [Run[], Run[]] = [[], []];
      for (let run = 0; run <= runs; run++) {
        const path = await writeNewContent(input, run);
        await emptyTables(pool);
        own.push(await timed(() => loadWhole(loader, path, input)));
        await emptyTables(pool);
        raw.push(await timed(() => copyRows(pool, rows, CONNECTIONS)));
      }
      const recipe = recipeOf(input, {
        runs,
        loaders: 1,
        connections: CONNECTIONS,
        ...(await serverRecipe(pool)),
      });
      return result('load', recipe, figures(input, rows, own, raw));
    } finally {
      await loader.close();
    }
  });
}

/** The first run of either apart: connections and compiled code are new then. */
function figures(input: Input, rows: EncodedRows, own: readonly Run[], raw: readonly Run[]): Figure[] {
  const load = rates('load', input, own.slice(1));
  const [first] = rates('load, first file of a new process', input, own.slice(0, 1));
  const [copied] = rates('raw COPY of the same rows', rows, raw.slice(1));
  const share = (run: number) => own[run]!.seconds / input.rrs / (raw[run]!.seconds / rows.rrs); // both ran that often
  const shares = raw.slice(1).map((_, run) => 1 / share(run + 1));
  return [...load, first!, copied!, figure('load / raw COPY', 'ratio', shares)]; // rates() gives several
}

async function loadWhole(loader: LoadPool, path: string, input: Input): Promise<void> {
  const report = await loader.load({ kind: 'load', path, exporterName: 'bench' }).report;
  if (report.status !== 'loaded' || report.rrs !== input.rrs || report.flows > input.flows)
    throw new Error(`not everything was loaded: ${JSON.stringify(report)}`);
}

/** Leaves the ledger, and no work of an earlier run to the server. */
async function emptyTables(pool: pg.Pool): Promise<void> {
  await pool.query('truncate public.flow, public.flow_packet, public.dns_rr');
  await pool.query('checkpoint');
}

/** Puts a message without records in front; its export time makes the file's content new to the ledger. */
async function writeNewContent(input: Input, run: number): Promise<string> {
  const path = `${input.path}.load`;
  const source = await open(input.path);
  try {
    const header = Buffer.alloc(MESSAGE_HEADER_LENGTH);
    await source.read(header, 0, header.length, 0);
    header.writeUInt16BE(header.length, 2);
    header.writeUInt32BE((header.readUInt32BE(4) + run) >>> 0, 4);
    await writeFile(path, header);
    await pipeline(source.createReadStream({ start: 0 }), createWriteStream(path, { flags: 'a' }));
    return path;
  } finally {
    await source.close();
  }
}

async function serverRecipe(pool: pg.Pool): Promise<Recipe> {
  const { rows } = await pool.query<{ postgresql: string; durable: string }>(
    `select current_setting('server_version') as postgresql,
       'fsync ' || current_setting('fsync') || ', synchronous_commit ' || current_setting('synchronous_commit') as durable`,
  );
  const { postgresql, durable } = rows[0]!; // always one row
  return { postgresql, durable };
}
