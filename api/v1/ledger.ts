import { z } from 'zod';
import {
  countOutput,
  cursorInput,
  endpoint,
  idInput,
  limitInput,
  nextOf,
  someOf,
  timeOutput,
  valuesOf,
  windowInput,
} from './endpoint.ts';

const STATUSES = ['loading', 'loaded', 'partial', 'failed'] as const;

const exportersSql = `
select
  exporter_id as id, exporter.name as exporter, observation_domain_id, host(address) as address,
  coalesce(files, 0) as files, coalesce(messages, 0)::bigint as messages, coalesce(data_records, 0)::bigint as data_records,
  coalesce(sequence_gaps, 0)::bigint as sequence_gaps, coalesce(records_lost, 0)::bigint as records_lost,
  coalesce(sequence_resets, 0)::bigint as sequence_resets, last_export_time, last_stored,
  said.time as statistics_time, said.packets, said.dropped_packets
from public.exporter
left join (
  select ledger.exporter_id, count(*) as files, sum(ledger.messages) as messages, sum(ledger.data_records) as data_records,
    sum(sequence_gaps) as sequence_gaps, sum(records_lost) as records_lost, sum(sequence_resets) as sequence_resets,
    max(last_export_time) as last_export_time, max(updated_at) as last_stored
  from public.ledger join public.ipfix_file using (file_id)
  group by 1
) as sums using (exporter_id)
left join lateral (
  select time, packets::float8 as packets, dropped_packets::float8 as dropped_packets
  from public.exporter_statistics as statistics
  where statistics.exporter_id = exporter.exporter_id
  order by time desc nulls last
  limit 1
) as said on true
where ($1::integer is null or exporter_id > $1)
  and ($3::timestamptz is null or last_stored >= $3)
order by exporter_id
limit $2`;

const filesSql = `
select
  file_id as id, kind, path, exporter_name as exporter, host(peer_address) as peer_address, status, size, position,
  messages, data_records, flows, flow_packets, option_records, other_records, rrs, payload_rrs, fillers, quarantined,
  (flows + flow_packets + option_records + other_records + quarantined) = data_records as balanced,
  coalesce(gaps.sequence_gaps, 0)::bigint as sequence_gaps, coalesce(gaps.records_lost, 0)::bigint as records_lost,
  notes, first_export_time, last_export_time, created_at, updated_at, error
from public.ipfix_file
left join lateral (
  select sum(sequence_gaps) as sequence_gaps, sum(records_lost) as records_lost
  from public.ledger where ledger.file_id = ipfix_file.file_id
) as gaps on true
where updated_at >= $1 and ($2::timestamptz is null or updated_at < $2)
  and ($3::text[] is null or status = any ($3))
  and ($4::integer is null or ipfix_file.file_id < $4)
order by ipfix_file.file_id desc
limit $5`;

const page = { limit: limitInput, cursor: cursorInput };
const time = timeOutput.nullable();
const amount = z.number().nullable();

export const ledgerEndpoints = [
  endpoint({
    path: '/exporters',
    summary: 'Who sends',
    description:
      'Every exporter and observation domain, what came from it, what is missing by its sequence numbers, and what it last said of itself.',
    input: z.object({
      since: windowInput.until.meta({
        description: 'Only those of which something was stored since; any time where nothing is said.',
      }),
      ...page,
    }),
    row: z.object({
      id: z.int().min(1),
      exporter: z.string().meta({ description: 'Its name; the parameter sensor takes it.' }),
      observation_domain_id: countOutput,
      address: z.string().nullable(),
      files: countOutput,
      messages: countOutput,
      data_records: countOutput,
      sequence_gaps: countOutput,
      records_lost: countOutput,
      sequence_resets: countOutput,
      last_export_time: time,
      last_stored: time,
      statistics_time: time,
      packets: amount,
      dropped_packets: amount.meta({ description: 'By its capture: it never saw them.' }),
    }),
    async answer(reader, { since, limit, cursor }, signal) {
      const after = valuesOf(cursor, z.tuple([idInput]));
      const rows = await reader.all<{ id: number }>(
        exportersSql,
        [after?.[0] ?? null, limit, since ?? null],
        signal,
      );
      return { rows, next: nextOf(rows, limit, row => [row.id]) };
    },
  }),
  endpoint({
    path: '/files',
    summary: 'The ledger',
    description:
      'Files and journal segments of which something was stored in a time, the newest first: what was received, what became of it, what is missing. balanced: every data record is accounted for.',
    input: z.object({ status: someOf(STATUSES, 'Only these.').optional(), ...windowInput, ...page }),
    row: z.object({
      id: z.int().min(1),
      kind: z.enum(['journal', 'drop', 'load']),
      path: z.string(),
      exporter: z.string(),
      peer_address: z.string().nullable(),
      status: z.enum(STATUSES),
      size: countOutput.nullable(),
      position: countOutput,
      messages: countOutput,
      data_records: countOutput,
      flows: countOutput,
      flow_packets: countOutput,
      option_records: countOutput,
      other_records: countOutput,
      rrs: countOutput,
      payload_rrs: countOutput,
      fillers: countOutput,
      quarantined: countOutput,
      balanced: z.boolean(),
      sequence_gaps: countOutput,
      records_lost: countOutput,
      notes: z.record(z.string(), z.number()),
      first_export_time: time,
      last_export_time: time,
      created_at: timeOutput,
      updated_at: timeOutput,
      error: z.string().nullable(),
    }),
    async answer(reader, { status, since, until, limit, cursor }, signal) {
      const after = valuesOf(cursor, z.tuple([idInput]));
      const rows = await reader.all<{ id: number }>(
        filesSql,
        [since, until ?? null, status ?? null, after?.[0] ?? null, limit],
        signal,
      );
      return { rows, next: nextOf(rows, limit, row => [row.id]) };
    },
  }),
  endpoint({
    path: '/health/ingest',
    summary: 'How data arrives',
    description:
      'The exporters that sent last, what waits to be looked at, which time the records are of, the disk where it is known, and the jobs. Rows of the last minute are known from the second request on.',
    input: z.object({}),
    row: z.object({
      time: timeOutput,
      exporters: z.array(
        z.object({
          exporter: z.string(),
          observation_domain_id: countOutput,
          last_stored: timeOutput,
          last_export_time: time,
          lag_seconds: amount.meta({
            description:
              'From export to storage of the last message, by two clocks; null for files that were loaded.',
          }),
          silent_seconds: z.number(),
          sequence_gaps: countOutput,
          records_lost: countOutput,
          dropped_packets: amount,
        }),
      ),
      rows: countOutput.meta({ description: 'Flows and records stored since the first.' }),
      rows_last_minute: countOutput.nullable(),
      files_loading: countOutput,
      hours_due: countOutput.meta({ description: 'Hours with records that no detector has seen.' }),
      windows_due: countOutput,
      records_first: time,
      records_last: time.meta({ description: 'The minute of the latest messages that the jobs have seen.' }),
      database_bytes: countOutput,
      disk_free_bytes: countOutput.nullable(),
      disk_bytes: countOutput.nullable(),
      jobs: z.array(
        z.object({
          task: z.string(),
          last_run: time,
          running: countOutput,
          waiting: countOutput,
          failing: countOutput,
          last_error: z.string().nullable(),
        }),
      ),
    }),
    isOne: true,
    answer: async (_reader, _input, _signal, { ingest }) => ({ rows: [await ingest.state()] }),
  }),
];
