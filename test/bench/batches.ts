import { readMessageHeader } from '../../collector/ipfix/index.ts';
import { FileDecoder } from '../../collector/load/fileDecoder.ts';
import { readMessages } from '../../collector/source/messages.ts';
import type { Batch } from '../../collector/store/batch.ts';

/** Octets of rows in a batch, as the loader makes them. */
export const BATCH_BYTES = 8 << 20;

/** Groups of observations that wait for their batch, as the loader makes them. */
const MOST_GROUPS = 250_000;

/** Decodes, maps and encodes a file as the loader does, without a database. */
export async function* batchesOf(path: string): AsyncGenerator<Batch, void> {
  const decoder = new FileDecoder(1, { position: 0, groupedPosition: 0 }, new Map(), false);
  for await (const block of readMessages(path)) {
    if (block.bad !== undefined) continue;
    for (let at = block.start; at < block.end; ) {
      const message = block.buffer.subarray(at, at + block.buffer.readUInt16BE(at + 2));
      decoder.setExporter(readMessageHeader(message, 0, 0).observationDomainId, 1);
      decoder.decode(message, block.streamOffset + at - block.start);
      if (decoder.batch.length >= BATCH_BYTES) yield decoder.takeBatch(decoder.groups.size >= MOST_GROUPS);
      at += message.length;
    }
  }
  yield decoder.takeBatch(true);
}
