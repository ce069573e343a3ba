import type pg from 'pg';
import { inTransaction, withSession } from '../session.ts';
import { permits } from './allow.ts';
import { detectorOf } from './configFile.ts';
import type { Finding } from './detector.ts';
import { problemsOf, readSettings, SettingsError } from './settings.ts';
import { windowsOf } from './windows.ts';

/** One subject and client that other thresholds would find, or would not. */
export interface Difference {
  readonly subject: string;
  readonly client: string | null;
  readonly windows: number;
  readonly highestScore: number;
}

export interface WhatIf {
  readonly kind: string;
  readonly thresholds: unknown;
  /** Windows that were looked at. */
  readonly windows: number;
  /** Subjects and clients found now, and with the other thresholds. */
  readonly before: number;
  readonly after: number;
  readonly added: readonly Difference[];
  readonly gone: readonly Difference[];
}

/**
 * Lets a detector look at all windows that have facts, once with the thresholds that are set and once with others, and
 * stores nothing.
 * @param changes thresholds as text, `name=value`
 * @throws SettingsError when there is no such threshold, or it cannot have that value
 */
export function whatIf(pool: pg.Pool, kind: string, changes: readonly string[]): Promise<WhatIf> {
  const detector = detectorOf(kind);
  return withSession(pool, undefined, client =>
    inTransaction(client, async () => {
      await client.query('set transaction isolation level repeatable read, read only');
      const settings = await readSettings(client);
      const set = detector.thresholds.parse(settings.thresholds[kind] ?? {});
      const parsed = detector.thresholds.safeParse({
        ...set,
        ...Object.fromEntries(changes.map(parseChange)),
      });
      if (!parsed.success) throw new SettingsError(problemsOf(parsed.error, kind));
      const isPermitted = permits(settings);
      const [before, after] = [new Map<string, Difference>(), new Map<string, Difference>()];
      const windows = await windowsOf(client, detector);
      for (const window of windows)
        for (const [thresholds, found] of [
          [set, before],
          [parsed.data, after],
        ] as const)
          for (const finding of await detector.find({ client, window, settings }, thresholds))
            if (isPermitted(finding)) count(found, finding);
      return {
        kind,
        thresholds: parsed.data,
        windows: windows.length,
        before: before.size,
        after: after.size,
        added: without(after, before),
        gone: without(before, after),
      };
    }),
  );
}

function parseChange(change: string): [string, unknown] {
  const [, name, text] = /^([a-z0-9_]+)=(.+)$/.exec(change) ?? [];
  if (name === undefined || text === undefined)
    throw new SettingsError(`--set ${change}: write it as threshold=value`);
  try {
    return [name, JSON.parse(text)];
  } catch {
    return [name, text];
  }
}

function count(found: Map<string, Difference>, { subject, client, score }: Finding): void {
  const key = `${subject} ${client}`;
  const known = found.get(key);
  found.set(key, {
    subject,
    client,
    windows: (known?.windows ?? 0) + 1,
    highestScore: Math.max(known?.highestScore ?? 0, score),
  });
}

function without(
  these: ReadonlyMap<string, Difference>,
  those: ReadonlyMap<string, Difference>,
): Difference[] {
  return [...these]
    .filter(([key]) => !those.has(key))
    .map(([, difference]) => difference)
    .sort((a, b) => b.highestScore - a.highestScore || a.subject.localeCompare(b.subject));
}
