/** Element of a template: enterprise number, number, octets (65535: variable). */
export type Field = readonly [pen: number, id: number, length: number];

/** Octets after which a message is sent; YAF's reach 65 496. */
const MESSAGE_OCTETS = 65_000;
const HEADER_OCTETS = 16;
const ENTERPRISE_BIT = 0x8000;
const TEMPLATE_SET = 2;
/** A message and one record that makes it too long. */
const ROOM = 2 * 65_536;
const ALL_OF = 3;
const NTP_UNIX_OFFSET_SECONDS = 2_208_988_800;

/** Writes IPFIX messages (RFC 7011) of one observation domain: templates, records, the lists of RFC 6313. */
export class IpfixWriter {
  readonly #buffer = Buffer.alloc(ROOM);
  #at = HEADER_OCTETS;
  #setId = 0;
  #setStart = 0;
  #records = 0;
  /** Of them in earlier messages: the sequence number (section 3.1). */
  #recordsSent = 0;

  template(id: number, fields: readonly Field[]): void {
    this.#openSet(TEMPLATE_SET);
    this.u16(id);
    this.u16(fields.length);
    for (const [pen, element, length] of fields) {
      this.u16(pen === 0 ? element : element | ENTERPRISE_BIT);
      this.u16(length);
      if (pen !== 0) this.u32(pen);
    }
  }

  /**
   * Writes a data record.
   * @param write called again when the record no longer fits into the message
   * @returns the message that was full before it
   */
  record(templateId: number, exportTime: number, write: () => void): Buffer | undefined {
    const [at, setId, setStart] = [this.#at, this.#setId, this.#setStart];
    let full: Buffer | undefined;
    this.#openSet(templateId);
    write();
    if (this.#at > MESSAGE_OCTETS) {
      [this.#at, this.#setId, this.#setStart] = [at, setId, setStart];
      full = this.message(exportTime);
      this.#openSet(templateId);
      write();
    }
    this.#records++;
    return full;
  }

  /** Ends the message. @param exportTime seconds since the Unix epoch @returns a copy */
  message(exportTime: number): Buffer {
    this.#closeSet();
    this.#buffer.writeUInt16BE(10, 0);
    this.#buffer.writeUInt16BE(this.#at, 2);
    this.#buffer.writeUInt32BE(exportTime, 4);
    this.#buffer.writeUInt32BE(this.#recordsSent, 8);
    this.#buffer.writeUInt32BE(0, 12);
    const message = Buffer.from(this.#buffer.subarray(0, this.#at));
    this.#at = HEADER_OCTETS;
    this.#recordsSent = this.#records;
    return message;
  }

  u8(value: number): void {
    this.#at = this.#buffer.writeUInt8(value, this.#at);
  }

  u16(value: number): void {
    this.#at = this.#buffer.writeUInt16BE(value, this.#at);
  }

  u32(value: number): void {
    this.#at = this.#buffer.writeUInt32BE(value, this.#at);
  }

  /** Unsigned, up to 2^53. */
  u64(value: number): void {
    this.u32(Math.floor(value / 2 ** 32));
    this.u32(value % 2 ** 32);
  }

  /** dateTimeMicroseconds: an NTP time stamp (RFC 7011 section 6.1.9). @param time microseconds since the Unix epoch */
  microseconds(time: number): void {
    this.u32(Math.floor(time / 1e6) + NTP_UNIX_OFFSET_SECONDS);
    this.u32(Math.floor(((time % 1e6) * 2 ** 32) / 1e6));
  }

  zeros(octets: number): void {
    this.#buffer.fill(0, this.#at, this.#at + octets);
    this.#at += octets;
  }

  octets(value: Buffer): void {
    this.#at += value.copy(this.#buffer, this.#at);
  }

  /** Variable-length string of ASCII characters (RFC 7011 section 7). */
  string(value: string): void {
    if (value.length < 255) this.u8(value.length);
    else {
      this.u8(255);
      this.u16(value.length);
    }
    this.#at += this.#buffer.write(value, this.#at, 'latin1');
  }

  /** subTemplateList in the three octet length form that YAF uses. */
  subTemplateList(templateId: number, writeRecords?: () => void): void {
    const length = this.#openList();
    this.u16(templateId);
    writeRecords?.();
    this.#buffer.writeUInt16BE(this.#at - length - 2, length);
  }

  /** subTemplateMultiList with one entry. */
  subTemplateMultiList(templateId: number, writeRecords: () => void): void {
    const length = this.#openList();
    const entry = this.#at;
    this.u16(templateId);
    this.u16(0);
    writeRecords();
    this.#buffer.writeUInt16BE(this.#at - entry, entry + 2);
    this.#buffer.writeUInt16BE(this.#at - length - 2, length);
  }

  /** subTemplateMultiList without entries. */
  emptyMultiList(): void {
    const length = this.#openList();
    this.#buffer.writeUInt16BE(this.#at - length - 2, length);
  }

  /** @returns where the length is to be written */
  #openList(): number {
    this.u8(255);
    const length = this.#at;
    this.u16(0);
    this.u8(ALL_OF);
    return length;
  }

  #openSet(id: number): void {
    if (this.#setId === id) return;
    this.#closeSet();
    this.#setId = id;
    this.#setStart = this.#at;
    this.u16(id);
    this.u16(0);
  }

  #closeSet(): void {
    if (this.#setId !== 0) this.#buffer.writeUInt16BE(this.#at - this.#setStart, this.#setStart + 2);
    this.#setId = 0;
  }
}
