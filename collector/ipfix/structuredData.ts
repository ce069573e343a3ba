import type { ElementTable } from './elements.ts';
import { DecodeError } from './errors.ts';
import { compileReader, type StructuredDataReader } from './reader.ts';
import { type BasicList, DataRecord, type ListProblem, type SubTemplateList, type SubTemplateMultiList, type Template, type Value } from './template.ts';
import { VARIABLE_LENGTH } from './types.ts';

/**
 * Reads the lists of RFC 6313. A list that does not hold together keeps the records before the bad spot and its
 * undecoded octets; the record around it is whole, because the list's own length says where it goes on.
 */
export class ListReader implements StructuredDataReader {
  end = 0;
  /** Lists that had a problem since this was set to 0. */
  problems: ListProblem[] = [];
  readonly #elements: ElementTable;
  readonly #deepest: number;
  #templates: ReadonlyMap<number, Template> = new Map();
  #depth = 0;

  constructor(elements: ElementTable, deepest: number) {
    this.#elements = elements;
    this.#deepest = deepest;
  }

  /** Chooses the observation domain whose templates the lists use. */
  useTemplates(templates: ReadonlyMap<number, Template>): void {
    this.#templates = templates;
  }

  /** semantic(1) template id(2) record* */
  subTemplateList(buffer: Buffer, at: number, end: number): SubTemplateList {
    if (end - at < 3) return this.#brokenList(0, 0, 'list', 'subTemplateList shorter than its 3 octet header', buffer.subarray(at, end));
    return this.#records(buffer[at]!, buffer, (buffer[at + 1]! << 8) | buffer[at + 2]!, at + 3, end);
  }

  /** semantic(1) { template id(2) length(2, these 4 octets included) record* }* */
  subTemplateMultiList(buffer: Buffer, at: number, end: number): SubTemplateMultiList {
    if (end - at < 1) return { kind: 'subTemplateMultiList', semantic: 0, lists: [] };
    const semantic = buffer[at]!;
    const lists: SubTemplateList[] = [];
    for (let p = at + 1; p < end; ) {
      const length = end - p < 4 ? 0 : (buffer[p + 2]! << 8) | buffer[p + 3]!;
      if (length < 4 || length > end - p) {
        const problem = this.#problem('list', `subTemplateMultiList entry of ${length} octets where ${end - p} are left`, buffer.subarray(p, end));
        return { kind: 'subTemplateMultiList', semantic, lists, problem };
      }
      lists.push(this.#records(semantic, buffer, (buffer[p]! << 8) | buffer[p + 1]!, p + 4, p + length));
      p += length;
    }
    return { kind: 'subTemplateMultiList', semantic, lists };
  }

  /** semantic(1) field specifier(4 or 8) value* */
  basicList(buffer: Buffer, at: number, end: number): BasicList {
    const values: Value[] = [];
    const enterprise = end - at >= 3 && (buffer[at + 1]! & 0x80) !== 0;
    const start = at + (enterprise ? 9 : 5);
    if (end < start) {
      if (end === at) return { kind: 'basicList', semantic: 0, element: undefined, values };
      const problem = this.#problem('list', 'basicList shorter than its header', buffer.subarray(at, end));
      return { kind: 'basicList', semantic: buffer[at]!, element: undefined, values, problem };
    }
    const id = buffer.readUInt16BE(at + 1) & (enterprise ? 0x7fff : 0xffff);
    const element = this.#elements.get(enterprise ? buffer.readUInt32BE(at + 5) : 0, id);
    const length = buffer.readUInt16BE(at + 3);
    const list = { kind: 'basicList', semantic: buffer[at]!, element, values } as const;
    if (length === 0) {
      if (start === end) return list;
      return { ...list, problem: this.#problem('list', 'basicList of zero length values', buffer.subarray(start, end)) };
    }
    const read = this.#elementReader(element.pen, element.id, length);
    const problem = this.#nested(buffer, start, end, p => {
      values.push(read(buffer, p, end, this)[0] as Value); // a compiled reader gives decoded values
      return this.end;
    });
    return problem === undefined ? list : { ...list, problem };
  }

  readonly #elementReaders = new Map<string, ReturnType<typeof compileReader>>();

  #elementReader(pen: number, id: number, length: number): ReturnType<typeof compileReader> {
    const element = this.#elements.get(pen, id);
    const key = `${pen}/${id}/${length}/${element.type}`;
    const known = this.#elementReaders.get(key);
    if (known !== undefined) return known;
    if (this.#elementReaders.size >= 1024) this.#elementReaders.clear();
    const reader = compileReader([{ element, length: length === 0 ? VARIABLE_LENGTH : length }]);
    this.#elementReaders.set(key, reader);
    return reader;
  }

  #records(semantic: number, buffer: Buffer, templateId: number, at: number, end: number): SubTemplateList {
    const template = this.#templates.get(templateId);
    if (at === end) return { kind: 'subTemplateList', semantic, templateId, template, records: [] };
    if (template === undefined)
      return this.#brokenList(semantic, templateId, 'list_template', `list of records of template ${templateId}, which is not defined`, buffer.subarray(at, end));
    const records: DataRecord[] = [];
    const problem = this.#nested(buffer, at, end, p => {
      records.push(new DataRecord(template, template.read(buffer, p, end, this) as Value[])); // compiled readers give decoded values
      return this.end;
    });
    const list = { kind: 'subTemplateList', semantic, templateId, template, records } as const;
    return problem === undefined ? list : { ...list, problem };
  }

  /** Runs `readOne` until `end`, one level deeper. @returns the problem that stopped it */
  #nested(buffer: Buffer, at: number, end: number, readOne: (at: number) => number): ListProblem | undefined {
    if (this.#depth >= this.#deepest)
      return this.#problem('list_depth', `lists nested deeper than ${this.#deepest}`, buffer.subarray(at, end));
    this.#depth++;
    let p = at;
    try {
      while (p < end) p = readOne(p);
      return undefined;
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      return this.#problem('list', error.message, buffer.subarray(p, end));
    } finally {
      this.#depth--;
    }
  }

  #brokenList(semantic: number, templateId: number, code: ListProblem['code'], message: string, octets: Buffer): SubTemplateList {
    const problem = this.#problem(code, message, octets);
    return { kind: 'subTemplateList', semantic, templateId, template: undefined, records: [], problem };
  }

  #problem(code: ListProblem['code'], message: string, octets: Buffer): ListProblem {
    const problem = { code, message, octets };
    this.problems.push(problem);
    return problem;
  }
}
