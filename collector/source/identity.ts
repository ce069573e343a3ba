import { createHash } from 'node:crypto';
import { type Content, openContent, SourceError } from './content.ts';

/** What the content of a file is known by, whatever its name and whether it is compressed. */
export interface Fingerprint {
  /** The first octets, 64 or all there are: to look up candidates for "seen before". */
  readonly head: Buffer;
  /** Octets of the uncompressed content. */
  readonly size: number;
  readonly sha256: Buffer;
  /** SHA-256 of the first n octets, for each n that was asked for and is not beyond `size`. */
  readonly prefixes: ReadonlyMap<number, Buffer>;
  /** Set when compressed data is damaged or cut: the rest describes what could be inflated, as `readMessages` gives it. */
  readonly damage: SourceError | undefined;
}

const HEAD_LENGTH = 64;

/**
 * Reads the content of a file once, plain or gzip, and digests it. A file loaded before has the recorded `sha256`; one
 * that has grown since has the recorded digest as that of its first octets.
 * @param prefixLengths told the head, says which prefixes to digest too (in the ledger: the positions of files with that head)
 * @throws SourceError the path cannot be read
 */
export async function fingerprint(
  path: string,
  prefixLengths: (head: Buffer) => readonly number[] | Promise<readonly number[]> = () => [],
): Promise<Fingerprint> {
  const content = await openContent(path);
  try {
    const head = await fill(content, Buffer.alloc(HEAD_LENGTH));
    const wanted = [...new Set(await prefixLengths(Buffer.from(head.octets)))].sort((a, b) => a - b);
    const prefixes = new Map<number, Buffer>();
    const hash = createHash('sha256');
    let size = 0;
    let [free, spare] = [Buffer.allocUnsafe(content.portion), Buffer.allocUnsafe(content.portion)];
    let filled = head;
    for (;;) {
      // Reads ahead into one buffer while the other is digested.
      const ahead = filled.ended ? filled : fill(content, free);
      const { octets } = filled;
      let done = 0;
      while (wanted[0] !== undefined && wanted[0] <= size + octets.length) {
        const length = wanted.shift() ?? 0;
        hash.update(octets.subarray(done, length - size));
        done = length - size;
        prefixes.set(length, hash.copy().digest());
      }
      hash.update(octets.subarray(done));
      size += octets.length;
      if (filled.ended)
        return { head: head.octets, size, sha256: hash.digest(), prefixes, damage: filled.damage };
      filled = await ahead;
      [free, spare] = [spare, free];
    }
  } finally {
    await content.close();
  }
}

interface Filled {
  readonly octets: Buffer;
  readonly ended: boolean;
  readonly damage?: SourceError;
}

/** Fills the whole buffer unless the content ends before. */
async function fill(content: Content, buffer: Buffer): Promise<Filled> {
  let length = 0;
  while (length < buffer.length) {
    try {
      const count = await content.read(buffer, length);
      if (count === 0) return { octets: buffer.subarray(0, length), ended: true };
      length += count;
    } catch (error) {
      if (!(error instanceof SourceError) || error.code !== 'GZIP') throw error;
      return { octets: buffer.subarray(0, length), ended: true, damage: error };
    }
  }
  return { octets: buffer, ended: false };
}
