import { ipv4Text, ipv6Text } from './addressText.ts';
import type {
  BasicList,
  DataRecord,
  SubTemplateList,
  SubTemplateMultiList,
  Template,
  Value,
} from './template.ts';
import type { AbstractTypeName } from './types.ts';

type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

/**
 * A data record as JSON, for people: element names, times as ISO 8601, addresses as text, other octets in
 * hexadecimal, 64-bit integers beyond 2^53 as text. An element that occurs again gets `-2`, `-3` … Padding is left out.
 */
export function recordToJson(record: DataRecord): { readonly [name: string]: Json } {
  // a map, because an exporter may call its elements __proto__ or constructor
  const out = new Map<string, Json>();
  record.template.fields.forEach(({ element }, i) => {
    if (element.name === 'paddingOctets') return;
    let name = element.name;
    for (let n = 2; out.has(name); n++) name = `${element.name}-${n}`;
    out.set(name, valueToJson(record.values[i] ?? null, element.type));
  });
  return Object.fromEntries(out);
}

/** A template as JSON: its fields with element numbers and lengths. */
export function templateToJson(template: Template): { readonly [name: string]: Json } {
  return {
    templateId: template.id,
    observationDomainId: template.observationDomainId,
    scopeFields: template.scopeCount,
    fields: template.fields.map(({ element, length }) => ({
      name: element.name,
      pen: element.pen,
      id: element.id,
      length,
    })),
  };
}

function valueToJson(value: Value, type: AbstractTypeName): Json {
  if (value === null || typeof value === 'boolean') return value;
  if (typeof value === 'string') return text(value);
  if (typeof value === 'bigint')
    return type === 'dateTimeNanoseconds' ? nanoseconds(value) : value.toString();
  if (typeof value === 'number') return numberToJson(value, type);
  if (Buffer.isBuffer(value)) return octetsToJson(value, type);
  return listToJson(value);
}

function numberToJson(value: number, type: AbstractTypeName): Json {
  switch (type) {
    case 'ipv4Address':
      return ipv4Text(value);
    case 'dateTimeSeconds':
      return isoTime(value * 1000, '');
    case 'dateTimeMilliseconds':
      return isoTime(value, '');
    case 'dateTimeMicroseconds':
      return isoTime(Math.floor(value / 1000), String(((value % 1000) + 1000) % 1000).padStart(3, '0'));
    default:
      return Number.isFinite(value) ? value : String(value);
  }
}

function nanoseconds(value: bigint): string {
  const rest = ((value % 1_000_000n) + 1_000_000n) % 1_000_000n;
  return isoTime(Number((value - rest) / 1_000_000n), String(rest).padStart(6, '0'));
}

function isoTime(milliseconds: number, moreDigits: string): string {
  const date = new Date(milliseconds);
  return Number.isNaN(date.getTime())
    ? `${milliseconds} ms`
    : date.toISOString().replace('Z', `${moreDigits}Z`);
}

function octetsToJson(value: Buffer, type: AbstractTypeName): string {
  if (type === 'ipv6Address' && value.length === 16) return ipv6Text(value, 0);
  return type === 'macAddress'
    ? (value.toString('hex').match(/../g)?.join(':') ?? '')
    : value.toString('hex');
}

/** Octet string as text: UTF-8 where it is, else each octet above 126 as `\xHH`. */
function text(octets: string): string {
  if (/^[\x00-\x7f]*$/.test(octets)) return octets;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(octets, 'latin1'));
  } catch {
    return octets.replace(/[\x7f-\xff]/g, c => `\\x${c.charCodeAt(0).toString(16).toUpperCase()}`);
  }
}

function listToJson(list: BasicList | SubTemplateList | SubTemplateMultiList): Json {
  const problem =
    list.problem === undefined
      ? {}
      : { problem: list.problem.message, octets: list.problem.octets.toString('hex') };
  if (list.kind === 'basicList')
    return {
      element: list.element?.name ?? null,
      values: list.values.map(value => valueToJson(value, list.element?.type ?? 'octetArray')),
      ...problem,
    };
  if (list.kind === 'subTemplateList')
    return { templateId: list.templateId, records: list.records.map(recordToJson), ...problem };
  return { lists: list.lists.map(listToJson), ...problem };
}
