import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import { detect } from '../../../analytics/tasks/detect.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { eventually } from '../../support/processes.ts';
import { background, detections, insertLookups, type Lookup, set } from './records.ts';

const DAYS = ['2024-05-01', '2024-05-02', '2024-05-03'] as const;
/** Hours with records: those of the background, and the ones between. */
const HOURS = 3 * 7;
const settings = { approved_resolvers: ['10.0.0.53'], burn_in_days: 1 };

const opened: TestDatabase[] = [];

afterEach(async () => {
  for (const database of opened.splice(0)) await database.drop();
});

async function open(): Promise<TestDatabase> {
  const database = await createTestDatabase();
  opened.push(database);
  await set(database.pool, settings);
  return database;
}

/** A day with something new, somebody at another resolver, and somebody who looks for domains that do not exist. */
function day(date: string): Lookup[] {
  const at = (time: string) => `${date}T${time}Z`;
  return [
    ...background(at('00:00:00'), 12, 10, 4),
    {
      at: at('03:10:00'),
      name: `www.new-on-${date}.net.`,
      client: '10.0.2.1',
      answers: [{ rdata: '198.51.100.7' }],
    },
    {
      at: at('04:00:00'),
      name: 'www.every-day.net.',
      client: '10.0.2.2',
      answers: [{ rdata: '198.51.100.8' }],
    },
    {
      at: at('05:00:00'),
      name: 'www.example.com.',
      client: '10.0.2.3',
      resolver: '8.8.8.8',
      answers: [{ rdata: '93.184.216.34' }],
    },
    ...Array.from({ length: 15 }, (_, i) => ({
      at: at(`06:${10 + i}:00`),
      name: `no${i}on${date}.com.`,
      client: '10.0.2.4',
      rcode: 3,
    })),
    // so many that the later ones are not told
    ...Array.from({ length: 12 }, (_, i) => ({
      at: at(`08:${10 + i}:00`),
      name: `s${i}-${date}.slow.net.`,
      client: '10.0.2.6',
      answers: [{ rdata: '198.51.100.10' }],
    })),
    // more names than a family has, on all days together
    ...Array.from({ length: 40 }, (_, i) => ({
      at: at(`07:${10 + i}:00`),
      name: `h${i}-${date}.family.net.`,
      client: '10.0.2.5',
      answers: [{ rdata: '198.51.100.9' }],
    })),
  ];
}

const all = DAYS.flatMap(day);
const urgent = { isUrgent: true } as const;

async function undisturbed(): Promise<Record<string, unknown>[]> {
  const { pool } = await open();
  await insertLookups(pool, all);
  await detect(pool, urgent);
  return detections(pool);
}

test('days loaded one by one, in order or not, in parts and all at once give the same detections', async () => {
  const expected = await undisturbed();
  expect(new Set(expected.map(({ kind }) => kind))).toEqual(
    new Set(['first_seen', 'rogue_resolver', 'nxdomain_burst']),
  );
  const halves = [all.filter((_, i) => i % 2 === 0), all.filter((_, i) => i % 2 === 1)];
  for (const parts of [DAYS.map(day), DAYS.toReversed().map(day), halves]) {
    const { pool } = await open();
    for (const part of parts) {
      await insertLookups(pool, part);
      await detect(pool, urgent);
    }
    expect(await detections(pool)).toEqual(expected);
  }
});

test('one detection goes on over windows; a run without new records does nothing', async () => {
  const { pool } = await open();
  await insertLookups(pool, all);
  const first = await detect(pool, urgent);
  expect(first.hours).toBe(HOURS);
  const before = await detections(pool);
  expect(before.filter(({ kind }) => kind === 'rogue_resolver')).toMatchObject([
    {
      subject: '8.8.8.8',
      client: '10.0.2.3',
      windows: 3,
      first_time: new Date('2024-05-01T05:00:00Z'),
      last_time: new Date('2024-05-03T05:00:00Z'),
    },
  ]);
  expect(await detect(pool, urgent)).toEqual({ hours: 0, windows: 0 });
  await pool.query(`insert into public.landed_hour (hour) select hour from public.fact_hour`);
  await detect(pool, urgent);
  expect(await detections(pool)).toEqual(before);
});

test('what turns out to have come earlier is no longer new later, and what was delivered is withdrawn', async () => {
  const { pool } = await open();
  await insertLookups(pool, [...day(DAYS[0]), ...day(DAYS[2])]);
  await detect(pool, urgent);
  const subject = `new-on-${DAYS[2]}.net.`;
  const news = async () =>
    (await pool.query(`select status, first_time from public.detection where subject = $1`, [subject])).rows;
  expect(await news()).toEqual([{ status: 'new', first_time: new Date(`${DAYS[2]}T03:10:00Z`) }]);
  await pool.query('update public.detection set delivered_at = now()');
  await insertLookups(pool, [
    { at: '2024-05-01T02:00:00Z', name: `www.${subject}`, answers: [{ rdata: '198.51.100.7' }] },
  ]);
  await detect(pool, urgent);
  expect(await news()).toEqual([{ status: 'withdrawn', first_time: new Date(`${DAYS[2]}T03:10:00Z`) }]);
});

test('nothing is new in the first days of each sensor', async () => {
  const { pool } = await open();
  await insertLookups(pool, [
    ...background('2024-05-01T00:00:00Z', 60, 3, 6),
    {
      at: '2024-05-03T05:00:00Z',
      exporter: 2,
      name: 'www.other-sensor.net.',
      answers: [{ rdata: '198.51.100.7' }],
    },
    {
      at: '2024-05-03T05:00:00Z',
      exporter: 1,
      name: 'www.this-sensor.net.',
      answers: [{ rdata: '198.51.100.7' }],
    },
  ]);
  await detect(pool, urgent);
  expect((await detections(pool)).map(({ subject }) => subject)).toEqual(['this-sensor.net.']);
});

test('a hit after a week of quiet is a new detection', async () => {
  const { pool } = await open();
  const rogue = (at: string): Lookup => ({
    at,
    name: 'a.example.com.',
    client: '10.0.2.3',
    resolver: '8.8.8.8',
  });
  await insertLookups(pool, [
    rogue('2024-05-01T00:10:00Z'),
    rogue('2024-05-12T00:10:00Z'),
    rogue('2024-05-13T00:10:00Z'),
  ]);
  await detect(pool, urgent);
  const found = async () => (await detections(pool)).filter(({ kind }) => kind === 'rogue_resolver');
  expect((await found()).map(({ windows }) => windows)).toEqual([1, 2]);
  await insertLookups(pool, [rogue('2024-05-06T00:10:00Z')]); // joins them
  await detect(pool, urgent);
  expect((await found()).map(({ windows }) => windows)).toEqual([4]);
});

test('a hot hour is derived again only after a while; detect run does not wait', async () => {
  const { pool } = await open();
  const lookup = { at: '2024-05-01T00:10:00Z', name: 'www.example.com.' };
  await insertLookups(pool, [lookup]);
  expect((await detect(pool)).hours).toBe(1);
  await insertLookups(pool, [lookup]);
  expect((await detect(pool)).hours).toBe(0);
  expect((await detect(pool, urgent)).hours).toBe(1);
});

test('two at once do the work once', async () => {
  const { pool } = await open();
  await insertLookups(pool, all);
  const done = await Promise.all([detect(pool, urgent), detect(pool, urgent), detect(pool)]);
  expect(done.reduce((sum, { hours }) => sum + hours, 0)).toBe(HOURS);
  expect(await detections(pool)).toEqual(await undisturbed());
});

test('killed in the middle again and again, the detections are those of an undisturbed run', async () => {
  const expected = await undisturbed();
  const { pool, url } = await open();
  await insertLookups(pool, all);
  const program = `
    import pg from 'pg';
    import { detect } from ${JSON.stringify(new URL('../../../analytics/tasks/detect.ts', import.meta.url).pathname)};
    await detect(new pg.Pool({ connectionString: ${JSON.stringify(url)} }), { isUrgent: true });
    process.exit();`;
  const progress = async () => {
    const { rows } = await pool.query<{ done: number }>(
      `select (select count(*) from public.fact_hour)::integer * 100 + 50 - (select count(*) from public.window_due)::integer as done`,
    );
    return rows[0]!.done; // one row
  };
  let killed = 0;
  while (killed < 4) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: 'ignore',
      cwd: new URL('../../..', import.meta.url).pathname,
    });
    const ended = once(child, 'close');
    const before = await progress();
    let code: number | null = null;
    child.on('exit', exit => (code = exit));
    await eventually(
      'some progress',
      async () => code !== null || (await progress()) !== before || undefined,
    );
    if (code !== null) break; // it was done first
    child.kill('SIGKILL');
    await ended;
    killed++;
  }
  expect(killed).toBeGreaterThan(1);
  await detect(pool, urgent);
  expect(await detections(pool)).toEqual(expected);
});
