import { Domain } from './domain.ts';
import { ElementTable } from './elements.ts';
import { DecodeError, DecodeErrorCode } from './errors.ts';
import { HeldSets } from './heldSets.ts';
import { type MessageHeader, readMessageHeader } from './message.ts';
import { type MessageSet, readSets, SetId } from './set.ts';
import { type Sink, silent } from './sink.ts';
import { ListReader } from './structuredData.ts';
import { DataRecord, type Template } from './template.ts';
import { writeTemplateMessages } from './templateMessages.ts';
import { readTemplateSet } from './templateSet.ts';
import { describesElements, readTypeInformation } from './typeInformation.ts';

/** What one exporter may make a session keep. */
export interface SessionLimits {
  /** Observation domains. */
  readonly domains: number;
  /** Templates of all observation domains together, and their fields. */
  readonly templates: number;
  readonly templateFields: number;
  /** Elements learned from type records (RFC 5610), and octets of these records. */
  readonly learnedElements: number;
  readonly typeRecordOctets: number;
  /** Octets of data sets held until their template comes. */
  readonly heldOctets: number;
  /** Levels of nested lists. */
  readonly listDepth: number;
}

const defaultLimits: SessionLimits = {
  domains: 4096,
  templates: 16384,
  templateFields: 262144,
  learnedElements: 4096,
  typeRecordOctets: 4 << 20,
  heldOctets: 4 << 20,
  listDepth: 16,
};

/** The message that is decoded, or of which a set was held. */
interface Context {
  readonly header: MessageHeader;
  /** Where the message begins in the stream or file. */
  readonly messageOffset: number;
  readonly domain: Domain;
  readonly sink: Sink;
}

/**
 * Decoder state of one transport session (RFC 7011 section 2): templates and sequence numbers per observation
 * domain, elements that the exporter described (RFC 5610), data sets that wait for their template.
 */
export class Session {
  readonly domains = new Map<number, Domain>();
  readonly elements: ElementTable;
  readonly #limits: SessionLimits;
  readonly #startsMidSession: boolean;
  readonly #lists: ListReader;
  readonly #held: HeldSets;
  #templates = 0;
  #templateFields = 0;
  #typeRecordOctets = 0;

  /** @param startsMidSession the stream begins with a repetition of templates (`templateMessages`), then goes on */
  constructor(limits: Partial<SessionLimits> = {}, startsMidSession = false) {
    this.#limits = { ...defaultLimits, ...limits };
    this.#startsMidSession = startsMidSession;
    this.elements = new ElementTable(this.#limits.learnedElements);
    this.#lists = new ListReader(this.elements, this.#limits.listDepth);
    this.#held = new HeldSets(this.#limits.heldOctets);
  }

  /** Octets of data sets that wait for their template, and a little for each set. */
  get heldOctets(): number {
    return this.#held.octets;
  }

  /**
   * Decodes one whole message. What is wrong inside goes to the sink, the good records around it too.
   * @param streamOffset where the message begins in the stream or file
   * @throws DecodeError `version` | `message_length` for a bad header: not a message
   */
  decodeMessage(message: Buffer, streamOffset: number, sink: Sink): MessageHeader {
    const header = wholeMessageHeader(message, streamOffset);
    const domain = this.#domain(header.observationDomainId);
    if (domain === undefined) {
      const text = `more than ${this.#limits.domains} observation domains in one session`;
      sink.undecodable({
        code: DecodeErrorCode.domainLimit,
        message: text,
        offset: streamOffset,
        octets: message,
        observationDomainId: header.observationDomainId,
        setId: 0,
      });
      return header;
    }
    domain.countMessage(header.sequenceNumber);
    const context: Context = { header, messageOffset: streamOffset, domain, sink };
    let defined: Template[] = [];
    for (const set of readSets(message, header, streamOffset)) {
      if (set.problem === undefined && set.id <= SetId.optionsTemplate) {
        defined.push(...this.#readTemplateSet(set, context));
        continue;
      }
      this.#decodeHeld(defined, context);
      defined = [];
      if (set.problem === undefined) this.#decodeDataSet(set, context);
      else {
        if (set.problem.code === DecodeErrorCode.setLength) domain.forgetSequence();
        report(context, set, set.problem, set.start, set.end);
      }
    }
    this.#decodeHeld(defined, context);
    return header;
  }

  /**
   * Learns templates and type information only, counting nothing: for a receiver that writes messages on.
   * @throws DecodeError `version` | `message_length`
   */
  readTemplates(message: Buffer, streamOffset = 0): void {
    const header = wholeMessageHeader(message, streamOffset);
    const domain = this.#domain(header.observationDomainId);
    if (domain === undefined) return;
    domain.lastSequenceNumber = header.sequenceNumber;
    const context: Context = { header, messageOffset: streamOffset, domain, sink: silent };
    for (const set of readSets(message, header, streamOffset)) {
      if (set.problem !== undefined) continue;
      if (set.id <= SetId.optionsTemplate) this.#readTemplateSet(set, context);
      else {
        const template = domain.templates.get(set.id);
        if (template !== undefined && describesElements(template))
          this.#decodeRecords(set, template, context, false);
      }
    }
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
    for (const { set, ...message } of this.#held.takeAll()) {
      const text = `data set of template ${set.id}, which was not defined before the end of the session`;
      report(
        { ...message, sink },
        set,
        { code: DecodeErrorCode.unknownTemplate, message: text },
        set.start,
        set.end,
      );
    }
  }

  #domain(observationDomainId: number): Domain | undefined {
    const known = this.domains.get(observationDomainId);
    if (known !== undefined || this.domains.size >= this.#limits.domains) return known;
    const domain = new Domain(observationDomainId, this.#startsMidSession);
    this.domains.set(observationDomainId, domain);
    return domain;
  }

  /** @returns the templates that are new or other than before */
  #readTemplateSet(set: MessageSet, context: Context): Template[] {
    const { domain } = context;
    const defined: Template[] = [];
    for (const record of readTemplateSet(set, domain.observationDomainId, this.elements)) {
      switch (record.kind) {
        case 'definition': {
          const { template, start, end } = record;
          if (domain.templates.get(template.id)?.octets.equals(template.octets)) break;
          if (this.#define(domain, template)) defined.push(template);
          else {
            const { templates, templateFields } = this.#limits;
            const message = `more than ${templates} templates or ${templateFields} fields in one session`;
            report(context, set, { code: DecodeErrorCode.templateLimit, message }, start, end);
          }
          break;
        }
        case 'withdrawal':
          if (!this.#withdraw(domain, record.templateId)) domain.strayWithdrawals++;
          break;
        case 'withdrawalOfAll':
          for (const { id, isOptions } of [...domain.templates.values()])
            if (isOptions === record.options) this.#withdraw(domain, id);
          break;
        case 'bad':
          this.#withdraw(domain, record.templateId);
          report(
            context,
            set,
            { code: DecodeErrorCode.template, message: record.message },
            record.start,
            record.end,
          );
      }
    }
    return defined;
  }

  /** @returns false when the session has too many; the id then means nothing, not what it meant before */
  #define(domain: Domain, template: Template): boolean {
    const old = domain.templates.get(template.id);
    const templates = this.#templates + (old === undefined ? 1 : 0);
    const fields = this.#templateFields + template.fields.length - (old?.fields.length ?? 0);
    if (templates > this.#limits.templates || fields > this.#limits.templateFields) {
      this.#withdraw(domain, template.id);
      return false;
    }
    this.#templates = templates;
    this.#templateFields = fields;
    domain.define(template);
    return true;
  }

  /** @returns whether there was such a template */
  #withdraw(domain: Domain, templateId: number): boolean {
    const template = domain.templates.get(templateId);
    if (template === undefined) return false;
    domain.templates.delete(templateId);
    this.#templates--;
    this.#templateFields -= template.fields.length;
    return true;
  }

  /** Decodes the sets that waited for these templates. */
  #decodeHeld(defined: readonly Template[], { domain, sink }: Context): void {
    for (const template of defined)
      for (const { set, ...message } of this.#held.take(domain, template.id))
        this.#decodeRecords(set, template, { ...message, sink }, true);
  }

  #decodeDataSet(set: MessageSet, context: Context): void {
    const template = context.domain.templates.get(set.id);
    if (template !== undefined) {
      this.#decodeRecords(set, template, context, false);
      return;
    }
    context.domain.forgetSequence();
    if (this.#held.hold({ set, ...context })) return;
    const message = `data set of template ${set.id}, which is not defined; ${this.#held.octets} octets of such sets are held already`;
    report(context, set, { code: DecodeErrorCode.unknownTemplate, message }, set.start, set.end);
  }

  #decodeRecords(set: MessageSet, template: Template, context: Context, wasHeld: boolean): void {
    const { domain, header, messageOffset, sink } = context;
    const isTypeInformation = describesElements(template);
    const lists = this.#lists;
    lists.useTemplates(domain.templates);
    let at = set.start;
    while (set.end - at >= template.shortestRecord) {
      const values = template.read(set.buffer, at, set.end, lists);
      if (values === undefined) {
        lists.problems = [];
        if (!wasHeld) domain.forgetSequence();
        const message = `data record of template ${template.id} runs past the end of its set`;
        report(context, set, { code: DecodeErrorCode.record, message }, at, set.end);
        return;
      }
      const record = new DataRecord(template, values);
      const { end } = lists;
      if (wasHeld) domain.countHeldRecord();
      else domain.countRecord(isTypeInformation);
      if (lists.problems.length > 0) this.#reportLists(context, set);
      if (isTypeInformation) this.#learn(record, domain, set.buffer.subarray(at, end));
      sink.dataRecord(record, header, messageOffset);
      at = end;
    }
  }

  #reportLists(context: Context, set: MessageSet): void {
    for (const { octets, ...problem } of this.#lists.problems) {
      const at = octets.byteOffset - set.buffer.byteOffset; // a view on the set's buffer
      report(context, set, problem, at, at + octets.length);
    }
    this.#lists.problems = [];
  }

  /** Takes up what a type record says of an element that was unknown, in the templates that are there already too. */
  #learn(record: DataRecord, domain: Domain, octets: Buffer): void {
    const element = readTypeInformation(record);
    if (element === undefined) return;
    if (this.#typeRecordOctets + octets.length > this.#limits.typeRecordOctets) return;
    if (!this.elements.learn(element)) return;
    this.#typeRecordOctets += octets.length;
    domain.typeRecords.push({ template: record.template, octets: Buffer.from(octets) });
    for (const { templates } of this.domains.values())
      for (const template of templates.values()) template.learn(element);
  }
}

function wholeMessageHeader(message: Buffer, streamOffset: number): MessageHeader {
  const header = readMessageHeader(message, 0, streamOffset);
  if (header.length > message.length) {
    const text = `message says ${header.length} octets where ${message.length} are there`;
    throw new DecodeError(DecodeErrorCode.messageLength, streamOffset, text);
  }
  return header;
}

/** Reports octets [start, end) of the buffer of a set. */
function report(
  { domain, sink }: Context,
  { id, buffer, bufferOffset }: MessageSet,
  { code, message }: { readonly code: DecodeErrorCode; readonly message: string },
  start: number,
  end: number,
): void {
  const offset = bufferOffset + start;
  const octets = buffer.subarray(start, end);
  sink.undecodable({
    code,
    message,
    offset,
    octets,
    observationDomainId: domain.observationDomainId,
    setId: id,
  });
}
