import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../support/api.ts';

const MOST_SCRIPT = 150_000;

let api: TestApi;
let page: string;
beforeAll(async () => {
  execFileSync(process.execPath, [join(import.meta.dirname, '../../api/dashboard/build.ts')]);
  api = await startTestApi([]);
  page = (await api.get('/')).body;
});
afterAll(() => api.close());

const assetsOf = (html: string): string[] =>
  [...html.matchAll(/(?:src|href)="(assets\/[^"]+)"/g)].map(([, path = '']) => `/${path}`);

describe('serving the dashboard', () => {
  it('answers / with the page, which is looked at anew each time', async () => {
    const { status, headers } = await api.get('/');
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
    expect(headers['cache-control']).toBe('no-cache');
    expect(assetsOf(page).map(path => path.split('.').at(-1))).toEqual(['css', 'js']);
  });

  it('lets browsers keep what is named after its content for good', async () => {
    for (const path of assetsOf(page)) {
      expect(path).toMatch(/-[A-Z0-9]{8}\.(?:js|css)$/);
      const { status, headers } = await api.get(path);
      expect(status).toBe(200);
      expect(headers['cache-control']).toBe('public, max-age=31536000, immutable');
    }
  });

  it('allows scripts and styles of its own alone, and none in the page', async () => {
    for (const path of ['/', ...assetsOf(page)]) {
      const { headers } = await api.get(path);
      const policy = String(headers['content-security-policy']);
      expect(policy).toContain("default-src 'none'");
      expect(policy).toContain("script-src 'self';");
      expect(policy).not.toMatch(/unsafe|https?:|\*/);
      expect(headers['x-content-type-options']).toBe('nosniff');
    }
    expect(page).not.toMatch(/<style|<script(?! type="module" src="assets\/)|style="|\son\w+="/);
  });

  it('sends at most 150 kB of script, compressed as the browser can', async () => {
    const path = assetsOf(page).find(each => each.endsWith('.js'))!; // it has one
    const plain = await api.get(path);
    const packed = await api.get(path, { 'accept-encoding': 'gzip' });
    expect(packed.headers['content-encoding']).toBe('gzip');
    const octets = Buffer.from(packed.body, 'latin1');
    expect(octets.length).toBeLessThan(MOST_SCRIPT);
    expect(gunzipSync(octets).toString('latin1')).toBe(plain.body);
    expect((await api.get(path, { 'accept-encoding': 'br, gzip' })).headers['content-encoding']).toBe('br');
  });

  it('names the licences of what is bundled, and nothing of elsewhere', async () => {
    const { body } = await api.get(assetsOf(page).find(each => each.endsWith('.js'))!);
    expect(body.match(/https?:\/\/(?!www\.w3\.org\/|github\.com\/leeoniya\/uPlot)[\w.]+/g) ?? []).toEqual([]);
  });

  it('has nothing else below /assets', async () => {
    for (const path of [
      '/assets/',
      '/assets/index.htm',
      '/assets/../index.html',
      '/assets/%2e%2e/app.ts',
      '/assets/x.js',
    ])
      expect((await api.get(path)).status).toBe(404);
  });
});
