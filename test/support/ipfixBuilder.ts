/**
 * Octets of IPFIX messages for tests (RFC 7011, 6313). Everything is octets put together, so that wrong messages can
 * be built too: lengths are computed only where no `length` is given.
 *
 * ```ts
 * message([
 *   templateSet(template(256, [field(8, 4), field(95, VARIABLE)])),
 *   dataSet(256, record(ipv4('192.0.2.1'), variable('dns')), record(ipv4('192.0.2.2'), variable(''))),
 * ]);
 * ```
 */

/** Field length that announces variable-length values (RFC 7011 section 3.2). */
export const VARIABLE = 65535;

/** Octets, or text with one octet a character. */
export type Octets = Buffer | readonly number[] | string;

export interface Field {
  readonly id: number;
  readonly length: number;
  /** Enterprise number; 0 for an IANA element. */
  readonly pen: number;
}

/** Semantic of a list (RFC 6313 section 4.4). */
export const Semantic = {
  noneOf: 0,
  exactlyOneOf: 1,
  oneOrMoreOf: 2,
  allOf: 3,
  ordered: 4,
  undefined: 255,
} as const;

export function octets(...parts: readonly Octets[]): Buffer {
  return Buffer.concat(
    parts.map(part => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from(part))),
  );
}

/** Integer of `width` octets, big-endian; negative ones in two's complement. */
export function int(width: number, value: number | bigint): Buffer {
  const hex = BigInt.asUintN(8 * width, BigInt(value)).toString(16);
  return Buffer.from(hex.padStart(2 * width, '0'), 'hex');
}

export const u8 = (value: number): Buffer => int(1, value);
export const u16 = (value: number): Buffer => int(2, value);
export const u32 = (value: number): Buffer => int(4, value);
export const u64 = (value: number | bigint): Buffer => int(8, value);

export function ipv4(text: string): Buffer {
  return Buffer.from(text.split('.').map(Number));
}

export function field(id: number, length: number, pen = 0): Field {
  return { id, length, pen };
}

/** Field specifier: 4 octets, 8 with an enterprise number (RFC 7011 section 3.2). */
export function fieldSpecifier({ id, length, pen }: Field): Buffer {
  return pen === 0 ? octets(u16(id), u16(length)) : octets(u16(id | 0x8000), u16(length), u32(pen));
}

/** Template record (RFC 7011 section 3.4.1). */
export function template(id: number, fields: readonly Field[]): Buffer {
  return octets(u16(id), u16(fields.length), ...fields.map(fieldSpecifier));
}

/** Options template record (RFC 7011 section 3.4.2). */
export function optionsTemplate(id: number, scope: readonly Field[], fields: readonly Field[]): Buffer {
  const all = [...scope, ...fields];
  return octets(u16(id), u16(all.length), u16(scope.length), ...all.map(fieldSpecifier));
}

/** Withdrawal of one template, or, with id 2 or 3, of all of the kind (RFC 7011 section 8.1). */
export function withdrawal(id: number): Buffer {
  return octets(u16(id), u16(0));
}

/** Any set: header and content. @param length what its header says */
export function set(id: number, content: Octets, length: number = content.length + 4): Buffer {
  return octets(u16(id), u16(length), content);
}

export function templateSet(...records: readonly Octets[]): Buffer {
  return set(2, octets(...records));
}

export function optionsTemplateSet(...records: readonly Octets[]): Buffer {
  return set(3, octets(...records));
}

export function dataSet(templateId: number, ...records: readonly Octets[]): Buffer {
  return set(templateId, octets(...records));
}

/** Data record: its values one after another. */
export function record(...values: readonly Octets[]): Buffer {
  return octets(...values);
}

/** Variable-length value with the one-octet length where that is enough, else with three (RFC 7011 section 7). */
export function variable(value: Octets): Buffer {
  return value.length < 255 ? octets(u8(value.length), value) : variableLong(value);
}

/** Variable-length value with the three-octet length, which short values may have too. */
export function variableLong(value: Octets): Buffer {
  return octets([255], u16(value.length), value);
}

/** Content of a basicList (RFC 6313 section 4.5.1): values of one element. Wrap it in `variable` or `variableLong`. */
export function basicList(
  element: Field,
  values: readonly Octets[],
  semantic: number = Semantic.allOf,
): Buffer {
  return octets(u8(semantic), fieldSpecifier(element), ...values);
}

/** Content of a subTemplateList (RFC 6313 section 4.5.2): records of one template. */
export function subTemplateList(
  templateId: number,
  records: readonly Octets[],
  semantic: number = Semantic.allOf,
): Buffer {
  return octets(u8(semantic), u16(templateId), ...records);
}

/** One entry of a subTemplateMultiList. @param length what it says of itself, its 4 octet header included */
export function multiListEntry(templateId: number, records: readonly Octets[], length?: number): Buffer {
  const content = octets(...records);
  return octets(u16(templateId), u16(length ?? content.length + 4), content);
}

/** Content of a subTemplateMultiList (RFC 6313 section 4.5.3): lists of records, each of its own template. */
export function subTemplateMultiList(entries: readonly Octets[], semantic: number = Semantic.allOf): Buffer {
  return octets(u8(semantic), ...entries);
}

export interface Header {
  readonly version?: number;
  readonly length?: number;
  /** Seconds since the Unix epoch. */
  readonly exportTime?: number;
  readonly sequenceNumber?: number;
  readonly observationDomainId?: number;
}

/** Message (RFC 7011 section 3.1) of sets. */
export function message(sets: readonly Octets[], header: Header = {}): Buffer {
  const { version = 10, exportTime = 0, sequenceNumber = 0, observationDomainId = 0 } = header;
  const content = octets(...sets);
  const { length = 16 + content.length } = header;
  return octets(
    u16(version),
    u16(length),
    u32(exportTime),
    u32(sequenceNumber),
    u32(observationDomainId),
    content,
  );
}
