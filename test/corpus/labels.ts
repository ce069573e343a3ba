export const KINDS = [
  'first_seen',
  'fast_flux',
  'double_flux',
  'rogue_resolver',
  'rare_tld',
  'nonexistent_tld',
  'nxdomain_burst',
  'tunnelling',
  'name_explosion',
  'lookalike',
  'beaconing',
  'malformed_name',
  'rebinding',
] as const;
export type Kind = (typeof KINDS)[number];

export const STRENGTHS = ['weak', 'medium', 'strong'] as const;
export type Strength = (typeof STRENGTHS)[number];

/**
 * One planted attack: what a detection of its kind should find. Names are canonical, with trailing dot.
 *
 * What `subject` is, by kind:
 * - first_seen, fast_flux, double_flux, tunnelling, name_explosion, lookalike, beaconing, malformed_name, rebinding: the
 *   registered domain
 * - rogue_resolver: the address of the resolver in text; for variant `doh` the name of the endpoint
 * - rare_tld, nonexistent_tld: the TLD
 * - nxdomain_burst: the address of the client
 */
export interface Label {
  readonly kind: Kind;
  readonly strength: Strength;
  readonly subject: string;
  /** Which way, where a kind has several: `doh`, `homoglyph` and the like. */
  readonly variant?: string;
  /** The address of who does it, when it is one. */
  readonly client?: string;
  /** Addresses of all who do it. */
  readonly clients: readonly string[];
  /** The first flow starts at `from` or later, the last before `to`. */
  readonly from: Date;
  readonly to: Date;
  /** What else the same traffic rightly shows: neither right nor wrong when found. */
  readonly also: readonly { readonly kind: Kind; readonly subject: string }[];
}
