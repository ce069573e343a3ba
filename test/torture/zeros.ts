import { deepEqual, equal, ok } from 'node:assert/strict';
import { appendFileSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { LoadPool } from '../../collector/load/pool.ts';
import { recorded } from '../support/exporter.ts';
import { residentMB } from '../support/nodeChildren.ts';
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
    const other = path.join(directory, 'other.ipfix');
    writeFileSync(other, recorded('yaf2164-names'));
    const database = await server.createDatabase();
    const pool = new LoadPool(database.url, 1);
    const load = (from: string) => pool.load({ kind: 'load', path: from, exporterName: 'zeros' }).report;
    let watch: NodeJS.Timeout | undefined;
    try {
      await load(other); // what a process needs in any case is there then
      const beforeMB = residentMB();
      let mostMB = beforeMB;
      watch = setInterval(() => {
        mostMB = Math.max(mostMB, residentMB());
      }, 20);
      const begun = performance.now();
      const report = await load(file);
      const seconds = (performance.now() - begun) / 1000;
      equal(report.status, 'partial');
      ok(report.error?.includes(`octet ${first.length}: version 0`), report.error ?? '');
      const { rows } = await database.pool.query<{ byte_offset: string; byte_length: string; kept: number }>(
        'select byte_offset, byte_length, length(bytes) as kept from public.quarantine',
      );
      deepEqual(rows, [{ byte_offset: String(first.length), byte_length: String(octets), kept: 65536 }]);
      deepEqual(await ledgerProblems(database.pool), []);
      ok(mostMB < beforeMB + 100, `memory: ${beforeMB} MB before, ${mostMB} MB`);
      return { octets, MBs: Math.round(octets / seconds / 1e6), beforeMB, mostMB, flows: report.flows };
    } finally {
      clearInterval(watch);
      await pool.close();
      await database.drop();
    }
  });
}
