import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { addressText } from '../map/address.ts';
import type { Batch } from './batch.ts';
import type { CopyBuffer } from './copyBuffer.ts';
import type { Groups } from './groups.ts';
import type { Partitions } from './partitions.ts';
import { copyFlowSql, copyPacketSql, copyRrSql, copyTierSql } from './tables.ts';

/**
 * Batches of one file that may be on their way to the database at the same time, each on a connection of its own: with
 * two, a core is idle while one of them waits for the disk and the other for us.
 */
const IN_FLIGHT = 3;

/** Somebody else committed rows of this file: what is in memory must be thrown away and the ledger read again. */
export class PositionConflict extends Error {
  override readonly name = 'PositionConflict';
}

/**
 * Commits the batches of one file in their order, each with its checkpoint in one transaction. The rows of the next
 * batch are copied while the previous one commits.
 */
export class Committer {
  readonly #pool: pg.Pool;
  readonly #partitions: Partitions;
  readonly #fileId: number;
  readonly #signal: AbortSignal | undefined;
  readonly #inFlight = new Set<Promise<void>>();
  #last: Promise<void> = Promise.resolve();
  #failure: unknown;

  /** @param signal loading is to stop: what is under way is committed without further waiting */
  constructor(pool: pg.Pool, partitions: Partitions, fileId: number, signal?: AbortSignal) {
    this.#signal = signal;
    this.#pool = pool;
    this.#partitions = partitions;
    this.#fileId = fileId;
  }

  /**
   * Takes a batch over; resolves as soon as there is room for the next.
   * @param explain turns what made this batch fail into what submit or flush throw for it
   * @throws what made an earlier batch fail
   */
  async submit(batch: Batch, explain: (error: unknown) => unknown = error => error): Promise<void> {
    while (this.#inFlight.size >= IN_FLIGHT) await Promise.race(this.#inFlight);
    // here, where batches come in their order: one that waited later would keep the next, which holds its run, from committing
    if (batch.groups !== undefined) await waitForRoom(this.#pool, this.#signal);
    if (this.#failure !== undefined) throw this.#failure;
    await this.#partitions.ensure(batch.days, Date.now());
    // takes its connection before anything else: batches of one file get theirs in their order, so none can wait for
    // a later one that holds the last connection
    const commit = this.#commit(batch, this.#last);
    this.#last = commit;
    const settled = commit
      .catch(error => {
        this.#failure ??= explain(error);
      })
      .finally(() => this.#inFlight.delete(settled));
    this.#inFlight.add(settled);
  }

  /** Resolves when all batches are committed. @throws what made one fail */
  async flush(): Promise<void> {
    await Promise.all(this.#inFlight);
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #commit(batch: Batch, previous: Promise<void>): Promise<void> {
    const client = await this.#pool.connect();
    let broken: Error | undefined;
    try {
      await client.query(batch.outcome === undefined ? beginSql : beginDurableSql);
      await copy(client, copyFlowSql, batch.flows);
      await copy(client, copyPacketSql, batch.packets);
      await copy(client, copyRrSql, batch.rrs);
      if (batch.groups !== undefined) await copyGroups(client, batch.groups);
      await previous;
      await checkpoint(client, this.#fileId, batch);
      await client.query('commit');
      batch.recycle();
    } catch (error) {
      broken = error instanceof Error ? error : new Error(String(error));
      throw error;
    } finally {
      // a connection that failed is not used again: closing it rolls back, whatever state it is in
      client.release(broken);
    }
  }
}

/**
 * Only the last batch of a file waits for the disk, and with it everything before it: write-ahead log is flushed in its
 * order. Should the server crash before, rows and position are gone together, the file is still there, and it is loaded
 * from the position that is left; a later batch of ours finds the position changed (PositionConflict).
 */
const beginSql = 'begin isolation level read committed; set local synchronous_commit = off';
const beginDurableSql = 'begin isolation level read committed';

async function copy(client: pg.PoolClient, sql: string, rows: CopyBuffer | undefined): Promise<void> {
  if (rows === undefined) return;
  await pipeline(Readable.from([rows.finish()]), client.query(copyFrom(sql)));
}

/** Of a table of the hot run: three times what it is closed at. A lookup reads through it in some 30 ms. */
const FULL_BYTES = 36 << 20;
const ROOM_POLL_MS = 100;
const LONGEST_WAIT_FOR_ROOM_MS = 30_000;

/**
 * Waits while observations come faster than they are sorted, outside of any transaction: what is not sorted yet makes
 * every lookup slower, and so the sorting itself.
 */
export async function waitForRoom(
  database: pg.Pool | pg.ClientBase,
  signal?: AbortSignal,
  fullBytes = FULL_BYTES,
): Promise<void> {
  for (const end = performance.now() + LONGEST_WAIT_FOR_ROOM_MS; performance.now() < end; ) {
    const { rows } = await database.query<{ is_full: boolean }>(
      'select public.is_hot_run_full($1) as is_full',
      [fullBytes],
    );
    if (!rows[0]?.is_full || signal?.aborted) return;
    await delay(ROOM_POLL_MS);
  }
}

/**
 * Adds grouped observations to the run of each tier that is hot, in a transaction that must be READ COMMITTED.
 * @param sourceId public.rrset_source; 0 for what was observed here
 */
export async function copyGroups(client: pg.PoolClient, groups: Groups, sourceId = 0): Promise<void> {
  if (groups.size === 0) return;
  const { rows } = await client.query<{ run_id: number }>('select public.use_hot_run() as run_id');
  const runId = rows[0]!.run_id; // a function returns one row
  for (const [tier, tierRows] of groups.finish(sourceId)) {
    if (tierRows.rows > 0) await copy(client, copyTierSql(tier, runId), tierRows);
  }
}

const advanceSql = `
update public.ipfix_file
set position = $3,
    messages = messages + $4,
    data_records = data_records + $5,
    flows = flows + $6,
    flow_packets = flow_packets + $7,
    option_records = option_records + $8,
    other_records = other_records + $9,
    rrs_received = rrs_received + $10,
    rrs = rrs + $11,
    payload_rrs = payload_rrs + $12,
    fillers = fillers + $13,
    quarantined = quarantined + $14,
    notes = public.add_counts(notes, $15),
    first_export_time = coalesce(first_export_time, to_timestamp($16)),
    last_export_time = greatest(last_export_time, to_timestamp($17)),
    status = coalesce($18, status),
    error = $19,
    grouped_position = case when $20 then $3 else grouped_position end,
    updated_at = now()
where file_id = $1
  and position = $2
  and status = 'loading'`;

/** Only ever added to: batches of several files touch the same hours, and must not wait for each other. */
const landedSql = `
insert into public.landed_hour (hour)
select to_timestamp(hour * 3600) from unnest($1::float8[]) as hours(hour)`;

const domainsSql = `
insert into public.ledger as l
  (file_id, observation_domain_id, exporter_id, messages, data_records, next_sequence, sequence_gaps, records_lost, sequence_resets)
select $1, d.observation_domain_id, d.exporter_id, d.messages, d.data_records, d.next_sequence, d.sequence_gaps, d.records_lost, d.sequence_resets
from jsonb_to_recordset($2::jsonb) as d(observation_domain_id bigint, exporter_id integer, messages bigint, data_records bigint,
  next_sequence bigint, sequence_gaps bigint, records_lost bigint, sequence_resets bigint)
on conflict (file_id, observation_domain_id) do update
set messages = excluded.messages,
    data_records = excluded.data_records,
    next_sequence = excluded.next_sequence,
    sequence_gaps = excluded.sequence_gaps,
    records_lost = excluded.records_lost,
    sequence_resets = excluded.sequence_resets`;

const quarantineSql = `
insert into public.quarantine (file_id, byte_offset, byte_length, observation_domain_id, set_id, reason, detail, bytes)
values ($1, $2, $3, $4, $5, $6, $7, $8)`;

const statisticsSql = `
insert into public.exporter_statistics
  (file_id, byte_offset, exporter_id, time, system_init_time, exporting_process, exporter_address, exported_flows, packets,
   dropped_packets, ignored_packets, not_sent_packets, expired_fragments, assembled_fragments, flow_table_flushes,
   flow_table_peak, mean_flow_rate, mean_packet_rate)
values ($1, $2, $3, to_timestamp($4::float8 / 1000000), to_timestamp($5::float8 / 1000000), $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`;

const tombstoneSql = `
insert into public.tombstone (file_id, byte_offset, exporter_id, tombstone_id, configured_id, time, tools)
values ($1, $2, $3, $4, $5, to_timestamp($6::float8 / 1000000), $7)`;

/** The part of a batch's transaction that makes it count: nobody else may have advanced the file since. */
async function checkpoint(client: pg.PoolClient, fileId: number, batch: Batch): Promise<void> {
  const { counts } = batch;
  const advanced = await client.query(advanceSql, [
    fileId,
    batch.from,
    batch.to,
    counts.messages,
    counts.data_records,
    counts.flows,
    counts.flow_packets,
    counts.option_records,
    counts.other_records,
    counts.rrs_received,
    counts.rrs,
    counts.payload_rrs,
    counts.fillers,
    counts.quarantined,
    JSON.stringify(Object.fromEntries(batch.notes)),
    batch.firstExportTime,
    batch.lastExportTime,
    batch.outcome?.status ?? null,
    batch.outcome?.error ?? null,
    batch.groups !== undefined,
  ]);
  if (advanced.rowCount !== 1)
    throw new PositionConflict(`file ${fileId} is not at octet ${batch.from} any more`);
  if (batch.hours.size > 0) await client.query(landedSql, [[...batch.hours]]);
  if (batch.domains.length > 0)
    await client.query(domainsSql, [fileId, JSON.stringify(batch.domains.map(domainRow))]);
  for (const q of batch.quarantine)
    await client.query(quarantineSql, [
      fileId,
      q.offset,
      q.length,
      q.observationDomainId,
      q.setId,
      q.reason,
      q.detail,
      q.octets,
    ]);
  for (const { offset, exporterId, row } of batch.statistics)
    await client.query(statisticsSql, [
      fileId,
      offset,
      exporterId,
      row.time,
      row.system_init_time,
      row.exporting_process,
      row.exporter_address === null ? null : addressText(row.exporter_address),
      row.exported_flows,
      row.packets,
      row.dropped_packets,
      row.ignored_packets,
      row.not_sent_packets,
      row.expired_fragments,
      row.assembled_fragments,
      row.flow_table_flushes,
      row.flow_table_peak,
      row.mean_flow_rate,
      row.mean_packet_rate,
    ]);
  for (const { offset, exporterId, row } of batch.tombstones)
    await client.query(tombstoneSql, [
      fileId,
      offset,
      exporterId,
      row.tombstone_id,
      row.configured_id,
      row.time,
      JSON.stringify(row.tools),
    ]);
}

function domainRow(domain: Batch['domains'][number]) {
  return {
    observation_domain_id: domain.observationDomainId,
    exporter_id: domain.exporterId,
    messages: domain.messages,
    data_records: domain.dataRecords,
    next_sequence: domain.nextSequence,
    sequence_gaps: domain.sequenceGaps,
    records_lost: domain.recordsLost,
    sequence_resets: domain.sequenceResets,
  };
}
