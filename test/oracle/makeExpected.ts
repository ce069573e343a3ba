/**
 * Writes test/fixtures: copies the exporters' files from a fixtures directory and puts the rows that are expected of each
 * beside it. `node test/oracle/makeExpected.ts [DIRECTORY]`
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { expectedRows, sharedFixtures } from './expected.ts';

/** Files of exporters that are shipped; `.gz` where the file is gzipped to keep the repository small. */
const shipped = [
  'yaf271-small.ipfix.gz',
  'yaf2122-small.ipfix.gz',
  'yaf2164-small.ipfix',
  'yaf3-small.ipfix',
  'yaf271-names.ipfix',
  'yaf2164-names.ipfix',
  'yaf3-names.ipfix.gz',
  'yaf2164-dnssec.ipfix',
  'yaf3-dnssec-on.ipfix.gz',
  'yaf2164-big.ipfix',
  'yaf2164-small-uniflow.ipfix.gz',
  'yaf2164-small-udpuniflow.ipfix.gz',
  'yaf2164-small-silk.ipfix.gz',
  'yaf2164-small-mac-delta.ipfix.gz',
  'yaf2164-small-payload.ipfix',
  'yaf2164-small-nano.ipfix.gz',
  'yaf2164-small-ip6all.ipfix.gz',
  'yaf2164-small-stats-entropy.ipfix.gz',
  'yaf2164-small-metadata.ipfix.gz',
  'yaf2164-small-flowonly.ipfix',
  'yaf2164-small-odid-if.ipfix.gz',
  'yaf2164-malformed.ipfix',
  'yaf2164-tcp-cut.ipfix.gz',
  'yaf2122-vlan.ipfix',
  'pmacct-small.ipfix.gz',
  'ipfixprobe-small.ipfix.gz',
  'ipfixprobe-names.ipfix',
  'sm18-dedup-behaviour.ipfix.gz',
  'tcp-reconnect-conn1.ipfix',
  'tcp-reconnect-conn2.ipfix',
  'tcp-reconnect-conn3.ipfix',
];

const source = process.argv[2] ?? sharedFixtures;
const target = new URL('../fixtures/', import.meta.url);
mkdirSync(target, { recursive: true });
for (const file of shipped) {
  const name = file.replace(/\.ipfix(\.gz)?$/, '');
  const content = readFileSync(`${source}/${name}.ipfix`);
  writeFileSync(new URL(file, target), file.endsWith('.gz') ? gzipSync(content, { level: 9 }) : content);
  const expected = JSON.stringify(expectedRows(name, source));
  writeFileSync(new URL(`${name}.expected.json.gz`, target), gzipSync(expected, { level: 9 }));
}
