import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { fingerprint } from '../../../collector/source/identity.ts';

const directory = mkdtempSync(join(tmpdir(), 'dnstrail-identity-'));
afterAll(() => rmSync(directory, { recursive: true }));

function fileOf(name: string, octets: Buffer): string {
  const path = join(directory, name);
  writeFileSync(path, octets);
  return path;
}

const sha256 = (octets: Buffer): string => createHash('sha256').update(octets).digest('hex');
const octets = Buffer.from(Array.from({ length: 2_500_000 }, (_, n) => (n * 7919) >> 5));

describe('fingerprint', () => {
  it.each([0, 1, 63, 64, 65, 1_048_576, 2_500_000])(
    'digests the first %i octets on the way to the whole',
    async length => {
      const {
        size,
        sha256: whole,
        prefixes,
      } = await fingerprint(fileOf('plain', octets), () => [2_000_000, length, length]);
      expect(size).toBe(octets.length);
      expect(whole.toString('hex')).toBe(sha256(octets));
      expect(prefixes.get(length)?.toString('hex')).toBe(sha256(octets.subarray(0, length)));
      expect(prefixes.get(2_000_000)?.toString('hex')).toBe(sha256(octets.subarray(0, 2_000_000)));
    },
  );

  it('is the same for the compressed content', async () => {
    const plain = await fingerprint(fileOf('plain', octets), () => [1000]);
    expect(await fingerprint(fileOf('compressed', gzipSync(octets)), () => [1000])).toEqual(plain);
  });

  it('shows the head to whoever names the prefixes, and leaves out those beyond the end', async () => {
    const short = octets.subarray(100, 130);
    const heads: string[] = [];
    const { head, size, prefixes } = await fingerprint(fileOf('short', short), async head => {
      heads.push(head.toString('hex'));
      return [29, 30, 31];
    });
    expect(heads).toEqual([short.toString('hex')]);
    expect(head.equals(short)).toBe(true);
    expect(size).toBe(30);
    expect([...prefixes.keys()]).toEqual([29, 30]);
    expect((await fingerprint(fileOf('plain', octets))).head.equals(octets.subarray(0, 64))).toBe(true);
  });

  it('describes an empty file', async () => {
    const { head, size, sha256: whole } = await fingerprint(fileOf('empty', Buffer.alloc(0)));
    expect([head.length, size, whole.toString('hex')]).toEqual([0, 0, sha256(Buffer.alloc(0))]);
  });

  it('describes what can be inflated of a cut file, and says that it is cut', async () => {
    const gz = gzipSync(octets);
    const { size, sha256: whole, damage } = await fingerprint(fileOf('cut', gz.subarray(0, gz.length - 100)));
    expect(damage?.code).toBe('GZIP');
    expect(size).toBeGreaterThan(octets.length / 2);
    expect(whole.toString('hex')).toBe(sha256(octets.subarray(0, size)));
  });
});
