import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';
import { Session, type Sink } from '../../collector/ipfix/index.ts';
import { readMessages } from '../../collector/source/messages.ts';
import type { Input } from './input.ts';
import { type Result, type Run, rates, ratio, recipeOf, result, timed } from './measure.ts';

/** File → data records with their nested lists, one thread; beside it Debian's ipfixDump, which prints them. */
export async function decode(input: Input, runs: number): Promise<Result> {
  const own: Run[] = [];
  for (let run = 0; run < runs; run++) own.push(await timed(() => decodeFile(input.path)));
  const figures = rates('decode', input, own);
  const recipe = recipeOf(input, { runs, threads: 1 });
  if (!hasIpfixDump())
    return result('decode', recipe, figures, [
      'ipfixDump: not on PATH (Debian: apt-get install libfixbuf-tools)',
    ]);
  const peer: Run[] = [];
  for (let run = 0; run < Math.min(runs, 3); run++) peer.push(await timed(() => dump(input.path)));
  const [peerRate] = rates('ipfixDump, output thrown away', input, peer);
  return result('decode', recipe, [
    ...figures,
    ...(peerRate === undefined ? [] : [peerRate]),
    ratio('decode / ipfixDump', figures[0], peerRate),
  ]);
}

export async function decodeFile(path: string): Promise<void> {
  const session = new Session();
  let records = 0;
  const sink: Sink = {
    dataRecord: () => {
      records++;
    },
    undecodable: ({ message }) => {
      throw new Error(message);
    },
  };
  for await (const block of readMessages(path)) {
    if (block.bad !== undefined) throw new Error(block.bad.message);
    for (let at = block.start; at < block.end; ) {
      const message = block.buffer.subarray(at, at + block.buffer.readUInt16BE(at + 2));
      session.decodeMessage(message, block.streamOffset + at - block.start, sink);
      at += message.length;
    }
  }
  if (records === 0) throw new Error(`${path} holds no record`);
}

function hasIpfixDump(): boolean {
  try {
    execFileSync('ipfixDump', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

async function dump(path: string): Promise<void> {
  await promisify(execFile)('ipfixDump', ['--in', path, '--out', '/dev/null']);
}
