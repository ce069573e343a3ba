import { z } from 'zod';
import { rrtypeName } from '../../common/rrtypes.ts';
import {
  addressInput,
  countOutput,
  cursorInput,
  cursorName,
  cursorOf,
  endpoint,
  integerText,
  limitInput,
  microsecondsOf,
  nameInput,
  nextOf,
  timeOfMicroseconds,
  timeOutput,
  typeInput,
  valuesOf,
  windowInput,
} from './endpoint.ts';
import { readNewest } from './newest.ts';

/** Rows of one flow have no order of their own, so a page holds all or none of them. */
const recordsSql = `
select
  time, ${microsecondsOf('time')} as microseconds, flow_id::text as flow_id,
  host(client) as client, host(resolver) as resolver, qr, rcode, section, rrname, rrtype, ttl, rdata
from (
  select time, flow_id, dns_id, client, resolver, qr, rcode, section, rrname, rrtype, ttl, rdata
  from public.dns_rr
  where time >= $1
    and ($2::timestamptz is null or time < $2)
    and ($3::text is null or rrname = $3)
    and ($4::inet is null or client = $4)
    and ($5::inet is null or rdata_ip = $5)
    and ($6::integer is null or rrtype = $6)
    and ($7::bigint is null
      or (time, flow_id) < (${timeOfMicroseconds('$7')}, $8::bigint))
  order by time desc, flow_id desc
  fetch first $9 rows with ties
) as page
order by page.time desc, page.flow_id desc, dns_id, qr, section, rrname, rrtype, rdata`;

const clientsSql = `
select host(client) as client, count(distinct rrname) as names, sum(count)::bigint as questions,
  min(time_first) as time_first, max(time_last) as time_last
from public.asked_gravel
where day >= ($1::timestamptz at time zone 'UTC')::date
  and time_last >= $1 and ($2::timestamptz is null or time_first < $2)
  and ($3::inet is null or client > $3)
group by asked_gravel.client
order by asked_gravel.client
limit $4`;

const clientNamesSql = `
select rrname, sum(count)::bigint as questions, min(time_first) as time_first, max(time_last) as time_last
from public.asked_gravel
where client = $1
  and day >= ($2::timestamptz at time zone 'UTC')::date
  and time_last >= $2 and ($3::timestamptz is null or time_first < $3)
  and ($4::text is null or rrname > $4)
group by rrname
order by rrname
limit $5`;

interface RecordRow {
  /** Since 1970: times as JavaScript has them lose what tells two rows apart. */
  readonly microseconds: string;
  readonly flow_id: string;
  readonly rrtype: number;
}

const seen = { time_first: timeOutput, time_last: timeOutput };
const code = (least: number, most: number) => z.int().min(least).max(most);

export const recordEndpoints = [
  endpoint({
    path: '/records',
    summary: 'Questions and records as they went by',
    description:
      'Question entries and resource records, the newest first: who asked, through which resolver, what came back. A page holds all rows of a flow, so it may be longer than its limit. Days that are over have indexes by name, client and address.',
    input: z.object({
      name: nameInput.optional(),
      client: addressInput.optional(),
      address: addressInput.optional(),
      type: typeInput.optional(),
      ...windowInput,
      limit: limitInput,
      cursor: cursorInput,
    }),
    row: z.object({
      time: timeOutput,
      flow_id: z.string(),
      client: z.string().nullable(),
      resolver: z.string().nullable(),
      qr: z.boolean(),
      rcode: code(0, 65_535).nullable(),
      section: code(0, 3),
      rrname: z.string().nullable(),
      rrtype: z.string(),
      ttl: countOutput.nullable(),
      rdata: z.string().nullable(),
    }),
    async answer(reader, { since, until, name, client, address, type, limit, cursor }, signal) {
      const after = valuesOf(cursor, z.tuple([integerText, integerText]));
      const filter = [
        name ?? null,
        client ?? null,
        address ?? null,
        type ?? null,
        ...(after ?? [null, null]),
      ];
      const rows = await readNewest({ since, until, limit, before: after?.[0] }, (from, to, count) =>
        reader.all<RecordRow>(recordsSql, [from, to, ...filter, count], signal),
      );
      const last = rows.at(-1);
      const next =
        rows.length < limit || last === undefined ? null : cursorOf([last.microseconds, last.flow_id]);
      return {
        rows: rows.map(({ microseconds: _, ...row }) => ({ ...row, rrtype: rrtypeName(row.rrtype) })),
        next,
      };
    },
  }),
  endpoint({
    path: '/clients',
    summary: 'Who asked',
    description:
      'The clients that asked anything in a time, with what they asked on the days of that time; in the order of their addresses.',
    input: z.object({ ...windowInput, limit: limitInput, cursor: cursorInput }),
    row: z.object({ client: z.string(), names: countOutput, questions: countOutput, ...seen }),
    async answer(reader, { since, until, limit, cursor }, signal) {
      const after = valuesOf(cursor, z.tuple([addressInput]));
      const rows = await reader.all<{ client: string }>(
        clientsSql,
        [since, until ?? null, after?.[0] ?? null, limit],
        signal,
      );
      return { rows, next: nextOf(rows, limit, row => [row.client]) };
    },
  }),
  endpoint({
    path: '/clients/{address}/names',
    summary: 'What a client asked for',
    description: 'The names that a client asked for on the days of a time, in alphabetical order.',
    input: z.object({ address: addressInput, ...windowInput, limit: limitInput, cursor: cursorInput }),
    row: z.object({ rrname: z.string(), questions: countOutput, ...seen }),
    async answer(reader, { address, since, until, limit, cursor }, signal) {
      const after = valuesOf(cursor, z.tuple([cursorName]));
      const rows = await reader.all<{ rrname: string }>(
        clientNamesSql,
        [address, since, until ?? null, after?.[0] ?? null, limit],
        signal,
      );
      return { rows, next: nextOf(rows, limit, row => [row.rrname]) };
    },
  }),
];
