import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import pg from 'pg';
import type { Page } from 'playwright-core';
import { analyst } from '../../analytics/analyst.ts';
import { detect } from '../../analytics/tasks/detect.ts';
import { startApi } from '../../api/main.ts';
import { browserPath, startBrowser } from '../support/browser.ts';
import { type Figure, figure, quantile, type Result, result } from './measure.ts';
import type { StoredStream } from './scale.ts';

/** How often each page is gone to, each time about something else. */
const ROUNDS = 10;
const VIEWPORT = { width: 1440, height: 900 };

/** Of one way to a page: milliseconds from the input, by the browser's clock. */
interface Timing {
  /** Until the page has changed on the screen. */
  readonly shown: number;
  /** Until every answer is there. */
  readonly answered: number;
}

interface Subject {
  readonly name: string;
  readonly address: string;
  readonly client: string;
}

/**
 * The dashboard in a browser over much that is stored: from the address to the first page that means something, and from each input to
 * the page that answers it.
 */
export async function dashboard(stored: StoredStream, { rrs }: { readonly rrs: number }): Promise<Result> {
  if (browserPath === undefined)
    return result('dashboard', await stored.recipe({}), [], ['chromium is not installed']);
  execFileSync(process.execPath, [join(import.meta.dirname, '../../api/dashboard/build.ts')]);
  await stored.fill(rrs);
  await stored.settle();
  const pool = new pg.Pool({ connectionString: stored.url });
  const api = await startApi({ databaseUrl: stored.url, listen: { host: '127.0.0.1', port: 0 }, analyst });
  const browser = await startBrowser();
  try {
    await detect(pool, { isUrgent: true });
    const subjects = await pickSubjects(pool);
    const base = `http://127.0.0.1:${api.address.port}/`;
    const paints: number[] = [];
    const firsts: Timing[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const context = await browser.newContext({ viewport: VIEWPORT }); // nothing is cached
      const page = await context.newPage();
      await page.goto(base, { waitUntil: 'commit' });
      firsts.push(await timing(page, ''));
      paints.push(
        Number(
          await page.evaluate(`performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0`),
        ),
      );
      await context.close();
    }
    const page = await (await browser.newContext({ viewport: VIEWPORT })).newPage();
    await page.goto(base);
    await timing(page, '');
    const ways: readonly (readonly [string, (subject: Subject, round: number) => string])[] = [
      ['overview, another window', (_, round) => `#/overview?last=${round % 2 === 0 ? '24h' : 'all'}`],
      ['detections', () => '#/detections?last=all'],
      ['a name', ({ name }) => `#/name/${encodeURIComponent(name)}`],
      ['an address', ({ address }) => `#/address/${address}`],
      ['a client', ({ client }) => `#/client/${client}`],
      [
        'names below a domain',
        ({ name }) => `#/names/*.${encodeURIComponent(name.split('.').slice(-3).join('.'))}`,
      ],
      ['graph', ({ name }) => `#/graph/${encodeURIComponent(name)}`],
    ];
    const figures: Figure[] = [
      figure('first contentful paint, p95', 'ms', [quantile(paints, 0.95)]),
      ...figuresOf('first page', firsts),
    ];
    let slowest = 0;
    for (const [name, hashOf] of ways) {
      const timings: Timing[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        await timing(page, `location.hash = '#/live'`);
        const hash = hashOf(subjects[round % subjects.length]!, round); // there are some
        timings.push(await timing(page, `location.hash = ${JSON.stringify(hash)}`));
      }
      slowest = Math.max(
        slowest,
        quantile(
          timings.map(({ shown }) => shown),
          0.95,
        ),
      );
      figures.push(...figuresOf(name, timings));
    }
    figures.push(figure('the slowest interaction, p95 until it shows', 'ms', [slowest]));
    const recipe = await stored.recipe({
      rounds: ROUNDS,
      browser: browser.version(),
      viewport: `${VIEWPORT.width} × ${VIEWPORT.height}`,
    });
    return result('dashboard', recipe, figures);
  } finally {
    await browser.close();
    await api.close();
    await pool.end();
  }
}

function figuresOf(name: string, timings: readonly Timing[]): Figure[] {
  return [
    figure(`${name}: shown, p95`, 'ms', [
      quantile(
        timings.map(({ shown }) => shown),
        0.95,
      ),
    ]),
    figure(`${name}: all answered, p95`, 'ms', [
      quantile(
        timings.map(({ answered }) => answered),
        0.95,
      ),
    ]),
  ];
}

/** Does something in the page and watches frame by frame what becomes of it; without `act`, since the page was asked for. */
async function timing(page: Page, act: string): Promise<Timing> {
  return (await page.evaluate(`new Promise(resolve => {
    const begin = ${act === '' ? 0 : 'performance.now()'};
    const before = document.querySelector('.page');
    ${act};
    let shown;
    const look = () => {
      const page = document.querySelector('.page');
      const isThere = page !== null && (${act === '' ? 'true' : `page !== before || document.querySelector('[aria-busy=true], .bones') !== null || performance.now() - begin > 500`});
      if (isThere) shown ??= performance.now() - begin;
      if (isThere && document.querySelector('[aria-busy=true], .bones') === null)
        resolve({ shown, answered: performance.now() - begin });
      else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  })`)) as Timing;
}

/** What is busiest: pages about it have most to show. */
async function pickSubjects(pool: pg.Pool): Promise<Subject[]> {
  const { rows } = await pool.query<Subject>(
    `with name as (
       select rrname, row_number() over (order by sum(asked) desc) as place
       from public.lookup_hour where hour > (select max(hour) - interval '6 hours' from public.lookup_hour)
       group by rrname order by sum(asked) desc limit $1
     ),
     client as (
       select host(client) as client, row_number() over (order by sum(lookups) desc) as place
       from public.client_hour group by client order by sum(lookups) desc limit $1
     )
     select rtrim(rrname, '.') as name, client.client, coalesce((
       select host(rdata_ip) from public.rdata_gravel where rdata_gravel.rrname = name.rrname and rdata_ip is not null limit 1
     ), '192.0.2.1') as address
     from name join client using (place)`,
    [ROUNDS],
  );
  if (rows.length === 0) throw new Error('nothing is stored that could be looked at');
  return rows;
}
