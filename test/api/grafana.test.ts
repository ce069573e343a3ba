import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { detect } from '../../analytics/tasks/detect.ts';
import { loadFiles } from '../../collector/load/load.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

interface Panel {
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets: readonly { readonly rawSql: string; readonly format: string }[];
}

const dashboard = JSON.parse(
  readFileSync(new URL('../../api/grafana/dashboard.json', import.meta.url), 'utf8'),
);
const panels: readonly Panel[] = dashboard.panels;
const sensors: string = dashboard.templating.list.find(
  ({ name }: { name: string }) => name === 'sensor',
).query;

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
  const file = new URL('../fixtures/yaf2164-small.ipfix', import.meta.url).pathname;
  await loadFiles(database.url, [file], { exporterName: 'sensor1' });
  await database.pool.query(`insert into public.setting (name, value) values ('burn_in_days', '0')`);
  await detect(database.pool, { isUrgent: true });
});
afterAll(() => database.drop());

/** What Grafana's data source makes of it, as the role that analysts have. */
async function run(sql: string, names: readonly string[]) {
  const [from, to] = ["'2000-01-01T00:00:00Z'", "'2040-01-01T00:00:00Z'"];
  const expanded = sql
    .replace(/\$__timeGroupAlias\((\w+), *'[^']*'\)/g, 'floor(extract(epoch from $1)/60)*60 AS "time"')
    .replace(/\$__timeFilter\((\w+)\)/g, `$1 BETWEEN ${from} AND ${to}`)
    .replaceAll('$__timeFrom()', from)
    .replaceAll('$__timeTo()', to)
    .replaceAll(
      // biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana's own syntax
      '${sensor:sqlstring}',
      names.map(name => `'${name}'`).join(','),
    );
  expect(expanded).not.toContain('$');
  const client = await database.pool.connect();
  try {
    await client.query('set role dnstrail_analyst');
    return await client.query(expanded);
  } finally {
    await client.query('reset role');
    client.release();
  }
}

describe('the Grafana dashboard', () => {
  it.each(panels.map(({ title, targets }) => [title, targets] as const))(
    'shows %s of a real database',
    async (_title, targets) => {
      for (const { rawSql, format } of targets) {
        const { rows, fields } = await run(rawSql, ['sensor1']);
        expect(rows.length).toBeGreaterThan(0);
        if (format === 'time_series') expect(fields[0]?.name).toBe('time');
        if (rawSql.includes('sensor:')) expect((await run(rawSql, ['nosuch'])).rows).toEqual([]);
      }
    },
  );

  it('offers the sensors that there are', async () => {
    expect((await run(sensors, [])).rows).toEqual([{ name: 'sensor1' }]);
  });

  it('puts no panel on another', () => {
    for (const [i, { gridPos: a }] of panels.entries())
      for (const { gridPos: b } of panels.slice(i + 1))
        expect(a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y).toBe(true);
  });
});
