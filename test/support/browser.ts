import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

const PATHS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** The Chromium of this machine; undefined where there is none. */
export const browserPath: string | undefined = [process.env.CHROMIUM ?? '', ...PATHS].find(path =>
  existsSync(path),
);

/** Starts the browser of this machine without a window, on an empty profile of its own. */
export function startBrowser(): Promise<Browser> {
  if (browserPath === undefined)
    throw new Error('there is no chromium: apt-get install chromium, or set CHROMIUM to its path');
  return chromium.launch({ executablePath: browserPath, headless: true, args: FLAGS });
}
