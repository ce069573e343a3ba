import { z } from 'zod';
import type { KindPage } from '../kindPages.ts';
import { readKindPages } from '../kindPages.ts';
import { ApiError } from '../problem.ts';
import {
  addressInput,
  countOutput,
  cursorInput,
  cursorOf,
  endpoint,
  futureInput,
  idInput,
  integerText,
  limitInput,
  microsecondsOf,
  networkInput,
  nextOf,
  someOf,
  subjectInput,
  timeOfMicroseconds,
  timeOutput,
  valuesOf,
  windowInput,
} from './endpoint.ts';

const SEVERITIES = ['info', 'low', 'medium', 'high'] as const;
const STATUSES = ['new', 'acknowledged', 'closed'] as const;
const pages = readKindPages();

/** $1 … $8: what the filters say. */
const isChosen = `
  last_time >= $1 and ($2::timestamptz is null or first_time < $2)
  and ($3::text[] is null or kind = any ($3))
  and ($4::text[] is null or severity = any ($4))
  and ($5::text[] is null or status = any ($5))
  and ($6::text is null or subject = $6 or public.is_below(subject, $6))
  and ($7::inet is null or client = $7)
  and ($8 = 'all' or (mute_id is not null) = ($8 = 'yes'))`;

const listSql = `
select detection_id as id, kind, subject, host(client) as client, first_time, last_time, score, severity, status, windows,
  mute_id is not null as muted, created_at, updated_at, ${microsecondsOf('last_time')} as microseconds
from public.detection_shown
where ${isChosen}
  and ($9::bigint is null or (last_time, detection_id) < (${timeOfMicroseconds('$9')}, $10::bigint))
order by last_time desc, detection_id desc
limit $11`;

const countsSql = `
select kind, severity, status, count(*) as count
from public.detection_shown
where ${isChosen}
group by kind, severity, status
order by kind, severity, status
limit 1000`;

const oneSql = `
select detection_id as id, kind, subject, host(client) as client, first_time, last_time, score, severity, status, windows,
  mute_id is not null as muted, created_at, updated_at, evidence, thresholds, query, mute_id
from public.detection_shown
where detection_id = $1`;

const hitsSql = `
select hit.start, hit.first_time, hit.last_time, hit.score, hit.severity, hit.evidence, ${microsecondsOf('hit.start')} as microseconds
from public.detection_hit as hit
join public.detection_shown as shown
  on shown.kind = hit.kind and shown.subject = hit.subject and shown.client is not distinct from hit.client
where shown.detection_id = $1
  and hit.first_time >= shown.first_time and hit.last_time <= shown.last_time
  and ($2::bigint is null or hit.start > ${timeOfMicroseconds('$2')})
order by hit.start
limit $3`;

const mutesSql = `
select mute_id as id, kind, subject, client::text as client, reason, author, created_at, expires_at
from public.mute
where ($1 or expires_at > now())
  and ($2::integer is null or mute_id < $2)
order by mute_id desc
limit $3`;

const filters = {
  ...windowInput,
  kind: z
    .string()
    .max(500)
    .regex(/^[a-z_]+(?:,[a-z_]+)*$/, 'kinds are words such as fast_flux, with commas between')
    .transform(text => text.split(','))
    .optional()
    .meta({ description: 'Kinds, with commas between; /kinds lists them.' }),
  severity: someOf(SEVERITIES, 'Only of these severities.').optional(),
  status: someOf(STATUSES, 'Only of these.').optional(),
  subject: subjectInput.optional(),
  client: addressInput.optional(),
  muted: z
    .enum(['no', 'yes', 'all'])
    .default('no')
    .meta({ description: 'Whether those that somebody muted are shown too (all), or alone (yes).' }),
};

interface Filters {
  readonly since: Date;
  readonly until?: Date | undefined;
  readonly kind?: readonly string[] | undefined;
  readonly severity?: readonly string[] | undefined;
  readonly status?: readonly string[] | undefined;
  readonly subject?: string | undefined;
  readonly client?: string | undefined;
  readonly muted: string;
}

const filterValues = ({ since, until, kind, severity, status, subject, client, muted }: Filters) => [
  since,
  until ?? null,
  kind ?? null,
  severity ?? null,
  status ?? null,
  subject ?? null,
  client ?? null,
  muted,
];

const listed = {
  id: z.int().min(1),
  kind: z.string(),
  subject: z.string(),
  client: z.string().nullable(),
  first_time: timeOutput,
  last_time: timeOutput,
  score: z.number().min(0).max(100),
  severity: z.enum(SEVERITIES),
  status: z.enum(STATUSES),
  windows: countOutput,
  muted: z.boolean(),
  created_at: timeOutput,
  updated_at: timeOutput,
};
const anything = z.record(z.string(), z.unknown());
const onlyId = z.object({ id: idInput });
const nothingOf = (id: number) => new ApiError(404, `there is no detection ${id}`);

const muteRow = {
  id: z.int().min(1),
  kind: z.string().nullable(),
  subject: z.string().nullable(),
  client: z.string().nullable(),
  reason: z.string(),
  author: z.string(),
  created_at: timeOutput,
  expires_at: timeOutput,
};

const kindText = z.string().max(50);
const pageOf = (kind: string): KindPage | undefined => pages.find(page => page.kind === kind);

export const detectionEndpoints = [
  endpoint({
    path: '/kinds',
    summary: 'What can be detected',
    description:
      'The kinds of detections: the question each answers, how, by which source, with which thresholds, and what fools it. Texts are Markdown.',
    input: z.object({}),
    row: z.object({
      kind: z.string(),
      question: z.string(),
      explanation: z.string(),
      source: z.string().nullable(),
      fooled_by: z.string().nullable(),
      thresholds: z.array(z.object({ name: z.string(), default: z.string(), meaning: z.string() })),
    }),
    answer: async () => ({ rows: pages }),
  }),
  endpoint({
    path: '/detections',
    summary: 'What was found',
    description:
      'Detections that went on in a time, the latest first. A subject that is a name stands for those below it too.',
    input: z.object({ ...filters, limit: limitInput, cursor: cursorInput }),
    row: z.object(listed),
    async answer(reader, { limit, cursor, ...chosen }, signal) {
      const after = valuesOf(cursor, z.tuple([integerText, z.int()]));
      const rows = await reader.all<{ id: number; microseconds: string }>(
        listSql,
        [...filterValues(chosen), after?.[0] ?? null, after?.[1] ?? null, limit],
        signal,
      );
      const last = rows.at(-1);
      return {
        rows: rows.map(({ microseconds: _, ...row }) => row),
        next: rows.length < limit || last === undefined ? null : cursorOf([last.microseconds, last.id]),
      };
    },
  }),
  endpoint({
    path: '/detections/counts',
    summary: 'How much was found',
    description:
      'Detections that went on in a time, counted by kind, severity and status; the filters are those of the list.',
    input: z.object(filters),
    row: z.object({
      kind: z.string(),
      severity: z.enum(SEVERITIES),
      status: z.enum(STATUSES),
      count: countOutput,
    }),
    answer: async (reader, chosen, signal) => ({
      rows: await reader.all<object>(countsSql, filterValues(chosen), signal),
    }),
  }),
  endpoint({
    path: '/detections/{id}',
    summary: 'One detection',
    description:
      'What was found, the numbers behind it, the thresholds, in words (Markdown) what they mean and what may mislead, and the SQL that shows the rows.',
    input: onlyId,
    row: z.object({
      ...listed,
      mute_id: z.int().nullable(),
      question: z.string().nullable(),
      explanation: z.string().nullable(),
      fooled_by: z.string().nullable(),
      evidence: anything,
      thresholds: anything,
      query: z.string(),
    }),
    isOne: true,
    async answer(reader, { id }, signal) {
      const [row] = await reader.all<{ kind: string }>(oneSql, [id], signal);
      if (row === undefined) throw nothingOf(id);
      const { question = null, explanation = null, fooled_by = null } = pageOf(row.kind) ?? {};
      return { rows: [{ ...row, question, explanation, fooled_by }] };
    },
  }),
  endpoint({
    path: '/detections/{id}/rows',
    summary: 'The rows behind a detection',
    description:
      'What the SQL of a detection gives, as it is now; its columns are those of that SQL. Records that were dropped since are not among them.',
    input: onlyId.extend({ limit: limitInput }),
    row: z.looseObject({}),
    async answer(reader, { id, limit }, signal) {
      const [row] = await reader.all<{ query: string }>(oneSql, [id], signal);
      if (row === undefined) throw nothingOf(id);
      return { rows: await reader.some<object>(row.query, [], limit, signal) };
    },
  }),
  endpoint({
    path: '/detections/{id}/windows',
    summary: 'A detection, window by window',
    description: 'When it was found, with the numbers of each window, in the order of time.',
    input: onlyId.extend({ limit: limitInput, cursor: cursorInput }),
    row: z.object({
      start: timeOutput,
      first_time: timeOutput,
      last_time: timeOutput,
      score: z.number(),
      severity: z.enum(SEVERITIES),
      evidence: anything,
    }),
    async answer(reader, { id, limit, cursor }, signal) {
      const after = valuesOf(cursor, z.tuple([integerText]));
      const rows = await reader.all<{ microseconds: string }>(
        hitsSql,
        [id, after?.[0] ?? null, limit],
        signal,
      );
      if (rows.length === 0 && (await reader.all(oneSql, [id], signal)).length === 0) throw nothingOf(id);
      return {
        rows: rows.map(({ microseconds: _, ...row }) => row),
        next: nextOf(rows, limit, row => [row.microseconds]),
      };
    },
  }),
  endpoint({
    method: 'post',
    path: '/detections/{id}/status',
    scope: 'analyse',
    summary: 'Say how far you are with a detection',
    description: 'Sets the status of a detection.',
    input: onlyId.extend({ status: z.enum(STATUSES) }),
    row: z.object({ id: z.int(), status: z.enum(STATUSES) }),
    isOne: true,
    async answer(_reader, { id, status }, _signal, { desk }) {
      if (!(await desk.run((analyst, pool) => analyst.setStatus(pool, id, status)))) throw nothingOf(id);
      return { rows: [{ id, status }] };
    },
  }),
  endpoint({
    path: '/mutes',
    summary: 'What nobody wants to hear of',
    description: 'Mutes that hold, the newest first.',
    input: z.object({
      over: z
        .enum(['true', 'false'])
        .default('false')
        .transform(text => text === 'true')
        .meta({ description: 'Also those that are over.' }),
      limit: limitInput,
      cursor: cursorInput,
    }),
    row: z.object(muteRow),
    async answer(reader, { over, limit, cursor }, signal) {
      const after = valuesOf(cursor, z.tuple([idInput]));
      const rows = await reader.all<{ id: number }>(mutesSql, [over, after?.[0] ?? null, limit], signal);
      return { rows, next: nextOf(rows, limit, row => [row.id]) };
    },
  }),
  endpoint({
    method: 'post',
    path: '/mutes',
    scope: 'analyse',
    summary: 'Mute detections',
    description:
      'Silences detections of a kind, about a subject (a name stands for those below it too), of clients in a network, or what of these is given, present and future. They are found and kept all the same.',
    input: z.object({
      kind: kindText.optional(),
      subject: subjectInput.optional(),
      client: networkInput.optional(),
      reason: z.string().min(1).max(1000).meta({ description: 'Why.' }),
      until: futureInput('Until when.'),
    }),
    row: z.object(muteRow),
    isOne: true,
    async answer(_reader, mute, _signal, { desk, author }) {
      if (mute.kind !== undefined && pageOf(mute.kind) === undefined)
        throw new ApiError(400, 'kind: there is no such kind; /kinds lists them');
      if (mute.kind === undefined && mute.subject === undefined && mute.client === undefined)
        throw new ApiError(400, 'say what to mute: kind, subject or client');
      const rows = await desk.run(async (analyst, pool) => {
        const id = await analyst.mute(pool, { ...mute, author });
        return (
          await pool.query<object>(
            'select mute_id as id, kind, subject, client::text as client, reason, author, created_at, expires_at from public.mute where mute_id = $1',
            [id],
          )
        ).rows;
      });
      return { rows };
    },
  }),
  endpoint({
    method: 'delete',
    path: '/mutes/{id}',
    scope: 'analyse',
    summary: 'End a mute',
    description: 'What it silenced is shown again.',
    input: onlyId,
    row: z.object({ id: z.int() }),
    isOne: true,
    async answer(_reader, { id }, _signal, { desk }) {
      if (!(await desk.run((analyst, pool) => analyst.unmute(pool, id))))
        throw new ApiError(404, `there is no mute ${id} that holds`);
      return { rows: [{ id }] };
    },
  }),
  endpoint({
    method: 'post',
    path: '/what-if',
    scope: 'analyse',
    summary: 'What other thresholds would find',
    description:
      'Lets a detector look at all that is stored with other thresholds, and tells what it would find more or less. Stores nothing. One at a time: it may take a while.',
    input: z.object({
      kind: kindText,
      set: z
        .record(z.string().regex(/^[a-z0-9_]{1,50}$/), z.union([z.number(), z.boolean()]))
        .refine(set => Object.keys(set).length > 0, 'names no threshold')
        .meta({ description: 'Thresholds and their values; those not named stay as they are.' }),
    }),
    row: z.object({
      kind: z.string(),
      thresholds: anything,
      windows: countOutput,
      before: countOutput.meta({ description: 'Subjects and clients found as it is.' }),
      after: countOutput,
      added: z.array(
        z.object({
          subject: z.string(),
          client: z.string().nullable(),
          windows: countOutput,
          highest_score: z.number(),
        }),
      ),
      gone: z.array(
        z.object({
          subject: z.string(),
          client: z.string().nullable(),
          windows: countOutput,
          highest_score: z.number(),
        }),
      ),
    }),
    isOne: true,
    async answer(_reader, { kind, set }, _signal, { desk }) {
      const changes = Object.entries(set).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
      const { added, gone, ...found } = await desk.tryOut((analyst, pool) =>
        analyst.whatIf(pool, kind, changes),
      );
      const shown = ({ highestScore, ...difference }: (typeof added)[number]) => ({
        ...difference,
        highest_score: highestScore,
      });
      return { rows: [{ ...found, added: added.map(shown), gone: gone.map(shown) }] };
    },
  }),
];
