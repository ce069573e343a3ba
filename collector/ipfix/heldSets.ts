import type { Domain } from './domain.ts';
import type { MessageHeader } from './message.ts';
import type { MessageSet } from './set.ts';

/** Data set that came before its template, with what is to be known of its message. */
export interface HeldSet {
  readonly set: MessageSet;
  readonly domain: Domain;
  readonly header: MessageHeader;
  readonly messageOffset: number;
}

/** What the objects around a held set cost at least: many empty sets must not be free. */
const OCTETS_PER_SET = 256;

/** Data sets that wait for their template (RFC 7011 section 8), bounded together. */
export class HeldSets {
  /** Octets held, and a little for each set. */
  octets = 0;
  readonly #most: number;
  readonly #sets = new Map<number, HeldSet[]>();

  constructor(mostOctets: number) {
    this.#most = mostOctets;
  }

  /** Keeps a copy. @returns false when there is no room */
  hold({ set, domain, header, messageOffset }: HeldSet): boolean {
    const octets = Buffer.from(set.buffer.subarray(set.start, set.end));
    if (this.octets + octets.length + OCTETS_PER_SET > this.#most) return false;
    this.octets += octets.length + OCTETS_PER_SET;
    const copy = {
      id: set.id,
      buffer: octets,
      start: 0,
      end: octets.length,
      bufferOffset: set.bufferOffset + set.start,
    };
    const key = keyOf(domain, set.id);
    const sets = this.#sets.get(key);
    if (sets === undefined) this.#sets.set(key, [{ set: copy, domain, header, messageOffset }]);
    else sets.push({ set: copy, domain, header, messageOffset });
    return true;
  }

  /** Takes out the sets of one template. */
  take(domain: Domain, templateId: number): readonly HeldSet[] {
    const key = keyOf(domain, templateId);
    const sets = this.#sets.get(key);
    if (sets === undefined) return [];
    this.#sets.delete(key);
    for (const { set } of sets) this.octets -= set.buffer.length + OCTETS_PER_SET;
    return sets;
  }

  /** Takes out all. */
  takeAll(): readonly HeldSet[] {
    const all = [...this.#sets.values()].flat();
    this.#sets.clear();
    this.octets = 0;
    return all;
  }
}

/** Domains have 32 bits, set ids 16. */
function keyOf(domain: Domain, setId: number): number {
  return domain.observationDomainId * 65536 + setId;
}
