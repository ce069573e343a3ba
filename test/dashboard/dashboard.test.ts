import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import axe from 'axe-core';
import type { Browser, BrowserContext, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { analyst } from '../../analytics/analyst.ts';
import { setSettings } from '../../analytics/detect/configFile.ts';
import { runDue } from '../../analytics/main.ts';
import { addKey } from '../../api/keys.ts';
import { type Api, startApi } from '../../api/main.ts';
import { loadFiles } from '../../collector/load/load.ts';
import { writeCorpus } from '../corpus/corpus.ts';
import { browserPath, startBrowser } from '../support/browser.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

if (browserPath === undefined)
  console.warn('there is no chromium (apt-get install chromium): the tests of the dashboard are skipped');

const root = join(import.meta.dirname, '../..');
/** Neither its summer time nor its day boundaries are those of UTC. */
const timezoneId = 'Asia/Kolkata';
const SMALL = { seed: 7, days: 4, clients: 16, scale: 0.1, copies: 1 };
const PHONE = { width: 390, height: 844 };
const WIDE = { width: 1440, height: 900 };

let database: TestDatabase;
let api: Api;
let base: string;
let browser: Browser;
let context: BrowserContext;
let page: Page;
/** What the browser complained of; looked at after each test. */
const complaints: string[] = [];

/** The first column of the first row. */
async function scalar<T>(sql: string, parameters: readonly unknown[] = []): Promise<T> {
  const { rows } = await database.pool.query({ text: sql, values: [...parameters], rowMode: 'array' });
  return rows[0]?.[0] as T;
}

const open = async (path: string): Promise<void> => {
  await page.goto('about:blank');
  await page.goto(`${base}/#/${path}`);
  await page.locator('h1').waitFor();
};
/** By how much the page is wider than the screen, in pixels. */
const overhang = (): Promise<unknown> =>
  page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');
/** Every answer is there. */
const settled = (): Promise<void> =>
  expect.poll(() => page.locator('[aria-busy=true], .bones').count(), { timeout: 30_000 }).toBe(0);
const panel = (title: string): Locator =>
  page.locator('.panel').filter({ has: page.getByRole('heading', { name: title, exact: false }) });
const number = (value: number): string => value.toLocaleString('en');

interface AxeResult {
  readonly violations: readonly {
    readonly id: string;
    readonly impact: string;
    readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
  }[];
}

/** What axe-core finds serious, with where. */
async function seriousViolations(options: string): Promise<string[]> {
  const { violations } = (await page.evaluate(`axe.run(document, ${options})`)) as AxeResult;
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 160)} ${failureSummary.slice(0, 200)}`),
    );
}

describe.skipIf(browserPath === undefined)('the dashboard', () => {
  beforeAll(async () => {
    execFileSync(process.execPath, [join(root, 'api/dashboard/build.ts')]);
    database = await createTestDatabase();
    const directory = mkdtempSync(join(tmpdir(), 'dnstrail-dashboard-'));
    try {
      const { corpus, paths } = await writeCorpus(directory, SMALL);
      await setSettings(database.pool, corpus.operator);
      await loadFiles(database.url, paths);
    } finally {
      rmSync(directory, { recursive: true });
    }
    await runDue(database.url, { sealAfterSeconds: 0 });
    api = await startApi({ databaseUrl: database.url, listen: { host: '127.0.0.1', port: 0 }, analyst });
    base = `http://127.0.0.1:${api.address.port}`;
    browser = await startBrowser();
    context = await browser.newContext({
      timezoneId,
      locale: 'en-GB',
      viewport: WIDE,
      acceptDownloads: true,
    });
    page = await context.newPage();
    page.setDefaultTimeout(30_000);
    page.on('console', message => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
    });
    page.on('response', response => {
      if (response.status() >= 400) complaints.push(`${response.status()} ${response.url()}`);
    });
    page.on('pageerror', error => complaints.push(String(error)));
  }, 90_000);

  afterAll(async () => {
    await browser?.close();
    await api?.close();
    await database?.drop();
  });

  beforeEach(async () => {
    complaints.length = 0;
    await page?.setViewportSize(WIDE);
    return () => expect(complaints).toEqual([]);
  });

  it('overview: figures are those of the database', async () => {
    await open('overview?last=all');
    await settled();
    const domains = await database.pool.query<{ value: string; n: number }>(
      `select value, sum(lookups)::int as n from traffic_top where dimension = 'domain' group by 1 order by 2 desc, value collate "C" limit 10`,
    );
    const shown = await panel('Registered domains').locator('li').allInnerTexts();
    expect(shown.map(text => text.split('\n')[0])).toEqual(
      domains.rows.map(({ value }) => value.slice(0, -1)),
    );
    const noerror = await scalar<string>(`select sum((rcodes->>'NOERROR')::int) from traffic_hour`);
    const label = await page.getByRole('img', { name: /^Responses by code/ }).getAttribute('aria-label');
    expect(label).toContain(`NOERROR ${number(Number(noerror))}`);
    const high = await scalar<number>(
      `select count(*)::int from detection_shown where kind = 'fast_flux' and severity = 'high' and mute_id is null`,
    );
    await expect(
      panel('Open detections')
        .getByRole('row', { name: /^Fast flux/ })
        .getByRole('link')
        .nth(1)
        .innerText(),
    ).resolves.toBe(String(high));
    expect(await page.locator('.facts').innerText()).toContain('nothing lost');
  });

  it('overview: marking a span in the chart puts it into the address, and "back" takes it away', async () => {
    await open('overview?last=all');
    await settled();
    const before = page.url();
    const box = (await page.locator('.u-over').first().boundingBox())!; // it was drawn
    await page.mouse.move(box.x + box.width * 0.25, box.y + 40);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.5, box.y + 40, { steps: 4 });
    await page.mouse.up();
    await page.waitForURL(/from=/);
    const query = new URLSearchParams(page.url().split('?')[1]);
    const [from, to] = [new Date(query.get('from')!), new Date(query.get('to')!)]; // the address has both
    const [first, last] = [
      await scalar<Date>('select min(hour) from traffic_hour'),
      await scalar<Date>('select max(minute) from traffic_minute'),
    ];
    const all = last.getTime() - first.getTime();
    expect((from.getTime() - first.getTime()) / all).toBeCloseTo(0.25, 1);
    expect((to.getTime() - first.getTime()) / all).toBeCloseTo(0.5, 1);
    await settled();
    await page.goBack();
    expect(page.url()).toBe(before);
  });

  it('overview: says what to do when there is no exporter yet', async () => {
    const empty = await createTestDatabase();
    const other = await startApi({ databaseUrl: empty.url, listen: { host: '127.0.0.1', port: 0 }, analyst });
    try {
      await page.goto(`http://127.0.0.1:${other.address.port}/`);
      await page.getByText('No exporter yet').waitFor();
      expect(await page.locator('pre').innerText()).toContain('yaf --live pcap');
    } finally {
      await page.goto('about:blank');
      await other.close();
      await empty.drop();
    }
  });

  it('detections: by keyboard to the list, along it, into one, and back', async () => {
    await open('overview?last=all');
    await page.getByRole('link', { name: 'Detections', exact: true }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Detections', level: 1 }).waitFor();
    await settled();
    const ids = await database.pool.query<{ id: string }>(
      `select detection_id as id from detection_shown where severity <> 'info' and mute_id is null order by last_time desc, detection_id desc`,
    );
    expect(await page.locator('tbody tr').count()).toBe(ids.rows.length);
    for (const key of ['j', 'j', 'j', 'k', 'Enter']) await page.keyboard.press(key);
    await page.waitForURL(new RegExp(`/detection/${ids.rows[1]?.id}\\b`));
    await page.goBack();
    await page.getByRole('heading', { name: 'Detections', level: 1 }).waitFor();
  });

  it('detections: filters are in the address and in the rows', async () => {
    await open('detections?last=all');
    await page.getByLabel('Kind').selectOption('tunnelling');
    await page.waitForURL(/kind=tunnelling/);
    await settled();
    const expected = await scalar<number>(
      `select count(*)::int from detection_shown where kind = 'tunnelling' and mute_id is null`,
    );
    expect(expected).toBeGreaterThan(0);
    expect(await page.locator('tbody tr').count()).toBe(expected);
    expect(new Set(await page.locator('tbody tr td:nth-child(3)').allInnerTexts())).toEqual(
      new Set(['Tunnelling']),
    );
  });

  it('one detection of each kind has its words, numbers, rows and picture', async () => {
    const { rows } = await database.pool.query<{
      id: string;
      kind: string;
      thresholds: object;
      query: string;
    }>(
      `select distinct on (kind) detection_id as id, kind, thresholds, query from detection_shown order by kind, score desc`,
    );
    expect(rows.length).toBeGreaterThanOrEqual(12);
    for (const { id, kind, thresholds, query } of rows) {
      const behind = (await database.pool.query(query)).rows.length;
      await open(`detection/${id}?last=all`);
      await settled();
      const numbers = panel('Numbers against thresholds').locator('tbody tr');
      expect(await numbers.count(), kind).toBe(Object.keys(thresholds).length);
      expect(await page.locator('.shows :is(svg.picture, .ranks)').count(), kind).toBe(behind > 0 ? 1 : 0);
      expect(await panel('The rows behind it').locator('tbody tr').count(), kind).toBe(Math.min(20, behind));
      await page.setViewportSize(PHONE);
      expect(await overhang(), kind).toBe(0);
      await page.setViewportSize(WIDE);
    }
  });

  it('mutes a detection with a reason and an end, ends the mute, and marks it', async () => {
    const id = await scalar<string>(
      `select detection_id from detection_shown where kind = 'fast_flux' order by 1 limit 1`,
    );
    await open(`detection/${id}?last=all`);
    await page.getByRole('button', { name: 'Mute…' }).click();
    await page.getByLabel('Why').fill('our own test');
    await page.getByLabel('For how long').selectOption('30d');
    await page.getByRole('dialog').getByRole('button', { name: 'Mute', exact: true }).click();
    await page.getByText('· muted').waitFor();
    const { rows } = await database.pool.query(
      'select kind, reason, round(extract(epoch from expires_at - now()) / 86400)::int as days from mute',
    );
    expect(rows).toEqual([{ kind: 'fast_flux', reason: 'our own test', days: 30 }]);
    await page.getByRole('button', { name: 'End mute' }).click();
    await page.getByRole('button', { name: 'Mute…' }).waitFor();
    await page.getByRole('button', { name: 'Acknowledge' }).click();
    await page.getByText('Acknowledged').waitFor();
    expect(await scalar('select status from detection where detection_id = $1', [id])).toBe('acknowledged');
  });

  it('what-if: another threshold tells what else would be found, by keyboard', async () => {
    const id = await scalar<string>(
      `select detection_id from detection_shown where kind = 'fast_flux' order by 1 limit 1`,
    );
    await open(`detection/${id}?last=all`);
    const slider = page.getByRole('slider');
    await slider.focus();
    await page.keyboard.press('End');
    const words = panel('What if').locator('.tries p');
    await expect.poll(() => words.innerText(), { timeout: 30_000 }).toMatch(/instead of/);
    const found = await scalar<number>(
      `select count(distinct subject)::int from detection where kind = 'fast_flux'`,
    );
    expect(await words.innerText()).toContain(`instead of ${found} found`);
  });

  it('looks up by typing: suggestions with arrows, wildcard, address, network, client', async () => {
    const domain = (
      await scalar<string>(
        `select value from traffic_top where dimension = 'domain' group by 1 order by sum(lookups) desc limit 1`,
      )
    ).slice(0, -1);
    await open('overview?last=all');
    await settled();
    await page.keyboard.press('/');
    await page.keyboard.type(domain.slice(0, 6));
    await page.getByRole('option').first().waitFor();
    await page.keyboard.press('ArrowDown');
    const chosen = (await page.locator('[role=option][aria-selected=true] span').first().innerText()).trim();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { level: 1, name: chosen, exact: true }).waitFor();
    for (const [typed, heading] of [
      [`*.${domain}`, `*.${domain}`],
      ['10.0.0.53', '10.0.0.53'],
      ['10.0.3.0/24', '10.0.3.0/24'],
      ['client 10.0.0.53', '10.0.0.53'],
    ] as const) {
      await page.keyboard.press('Control+k');
      await page.keyboard.type(typed);
      await page.keyboard.press('Enter');
      await page.getByRole('heading', { level: 1, name: heading, exact: true }).waitFor();
      await settled();
    }
  });

  it('a name: sightings, answers and clients are those of the database, every value leads on', async () => {
    const name = await scalar<string>(
      `select asked.rrname from asked join rrset using (rrname) where rrset.rrtype = 1 and rrname like 'www.%' group by 1 having count(distinct client) > 2 order by count(distinct client) desc, 1 limit 1`,
    );
    await open(`name/${name.slice(0, -1)}?last=all`);
    await settled();
    const [questions, clients] = [
      await scalar<number>('select sum(count)::int from asked where rrname = $1', [name]),
      await scalar<number>('select count(distinct client)::int from asked where rrname = $1', [name]),
    ];
    const facts = await page.locator('.facts').innerText();
    expect(facts).toContain(number(questions));
    expect(await panel('Who asked').locator('.foot').innerText()).toContain(`${number(clients)} rows`);
    const sets = await scalar<number>('select count(*)::int from rrset where rrname = $1', [name]);
    expect(await panel('Answers').last().locator('tbody tr').count()).toBe(Math.min(25, sets));
    const first = await scalar<Date>('select time_first from dns_name where rrname = $1', [name]);
    const time = page.locator('.facts time').first();
    expect(await time.getAttribute('title')).toBe(
      `${first.toISOString().slice(0, 19).replace('T', ' ')} UTC`,
    );
    const local = first.toLocaleString('en-GB', { timeZone: timezoneId, hour: '2-digit', minute: '2-digit' });
    expect(await time.innerText()).toContain(local);
    const link = panel('Answers').last().locator('td a').first();
    const target = await link.innerText();
    await link.click();
    await page.getByRole('heading', { level: 1, name: target, exact: true }).waitFor();
    await page.goBack();
    await page.getByRole('heading', { level: 1, name: name.slice(0, -1), exact: true }).waitFor();
  });

  it('a client: what it asked, and what was found about it', async () => {
    const client = await scalar<string>(
      `select host(client) from detection where kind = 'tunnelling' order by score desc limit 1`,
    );
    await open(`client/${client}?last=all`);
    await settled();
    const names = await scalar<number>('select count(distinct rrname)::int from asked where client = $1', [
      client,
    ]);
    expect(await page.locator('.facts').innerText()).toContain(number(names));
    expect(await panel('What it asked for').locator('.foot').innerText()).toContain(`${number(names)} rows`);
    expect(await panel('Detections').innerText()).toContain('Tunnelling');
  });

  it.each([
    ['name/never-seen.example', 'never'],
    ['address/203.0.113.250', 'never'],
    ['client/203.0.113.250?last=all', 'asked nothing'],
  ])('%s: says that there is nothing', async (path, word) => {
    await open(path);
    await settled();
    expect(await page.locator('.panel').first().innerText()).toContain(word);
  });

  it('graph: grows by keyboard from node to node, to 200 at most', async () => {
    const address = await scalar<string>(
      'select host(rdata_ip) from rdata where rdata_ip is not null group by 1 order by count(distinct rrname) desc limit 1',
    );
    const names = await scalar<number>('select count(distinct rrname)::int from rdata where rdata_ip = $1', [
      address,
    ]);
    await open(`graph/${address}?last=all`);
    await expect.poll(() => page.locator('.graph .node').count()).toBe(1 + Math.min(24, names));
    await page.locator('.graph .node').nth(1).focus();
    const before = await page.locator('.graph .node').count();
    await page.keyboard.press('Enter');
    await expect.poll(() => page.locator('.graph .node').count()).toBeGreaterThan(before);
    for (let i = 0; i < 30 && (await page.locator('.graph .node').count()) < 200; i++) {
      const more = page.getByRole('button', { name: /^(?:Go a step further|Show \d+ more)$/ });
      if ((await more.count()) > 0 && (await more.isEnabled())) await more.click();
      const nodes = page.locator('.graph .node');
      await nodes.nth((2 + i * 5) % (await nodes.count())).focus();
    }
    expect(await page.locator('.graph .node').count()).toBeLessThanOrEqual(200);
  });

  it('live: shows new domains and detections as they come', async () => {
    await open('live');
    await page.getByText('connected', { exact: true }).waitFor();
    await database.pool.query(
      `insert into known_domain (time_first, exporter_id, client, resolver, domain, rrname)
       select now(), exporter_id, '10.20.1.1', '10.0.0.53', 'brand-new.example.', 'www.brand-new.example.' from exporter limit 1`,
    );
    await page.getByRole('link', { name: 'brand-new.example', exact: true }).waitFor({ timeout: 30_000 });
    await page.getByRole('button', { name: 'Detections', exact: true }).click();
    expect(await page.getByRole('link', { name: 'brand-new.example', exact: true }).count()).toBe(0);
    await database.pool.query(`delete from known_domain where domain = 'brand-new.example.'`);
  });

  it('exports a table as CSV, as NDJSON, and as curl and SQL that give the same', async () => {
    await open('detections?last=all&kind=lookalike');
    await settled();
    const rows = await page.locator('tbody tr').count();
    const saved = async (as: string): Promise<string> => {
      await page.getByRole('button', { name: 'Export' }).click();
      const [download] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('menuitem', { name: as }).click(),
      ]);
      return readFileSync(await download.path(), 'utf8');
    };
    expect((await saved('CSV')).trim().split('\r\n')).toHaveLength(rows + 1);
    expect(
      (await saved('NDJSON'))
        .trim()
        .split('\n')
        .map(line => JSON.parse(line).kind),
    ).toEqual(Array.from({ length: rows }, () => 'lookalike'));
    const text = async (as: string): Promise<string> => {
      await page.getByRole('button', { name: 'Export' }).click();
      await page.locator('[role=menuitem]:focus').waitFor();
      await page.keyboard.press('ArrowUp'); // from the first item to the last
      await page.keyboard.press('ArrowUp');
      if (as === 'SQL') await page.keyboard.press('ArrowDown');
      await page.keyboard.press('Enter');
      const found = await page.getByRole('dialog').locator('pre').innerText();
      await page.keyboard.press('Escape');
      return found;
    };
    const [, header = '', url = ''] = /-H '(.*?)' '(.*)'$/.exec(await text('curl')) ?? [];
    const answer = await fetch(url, { headers: [header.split(': ') as [string, string]] });
    expect((await answer.text()).trim().split('\r\n')).toHaveLength(rows + 1);
    expect((await database.pool.query(await text('SQL'))).rows).toHaveLength(rows);
  });

  it('on every page axe-core finds nothing serious, in light and dark, and a phone needs no scrolling sideways', async () => {
    const id = await scalar<string>(
      `select detection_id from detection_shown where kind = 'beaconing' limit 1`,
    );
    const paths = [
      'overview?last=all',
      'detections?last=all',
      `detection/${id}?last=all`,
      'name/corp.example?last=all',
      'names/*.corp.example',
      'address/10.0.0.53?last=all',
      'network/10.0.3.0%2F24',
      'client/10.0.0.53?last=all',
      'graph/www.corp.example?last=all',
      'live',
    ];
    for (const path of paths) {
      await open(path);
      await settled();
      // injected by the browser's debugger, which no policy of the page forbids
      await page.evaluate(axe.source);
      expect(await seriousViolations('{}'), path).toEqual([]);
      await page.emulateMedia({ colorScheme: 'dark' });
      // what colours can change
      expect(await seriousViolations(`{ runOnly: ['color-contrast', 'link-in-text-block'] }`), path).toEqual(
        [],
      );
      await page.emulateMedia({ colorScheme: 'light' });
      await page.setViewportSize(PHONE);
      expect(await overhang(), path).toBe(0);
      await page.setViewportSize(WIDE);
    }
  }, 90_000);

  it('asks for a key once when there are keys, and sends it with everything', async () => {
    const key = await addKey(database.pool, { name: 'tester', scopes: ['analyse'] });
    await open('detections?last=all').catch(() => {});
    await page.getByLabel('Key', { exact: true }).fill(key);
    await page.getByRole('button', { name: 'Use it' }).click();
    await expect.poll(() => page.locator('tbody tr').count()).toBeGreaterThan(0);
    await page.goto(`${base}/#/live`);
    await page.getByText('connected', { exact: true }).waitFor();
    await database.pool.query('delete from api_key');
    // the browser logs each of the answers before the key was given
    expect(complaints.filter(text => !text.includes('403'))).toEqual([]);
    complaints.length = 0;
  });
});
