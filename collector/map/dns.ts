import { canonicalName } from '../../common/dnsName.ts';
import type { DataRecord, SubTemplateList } from '../ipfix/index.ts';
import type { Notes, RrRow } from './rows.ts';
import { type DnsPlan, planOf } from './plan.ts';

const QUESTION = 0;
const FILLER_TYPE = 0;
/** Types that the root zone itself owns: only for these an empty owner name can be the root. NS SOA DS RRSIG NSEC DNSKEY ZONEMD. */
const ROOT_TYPES: ReadonlySet<number> = new Set([2, 6, 43, 46, 47, 48, 63]);
/**
 * YAF 2.x keeps about 1000 octets of names and values of one flow; what 2.7 and 2.12 decode past that has lost its
 * owner name. Below, an empty name is the root.
 */
const TEXT_BUDGET = 900;

/** Maps the entries of the DNS lists of one flow, in their order. */
export class DnsEntries {
  readonly rows: RrRow[] = [];
  #textLength = 0;
  readonly #notes: Notes;

  constructor(notes: Notes) {
    this.#notes = notes;
  }

  add(plan: DnsPlan, { values }: DataRecord): void {
    const rrtype = number(values[plan.rrtype]);
    if (rrtype === FILLER_TYPE) {
      // YAF reserves the entries before it decodes the message, and sends the ones it then cannot fill as zeros
      this.#notes.count('filler_rr');
      return;
    }
    const section = number(values[plan.section]);
    const name = values[plan.name];
    const octets = typeof name === 'string' ? name : '';
    const rrname = this.#owner(octets, section, rrtype);
    const details = values[plan.details];
    const list = details !== null && typeof details === 'object' && 'kind' in details && details.kind === 'subTemplateList' ? details : undefined;
    const value = list === undefined ? undefined : this.#rdata(list, rrtype);
    this.#textLength += octets.length + (value?.rdata?.length ?? 0);
    this.rows.push({
      ttl: number(values[plan.ttl]),
      dns_id: number(values[plan.id]),
      rrtype,
      section,
      rcode: number(values[plan.rcode]),
      origin: 0,
      qr: number(values[plan.qr]) !== 0,
      authoritative: number(values[plan.authoritative]) !== 0,
      rrname,
      rdata: value?.rdata ?? null,
      rdata_ip: value?.rdata_ip ?? null,
    });
  }

  /** 2.x sends the root as empty string, 3.x as a dot; 2.7 and 2.12 send lost names as empty strings too. */
  #owner(octets: string, section: number, rrtype: number): string | null {
    const name = canonicalName(octets);
    if (name !== null) return name;
    if (this.#textLength < TEXT_BUDGET && (section === QUESTION || ROOT_TYPES.has(rrtype))) return '.';
    this.#notes.count('unknown_owner_name');
    return null;
  }

  #rdata(list: SubTemplateList, rrtype: number) {
    const record = list.records[0];
    if (record === undefined) return undefined; // the template id of an empty list means nothing
    return planOf(record.template).rdata?.(record, rrtype, this.#notes);
  }
}

function number(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}
