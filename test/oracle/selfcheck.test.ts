/**
 * Checks the expected rows themselves, against programs that had no part in making them: the counts of ipfixDump, the
 * de-duplication and the text of super_mediator, and tshark's dissection of the captures.
 */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { expectedRows, sharedFixtures } from './expected.ts';
import { readText } from './ipfix2json.ts';
import { canonical, typeName } from './presentation.ts';
import type { ExpectedRr } from './rows.ts';
import { differences, hitsOf, readDedup } from './superMediator.ts';
import { byDnsId, readTshark } from './tshark.ts';

const present = existsSync(`${sharedFixtures}README.md`);
if (!present) console.warn(`skipped: no fixtures in ${sharedFixtures}`);

/** Lines of the README's table of files that have an ipfix2json oracle. */
function tableOfFiles() {
  const lines = readFileSync(`${sharedFixtures}README.md`, 'utf8').split('\n');
  return lines
    .filter(line => line.startsWith('| `') && line.includes('.oracle.ndjson'))
    .map(line => {
      const cells = line.split(' | ');
      const name = /`(.+)\.ipfix(\.gz)?`/.exec(cells[0]!)![1]!;
      const [dataRecords, , flows, , sections] = cells.slice(5, 10);
      return { name, dataRecords: Number(dataRecords), flows: Number(flows), sections: sections! };
    });
}

describe.skipIf(!present)('expected rows', () => {
  const files = present ? tableOfFiles() : [];

  it('cover every file of the table', () => expect(files.length).toBeGreaterThanOrEqual(39));

  it.each(files)('of $name add up to the counts of ipfixDump', ({ name, dataRecords, flows, sections }) => {
    const expected = expectedRows(name);
    expect({
      dataRecords: expected.dataRecords,
      flows: expected.flows.length + expected.packets.length,
      sections: expected.sections.join('/'),
    }).toEqual({ dataRecords, flows, sections });
    expect(
      expected.flows.length + expected.packets.length + expected.optionRecords + expected.otherRecords,
    ).toBe(dataRecords);
    if (name.startsWith('ipfixprobe')) return;
    expect(expected.rrs.length + expected.fillers).toBe(
      expected.sections.reduce((sum, count) => sum + count),
    );
  });

  it.each(['yaf2164-small', 'yaf2164-names', 'yaf2164-behaviour'])(
    'of %s are counted by super_mediator alike',
    name => {
      const theirs = readDedup(`${sharedFixtures}${name}.dedup.txt.gz`);
      expect(theirs.size).toBeGreaterThan(20);
      expect(differences(hitsOf(expectedRows(name).rrs), theirs)).toEqual([]);
    },
  );

  it('of yaf2164-medium differ from super_mediator in damaged names only, and are the rows of its text', () => {
    const { rrs } = expectedRows('yaf2164-medium');
    const theirs = readDedup(`${sharedFixtures}yaf2164-medium.dedup.txt.gz`);
    const different = differences(hitsOf(rrs), theirs);
    expect(different.filter(line => !line.startsWith('1 many.big. '))).toEqual([]);
    expect(different.length).toBe(5);

    const ours = rrs.map(textLine).sort();
    const text = readText(`${sharedFixtures}yaf2164-medium.sm1-text.txt.gz`);
    const lines = text.split('\n').filter(line => line.startsWith('dns|'));
    const printed = lines.flatMap(line => {
      const [, qr, id, section, rcode, authoritative, type, ttl, name] = line.split('|');
      if (type === '0') return [];
      const rrname = name === '' ? '.' : canonical(name!, true);
      return [[qr, id, section, rcode, authoritative, type, ttl, rrname].join('|')];
    });
    expect(ours.length).toBe(96_464);
    expect(ours).toEqual(printed.sort());
  });

  const captures = [
    ['yaf2164-small', 'small'],
    ['yaf3-small', 'small'],
    ['yaf271-small', 'small'],
    ['yaf2164-small-udpuniflow', 'small'],
    ['yaf2164-small-nano', 'small'],
    ['yaf2164-names', 'names'],
    ['yaf2164-dnssec', 'dnssec'],
    ['yaf3-dnssec-on', 'dnssec'],
    ['tcp-reconnect-conn3', 'dnssec'],
    ['yaf2164-behaviour', 'behaviour'],
    ['yaf2164-big', 'big'],
  ] as const;

  it.each(captures)('of %s are in the packets of %s.pcap, as tshark sees them', (name, capture) => {
    const said = byDnsId(readTshark(`${sharedFixtures}${capture}.tshark.ndjson.gz`));
    // tshark shortens lines with long names, and this export has no mDNS
    const plain = expectedRows(name).rrs.filter(
      rr =>
        rr.section > 0 &&
        /^[a-z0-9._-]{0,200}$/.test(rr.rrname ?? 'unknown name') &&
        !rr.carrier.includes(' 5353'),
    );
    const unseen = plain.filter(rr => {
      const message = said.get(rr.dns_id)!;
      const [covered, , , , , , tag, , signature] = rr.rrtype === 46 ? (rr.rdata?.split(' ') ?? []) : [];
      return !(
        message.owners.has(`${rr.rrname} ${typeName(rr.rrtype)}`) &&
        message.ttls.has(rr.ttl!) &&
        (rr.rdata_ip === null || message.addresses.has(rr.rdata_ip)) &&
        (covered === undefined ||
          signature === '-' ||
          message.signatures.has(`${covered} ${tag} ${signature}`))
      );
    });
    expect(plain.length).toBeGreaterThan(100);
    expect(unseen).toEqual([]);
  });

  it.each(['yaf2164-small', 'yaf2164-small-nano', 'yaf2164-small-uniflow', 'yaf2164-small-udpuniflow'])(
    'of %s begin at the microsecond of a packet',
    name => {
      const times = new Set(readTshark(`${sharedFixtures}small.tshark.ndjson.gz`).map(({ time }) => time));
      const { rrs } = expectedRows(name);
      const early = rrs.filter(rr => !times.has(rr.time) && !rr.carrier.includes(' 5353'));
      expect(early).toEqual([]);
    },
  );
});

const textLine = (rr: ExpectedRr): string =>
  [
    rr.qr ? 'R' : 'Q',
    rr.dns_id,
    rr.section,
    rr.rcode,
    Number(rr.authoritative),
    rr.rrtype,
    rr.ttl,
    rr.rrname,
  ].join('|');
