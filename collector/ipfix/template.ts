import type { InformationElement } from './elements.ts';
import { type Reader, readerOf, type StructuredDataReader, shortestLength } from './reader.ts';

/** Field specifier (RFC 7011 section 3.2). */
export interface FieldSpecifier {
  readonly element: InformationElement;
  /** Octets on the wire; `VARIABLE_LENGTH` (65535) when each value carries its own length. */
  readonly length: number;
}

/** Template or options template of one observation domain (RFC 7011 sections 3.4.1 and 3.4.2). */
export class Template {
  readonly id: number;
  readonly observationDomainId: number;
  /** Number of leading scope fields; 0 for a template that is not an options template. */
  readonly scopeCount: number;
  /** The template record as it came, to write it again and to tell a repetition from a redefinition. */
  readonly octets: Buffer;
  /** A place for the consumer to keep what it derived from this template. Emptied when the fields change. */
  memo: unknown = undefined;
  #fields: readonly FieldSpecifier[];
  #shortest: number;
  #reader: Reader | undefined;

  constructor(
    id: number,
    observationDomainId: number,
    scopeCount: number,
    fields: readonly FieldSpecifier[],
    octets: Buffer,
  ) {
    this.id = id;
    this.observationDomainId = observationDomainId;
    this.scopeCount = scopeCount;
    this.octets = octets;
    this.#fields = fields;
    this.#shortest = shortestLength(fields);
  }

  get fields(): readonly FieldSpecifier[] {
    return this.#fields;
  }

  get isOptions(): boolean {
    return this.scopeCount > 0;
  }

  /** Octets of the shortest record; what is shorter at the end of a set is padding (section 3.3.1). */
  get shortestRecord(): number {
    return this.#shortest;
  }

  /** Position of an element among the fields, -1 when absent. `nth` counts from 0 where it occurs more than once. */
  indexOf(pen: number, id: number, nth = 0): number {
    let seen = 0;
    return this.#fields.findIndex(
      ({ element }) => element.pen === pen && element.id === id && seen++ === nth,
    );
  }

  has(pen: number, id: number): boolean {
    return this.indexOf(pen, id) >= 0;
  }

  /** Takes over what a type record (RFC 5610) says of an element that was unknown. */
  learn(element: InformationElement): void {
    const isMeant = (old: InformationElement) =>
      !old.known && old.pen === element.pen && old.id === element.id;
    if (!this.#fields.some(field => isMeant(field.element))) return;
    this.#fields = this.#fields.map(field => (isMeant(field.element) ? { ...field, element } : field));
    this.#reader = undefined;
    this.memo = undefined;
  }

  /**
   * Reads the record at `at`; where it ends is left in `lists.end`. The reader is made for the first one.
   * @returns the values, undefined when the record does not fit before `end`
   */
  read(buffer: Buffer, at: number, end: number, lists: StructuredDataReader): Value[] | undefined {
    this.#reader ??= readerOf(this.#fields);
    return this.#reader(buffer, at, end, lists);
  }
}

/** Data record (RFC 7011 section 3.4.3): the values in the order of the template's fields. */
export class DataRecord {
  readonly template: Template;
  readonly values: Value[];

  constructor(template: Template, values: Value[]) {
    this.template = template;
    this.values = values;
  }
}

/** basicList (RFC 6313 section 4.5.1): values of one element. */
export interface BasicList {
  readonly kind: 'basicList';
  readonly semantic: number;
  readonly element: InformationElement | undefined;
  readonly values: readonly Value[];
  /** Why the list ends early, and its undecoded octets. */
  readonly problem?: ListProblem;
}

/** subTemplateList (RFC 6313 section 4.5.2), and one entry of a subTemplateMultiList: records of one template. */
export interface SubTemplateList {
  readonly kind: 'subTemplateList';
  readonly semantic: number;
  /** Of an empty list this may be any id, even one never defined. */
  readonly templateId: number;
  readonly template: Template | undefined;
  readonly records: readonly DataRecord[];
  readonly problem?: ListProblem;
}

/** subTemplateMultiList (RFC 6313 section 4.5.3): lists of records, each of its own template. */
export interface SubTemplateMultiList {
  readonly kind: 'subTemplateMultiList';
  readonly semantic: number;
  readonly lists: readonly SubTemplateList[];
  readonly problem?: ListProblem;
}

export interface ListProblem {
  readonly code: 'list' | 'list_depth' | 'list_template';
  readonly message: string;
  readonly octets: Buffer;
}

/**
 * A decoded value, by abstract data type (RFC 7011 section 6.1):
 * - unsigned and signed integers, floats: number; bigint for 64-bit integers beyond 2^53
 * - boolean: boolean; null where it is neither 1 (true) nor 2 (false)
 * - string: octet string, one char per octet, because exporters send NUL and invalid UTF-8
 * - octetArray, macAddress, ipv6Address, and any value whose length its type does not allow: view on the message
 * - ipv4Address: number, 32 bits unsigned
 * - dateTimeSeconds: seconds, dateTimeMilliseconds: milliseconds, dateTimeMicroseconds: microseconds since the Unix
 *   epoch as number; dateTimeNanoseconds: nanoseconds as bigint
 * - lists: the objects above
 * - the element paddingOctets, whatever its octets: null
 */
export type Value =
  | number
  | bigint
  | string
  | boolean
  | Buffer
  | BasicList
  | SubTemplateList
  | SubTemplateMultiList
  | null;
