import { getDomain } from 'tldts';

/** The private section too: `alice.github.io` belongs to Alice. A rule for every suffix is not wanted: hosts are known. */
const OPTIONS = {
  allowPrivateDomains: true,
  extractHostname: false,
  validateHostname: false,
  detectIp: false,
} as const;
const MOST_KNOWN = 50_000;

/** Domains looked up before, with the length of their registered domain, 0 where they have none. */
const known = new Map<string, number>();

/**
 * How many characters of a canonical name, from its end, are its registered domain by the Public Suffix List, with the
 * trailing dot; all of them where it has none (`com.`, `localhost.`).
 */
export function registeredDomainLength(name: string): number {
  // what is above a host has few names and most of the answers: only a name that is a public suffix of three labels or
  // more itself is taken for a host of the suffix above
  const dot = name.indexOf('.');
  const isPlain = dot > 0 && dot < name.length - 1 && name[dot - 1] !== '\\';
  return (isPlain && lookUp(name.slice(dot + 1))) || lookUp(name) || name.length;
}

function lookUp(name: string): number {
  const before = known.get(name);
  if (before !== undefined) return before;
  const domain = getDomain(name.endsWith('.') ? name.slice(0, -1) : name, OPTIONS);
  const length = domain === null || domain === '' ? 0 : domain.length + 1;
  if (known.size >= MOST_KNOWN) known.clear();
  known.set(name, length);
  return length;
}
