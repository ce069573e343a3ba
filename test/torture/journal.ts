import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { parseSegmentName } from '../../collector/receive/segmentName.ts';
import { messagesOf } from '../support/exporter.ts';

/** The segments in the journal of a home directory, by the exporter's port, in their order. */
export function segmentsByPort(home: string): Map<number, string[]> {
  const directory = path.join(home, 'journal');
  const found = new Map<number, string[]>();
  for (const name of readdirSync(directory).sort()) {
    const info = parseSegmentName(name);
    if (info === null || statSync(path.join(directory, name)).size === 0) continue;
    found.set(info.peerPort, [...(found.get(info.peerPort) ?? []), path.join(directory, name)]);
  }
  return found;
}

/**
 * How many of the messages that an exporter sent its segments hold. Segments after the first begin with templates repeated by
 * the journal; but for those they must hold what was sent, from the first message on, without a gap.
 * @throws Error at the first message that was not sent at this place
 */
export function messagesKept(segments: readonly string[], sent: readonly Buffer[]): number {
  let kept = 0;
  for (const [i, segment] of segments.entries()) {
    let isHead = i > 0;
    for (const message of messagesOf(readFileSync(segment))) {
      if (sent[kept]?.equals(message)) {
        kept++;
        isHead = false;
      } else if (!isHead) throw new Error(`${segment}: a message that is not the one sent as number ${kept}`);
    }
  }
  return kept;
}
