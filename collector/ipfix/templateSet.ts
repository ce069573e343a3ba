import type { ElementTable } from './elements.ts';
import { type MessageSet, SetId } from './set.ts';
import { type FieldSpecifier, Template } from './template.ts';

/** What one record of a template set or options template set says. */
export type TemplateRecord =
  | { readonly kind: 'definition'; readonly template: Template; readonly start: number; readonly end: number }
  /** Withdrawal of one template (RFC 7011 section 8.1). */
  | { readonly kind: 'withdrawal'; readonly templateId: number }
  /** Withdrawal of all templates, or all options templates. */
  | { readonly kind: 'withdrawalOfAll'; readonly options: boolean }
  /** Octets [start, end) of the set's buffer define nothing. What `templateId` meant so far, it means no more. */
  | {
      readonly kind: 'bad';
      readonly templateId: number;
      readonly message: string;
      readonly start: number;
      readonly end: number;
    };

/** A withdrawal, or the fixed part of a template record. */
const TEMPLATE_HEADER_LENGTH = 4;

/**
 * Reads a template set or options template set (RFC 7011 sections 3.4.1, 3.4.2, 8.1). A bad record takes the rest of
 * the set with it only where its own end cannot be known.
 */
export function readTemplateSet(
  set: MessageSet,
  observationDomainId: number,
  elements: ElementTable,
): TemplateRecord[] {
  const records: TemplateRecord[] = [];
  for (let at = set.start; set.end - at >= TEMPLATE_HEADER_LENGTH; ) {
    const templateId = set.buffer.readUInt16BE(at);
    const fieldCount = set.buffer.readUInt16BE(at + 2);
    if (templateId === 0 && fieldCount === 0) break; // padding
    if (fieldCount === 0) {
      records.push(readWithdrawal(set, templateId, at));
      at += TEMPLATE_HEADER_LENGTH;
      continue;
    }
    const record = readDefinition(set, at, templateId, fieldCount, { observationDomainId, elements });
    records.push(record);
    at = record.end;
  }
  return records;
}

function readWithdrawal(set: MessageSet, templateId: number, start: number): TemplateRecord {
  if (templateId === set.id) return { kind: 'withdrawalOfAll', options: set.id === SetId.optionsTemplate };
  if (templateId >= SetId.firstData) return { kind: 'withdrawal', templateId };
  const message = `withdrawal of template id ${templateId}, ids begin at ${SetId.firstData}`;
  return { kind: 'bad', templateId, message, start, end: start + TEMPLATE_HEADER_LENGTH };
}

interface Scope {
  readonly observationDomainId: number;
  readonly elements: ElementTable;
}

function readDefinition(
  set: MessageSet,
  start: number,
  templateId: number,
  fieldCount: number,
  { observationDomainId, elements }: Scope,
): TemplateRecord & { readonly end: number } {
  const { buffer } = set;
  const bad = (message: string, end: number) => ({ kind: 'bad', templateId, message, start, end }) as const;
  const isOptions = set.id === SetId.optionsTemplate;
  let at = start + TEMPLATE_HEADER_LENGTH;
  if (isOptions) at += 2;
  if (at > set.end) return bad(`options template ${templateId} ends before its scope field count`, set.end);
  const scopeCount = isOptions ? buffer.readUInt16BE(at - 2) : 0;
  const fields: FieldSpecifier[] = [];
  while (fields.length < fieldCount) {
    const size = set.end - at >= 4 && (buffer[at]! & 0x80) !== 0 ? 8 : 4; // checked: inside the set
    if (set.end - at < size)
      return bad(
        `template ${templateId} says ${fieldCount} fields, its set ends after ${fields.length}`,
        set.end,
      );
    const number = buffer.readUInt16BE(at);
    const element =
      size === 8 ? elements.get(buffer.readUInt32BE(at + 4), number & 0x7fff) : elements.get(0, number);
    fields.push({ element, length: buffer.readUInt16BE(at + 2) });
    at += size;
  }
  if (templateId < SetId.firstData)
    return bad(`template id ${templateId}, ids begin at ${SetId.firstData}`, at);
  if (isOptions && (scopeCount === 0 || scopeCount > fieldCount))
    return bad(`options template ${templateId} has ${scopeCount} scope fields of ${fieldCount}`, at);
  const octets = Buffer.from(buffer.subarray(start, at));
  const template = new Template(templateId, observationDomainId, scopeCount, fields, octets);
  // without this rule a few octets of a list could stand for gigabytes of records
  const empty = fields.filter(({ length }) => length === 0).length;
  if (empty > template.shortestRecord)
    return bad(`template ${templateId} has more fields without octets than octets`, at);
  return { kind: 'definition', template, start, end: at };
}
