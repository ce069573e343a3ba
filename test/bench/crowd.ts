import { Agent } from 'node:http';
import { giveWay } from '../../common/niceness.ts';
import type { Parent } from '../../common/subprocess.ts';
import { ask } from './ask.ts';

/** Clients are other machines: what they need themselves they take from what the machine has left. */
const NICENESS = 19;
/** No divisor of it is a number of questions or clients: all of them come, in no order. */
const STRIDE = 7919;

export interface CrowdOptions {
  readonly port: number;
  /** Paths of requests. */
  readonly targets: readonly string[];
  readonly clients: number;
}

/** What they met. */
export interface CrowdReport {
  readonly seconds: number;
  readonly errors: number;
  /** One of the errors, or nothing. */
  readonly example: string;
  /** Of each answer, how long it was waited for. */
  readonly milliseconds: readonly number[];
}

/** Clients that ask, each its next question when the last one is answered, until they are told to stop; a process of its own. */
export async function run({
  options,
  stopping,
  send,
}: Parent<CrowdOptions, never, CrowdReport>): Promise<void> {
  void giveWay(NICENESS);
  const { port, targets, clients } = options;
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const milliseconds: number[] = [];
  let errors = 0;
  let example = '';
  const begin = performance.now();
  await Promise.all(
    Array.from({ length: clients }, async (_, client) => {
      for (let i = client; !stopping.aborted; i += STRIDE) {
        const target = targets[i % targets.length]!; // of an array that is not empty
        const asked = performance.now();
        const error = await ask(port, target, agent);
        milliseconds.push(performance.now() - asked);
        if (error === undefined) continue;
        errors++;
        example = `${target}: ${error}`;
      }
    }),
  );
  send({ seconds: (performance.now() - begin) / 1000, errors, example, milliseconds });
}
