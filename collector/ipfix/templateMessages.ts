import type { Domain } from './domain.ts';
import { MESSAGE_HEADER_LENGTH } from './message.ts';
import { SetId, writeSet } from './set.ts';
import type { Template } from './template.ts';

const LONGEST_MESSAGE = 65535;

/** A set as octets, and how many data records it adds to the sequence number. */
interface WrittenSet {
  readonly octets: Buffer;
  readonly dataRecords: number;
}

/**
 * Messages with all template records of a domain, and its type records. See `Session.templateMessages`.
 * @param exportTime seconds since the Unix epoch
 * @param sequenceNumber that the message after these will carry
 */
export function writeTemplateMessages(domain: Domain, exportTime: number, sequenceNumber: number): Buffer[] {
  const groups = messagesOf(setsOf(domain));
  const recordsOf = (sets: readonly WrittenSet[]) =>
    sets.reduce((sum, { dataRecords }) => sum + dataRecords, 0);
  let sequence = sequenceNumber - recordsOf(groups.flat());
  return groups.map(sets => {
    const header = Buffer.alloc(MESSAGE_HEADER_LENGTH);
    const message = Buffer.concat([header, ...sets.map(({ octets }) => octets)]);
    message.writeUInt16BE(10, 0);
    message.writeUInt16BE(message.length, 2);
    message.writeUInt32BE(exportTime, 4);
    message.writeUInt32BE(sequence >>> 0, 8);
    message.writeUInt32BE(domain.observationDomainId, 12);
    sequence += recordsOf(sets);
    return message;
  });
}

function setsOf(domain: Domain): WrittenSet[] {
  const isLive = (template: Template) => domain.templates.get(template.id) === template;
  const types = new Set(domain.typeRecords.map(({ template }) => template));
  return [
    // what records of a template said stays true after its id went to another
    ...[...types]
      .filter(template => !isLive(template))
      .flatMap(template => [definition(template), ...typeRecords(domain, template), withdrawal(template)]),
    ...[...domain.templates.values()]
      .sort((a, b) => Number(a.isOptions) - Number(b.isOptions))
      .map(definition),
    ...[...types].filter(isLive).flatMap(template => typeRecords(domain, template)),
  ];
}

function definition({ isOptions, octets }: Template): WrittenSet {
  return { octets: writeSet(isOptions ? SetId.optionsTemplate : SetId.template, octets), dataRecords: 0 };
}

/** Withdrawal (RFC 7011 section 8.1): the template record with no fields. */
function withdrawal({ octets }: Template): WrittenSet {
  return {
    octets: writeSet(SetId.optionsTemplate, Buffer.concat([octets.subarray(0, 2), Buffer.alloc(2)])),
    dataRecords: 0,
  };
}

function typeRecords(domain: Domain, template: Template): WrittenSet[] {
  return domain.typeRecords
    .filter(record => record.template === template)
    .map(({ octets }) => ({ octets: writeSet(template.id, octets), dataRecords: 1 }));
}

/** Distributes sets over as few messages as their lengths allow. */
function messagesOf(sets: readonly WrittenSet[]): WrittenSet[][] {
  const messages: WrittenSet[][] = [];
  let room = 0;
  for (const set of sets) {
    if (set.octets.length > room) {
      messages.push([]);
      room = LONGEST_MESSAGE - MESSAGE_HEADER_LENGTH;
    }
    messages.at(-1)?.push(set);
    room -= set.octets.length;
  }
  return messages;
}
