import { Domain } from './domain.ts';
import { ElementTable, type InformationElement } from './elements.ts';
import { DecodeError, DecodeErrorCode } from './errors.ts';
import { MESSAGE_HEADER_LENGTH, type MessageHeader, readMessageHeader } from './message.ts';
import { ListReader } from './structuredData.ts';
import { DataRecord, type Template, type Value } from './template.ts';
import { readTemplateSet, SetId, writeTemplateMessages } from './templateSet.ts';
import { readTypeInformation } from './typeInformation.ts';

/** Octets that could not be decoded, and why. */
export interface Undecodable {
  readonly code: DecodeErrorCode;
  readonly message: string;
  /** Where the octets begin in the stream or file. For lists: where their message begins. */
  readonly offset: number;
  readonly octets: Buffer;
  readonly observationDomainId: number;
  readonly setId: number;
}

/** Receives what a session decodes, in the order of the stream. */
export interface Sink {
  /**
   * One data record. It holds views on the message: copy what outlives the call.
   * @param streamOffset where the record's message begins
   */
  dataRecord(record: DataRecord, header: MessageHeader, streamOffset: number): void;
  undecodable(problem: Undecodable): void;
}

export interface SessionLimits {
  /** Templates of all observation domains together. */
  readonly templates: number;
  /** Observation domains. */
  readonly domains: number;
  /** Octets of data sets held until their template comes. */
  readonly heldOctets: number;
  /** Levels of nested lists. */
  readonly listDepth: number;
}

const defaultLimits: SessionLimits = { templates: 16384, domains: 4096, heldOctets: 4 << 20, listDepth: 16 };

/**
 * Decoder state of one transport session (RFC 7011 section 2): templates and sequence numbers per observation
 * domain, elements that the exporter described (RFC 5610), data sets that wait for their template.
 */
export class Session {
  readonly domains = new Map<number, Domain>();
  readonly elements = new ElementTable();
  readonly #limits: SessionLimits;
  readonly #lists: ListReader;
  #heldOctets = 0;
  #templateCount = 0;

  readonly #startsMidSession: boolean;

  /** @param startsMidSession the stream begins with a repetition of templates (`templateMessages`), then goes on */
  constructor(limits: Partial<SessionLimits> = {}, startsMidSession = false) {
    this.#startsMidSession = startsMidSession;
    this.#limits = { ...defaultLimits, ...limits };
    this.#lists = new ListReader(this.elements, this.#limits.listDepth);
  }

  /** Octets of data sets that wait for their template. */
  get heldOctets(): number {
    return this.#heldOctets;
  }

  /**
   * Decodes one whole message. What is wrong inside goes to the sink, the good records around it too.
   * @param streamOffset where the message begins in the stream or file
   * @throws DecodeError `version` | `message_length` for a bad header: not a message
   */
  decodeMessage(message: Buffer, streamOffset: number, sink: Sink): MessageHeader {
    const header = readMessageHeader(message, 0, streamOffset);
    const domain = this.#domain(header.observationDomainId);
    domain.countMessage(header.sequenceNumber);
    this.#eachSet(message, header, streamOffset, sink, (setId, at, end) => {
      if (setId <= SetId.optionsTemplate) this.#defineTemplates(message, setId, at, end, domain, streamOffset, sink);
      else this.#decodeDataSet(message, setId, at, end, domain, header, streamOffset, sink);
    });
    return header;
  }

  /** Learns templates and type information only, counting nothing: for a receiver that writes messages on. */
  readTemplates(message: Buffer, streamOffset = 0): void {
    const header = readMessageHeader(message, 0, streamOffset);
    const domain = this.#domain(header.observationDomainId);
    domain.lastSequenceNumber = header.sequenceNumber;
    this.#eachSet(message, header, streamOffset, silent, (setId, at, end) => {
      if (setId <= SetId.optionsTemplate) this.#defineTemplates(message, setId, at, end, domain, streamOffset, silent);
      else if (domain.templates.get(setId)?.isOptions === true && domain.describesTypes(setId))
        this.#decodeDataSet(message, setId, at, end, domain, header, streamOffset, silent);
    });
  }

  /**
   * Messages that define every live template of every domain, and repeat what type records said: put at the head
   * of a file they make the rest of the session readable alone.
   * @param exportTime seconds since the Unix epoch
   * @param sequenceNumber that the next message of a domain carries
   */
  templateMessages(exportTime: number, sequenceNumber: (observationDomainId: number) => number): Buffer[] {
    return [...this.domains.values()].flatMap(domain =>
      writeTemplateMessages(domain, exportTime, sequenceNumber(domain.observationDomainId)),
    );
  }

  /** Reports the data sets whose template never came. Call at the end of the session. */
  finish(sink: Sink): void {
    for (const domain of this.domains.values()) {
      for (const held of domain.takeHeld()) {
        const { setId, octets, streamOffset } = held;
        const message = `data set of template ${setId}, which was not defined before the end of the session`;
        sink.undecodable({ code: 'unknown_template', message, offset: streamOffset, octets, observationDomainId: domain.observationDomainId, setId });
      }
    }
    this.#heldOctets = 0;
  }

  #domain(observationDomainId: number): Domain {
    const known = this.domains.get(observationDomainId);
    if (known !== undefined) return known;
    const domain = new Domain(observationDomainId, this.#startsMidSession);
    // past the limit a domain lives for one message only: its own records decode, later ones lack their templates
    if (this.domains.size < this.#limits.domains) this.domains.set(observationDomainId, domain);
    return domain;
  }

  #eachSet(
    message: Buffer,
    header: MessageHeader,
    streamOffset: number,
    sink: Sink,
    read: (setId: number, at: number, end: number) => void,
  ): void {
    const { observationDomainId } = header;
    const messageEnd = Math.min(header.length, message.length);
    for (let at = MESSAGE_HEADER_LENGTH; at < messageEnd; ) {
      const left = messageEnd - at;
      const setId = left < 4 ? 0 : message.readUInt16BE(at);
      const length = left < 4 ? 0 : message.readUInt16BE(at + 2);
      const offset = streamOffset + at;
      if (length < 4 || length > left) {
        const text = `set ${setId} says ${length} octets where ${left} are left in its message`;
        this.#uncounted(observationDomainId);
        sink.undecodable({ code: 'set_length', message: text, offset, octets: message.subarray(at, messageEnd), observationDomainId, setId });
        return;
      }
      if (setId < SetId.template || (setId > SetId.optionsTemplate && setId < SetId.firstData))
        sink.undecodable({ code: 'set_id', message: `set id ${setId} is not assigned`, offset, octets: message.subarray(at, at + length), observationDomainId, setId });
      else read(setId, at + 4, at + length);
      at += length;
    }
  }

  #defineTemplates(message: Buffer, setId: number, at: number, end: number, domain: Domain, streamOffset: number, sink: Sink): void {
    const isDefined: Template[] = [];
    try {
      readTemplateSet(message, setId, at, end, domain.observationDomainId, this.elements, {
        withdrawn: id => {
          this.#templateCount -= domain.withdraw(id);
        },
        allWithdrawn: options => {
          this.#templateCount -= domain.withdrawAll(options);
        },
        defined: template => {
          if (!domain.templates.has(template.id) && ++this.#templateCount > this.#limits.templates) {
            this.#templateCount--;
            throw new DecodeError(DecodeErrorCode.templateLimit, at, `more than ${this.#limits.templates} templates in one session`);
          }
          if (domain.define(template)) isDefined.push(template);
        },
      });
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      const octets = message.subarray(error.offset, end);
      sink.undecodable({ code: error.code, message: error.message, offset: streamOffset + error.offset, octets, observationDomainId: domain.observationDomainId, setId });
    }
    for (const template of isDefined) this.#decodeHeld(domain, template, sink);
  }

  #decodeHeld(domain: Domain, template: Template, sink: Sink): void {
    for (const held of domain.takeHeld(template.id)) {
      this.#heldOctets -= held.octets.length;
      this.#decodeRecords(held.octets, template, 0, held.octets.length, domain, held.header, held.streamOffset, held.streamOffset, sink, false);
    }
  }

  #decodeDataSet(message: Buffer, setId: number, at: number, end: number, domain: Domain, header: MessageHeader, streamOffset: number, sink: Sink): void {
    const template = domain.templates.get(setId);
    if (template !== undefined) {
      this.#decodeRecords(message, template, at, end, domain, header, streamOffset, streamOffset + at, sink, true);
      return;
    }
    this.#uncounted(domain.observationDomainId);
    const octets = Buffer.from(message.subarray(at, end));
    if (this.#heldOctets + octets.length <= this.#limits.heldOctets) {
      this.#heldOctets += octets.length;
      domain.hold({ setId, octets, header, streamOffset });
      return;
    }
    const text = `data set of template ${setId}, which is not defined, and ${this.#heldOctets} octets of such sets are held already`;
    sink.undecodable({ code: 'unknown_template', message: text, offset: streamOffset + at - 4, octets, observationDomainId: domain.observationDomainId, setId });
  }

  #decodeRecords(
    buffer: Buffer,
    template: Template,
    at: number,
    end: number,
    domain: Domain,
    header: MessageHeader,
    streamOffset: number,
    octetsOffset: number,
    sink: Sink,
    countsForSequence: boolean,
  ): void {
    const lists = this.#lists;
    lists.useTemplates(domain.templates);
    let p = at;
    let start = at;
    try {
      while (end - p >= template.shortestRecord) {
        const record = new DataRecord(template, template.read(buffer, p, end, lists) as Value[]); // compiled readers give decoded values
        p = lists.end;
        domain.countRecord(template.id, countsForSequence);
        if (lists.problems.length > 0) this.#reportLists(streamOffset, domain.observationDomainId, template.id, sink);
        if (template.isOptions && domain.describesTypes(template.id)) this.#learnType(record, domain, buffer.subarray(start, p));
        sink.dataRecord(record, header, streamOffset);
        start = p;
      }
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      lists.problems = [];
      this.#uncounted(domain.observationDomainId);
      sink.undecodable({
        code: error.code,
        message: `data record of template ${template.id} runs past the end of its set`,
        offset: octetsOffset + (p - at),
        octets: buffer.subarray(p, end),
        observationDomainId: domain.observationDomainId,
        setId: template.id,
      });
    }
  }

  #reportLists(offset: number, observationDomainId: number, setId: number, sink: Sink): void {
    for (const { code, message, octets } of this.#lists.problems) sink.undecodable({ code, message, offset, octets, observationDomainId, setId });
    this.#lists.problems = [];
  }

  #learnType(record: DataRecord, domain: Domain, octets: Buffer): void {
    const element = readTypeInformation(record);
    if (element === undefined || !this.elements.learn(element)) return;
    domain.keepTypeInformation(record.template.id, octets);
    const lookup = (pen: number, id: number): InformationElement => this.elements.get(pen, id);
    for (const { templates } of this.domains.values()) for (const template of templates.values()) template.resolveElements(lookup);
  }

  /** A set whose records could not be counted: the next sequence number is taken as it comes. */
  #uncounted(observationDomainId: number): void {
    this.domains.get(observationDomainId)?.forgetSequence();
  }
}

const silent: Sink = { dataRecord: () => {}, undecodable: () => {} };
