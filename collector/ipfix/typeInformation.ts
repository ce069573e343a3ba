import type { InformationElement } from './elements.ts';
import type { DataRecord, Template } from './template.ts';
import { abstractTypeNames } from './types.ts';

const IE = { informationElementId: 303, dataType: 339, name: 341, privateEnterpriseNumber: 346 } as const;

/** Spelling that RFC 7012 section 2.3 and real exporters use. What is not like this comes from nowhere good. */
const elementName = /^[A-Za-z_][\w-]{0,127}$/;

/** Whether the records of a template describe information elements (RFC 5610 section 3.9). */
export function describesElements(template: Template): boolean {
  return template.isOptions && template.has(0, IE.informationElementId) && template.has(0, IE.dataType);
}

/** Reads one type record (RFC 5610 section 3). @returns undefined where it names no usable type */
export function readTypeInformation({ template, values }: DataRecord): InformationElement | undefined {
  const value = (id: number) => values[template.indexOf(0, id)];
  const number = value(IE.informationElementId);
  const pen = value(IE.privateEnterpriseNumber) ?? 0;
  const dataType = value(IE.dataType);
  const name = value(IE.name);
  const type = typeof dataType === 'number' ? abstractTypeNames[dataType] : undefined;
  if (typeof number !== 'number' || typeof pen !== 'number' || type === undefined) return undefined;
  const id = number & 0x7fff; // some exporters leave the enterprise bit in
  const isName = typeof name === 'string' && elementName.test(name);
  return { pen, id, name: isName ? name : `_${pen}_${id}`, type, semantics: '', units: '', known: true };
}
