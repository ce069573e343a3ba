import type pg from 'pg';
import type { Finding } from './detector.ts';
import { type Severity, severities } from './severity.ts';
import type { DueWindow } from './windows.ts';

/** After so much quiet the same thing is a new detection. */
const QUIET_MS = 7 * 86_400_000;

interface Hit extends Finding {
  readonly thresholds: unknown;
}

interface Known {
  readonly id: string;
  readonly first: Date;
  readonly last: Date;
  readonly status: string;
  readonly isDelivered: boolean;
}

/** A finding without interruption. */
interface Episode {
  first: Date;
  last: Date;
  windows: number;
  severity: Severity;
  strongest: Hit;
}

/** Puts what was found in a window in place of what had been found there, and brings the detections up to date. */
export async function replaceHits(
  client: pg.ClientBase,
  { kind, start }: Pick<DueWindow, 'kind' | 'start'>,
  findings: readonly Finding[],
  thresholds: unknown,
): Promise<void> {
  const before = await client.query<{ subject: string; client: string | null }>(
    'delete from public.detection_hit where kind = $1 and start = $2 returning subject, host(client) as client',
    [kind, start],
  );
  await client.query(
    `insert into public.detection_hit
       (kind, start, subject, client, first_time, last_time, score, severity, evidence, thresholds, query)
     select $1, $2, subject, client, first_time, last_time, score, severity, evidence, $4, query
     from jsonb_to_recordset($3::jsonb) as hit(subject text, client inet, first_time timestamptz, last_time timestamptz,
       score real, severity text, evidence jsonb, query text)`,
    [kind, start, JSON.stringify(findings.map(hitRow)), JSON.stringify(thresholds)],
  );
  const changed = new Map<string, { subject: string; client: string | null }>();
  for (const { subject, client: who } of [...before.rows, ...findings])
    changed.set(`${subject} ${who}`, { subject, client: who });
  for (const { subject, client: who } of changed.values()) await putTogether(client, kind, subject, who);
}

function hitRow({ firstTime, lastTime, ...finding }: Finding) {
  return { ...finding, first_time: firstTime, last_time: lastTime };
}

/** Makes the detections of one subject what its hits say; those that go on keep their id. */
async function putTogether(
  client: pg.ClientBase,
  kind: string,
  subject: string,
  who: string | null,
): Promise<void> {
  const same = 'kind = $1 and subject = $2 and client is not distinct from $3::inet';
  const key = [kind, subject, who];
  const hits = await client.query<Hit>(
    `select subject, host(client) as client, first_time as "firstTime", last_time as "lastTime", score, severity, evidence, thresholds, query
     from public.detection_hit where ${same} order by first_time, start`,
    key,
  );
  const known = await client.query<Known>(
    `select detection_id as id, first_time as first, last_time as last, status, delivered_at is not null as "isDelivered"
     from public.detection where ${same} order by detection_id`,
    key,
  );
  const left = [...known.rows];
  const matched = episodesOf(hits.rows).map(episode => {
    const at = left.findIndex(({ first, last }) => isNear(episode, { first, last }));
    return { episode, detection: at < 0 ? undefined : left.splice(at, 1)[0] };
  });
  for (const detection of left) await withdraw(client, detection);
  // begun anew or not: no two ever have the same first time
  for (const { episode, detection } of matched) await store(client, key, episode, detection);
}

function episodesOf(hits: readonly Hit[]): Episode[] {
  const found: Episode[] = [];
  for (const hit of hits) {
    const current = found.at(-1);
    if (current === undefined || hit.firstTime.getTime() - current.last.getTime() > QUIET_MS)
      found.push({
        first: hit.firstTime,
        last: hit.lastTime,
        windows: 1,
        severity: hit.severity,
        strongest: hit,
      });
    else {
      current.windows++;
      if (hit.lastTime > current.last) current.last = hit.lastTime;
      if (severities.indexOf(hit.severity) > severities.indexOf(current.severity))
        current.severity = hit.severity;
      if (hit.score > current.strongest.score) current.strongest = hit;
    }
  }
  return found;
}

function isNear(a: { first: Date; last: Date }, b: { first: Date; last: Date }): boolean {
  return a.first.getTime() - b.last.getTime() <= QUIET_MS && b.first.getTime() - a.last.getTime() <= QUIET_MS;
}

/** What nobody has heard of or looked at is simply gone. */
async function withdraw(client: pg.ClientBase, { id, status, isDelivered }: Known): Promise<void> {
  if (status === 'new' && !isDelivered)
    await client.query('delete from public.detection where detection_id = $1', [id]);
  else
    await client.query(
      `update public.detection set status = 'withdrawn', updated_at = now() where detection_id = $1 and status <> 'withdrawn'`,
      [id],
    );
}

async function store(
  client: pg.ClientBase,
  key: readonly unknown[],
  { first, last, windows, severity, strongest }: Episode,
  detection: Known | undefined,
): Promise<void> {
  const values = [first, last, windows, strongest.score, severity];
  const details = [JSON.stringify(strongest.evidence), JSON.stringify(strongest.thresholds), strongest.query];
  if (detection === undefined)
    await client.query(
      `insert into public.detection
         (kind, subject, client, first_time, last_time, windows, score, severity, evidence, thresholds, query)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
      [...key, ...values, ...details],
    );
  else
    await client.query(
      `update public.detection
       set first_time = $2, last_time = $3, windows = $4, score = $5, severity = $6, evidence = $7, thresholds = $8, query = $9,
         status = case when status = 'withdrawn' then 'new' else status end, updated_at = now()
       where detection_id = $1
         and (first_time, last_time, windows, score, severity, evidence, thresholds, query, status = 'withdrawn')
           is distinct from ($2, $3, $4, $5, $6, $7, $8, $9, false)`,
      [detection.id, ...values, ...details],
    );
}
