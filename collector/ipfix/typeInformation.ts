import type { InformationElement } from './elements.ts';
import type { DataRecord, Template } from './template.ts';
import { abstractTypeNames } from './types.ts';

const IE = { informationElementId: 303, dataType: 339, name: 341, privateEnterpriseNumber: 346 } as const;

/** Whether an options template describes information elements (RFC 5610 section 3.9). */
export function isTypeInformation(template: Template): boolean {
  return template.isOptions && template.has(0, IE.informationElementId) && template.has(0, IE.dataType);
}

/** Reads one type record (RFC 5610 section 3). @returns undefined where it names no usable type */
export function readTypeInformation({ template, values }: DataRecord): InformationElement | undefined {
  const value = (id: number) => values[template.indexOf(0, id)];
  const id = value(IE.informationElementId);
  const pen = value(IE.privateEnterpriseNumber) ?? 0;
  const dataType = value(IE.dataType);
  const name = value(IE.name);
  const type = typeof dataType === 'number' ? abstractTypeNames[dataType] : undefined;
  if (typeof id !== 'number' || typeof pen !== 'number' || type === undefined) return undefined;
  return { pen, id, name: typeof name === 'string' && name !== '' ? name : `_${pen}_${id}`, type, semantics: '', units: '', known: true };
}
