import type { ElementTable } from './elements.ts';
import { DecodeErrorCode } from './errors.ts';
import { type StructuredDataReader, walkingReader } from './reader.ts';
import { SetId } from './set.ts';
import {
  type BasicList,
  DataRecord,
  type ListProblem,
  type SubTemplateList,
  type SubTemplateMultiList,
  type Template,
  type Value,
} from './template.ts';

/**
 * Reads the lists of RFC 6313. A list that does not hold together keeps the records before the bad spot and its
 * undecoded octets; the record around it is whole, because the list's own length says where it goes on. A list
 * without any octets, not even its header, is taken as empty: nothing is lost.
 */
export class ListReader implements StructuredDataReader {
  end = 0;
  /** What was wrong with lists since this was emptied. */
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
    if (end - at >= 3)
      return this.#subTemplateList(buffer[at]!, buffer, buffer.readUInt16BE(at + 1), at + 3, end);
    const empty = {
      kind: 'subTemplateList',
      semantic: 0,
      templateId: 0,
      template: undefined,
      records: [],
    } as const;
    if (at === end) return empty;
    const message = 'subTemplateList shorter than its 3 octet header';
    return { ...empty, problem: this.#problem(DecodeErrorCode.list, message, buffer.subarray(at, end)) };
  }

  /** semantic(1) { template id(2) length(2, these 4 octets included; 0 of an empty entry) record* }* */
  subTemplateMultiList(buffer: Buffer, at: number, end: number): SubTemplateMultiList {
    const lists: SubTemplateList[] = [];
    if (at === end) return { kind: 'subTemplateMultiList', semantic: 0, lists };
    const semantic = buffer[at]!; // there is an octet
    for (let p = at + 1; p < end; ) {
      const left = end - p;
      const templateId = left < 4 ? 0 : buffer.readUInt16BE(p);
      let length = left < 4 ? left : buffer.readUInt16BE(p + 2);
      if (length === 0 && templateId >= SetId.firstData) length = 4;
      if (length < 4 || length > left) {
        const message = `subTemplateMultiList entry of ${length} octets where ${left} are left`;
        const problem = this.#problem(DecodeErrorCode.list, message, buffer.subarray(p, end));
        return { kind: 'subTemplateMultiList', semantic, lists, problem };
      }
      lists.push(this.#subTemplateList(semantic, buffer, templateId, p + 4, p + length));
      p += length;
    }
    return { kind: 'subTemplateMultiList', semantic, lists };
  }

  /** semantic(1) field specifier(4 or 8) value* */
  basicList(buffer: Buffer, at: number, end: number): BasicList {
    const hasEnterprise = end - at >= 3 && (buffer[at + 1]! & 0x80) !== 0;
    const start = at + (hasEnterprise ? 9 : 5);
    if (end < start) {
      const empty = { kind: 'basicList', semantic: 0, element: undefined, values: [] } as const;
      if (at === end) return empty;
      const message = 'basicList shorter than its header';
      return { ...empty, problem: this.#problem(DecodeErrorCode.list, message, buffer.subarray(at, end)) };
    }
    const semantic = buffer[at]!; // there is a header
    const number = buffer.readUInt16BE(at + 1);
    const length = buffer.readUInt16BE(at + 3);
    const element = hasEnterprise
      ? this.#elements.get(buffer.readUInt32BE(at + 5), number & 0x7fff)
      : this.#elements.get(0, number);
    const values: Value[] = [];
    const list = { kind: 'basicList', semantic, element, values } as const;
    if (length === 0 && start < end) {
      const message = 'basicList of values without octets';
      return { ...list, problem: this.#problem(DecodeErrorCode.list, message, buffer.subarray(start, end)) };
    }
    if (start === end) return list;
    if (this.#depth >= this.#deepest) return { ...list, problem: this.#tooDeep(buffer.subarray(start, end)) };
    const read = walkingReader([{ element, length }]);
    this.#depth++;
    let p = start;
    while (p < end) {
      const record = read(buffer, p, end, this);
      if (record === undefined) break;
      values.push(...record);
      p = this.end;
    }
    this.#depth--;
    return p === end ? list : { ...list, problem: this.#overrun(buffer.subarray(p, end)) };
  }

  #subTemplateList(
    semantic: number,
    buffer: Buffer,
    templateId: number,
    at: number,
    end: number,
  ): SubTemplateList {
    const template = this.#templates.get(templateId);
    const records: DataRecord[] = [];
    const list = { kind: 'subTemplateList', semantic, templateId, template, records } as const;
    if (at === end) return list;
    if (template === undefined) {
      const message = `list of records of template ${templateId}, which is not defined`;
      return {
        ...list,
        problem: this.#problem(DecodeErrorCode.listTemplate, message, buffer.subarray(at, end)),
      };
    }
    if (this.#depth >= this.#deepest) return { ...list, problem: this.#tooDeep(buffer.subarray(at, end)) };
    this.#depth++;
    let p = at;
    while (p < end) {
      const values = template.read(buffer, p, end, this);
      if (values === undefined) break;
      records.push(new DataRecord(template, values));
      p = this.end;
    }
    this.#depth--;
    return p === end ? list : { ...list, problem: this.#overrun(buffer.subarray(p, end)) };
  }

  #tooDeep(octets: Buffer): ListProblem {
    return this.#problem(DecodeErrorCode.listDepth, `lists nested deeper than ${this.#deepest}`, octets);
  }

  #overrun(octets: Buffer): ListProblem {
    return this.#problem(DecodeErrorCode.list, 'value or record runs past the end of its list', octets);
  }

  #problem(code: ListProblem['code'], message: string, octets: Buffer): ListProblem {
    const problem = { code, message, octets };
    this.problems.push(problem);
    return problem;
  }
}
