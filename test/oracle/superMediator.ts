/**
 * super_mediator 1.8.0's DNS de-duplication, as tuples that rows can be grouped into. It counts the RRs of the answer,
 * authority and additional sections alike, and leaves out empty owner names, empty values and the address 0.0.0.0.
 */
import { readText } from './ipfix2json.ts';
import { address, canonical, quoted } from './presentation.ts';
import type { ExpectedRr } from './rows.ts';

/** How often `tuple` ("type name value") was seen. */
export type Hits = Map<string, number>;

/** Types of which super_mediator prints a value: A NS CNAME SOA PTR MX TXT AAAA SRV. */
const types = [1, 2, 5, 6, 12, 15, 16, 28, 33];

const add = (hits: Hits, tuple: string, count: number) => hits.set(tuple, (hits.get(tuple) ?? 0) + count);

/** Groups rows, or groups of `count` rows, as super_mediator does: of SOA it has the mname, of MX and SRV the target. */
export function hitsOf(
  rrs: Iterable<Pick<ExpectedRr, 'section' | 'rrtype' | 'rrname' | 'rdata'> & { readonly count?: number }>,
): Hits {
  const hits: Hits = new Map();
  for (const { section, rrtype, rrname, rdata, count } of rrs) {
    if (section === 0 || rrname === null || rrname === '.' || rdata === null || !types.includes(rrtype))
      continue;
    const words = rdata.split(' ');
    const value = rrtype === 6 ? words[0]! : rrtype === 15 || rrtype === 33 ? words.at(-1)! : rdata;
    if (!['0.0.0.0', '.', '""'].includes(value)) add(hits, `${rrtype} ${rrname} ${value}`, count ?? 1);
  }
  return hits;
}

/** Reads a `dedup.txt` of an exporter that escapes names (YAF 2.16): `first|last|type|name|hits|value`. */
export function readDedup(path: string): Hits {
  const hits: Hits = new Map();
  for (const line of readText(path).split('\n')) {
    const [, , type, name, count, ...rest] = line.split('|');
    const rrtype = Number(type);
    const raw = rest.join('|');
    const rrname = name && canonical(name, true);
    if (!rrname || raw === '' || !types.includes(rrtype)) continue;
    const isAddress = rrtype === 1 || rrtype === 28;
    const value = rrtype === 16 ? quoted(raw, true) : isAddress ? address(raw) : canonical(raw, true);
    if (value !== null) add(hits, `${rrtype} ${rrname} ${value}`, Number(count));
  }
  return hits;
}

/** Tuples whose number of hits differs, with both numbers. */
export function differences(ours: Hits, theirs: Hits): string[] {
  const tuples = new Set([...ours.keys(), ...theirs.keys()]);
  return [...tuples]
    .filter(tuple => ours.get(tuple) !== theirs.get(tuple))
    .map(tuple => `${tuple}: ${ours.get(tuple) ?? 0}, super_mediator ${theirs.get(tuple) ?? 0}`);
}
