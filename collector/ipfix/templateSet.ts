import type { Domain } from './domain.ts';
import type { ElementTable } from './elements.ts';
import { DecodeError, DecodeErrorCode } from './errors.ts';
import { MESSAGE_HEADER_LENGTH } from './message.ts';
import { type FieldSpecifier, Template } from './template.ts';

/** Set ids (RFC 7011 section 3.3.2). */
export const SetId = { template: 2, optionsTemplate: 3, firstData: 256 } as const;

export interface TemplateEvents {
  defined(template: Template): void;
  /** Withdrawal of one template (RFC 7011 section 8.1). */
  withdrawn(templateId: number): void;
  /** Withdrawal of all templates, or all options templates. */
  allWithdrawn(options: boolean): void;
}

/**
 * Reads the template records of a set (RFC 7011 sections 3.4.1, 3.4.2, 8.1).
 * @throws DecodeError `template` with the offset in `buffer` of the record that is wrong; those before it are defined
 */
export function readTemplateSet(
  buffer: Buffer,
  setId: number,
  at: number,
  end: number,
  observationDomainId: number,
  elements: ElementTable,
  events: TemplateEvents,
): void {
  const options = setId === SetId.optionsTemplate;
  for (let p = at; end - p >= 4; ) {
    const id = buffer.readUInt16BE(p);
    const fieldCount = buffer.readUInt16BE(p + 2);
    if (id === 0 && fieldCount === 0) return; // padding
    if (fieldCount === 0) {
      if (id === setId) events.allWithdrawn(options);
      else if (id >= SetId.firstData) events.withdrawn(id);
      else throw bad(p, `withdrawal of template id ${id}, ids begin at 256`);
      p += 4;
      continue;
    }
    if (id < SetId.firstData) throw bad(p, `template id ${id}, ids begin at 256`);
    const start = p;
    p += 4;
    let scopeCount = 0;
    if (options) {
      if (end - p < 2) throw bad(start, `options template ${id} ends before its scope field count`);
      scopeCount = buffer.readUInt16BE(p);
      if (scopeCount === 0 || scopeCount > fieldCount) throw bad(start, `options template ${id} has ${scopeCount} scope fields of ${fieldCount}`);
      p += 2;
    }
    const fields: FieldSpecifier[] = [];
    for (let i = 0; i < fieldCount; i++) {
      const enterprise = p < end && (buffer[p]! & 0x80) !== 0;
      const size = enterprise ? 8 : 4;
      if (end - p < size) throw bad(start, `template ${id} says ${fieldCount} fields, its set ends after ${i}`);
      const number = buffer.readUInt16BE(p);
      const element = enterprise ? elements.get(buffer.readUInt32BE(p + 4), number & 0x7fff) : elements.get(0, number);
      fields.push({ element, length: buffer.readUInt16BE(p + 2) });
      p += size;
    }
    const template = new Template(id, observationDomainId, scopeCount, fields, Buffer.from(buffer.subarray(start, p)));
    if (template.shortestRecord === 0) throw bad(start, `template ${id} has records of zero length`);
    events.defined(template);
  }
}

function bad(at: number, message: string): DecodeError {
  return new DecodeError(DecodeErrorCode.template, at, message);
}

const LONGEST_MESSAGE = 65535;

/** Messages with all template records of a domain, and its type records. See `Session.templateMessages`. */
export function writeTemplateMessages(domain: Domain, exportTime: number, sequenceNumber: number): Buffer[] {
  const templates = [...domain.templates.values()];
  const parts = [
    ...templates.filter(t => !t.isOptions).map(t => ({ setId: SetId.template as number, octets: t.octets })),
    ...templates.filter(t => t.isOptions).map(t => ({ setId: SetId.optionsTemplate as number, octets: t.octets })),
  ];
  const types = domain.typeInformation.filter(({ templateId }) => domain.describesTypes(templateId));
  const write = (sets: readonly { setId: number; octets: Buffer }[], sequence: number): Buffer => {
    const message = Buffer.concat([Buffer.alloc(MESSAGE_HEADER_LENGTH), ...sets.flatMap(({ setId, octets }) => [setHeader(setId, octets.length), octets])]);
    message.writeUInt16BE(10, 0);
    message.writeUInt16BE(message.length, 2);
    message.writeUInt32BE(exportTime, 4);
    message.writeUInt32BE(sequence, 8);
    message.writeUInt32BE(domain.observationDomainId, 12);
    return message;
  };
  const typeSets = types.map(({ templateId, octets }) => ({ setId: templateId, octets }));
  // type records are data records: the sequence must arrive at `sequenceNumber` after them
  let before = sequenceNumber - typeSets.length;
  const typeMessages = messagesOf(typeSets).map(sets => {
    const message = write(sets, before >>> 0);
    before += sets.length;
    return message;
  });
  return [...messagesOf(parts).map(sets => write(sets, (sequenceNumber - typeSets.length) >>> 0)), ...typeMessages];
}

function setHeader(setId: number, length: number): Buffer {
  const header = Buffer.alloc(4);
  header.writeUInt16BE(setId, 0);
  header.writeUInt16BE(length + 4, 2);
  return header;
}

/** Distributes one-record sets over as few messages as their lengths allow. */
function messagesOf<T extends { readonly octets: Buffer }>(sets: readonly T[]): T[][] {
  const messages: T[][] = [];
  let room = 0;
  for (const set of sets) {
    const length = set.octets.length + 4;
    if (length > room) {
      messages.push([]);
      room = LONGEST_MESSAGE - MESSAGE_HEADER_LENGTH;
    }
    messages.at(-1)?.push(set);
    room -= length;
  }
  return messages;
}
