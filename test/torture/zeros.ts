import { deepEqual, equal, ok } from 'node:assert/strict';
import { appendFileSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { loadFiles } from '../../collector/load/load.ts';
import { recorded } from '../support/exporter.ts';
import { withDirectory } from '../support/processes.ts';
import { ledgerProblems } from './contents.ts';
import type { TestServer } from './server.ts';

/**
 * Loads a sparse file of zeros between two good streams: the zeros are one entry in quarantine, what is around them is
 * stored, and memory does not depend on how many there are.
 */
export function loadZeros(server: TestServer, octets: number) {
  return withDirectory(async directory => {
    const file = path.join(directory, 'zeros.ipfix');
    const [first, second] = [recorded('yaf2164-small'), recorded('yaf2164-dnssec')];
    writeFileSync(file, first);
    truncateSync(file, first.length + octets);
    appendFileSync(file, second);
    const database = await server.createDatabase();
    let mostMB = 0;
    const watch = setInterval(() => {
      mostMB = Math.max(mostMB, Math.round(process.memoryUsage.rss() / 2 ** 20));
    }, 20);
    const beforeMB = Math.round(process.memoryUsage.rss() / 2 ** 20);
    const begun = performance.now();
    try {
      const [report] = await loadFiles(database.url, [file]);
      const seconds = (performance.now() - begun) / 1000;
      equal(report?.status, 'partial');
      ok(report?.error?.includes(`octet ${first.length}: version 0`), report?.error ?? '');
      const { rows } = await database.pool.query<{ byte_offset: string; byte_length: string; kept: number }>(
        'select byte_offset, byte_length, length(bytes) as kept from public.quarantine',
      );
      deepEqual(rows, [{ byte_offset: String(first.length), byte_length: String(octets), kept: 65536 }]);
      deepEqual(await ledgerProblems(database.pool), []);
      ok(mostMB < beforeMB + 300, `memory: ${beforeMB} MB before, ${mostMB} MB`);
      return { octets, MBs: Math.round(octets / seconds / 1e6), beforeMB, mostMB, flows: report?.flows };
    } finally {
      clearInterval(watch);
      await database.drop();
    }
  });
}
