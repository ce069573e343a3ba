/** What a Subprocess runs, with the URL of its module as the argument. */
import { statSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { FromSubprocess, Parent, ToSubprocess } from './subprocess.ts';

/** What the module exports. */
interface Module {
  run(parent: Parent<unknown, unknown, unknown>): Promise<void>;
}

// systemd sends them to all processes of a unit: our parent asks us to end when it is our turn
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
process.on('disconnect', () => process.exit(1)); // our parent is gone, killed perhaps: nobody waits for us
if (!process.connected) process.exit(1);

const messages = new Readable({ objectMode: true, read() {} });
const stopping = new AbortController();
const options = new Promise(resolve => {
  process.on('message', (data: ToSubprocess) => {
    if (data.type === 'start') resolve(data.options);
    else if (data.type === 'message') messages.push(data.message);
    else {
      stopping.abort();
      messages.push(null);
    }
  });
});

let sent: Promise<void> = Promise.resolve();
function send(message: unknown): void {
  const data: FromSubprocess = { message };
  sent = new Promise(resolve => process.send?.(data, undefined, {}, () => resolve()));
}

/**
 * Half of our start is compiling. What V8 made of our modules is kept beside the packages, where nobody may write who
 * could not change the modules themselves; another user would leave files there that their owner cannot remove.
 */
function keepCompiled(): void {
  const root = fileURLToPath(new URL('..', import.meta.url));
  if (statSync(root).uid === process.getuid?.())
    enableCompileCache(join(root, 'node_modules/.cache/dnstrail'));
}

keepCompiled();
const { run } = (await import(process.argv[2] ?? '')) as Module; // Subprocess names one
await run({ options: await options, messages, stopping: stopping.signal, send });
await sent;
process.exit(); // whatever may be left, as the timers of a library that gave up
