import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { copyFlowSql, copyPacketSql, copyRrSql } from '../../collector/store/tables.ts';
import { batchesOf } from './batches.ts';

interface Copy {
  readonly sql: string;
  readonly rows: Buffer | undefined;
}

/** The encoded rows of a file, or of its beginning, in memory. */
export interface EncodedRows {
  readonly batches: readonly (readonly Copy[])[];
  /** Octets of the file that they come from. */
  readonly bytes: number;
  readonly flows: number;
  readonly rrs: number;
  /** Octets of the rows. */
  readonly encodedBytes: number;
}

const MOST_BYTES = 512 << 20;

/** Encodes the file, up to half a gigabyte of rows. */
export async function encodeRows(path: string): Promise<EncodedRows> {
  const batches: Copy[][] = [];
  const sum = { bytes: 0, flows: 0, rrs: 0, encodedBytes: 0 };
  for await (const batch of batchesOf(path)) {
    batches.push([
      { sql: copyFlowSql, rows: batch.flows?.finish() },
      { sql: copyPacketSql, rows: batch.packets?.finish() },
      { sql: copyRrSql, rows: batch.rrs?.finish() },
    ]);
    sum.bytes += batch.to - batch.from;
    sum.flows += batch.counts.flows + batch.counts.flow_packets;
    sum.rrs += batch.counts.rrs + batch.counts.payload_rrs;
    sum.encodedBytes += batch.length;
    if (sum.encodedBytes > MOST_BYTES) break;
  }
  return { batches, ...sum };
}

/** Sends encoded rows batch by batch, each in a transaction, on so many connections at the same time. */
export async function copyRows(pool: pg.Pool, { batches }: EncodedRows, connections: number): Promise<void> {
  const queue = batches.values();
  const sendNext = async (): Promise<void> => {
    const client = await pool.connect();
    for (const copies of queue) {
      await client.query('begin');
      for (const { sql, rows } of copies)
        if (rows !== undefined) await pipeline(Readable.from([rows]), client.query(copyFrom(sql)));
      await client.query('commit');
    }
    client.release();
  };
  await Promise.all(Array.from({ length: connections }, sendNext));
}
