/** IPFIX decoder (RFC 7011, 6313, 5610, 5103, 5655): octets in, records out. No I/O, no clock. */
export { CERT_PEN, CERT_REVERSE_BIT, type InformationElement, REVERSE_PEN } from './elements.ts';
export { DecodeError, DecodeErrorCode } from './errors.ts';
export { recordToJson, templateToJson } from './json.ts';
export { MESSAGE_HEADER_LENGTH, type MessageHeader, MessageSplitter, readMessageHeader } from './message.ts';
export { Session, type Sink, type Undecodable } from './session.ts';
export { type BasicList, type DataRecord, type SubTemplateList, type SubTemplateMultiList, type Template, type Value } from './template.ts';
