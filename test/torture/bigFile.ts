import { closeSync, openSync, writeSync } from 'node:fs';
import { recorded } from '../support/exporter.ts';

const parts = [
  'yaf2164-small-payload',
  'yaf2164-dnssec',
  'yaf2164-big',
  'yaf3-small',
  'tcp-reconnect-conn1',
  'tcp-reconnect-conn2',
  'tcp-reconnect-conn3',
  'yaf2164-small-udpuniflow',
  'pmacct-small',
];

/** Writes recorded streams one after the other into one file of at least so many octets; each defines its templates anew. */
export function writeBigFile(path: string, octets: number): void {
  const round = Buffer.concat(parts.map(recorded));
  const file = openSync(path, 'w');
  for (let size = 0; size < octets; size += round.length) writeSync(file, round);
  closeSync(file);
}
