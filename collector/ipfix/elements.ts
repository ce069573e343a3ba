import { elementRows } from './elements.generated.ts';
import type { AbstractTypeName } from './types.ts';

/** Enterprise number under which reverse IANA elements appear (RFC 5103 section 6.1). */
export const REVERSE_PEN = 29305;
/** CERT, the makers of YAF. */
export const CERT_PEN = 6871;
/** CERT elements of the reverse direction carry this bit in their number (RFC 5103 section 6.2 leaves it to the enterprise). */
export const CERT_REVERSE_BIT = 0x4000;

/** Information element (RFC 7012 section 2.1). */
export interface InformationElement {
  /** Enterprise number, 0 for IANA's own. */
  readonly pen: number;
  readonly id: number;
  /** IANA or enterprise spelling; `_<pen>_<id>` when unknown. */
  readonly name: string;
  readonly type: AbstractTypeName;
  readonly semantics: string;
  readonly units: string;
  /** False: in no table and not described by the exporter; its values stay octets. */
  readonly known: boolean;
}

/** Map key of an element: enterprise numbers have 32 bits, ids 15 (or 16 with the reverse bit). */
const keyOf = (pen: number, id: number): number => pen * 65536 + id;

const wellKnown = new Map<number, InformationElement>();
for (const [pen, id, name, type, semantics, units] of elementRows) {
  wellKnown.set(keyOf(pen, id), { pen, id, name, type, semantics, units, known: true });
  const reverse = {
    name: `reverse${name[0]?.toUpperCase()}${name.slice(1)}`,
    type,
    semantics,
    units,
    known: true,
  };
  if (pen === 0) wellKnown.set(keyOf(REVERSE_PEN, id), { pen: REVERSE_PEN, id, ...reverse });
  if (pen === CERT_PEN) {
    const reverseId = id | CERT_REVERSE_BIT;
    wellKnown.set(keyOf(pen, reverseId), { pen, id: reverseId, ...reverse });
  }
}

/** The elements of one transport session: the built-in tables and what its type records add (RFC 5610). */
export class ElementTable {
  readonly #learned = new Map<number, InformationElement>();
  readonly #mostLearned: number;

  /** @param mostLearned elements that type records may add */
  constructor(mostLearned: number) {
    this.#mostLearned = mostLearned;
  }

  /** @returns the element; for an unknown one a placeholder of type octetArray, so that its octets are kept */
  get(pen: number, id: number): InformationElement {
    const key = keyOf(pen, id);
    return wellKnown.get(key) ?? this.#learned.get(key) ?? unknown(pen, id);
  }

  /**
   * Adds what a type record says of an element. The built-in tables win, and what was learned first: the records of
   * a session must not change their types on the way.
   * @returns whether it was news
   */
  learn(element: InformationElement): boolean {
    const key = keyOf(element.pen, element.id);
    if (wellKnown.has(key) || this.#learned.has(key) || this.#learned.size >= this.#mostLearned) return false;
    this.#learned.set(key, element);
    return true;
  }
}

function unknown(pen: number, id: number): InformationElement {
  return { pen, id, name: `_${pen}_${id}`, type: 'octetArray', semantics: '', units: '', known: false };
}
