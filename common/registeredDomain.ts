import { getDomain } from 'tldts';

/** The private section too: `alice.github.io` belongs to Alice. A rule for every suffix is not wanted: hosts are known. */
const OPTIONS = {
  allowPrivateDomains: true,
  extractHostname: false,
  validateHostname: false,
  detectIp: false,
} as const;
/** Names remembered, twice as many at most. */
const MOST_KNOWN = 50_000;

/** Names asked about before, a few of which make up most of the traffic: the newest, and what was there before them. */
let known = new Map<string, number>();
let older = new Map<string, number>();

/**
 * How many characters of a canonical name, from its end, are its registered domain by the Public Suffix List, with the
 * trailing dot; all of them where it has none (`com.`, `localhost.`).
 */
export function registeredDomainLength(name: string): number {
  const before = known.get(name);
  if (before !== undefined) return before;
  const length = older.get(name) ?? lengthOf(name);
  if (known.size >= MOST_KNOWN) {
    older = known;
    known = new Map();
  }
  known.set(name, length);
  return length;
}

function lengthOf(name: string): number {
  const domain = getDomain(name.slice(0, -1), OPTIONS);
  return domain === null || domain === '' ? name.length : domain.length + 1;
}
