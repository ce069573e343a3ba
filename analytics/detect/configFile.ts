import { readFile } from 'node:fs/promises';
import type pg from 'pg';
import { parse } from 'yaml';
import { inTransaction, withSession } from '../session.ts';
import type { AnyDetector } from './detector.ts';
import { kinds } from './kinds.ts';
import { problemsOf, readSettings, type Settings, SettingsError, settingsSchema } from './settings.ts';
import { markAll } from './windows.ts';

/**
 * Sets what a file says; what it does not name stays, null means the default. Windows that it matters to are looked at
 * again.
 * @returns the names of the settings that changed
 * @throws SettingsError with every problem and its place; nothing is changed then
 */
export async function applySettings(pool: pg.Pool, path: string): Promise<string[]> {
  return setSettings(pool, parseFile(path, await readFile(path, 'utf8')));
}

/** As applySettings, of an object. */
export async function setSettings(pool: pg.Pool, given: unknown): Promise<string[]> {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw new SettingsError('settings are an object: {"approved_resolvers": ["192.0.2.53"], …}');
  const checked = checkSettings(given);
  return withSession(pool, undefined, client =>
    inTransaction(client, async () => {
      await client.query('lock table public.setting in share row exclusive mode');
      const before = await readSettings(client);
      for (const name of Object.keys(given))
        if (Reflect.get(given, name) === null)
          await client.query('delete from public.setting where name = $1', [name]);
        else
          await client.query(
            `insert into public.setting (name, value) values ($1, $2)
             on conflict (name) do update set value = excluded.value, changed_at = now()
             where setting.value is distinct from excluded.value`,
            [name, JSON.stringify(Reflect.get(checked, name))],
          );
      const after = await readSettings(client);
      await markAll(client, affected(before, after));
      return changedNames(before, after);
    }),
  );
}

/** What is set, with all defaults, thresholds of every kind included; the secret is not shown. */
export async function showSettings(pool: pg.Pool): Promise<Record<string, unknown>> {
  const settings = await readSettings(pool);
  return {
    ...settings,
    webhook: settings.webhook && { ...settings.webhook, secret: '(set)' },
    thresholds: Object.fromEntries(
      kinds.map(({ kind, thresholds }) => [kind, thresholds.parse(settings.thresholds[kind] ?? {})]),
    ),
  };
}

/** The detector of a kind. @throws SettingsError when there is none */
export function detectorOf(kind: string): AnyDetector {
  const detector = kinds.find(each => each.kind === kind);
  if (detector === undefined)
    throw new SettingsError(
      `there is no kind "${kind}"; there are ${kinds.map(each => each.kind).join(', ')}`,
    );
  return detector;
}

function parseFile(path: string, text: string): unknown {
  try {
    return parse(text); // JSON is YAML
  } catch (error) {
    throw new SettingsError(
      `${path} is neither JSON nor YAML: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

function checkSettings(given: object): Settings {
  const present = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null));
  const parsed = settingsSchema.safeParse(present);
  if (!parsed.success) throw new SettingsError(problemsOf(parsed.error));
  const problems = Object.entries(parsed.data.thresholds).flatMap(([kind, thresholds]) => {
    const result = detectorOf(kind).thresholds.safeParse(thresholds);
    return result.success ? [] : [problemsOf(result.error, `thresholds.${kind}`)];
  });
  if (problems.length > 0) throw new SettingsError(problems.join('\n'));
  return parsed.data;
}

function changedNames(before: Settings, after: Settings): (keyof Settings)[] {
  const names = Object.keys(after) as (keyof Settings)[]; // settingsSchema is strict
  return names.filter(name => JSON.stringify(before[name]) !== JSON.stringify(after[name]));
}

/** Detectors that would find other things now. */
function affected(before: Settings, after: Settings): AnyDetector[] {
  const changed = changedNames(before, after);
  return kinds.filter(
    ({ kind, dependsOn }) =>
      changed.includes('allow') ||
      changed.some(name => dependsOn.includes(name)) ||
      JSON.stringify(before.thresholds[kind]) !== JSON.stringify(after.thresholds[kind]),
  );
}
