import { getDomain } from 'tldts';

/** The private section too: `alice.github.io` belongs to Alice. A rule for every suffix is not wanted: hosts are known. */
const OPTIONS = {
  allowPrivateDomains: true,
  extractHostname: false,
  validateHostname: false,
  detectIp: false,
} as const;
const MOST_KNOWN = 100_000;

/** Names asked about before: a few make up most of the traffic. */
const known = new Map<string, number>();

/**
 * How many characters of a canonical name, from its end, are its registered domain by the Public Suffix List, with the
 * trailing dot; all of them where it has none (`com.`, `localhost.`).
 */
export function registeredDomainLength(name: string): number {
  const before = known.get(name);
  if (before !== undefined) return before;
  const domain = getDomain(name.slice(0, -1), OPTIONS);
  const length = domain === null || domain === '' ? name.length : domain.length + 1;
  if (known.size >= MOST_KNOWN) known.clear();
  known.set(name, length);
  return length;
}
