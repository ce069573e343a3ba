import type pg from 'pg';
import type { Finding } from './detector.ts';
import { type Severity, severities } from './severity.ts';
import type { DueWindow } from './windows.ts';

/** After so much quiet the same thing is a new detection. */
const QUIET_MS = 7 * 86_400_000;

interface Subject {
  readonly subject: string;
  readonly client: string | null;
}

interface Hit extends Subject, Pick<Finding, 'firstTime' | 'lastTime' | 'score' | 'severity'> {
  /** Of its window. */
  readonly start: Date;
}

interface Known extends Subject {
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
  const changed = new Map<string, Subject>();
  for (const { subject, client: who } of [...before.rows, ...findings])
    changed.set(keyOf({ subject, client: who }), { subject, client: who });
  if (changed.size > 0) await putTogether(client, kind, [...changed.values()]);
}

function hitRow({ firstTime, lastTime, ...finding }: Finding) {
  return { ...finding, first_time: firstTime, last_time: lastTime };
}

function keyOf({ subject, client }: Subject): string {
  return `${subject} ${client}`;
}

/** Those of some subjects and clients, by the indexes that begin with these. */
const ofSubjects = (table: string) => `
from jsonb_to_recordset($2::jsonb) as changed(subject text, client inet)
join public.${table} as found
  on found.kind = $1 and found.subject = changed.subject and coalesce(found.client, '0.0.0.0/0') = coalesce(changed.client, '0.0.0.0/0')`;

/** Makes the detections of some subjects what their hits say; those that go on keep their id. */
async function putTogether(client: pg.ClientBase, kind: string, changed: readonly Subject[]): Promise<void> {
  const key = [kind, JSON.stringify(changed)];
  const hits = await client.query<Hit>(
    `select found.subject, host(found.client) as client, start, first_time as "firstTime", last_time as "lastTime", score, severity
     ${ofSubjects('detection_hit')} order by first_time, start`,
    key,
  );
  const known = await client.query<Known>(
    `select found.subject, host(found.client) as client, detection_id as id, first_time as first, last_time as last, status,
       delivered_at is not null as "isDelivered"
     ${ofSubjects('detection')} order by detection_id`,
    key,
  );
  const [hitsOf, knownOf] = [Map.groupBy(hits.rows, keyOf), Map.groupBy(known.rows, keyOf)];
  const left: Known[] = [];
  const matched = changed.map(subject => {
    const unmatched = [...(knownOf.get(keyOf(subject)) ?? [])];
    const episodes = episodesOf(hitsOf.get(keyOf(subject)) ?? []).map(episode => {
      const at = unmatched.findIndex(({ first, last }) => isNear(episode, { first, last }));
      return { ...episode, id: at < 0 ? null : unmatched.splice(at, 1)[0]!.id }; // found there
    });
    left.push(...unmatched);
    return episodes;
  });
  await withdraw(client, left);
  // one after the other of each subject: begun anew or not, no two ever have the same first time
  for (let i = 0; matched.some(episodes => i < episodes.length); i++)
    await store(
      client,
      kind,
      matched.flatMap(episodes => episodes.slice(i, i + 1)),
    );
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
async function withdraw(client: pg.ClientBase, detections: readonly Known[]): Promise<void> {
  if (detections.length === 0) return;
  const isGone = ({ status, isDelivered }: Known) => status === 'new' && !isDelivered;
  await client.query('delete from public.detection where detection_id = any ($1::bigint[])', [
    detections.filter(isGone).map(({ id }) => id),
  ]);
  await client.query(
    `update public.detection set status = 'withdrawn', updated_at = now()
     where detection_id = any ($1::bigint[]) and status <> 'withdrawn'`,
    [detections.map(({ id }) => id)],
  );
}

/** What a detection is made of: the sums of its hits, and the details of the strongest. */
const storedSql = `
with episode as (
  select given.id, given.windows, given.severity, given.first, given.last, hit.kind, hit.subject, hit.client, hit.score, hit.evidence, hit.thresholds, hit.query
  from jsonb_to_recordset($2::jsonb)
    as given(id bigint, subject text, client inet, start timestamptz, first timestamptz, last timestamptz, windows integer, severity text)
  join public.detection_hit as hit
    on hit.kind = $1 and hit.subject = given.subject and coalesce(hit.client, '0.0.0.0/0') = coalesce(given.client, '0.0.0.0/0') and hit.start = given.start
),
changed as (
  update public.detection as known
  set first_time = first, last_time = last, windows = episode.windows, score = episode.score, severity = episode.severity,
    evidence = episode.evidence, thresholds = episode.thresholds, query = episode.query,
    status = case when status = 'withdrawn' then 'new' else status end, updated_at = now()
  from episode
  where detection_id = id
    and (first_time, last_time, known.windows, known.score, known.severity, known.evidence, known.thresholds, known.query, status = 'withdrawn')
      is distinct from (first, last, episode.windows, episode.score, episode.severity, episode.evidence, episode.thresholds, episode.query, false)
)
insert into public.detection
  (kind, subject, client, first_time, last_time, windows, score, severity, evidence, thresholds, query)
select kind, subject, client, first, last, windows, score, severity, evidence, thresholds, query
from episode
where id is null`;

async function store(
  client: pg.ClientBase,
  kind: string,
  episodes: readonly (Episode & { readonly id: string | null })[],
): Promise<void> {
  const rows = episodes.map(({ strongest: { subject, client: who, start }, ...episode }) => ({
    ...episode,
    subject,
    client: who,
    start,
  }));
  await client.query(storedSql, [kind, JSON.stringify(rows)]);
}
