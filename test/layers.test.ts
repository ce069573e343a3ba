import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '..');
const sources = ['collector', 'common', 'migrations', 'analytics', 'api']
  .flatMap(folder => filesBelow(join(root, folder)))
  .map(path => relative(root, path));

/** The stage of the data's way that a file belongs to, and the stages whose files it may import. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  common: ['common'],
  migrations: ['migrations', 'common'],
  analytics: ['analytics', 'migrations', 'common'],
  api: ['api', 'common'],
  'collector/ipfix': ['collector/ipfix'],
  'collector/receive': ['collector/receive', 'collector/ipfix', 'common'],
  'collector/source': ['collector/source', 'common'],
  'collector/map': ['collector/map', 'collector/ipfix', 'common'],
  'collector/store': ['collector/store', 'collector/map', 'common'],
  'collector/load': [
    'collector/load',
    'collector/store',
    'collector/map',
    'collector/source',
    'collector/ipfix',
    'common',
  ],
  'collector/cof': ['collector/cof', 'collector/store', 'collector/map', 'collector/source', 'common'],
  'collector/inspect': ['collector/inspect', 'collector/source', 'collector/ipfix', 'common'],
};

/** The composition root sees all; so does what it prints. */
const roots = ['collector/main.ts', 'collector/startScreen.ts'];

describe('the layers', () => {
  it.each(sources)('let %s import only what stands before it', path => {
    const allowed = mayImport[stageOf(path)];
    if (allowed === undefined) expect(roots).toContain(path);
    else
      for (const imported of importsOf(path))
        expect(allowed, `${path} imports ${imported}`).toContain(stageOf(imported));
  });

  it('keep the programs apart: collector, analytics and api meet in the tables', () => {
    const programs = ['collector', 'analytics', 'api'];
    for (const path of sources) {
      const own = path.split('/')[0] ?? '';
      const others = importsOf(path).map(imported => imported.split('/')[0] ?? '');
      if (programs.includes(own))
        expect(others.filter(other => programs.includes(other) && other !== own)).toEqual([]);
    }
  });
});

function stageOf(path: string): string {
  const [first = '', second = ''] = path.split('/');
  return first === 'collector' && !second.endsWith('.ts')
    ? `${first}/${second}`
    : first === 'collector'
      ? path
      : first;
}

function importsOf(path: string): string[] {
  const text = readFileSync(join(root, path), 'utf8');
  return [...text.matchAll(/(?:from|import)\s+'(\.[^']+)'/g)].map(([, target = '']) =>
    relative(root, resolve(root, dirname(path), target)),
  );
}

function filesBelow(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter(entry => entry.isFile() && entry.name.endsWith('.ts'))
      .map(entry => join(entry.parentPath, entry.name));
  } catch {
    return []; // a program that is not there yet
  }
}
