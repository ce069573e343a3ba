import { deepEqual, ok } from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Session, type Sink } from '../../collector/ipfix/index.ts';
import { LoadPool } from '../../collector/load/pool.ts';
import { readMessages } from '../../collector/source/messages.ts';
import { messagesOf, recorded } from '../support/exporter.ts';
import { residentMB } from '../support/nodeChildren.ts';
import { withDirectory } from '../support/processes.ts';
import { ledgerProblems } from './contents.ts';
import type { Random } from './random.ts';
import type { TestDatabase, TestServer } from './server.ts';

export interface MutateOptions {
  readonly seconds: number;
  readonly random: Random;
}

const originals = [
  'yaf2164-small-payload',
  'yaf2164-dnssec',
  'yaf2164-names',
  'yaf2164-small-metadata',
  'yaf2164-small-stats-entropy',
  'yaf2164-small-udpuniflow',
  'yaf271-names',
  'yaf2122-vlan',
  'yaf3-small',
  'pmacct-small',
  'ipfixprobe-small',
  'sm18-dedup-behaviour',
  'tcp-reconnect-conn2',
];

/** One file may take so long, its rows committed; on a busy machine. */
const LONGEST_MS = 20_000;
const FILES_AT_ONCE = 4;
/** After so many files the tables are emptied, so that their size says nothing about ours. */
const FILES_KEPT = 200;
/** Memory is compared with what it is once everything was used. */
const WARM_UP_FILES = 100;
/** Of three processes, whose heaps come to their sizes within two minutes, 130 MB above that. */
const MOST_GROWTH_MB = 200;

/**
 * Damages recorded streams in every way for a while, decodes and loads them: no file brings anything down, hangs or is
 * left without an outcome, and its ledger closes.
 */
export function mutate(server: TestServer, { seconds, random }: MutateOptions) {
  const streams = originals.map(recorded);
  return withDirectory(async directory => {
    const database = await server.createDatabase();
    const pool = new LoadPool(database.url, 2);
    const figures = {
      seed: random.seed,
      files: 0,
      records: 0,
      undecodable: 0,
      loaded: 0,
      partial: 0,
      failed: 0,
      slowestMs: 0,
    };
    const memory = { startMB: 0, endMB: 0, mostMB: 0 };
    const end = performance.now() + seconds * 1000;
    const mutateOne = async (): Promise<void> => {
      const file = path.join(directory, `${figures.files++}.ipfix`);
      writeFileSync(file, damaged(streams, random));
      const begun = performance.now();
      const { records, undecodable } = await decodeAll(file);
      const report = await inTime(
        file,
        pool.load({ kind: 'load', path: file, exporterName: 'mutant' }).report,
      );
      figures.records += records;
      figures.undecodable += undecodable;
      if (report.status !== 'duplicate') figures[report.status]++;
      figures.slowestMs = Math.max(figures.slowestMs, Math.round(performance.now() - begun));
      rmSync(file);
    };
    try {
      while (performance.now() < end) {
        await Promise.all(Array.from({ length: FILES_AT_ONCE }, mutateOne));
        const rss = residentMB();
        memory.mostMB = Math.max(memory.mostMB, rss);
        memory.endMB = rss;
        if (figures.files <= WARM_UP_FILES) memory.startMB = rss;
        if (figures.files % FILES_KEPT < FILES_AT_ONCE) {
          deepEqual(await ledgerProblems(database.pool), []);
          await empty(database);
        }
      }
      deepEqual(await ledgerProblems(database.pool), []);
      ok(
        memory.endMB < memory.startMB + MOST_GROWTH_MB,
        `memory grew: ${JSON.stringify({ ...figures, ...memory })}`,
      );
      return { ...figures, ...memory };
    } finally {
      await pool.close();
      await database.drop();
    }
  });
}

async function decodeAll(file: string): Promise<{ records: number; undecodable: number }> {
  const session = new Session();
  let records = 0;
  let undecodable = 0;
  const sink: Sink = {
    dataRecord: () => {
      records++;
    },
    undecodable: () => {
      undecodable++;
    },
  };
  for await (const block of readMessages(file)) {
    if (block.bad !== undefined) {
      undecodable++;
      continue;
    }
    for (let at = block.start; at < block.end; ) {
      const length = block.buffer.readUInt16BE(at + 2);
      session.decodeMessage(
        block.buffer.subarray(at, at + length),
        block.streamOffset + at - block.start,
        sink,
      );
      at += length;
    }
  }
  session.finish(sink);
  return { records, undecodable };
}

async function inTime<T>(what: string, result: Promise<T>): Promise<T> {
  const late = new AbortController();
  const timeout = delay(LONGEST_MS, undefined, { signal: late.signal }).then(
    () => {
      throw new Error(`${what} takes more than ${LONGEST_MS} ms`);
    },
    () => result,
  );
  try {
    return await Promise.race([result, timeout]);
  } finally {
    late.abort();
  }
}

async function empty({ pool }: TestDatabase): Promise<void> {
  await pool.query(
    'truncate public.flow, public.flow_packet, public.dns_rr, public.quarantine, public.ledger, public.ipfix_file, public.exporter_statistics, public.tombstone',
  );
}

type Mutation = (stream: Buffer, random: Random, others: readonly Buffer[]) => Buffer;

const mutations: readonly Mutation[] = [
  flipBits,
  truncate,
  splice,
  insertGarbage,
  repeatMessage,
  dropMessage,
  changeLength,
  blank,
];

/** A recorded stream, damaged one to four times. */
function damaged(streams: readonly Buffer[], random: Random): Buffer {
  let stream: Buffer = Buffer.from(random.pick(streams));
  for (let times = random.between(1, 4); times > 0; times--)
    stream = random.pick(mutations)(stream, random, streams);
  return stream;
}

function flipBits(stream: Buffer, random: Random): Buffer {
  const flipped = Buffer.from(stream);
  for (let bits = random.between(1, 40); bits > 0 && flipped.length > 0; bits--) {
    const at = random.between(0, flipped.length - 1);
    flipped[at] = flipped[at]! ^ (1 << random.between(0, 7)); // an index of the buffer
  }
  return flipped;
}

function truncate(stream: Buffer, random: Random): Buffer {
  return stream.subarray(0, random.between(0, stream.length));
}

function splice(stream: Buffer, random: Random, others: readonly Buffer[]): Buffer {
  const other = random.pick(others);
  const from = random.between(0, other.length);
  return insert(stream, random, other.subarray(from, random.between(from, other.length)));
}

function insertGarbage(stream: Buffer, random: Random): Buffer {
  const garbage = Buffer.from(Array.from({ length: random.between(1, 3000) }, () => random.between(0, 255)));
  return insert(stream, random, garbage);
}

function insert(stream: Buffer, random: Random, octets: Buffer): Buffer {
  const at = random.between(0, stream.length);
  return Buffer.concat([stream.subarray(0, at), octets, stream.subarray(at)]);
}

function repeatMessage(stream: Buffer, random: Random): Buffer {
  const messages = messagesOf(stream);
  if (messages.length > 0) messages.splice(random.between(0, messages.length), 0, random.pick(messages));
  return Buffer.concat(messages);
}

function dropMessage(stream: Buffer, random: Random): Buffer {
  return Buffer.concat(messagesOf(stream).toSpliced(random.between(0, 5), 1));
}

/** A message length, or the length of its first set, becomes any number. */
function changeLength(stream: Buffer, random: Random): Buffer {
  const changed = Buffer.concat(messagesOf(stream));
  const starts = messagesOf(changed).map(({ byteOffset }) => byteOffset - changed.byteOffset);
  const at = starts.length === 0 ? -1 : random.pick(starts) + random.pick([2, 18]);
  if (at > 0 && at + 2 <= changed.length) changed.writeUInt16BE(random.between(0, 65535), at);
  return changed;
}

function blank(stream: Buffer, random: Random): Buffer {
  const blanked = Buffer.from(stream);
  const from = random.between(0, stream.length);
  return blanked.fill(
    random.pick([0, 10, 255]),
    from,
    Math.min(stream.length, from + random.between(1, 5000)),
  );
}
