import { parse } from 'tldts';

/** The last label of a name, with the trailing dot. */
export function topLevelDomain(name: string): string {
  return name.slice(name.lastIndexOf('.', name.length - 2) + 1);
}

const known = new Map<string, boolean>([['.', true]]);

/** Whether a last label stands in the root zone, by the ICANN section of the Public Suffix List, which holds all of them. */
export function isTopLevelDomain(tld: string): boolean {
  const before = known.get(tld);
  if (before !== undefined) return before;
  const below = `a.b.${tld.replace(/\.$/, '')}`;
  const exists =
    parse(below, { extractHostname: false, validateHostname: false, detectIp: false }).isIcann === true;
  if (known.size < 100_000) known.set(tld, exists);
  return exists;
}
