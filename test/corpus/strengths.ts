import type { Kind } from './labels.ts';

/** Ways to another resolver: `opaque` is port 53 with messages that the exporter could not decode. */
const ROGUE_VARIANTS = ['udp', 'tcp', 'dot', 'doq', 'doh', 'opaque'] as const;

/**
 * What the strengths of each kind mean. Counts are of the whole attack, `hours` how long it lasts (shorter in a corpus
 * that has no room for it), `ttl` and `everySeconds` in seconds, `jitter` and `missed` shares. Where there are variants each
 * is planted once, else there are as many as the corpus is asked for.
 */
export const strengths = {
  first_seen: {
    weak: { clients: 1, questions: 1, hours: 1 },
    medium: { clients: 1, questions: 12, hours: 12 },
    strong: { clients: 4, questions: 60, hours: 24 },
  },
  /** A pool of addresses over /16 networks. Weak stays below the threshold of Holz et al. (NDSS 2008): 142.38. */
  fast_flux: {
    weak: { clients: 1, questions: 12, hours: 4, ttl: 600, addresses: 8, networks: 5, inAnswer: 2 },
    medium: { clients: 1, questions: 40, hours: 4, ttl: 300, addresses: 80, networks: 50, inAnswer: 4 },
    strong: { clients: 2, questions: 160, hours: 6, ttl: 120, addresses: 400, networks: 250, inAnswer: 6 },
  },
  /** As fast_flux, and of a pool of name servers the answers name some, with addresses that change too. */
  double_flux: {
    weak: { nameServers: 4, named: 2 },
    medium: { nameServers: 16, named: 3 },
    strong: { nameServers: 60, named: 4 },
  },
  /** Questions, or connections where they cannot be seen. */
  rogue_resolver: {
    weak: { clients: 1, flows: 3, hours: 1, variants: ROGUE_VARIANTS },
    medium: { clients: 1, flows: 40, hours: 6, variants: ROGUE_VARIANTS },
    strong: { clients: 3, flows: 400, hours: 24, variants: ROGUE_VARIANTS },
  },
  rare_tld: {
    weak: { clients: 1, domains: 2, questions: 6, hours: 2 },
    medium: { clients: 1, domains: 8, questions: 60, hours: 12 },
    strong: { clients: 3, domains: 30, questions: 300, hours: 36 },
  },
  nonexistent_tld: {
    weak: { clients: 1, names: 4, questions: 8, hours: 2 },
    medium: { clients: 1, names: 30, questions: 90, hours: 12 },
    strong: { clients: 6, names: 120, questions: 600, hours: 36 },
  },
  /** Domains that a generator makes, of which `registered` exist. */
  nxdomain_burst: {
    weak: { names: 25, registered: 0, hours: 2 },
    medium: { names: 150, registered: 1, hours: 1 },
    strong: { names: 600, registered: 2, hours: 0.5 },
  },
  /** Each question has so many labels of so many octets of base 32. */
  tunnelling: {
    weak: { questions: 40, labels: 1, labelOctets: 24, type: 'A', hours: 6 },
    medium: { questions: 400, labels: 1, labelOctets: 45, type: 'TXT', hours: 2 },
    strong: { questions: 2000, labels: 3, labelOctets: 55, type: 'NULL', hours: 1 },
  },
  name_explosion: {
    weak: { clients: 3, names: 40, hours: 3 },
    medium: { clients: 12, names: 300, hours: 3 },
    strong: { clients: 40, names: 1500, hours: 3 },
  },
  /** Those of `strong` show the word whole or one step away from it. */
  lookalike: {
    weak: { clients: 1, questions: 2, hours: 1, variants: ['two_edits', 'substitution', 'below'] },
    medium: { clients: 1, questions: 6, hours: 6, variants: ['combination', 'hyphenation', 'idn'] },
    strong: { clients: 2, questions: 20, hours: 12, variants: ['keyword', 'transposition', 'homoglyph'] },
  },
  beaconing: {
    weak: { everySeconds: 3600, jitter: 0.4, missed: 0.2, hours: 36 },
    medium: { everySeconds: 600, jitter: 0.15, missed: 0.05, hours: 24 },
    strong: { everySeconds: 300, jitter: 0.02, missed: 0, hours: 24 },
  },
  malformed_name: {
    weak: { names: 2, questions: 2, hours: 1, variants: ['hyphen', 'underscore'] },
    medium: { names: 12, questions: 24, hours: 6, variants: ['underscore', 'long_label'] },
    strong: { names: 60, questions: 120, hours: 12, variants: ['octets', 'underscore'] },
  },
  /** Answers that hold private addresses, so many different ones. */
  rebinding: {
    weak: { answers: 1, addresses: 1, ttl: 300, hours: 1 },
    medium: { answers: 8, addresses: 2, ttl: 10, hours: 1 },
    strong: { answers: 40, addresses: 8, ttl: 1, hours: 2 },
  },
} as const satisfies Record<Kind, object>;
