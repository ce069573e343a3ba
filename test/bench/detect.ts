import { join } from 'node:path';
import type pg from 'pg';
import { setSettings } from '../../analytics/detect/configFile.ts';
import { detect as runDetectors } from '../../analytics/tasks/detect.ts';
import { loadFiles } from '../../collector/load/load.ts';
import { canonicalName } from '../../common/dnsName.ts';
import { registeredDomainLength } from '../../common/registeredDomain.ts';
import { migrate } from '../../migrations/migrate.ts';
import { type Corpus, writeCorpus } from '../corpus/corpus.ts';
import { KINDS, type Kind, type Label, STRENGTHS, type Strength } from '../corpus/labels.ts';
import { withHome } from './home.ts';
import { figure, machineRecipe, type Result, result, timed } from './measure.ts';

const DAY_MS = 86_400_000;
/** A finding may begin so long before a plant (its window does) and end so long after it. */
const SLACK_MS = DAY_MS;

/** How one kind did on one seed. */
interface Score {
  readonly kind: Kind;
  readonly recall: Readonly<Record<Strength, { readonly found: number; readonly planted: number }>>;
  readonly right: number;
  readonly wrong: readonly string[];
}

interface Finding {
  readonly kind: Kind;
  readonly subject: string;
  readonly first_time: Date;
  readonly last_time: Date;
}

export interface DetectResult extends Result {
  readonly detectors: readonly {
    readonly kind: Kind;
    readonly strength: Strength;
    readonly seeds: number;
    readonly precision: number;
    readonly recall: number;
    readonly false_per_day: number;
  }[];
}

/**
 * Precision and recall of each detector on corpora with planted attacks (test/corpus), of each the worst seed: generated,
 * written as IPFIX, loaded by the collector, and looked at by the detectors as jobs do. A finding is right when it names
 * what a label of its kind names, or what a label says its traffic shows too; of kind first_seen also when nobody had asked
 * for that name or domain in the burn-in or before. Everything else counts as false.
 */
export async function detect(seeds: readonly number[]): Promise<DetectResult> {
  const scores: Score[][] = [];
  const [rates, falsePerDay]: [number[], number[]] = [[], []];
  let days = 0;
  for (const seed of seeds) {
    const { corpus, rrs, findings, seconds } = await findIn(seed);

    const burntIn = new Date(corpus.from.getTime() + corpus.operator.burn_in_days * DAY_MS);
    const old = askedBefore(corpus, burntIn);
    days = (corpus.to.getTime() - corpus.from.getTime()) / DAY_MS;
    const ofSeed = KINDS.map(kind => scoreOf(kind, corpus.labels, findings, old));
    scores.push(ofSeed);
    rates.push(rrs / seconds);
    falsePerDay.push(ofSeed.reduce((sum, { wrong }) => sum + wrong.length, 0) / days);
    for (const { kind, wrong } of ofSeed)
      for (const finding of wrong) process.stderr.write(`seed ${seed}: false ${kind}: ${finding}\n`);
  }
  const detectors = KINDS.flatMap((kind, k) =>
    STRENGTHS.map(strength => {
      const each = scores.map(ofSeed => ofSeed[k]!); // one score a kind
      return {
        kind,
        strength,
        seeds: seeds.length,
        precision: Math.min(...each.map(({ right, wrong }) => share(right, right + wrong.length))),
        recall: Math.min(
          ...each.map(({ recall }) => share(recall[strength].found, recall[strength].planted)),
        ),
        false_per_day: Math.max(...each.map(({ wrong }) => wrong.length / days)),
      };
    }),
  );
  const figures = [
    figure('false findings per simulated day', '1/day', falsePerDay),
    figure('detect, RRs looked at', 'RRs/s', rates),
    ...detectors.flatMap(({ kind, strength, recall, precision }) => [
      figure(`${kind}, ${strength}: recall of the worst seed`, 'share', [recall]),
      ...(strength === 'strong'
        ? [figure(`${kind}: precision of the worst seed`, 'share', [precision])]
        : []),
    ]),
  ];
  const recipe = { corpus: 'test/corpus, 7 days, 500 clients', seeds: seeds.join(' '), ...machineRecipe() };
  return { ...result('detect', recipe, figures), detectors };
}

function findIn(
  seed: number,
): Promise<{ corpus: Corpus; rrs: number; findings: Finding[]; seconds: number }> {
  return withHome(async (database, directory) => {
    const { corpus, paths, rrs } = await writeCorpus(join(directory, 'corpus'), { seed });
    const pool = database.pool({ max: 8 });
    await migrate(pool);
    await setSettings(pool, corpus.operator);
    await loadFiles(database.url, paths);
    const { seconds } = await timed(() => runDetectors(pool, { isUrgent: true }));
    return { corpus, rrs, findings: await readFindings(pool), seconds };
  });
}

async function readFindings(pool: pg.Pool): Promise<Finding[]> {
  const { rows } = await pool.query<Finding>(
    `select kind, subject, first_time, last_time from public.detection where status <> 'withdrawn' order by 1, 2, 3`,
  );
  return rows;
}

/** Names and registered domains that somebody asked for before a time: nothing can be new about these later. */
function askedBefore(
  corpus: Corpus,
  time: Date,
): { names: ReadonlySet<string>; domains: ReadonlySet<string> } {
  const [names, domains] = [new Set<string>(), new Set<string>()];
  for (const { start, dns } of corpus.flows()) {
    const name = canonicalName(dns?.question?.name ?? '');
    if (name === null || start / 1000 >= time.getTime()) continue;
    names.add(name);
    domains.add(name.slice(-registeredDomainLength(name)));
  }
  return { names, domains };
}

function scoreOf(
  kind: Kind,
  labels: readonly Label[],
  findings: readonly Finding[],
  old: ReturnType<typeof askedBefore>,
): Score {
  const found = findings.filter(finding => finding.kind === kind);
  const planted = labels.filter(label => label.kind === kind);
  const recall = (strength: Strength) => {
    const ofStrength = planted.filter(label => label.strength === strength);
    return {
      found: ofStrength.filter(label => found.some(f => isOf(label, f))).length,
      planted: ofStrength.length,
    };
  };
  const isRight = (finding: Finding): boolean =>
    planted.some(label => isOf(label, finding)) ||
    (kind === 'first_seen' && !(old.names.has(finding.subject) && old.domains.has(finding.subject)));
  const isNeither = (finding: Finding): boolean =>
    labels.some(({ also }) => also.some(other => other.kind === kind && other.subject === finding.subject));
  const wrong = found.filter(finding => !isRight(finding) && !isNeither(finding));
  return {
    kind,
    recall: { weak: recall('weak'), medium: recall('medium'), strong: recall('strong') },
    right: found.filter(isRight).length,
    wrong: wrong.map(({ subject, first_time }) => `${subject} at ${first_time.toISOString()}`),
  };
}

function isOf(label: Label, { subject, first_time, last_time }: Finding): boolean {
  return (
    subject === label.subject &&
    first_time.getTime() < label.to.getTime() + SLACK_MS &&
    last_time.getTime() > label.from.getTime() - SLACK_MS
  );
}

/** 1 where there is nothing to miss. */
function share(part: number, whole: number): number {
  return whole === 0 ? 1 : Number((part / whole).toPrecision(3));
}
