import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ConfigError, readConfig, settings } from '../../common/config.ts';

const folder = mkdtempSync(join(tmpdir(), 'dnstrail-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(content: string): string {
  const path = join(folder, `${Math.random()}.json`);
  writeFileSync(path, content);
  return path;
}

describe('readConfig', () => {
  it('gives the defaults when nothing is said', () => {
    expect(readConfig({}, {})).toMatchObject({
      home: resolve('./var'),
      databaseUrl: '',
      listen: { host: '127.0.0.1', port: 18000 },
      afterLoad: 'archive',
      journalQuota: 10e9,
      loaders: 2,
    });
  });

  it('lets a flag beat the environment, the environment the file, the file the default', () => {
    const path = file('{"loaders": 3, "settleSeconds": 4, "staleSeconds": 5}');
    const config = readConfig(
      { loaders: '9' },
      { DNSTRAIL_LOADERS: '8', DNSTRAIL_SETTLE_SECONDS: '7' },
      path,
    );
    expect(config).toMatchObject({ loaders: 9, settleSeconds: 7, staleSeconds: 5 });
  });

  it.each([
    ['0.0.0.0:4739', { host: '0.0.0.0', port: 4739 }],
    ['[::1]:4739', { host: '::1', port: 4739 }],
    ['4739', { host: '127.0.0.1', port: 4739 }],
  ])('reads %s as an endpoint', (listen, expected) => {
    expect(readConfig({ listen }, {}).listen).toEqual(expected);
  });

  it.each([
    ['500MB', 5e8],
    ['1.5 GB', 1.5e9],
    ['1024', 1024],
  ])('reads %s as octets', (journalQuota, expected) => {
    expect(readConfig({ journalQuota }, {}).journalQuota).toBe(expected);
  });

  it.each([
    [
      { listen: '127.0.0.1:99999' },
      {},
      /listen \(given as flag\) is "127\.0\.0\.1:99999": must be an address and port/,
    ],
    [{}, { DNSTRAIL_AFTER_LOAD: 'burn' }, /afterLoad \(from DNSTRAIL_AFTER_LOAD\) is "burn"/],
    [{ loaders: 'many' }, {}, /loaders \(given as flag\) is "many"/],
    [{ databaseUrl: 'mysql://x' }, {}, /must be a URL that begins with postgres/],
    [{ journalQuota: 'lots' }, {}, /a number of octets such as 500MB/],
  ])('names the setting, its source, its value and what is allowed: %o %o', (flags, environment, message) => {
    expect(() => readConfig(flags, environment)).toThrow(message);
    expect(() => readConfig(flags, environment)).toThrow(ConfigError);
  });

  it.each([
    ['{"loader": 1}', /unknown keys loader; known are home,/],
    ['[1]', /must hold one JSON object/],
    ['{', /is not JSON/],
  ])('refuses a file of %s', (content, message) => {
    expect(() => readConfig({}, {}, file(content))).toThrow(message);
  });

  it('says when the file is not there', () => {
    expect(() => readConfig({}, {}, join(folder, 'none.json'))).toThrow(/none\.json does not exist/);
  });
});

it('is told whole in the README', () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  for (const [name, { env, default: fallback, meaning }] of Object.entries(settings)) {
    const flag = `--${name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)}`;
    expect(readme).toContain(
      `| \`${name}\` | \`${flag}\` | \`${env}\` | ${fallback === '' ? '' : `\`${fallback}\` `}| ${meaning} |`,
    );
  }
});
