import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** A program that was told to end gets this long. */
const PATIENCE_MS = 20_000;
const program = path.join(import.meta.dirname, '../../dnstrail.ts');

/** A dnstrail in a process of its own. */
export interface Program {
  readonly pid: number;
  readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  /** @throws Error with what it wrote to standard error, if it has ended */
  mustRun(): void;
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Sends a signal, to its whole group if it has one, and waits for the end. @throws Error with what it wrote, if it had to be killed */
  end(signal: NodeJS.Signals): Promise<{ readonly code: number | null }>;
}

/**
 * Starts `dnstrail ARGS`.
 * @param env beside our own environment
 * @param options.hasGroup it gets a process group of its own, as from a terminal; our own Ctrl-C does not reach it
 */
export function runDnstrail(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  { hasGroup = false }: { hasGroup?: boolean } = {},
): Program {
  const child = spawn(process.execPath, [program, ...args], {
    env: { ...process.env, DNSTRAIL_LOG: 'warn', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: hasGroup,
  });
  const { pid } = child;
  if (pid === undefined) throw new Error('dnstrail could not be started');
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', text => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', text => (stderr = (stderr + text).slice(-20_000)));
  let ended = '';
  const exited = once(child, 'close').then(([code, signal]) => {
    ended = `dnstrail ${args.join(' ')} ended with ${signal ?? code}: ${stdout}${stderr}`;
    return { code, signal };
  });
  return {
    pid,
    exited,
    mustRun() {
      if (ended !== '') throw new Error(ended);
    },
    stdout: () => stdout,
    stderr: () => stderr,
    async end(signal) {
      if (!hasGroup) child.kill(signal);
      else if (ended === '') process.kill(-pid, signal);
      const late = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
      const end = await exited;
      clearTimeout(late);
      if (end.signal === 'SIGKILL' && signal !== 'SIGKILL')
        throw new Error(`dnstrail ${args.join(' ')} did not end on ${signal}: ${stdout}${stderr}`);
      return end;
    },
  };
}

/** A port of loopback that nothing listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Runs with a temporary directory that every account may enter, and removes it. */
export async function withDirectory<T>(run: (directory: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(path.join(tmpdir(), 'dnstrail-test-'));
  chmodSync(directory, 0o755); // run by root the server has another account, and its data would be left elsewhere
  try {
    return await run(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Looks again and again until `look` gives something. @throws Error that says what was waited for */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined> | T | undefined,
  patienceMs = 45_000,
): Promise<T> {
  for (const deadline = Date.now() + patienceMs; ; ) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`waited ${patienceMs} ms for ${what}`);
    await delay(20);
  }
}
