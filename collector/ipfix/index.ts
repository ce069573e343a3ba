/** IPFIX decoder (RFC 7011, 6313, 5610, 5103, 5655): octets in, records out. No I/O, no clock. */
export { ipv4Text, ipv6Text } from './addressText.ts';
export { CERT_PEN, CERT_REVERSE_BIT, type InformationElement, REVERSE_PEN } from './elements.ts';
export { DecodeError, DecodeErrorCode } from './errors.ts';
export { recordToJson, templateToJson } from './json.ts';
export { MESSAGE_HEADER_LENGTH, type MessageHeader, MessageSplitter, readMessageHeader } from './message.ts';
export { Session } from './session.ts';
export type { Sink, Undecodable } from './sink.ts';
export type {
  BasicList,
  DataRecord,
  SubTemplateList,
  SubTemplateMultiList,
  Template,
  Value,
} from './template.ts';
