import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { kinds } from '../../../analytics/detect/kinds.ts';
import { settingsSchema } from '../../../analytics/detect/settings.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';

const text = readFileSync(new URL('../../../analytics/README.md', import.meta.url), 'utf8');

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
});

afterAll(() => database.drop());

function pageOf(kind: string): string {
  return text.split(`\n### ${kind}\n`)[1]?.split('\n### ')[0] ?? '';
}

test.each(kinds)(
  'the page of $kind tells its thresholds as they are, the question, the source and what fools it',
  ({ kind, thresholds }) => {
    const page = pageOf(kind);
    const defaults = thresholds.parse({});
    const rows = [...page.matchAll(/^\| `(\w+)` \| (.*?) \| (.*) \|$/gm)].map(([, ...cells]) => cells);
    expect(rows).toEqual(
      Object.entries(thresholds.shape).map(([name, schema]) => [
        name,
        String(defaults[name]),
        'description' in schema ? schema.description : undefined,
      ]),
    );
    expect(page).toMatch(/^\n\*\*.*\?\*\*/);
    expect(page).toContain('Source: ');
    expect(page).toContain('What fools it: ');
  },
);

test.each(kinds.map(({ kind }) => kind))('the SQL of the page of %s runs', async kind => {
  const [, sql] = /```sql\n(.*?)```/s.exec(pageOf(kind)) ?? [];
  await database.pool.query(sql ?? 'no SQL');
});

test('every setting is in the table of settings, with its default', () => {
  const rows = [...text.matchAll(/^\| `(\w+)` \| `(.*?)` \|/gm)].map(([, name, value]) => [
    name,
    JSON.parse(String(value)),
  ]);
  expect(Object.fromEntries(rows)).toEqual(settingsSchema.parse({}));
});
