import type { Content } from '../../../collector/source/content.ts';

/** A content that gives its octets in pieces of these sizes, again and again. */
export function contentOf(octets: Buffer, sizes: readonly number[] = [octets.length]): Content {
  let at = 0;
  let reads = 0;
  return {
    portion: 16,
    async read(buffer, from) {
      const size = Math.max(1, sizes[reads++ % sizes.length] ?? 1);
      const count = octets.copy(buffer, from, at, Math.min(at + size, octets.length));
      at += count;
      return count;
    },
    close: async () => {},
  };
}
