/** Everything that can be wrong with IPFIX octets. The codes are stable: they name counters and quarantine reasons. */
export const DecodeErrorCode = {
  /** Message header does not say version 10 (RFC 7011 section 3.1). */
  version: 'version',
  /** Message shorter than its own header, or longer than what is there. */
  messageLength: 'message_length',
  /** The stream or file ends inside a message. */
  truncated: 'truncated',
  /** Set shorter than its header, or past the end of its message (section 3.3). */
  setLength: 'set_length',
  /** Set id 0, 1 or 4 to 255 (section 3.3.2). */
  setId: 'set_id',
  /** Template record that does not fit its set, or breaks a rule of section 3.4. */
  template: 'template',
  /** More templates, or fields of templates, than the session may define. */
  templateLimit: 'template_limit',
  /** More observation domains than the session may have. */
  domainLimit: 'domain_limit',
  /** Data set whose template never came (section 8). */
  unknownTemplate: 'unknown_template',
  /** Data record that runs past the end of its set. */
  record: 'record',
  /** Structured data (RFC 6313) that does not fit its field. */
  list: 'list',
  /** Structured data nested deeper than the decoder follows. */
  listDepth: 'list_depth',
  /** Structured data whose template is not known. */
  listTemplate: 'list_template',
} as const;

export type DecodeErrorCode = (typeof DecodeErrorCode)[keyof typeof DecodeErrorCode];

/** Octets that are no IPFIX message. `offset` counts from the start of the stream or file. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError';
  readonly code: DecodeErrorCode;
  readonly offset: number;

  constructor(code: DecodeErrorCode, offset: number, message: string) {
    super(`${message} (octet ${offset})`);
    this.code = code;
    this.offset = offset;
  }
}
