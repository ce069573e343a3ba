import { canonicalName } from '../../common/dnsName.ts';
import { ROOT_TYPES } from '../../common/rrtypes.ts';
import type { DataRecord, SubTemplateList, Value } from '../ipfix/index.ts';
import { type DnsPlan, planOf } from './plan.ts';
import type { Notes, RrRow } from './rows.ts';
import { integerAt } from './value.ts';
import type { Rdata } from './yafRdata.ts';

const QUESTION = 0;
const FILLER_TYPE = 0;
const NO_RDATA: Rdata = { rdata: null, rdata_ip: null };
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
    const rrtype = numberAt(values, plan.rrtype);
    if (rrtype === FILLER_TYPE) {
      // YAF reserves the entries before it decodes the message, and sends the ones it then cannot fill as zeros
      this.#notes.count('filler_rr');
      return;
    }
    const section = numberAt(values, plan.section);
    const name = values[plan.name];
    const octets = typeof name === 'string' ? name : '';
    const rrname = this.#owner(octets, section, rrtype);
    // the plan found a field of type subTemplateList there, and such a field decodes to nothing else
    const { rdata, rdata_ip } = this.#rdata(values[plan.details] as SubTemplateList, rrtype);
    this.#textLength += octets.length + (rdata?.length ?? 0);
    this.rows.push({
      ttl: numberAt(values, plan.ttl),
      dns_id: numberAt(values, plan.id),
      rrtype,
      section,
      rcode: numberAt(values, plan.rcode),
      origin: 0,
      qr: numberAt(values, plan.qr) !== 0,
      authoritative: numberAt(values, plan.authoritative) !== 0,
      rrname,
      rdata,
      rdata_ip,
    });
  }

  /** 2.x sends the root as empty string, 3.x as a dot; 2.7 and 2.12 send lost names as empty strings too. */
  #owner(octets: string, section: number, rrtype: number): string | null {
    const name = canonicalName(octets);
    if (name !== null) return name;
    const mayBeRoot = octets === '' && this.#textLength < TEXT_BUDGET;
    if (mayBeRoot && (section === QUESTION || ROOT_TYPES.has(rrtype))) return '.';
    this.#notes.count('unknown_owner_name');
    return null;
  }

  #rdata({ records }: SubTemplateList, rrtype: number): Rdata {
    const record = records[0];
    if (record === undefined) return NO_RDATA; // the template id of an empty list means nothing
    return planOf(record.template).rdata?.(record, rrtype, this.#notes) ?? NO_RDATA;
  }
}

function numberAt(values: readonly Value[], at: number): number {
  return integerAt(values, at) ?? 0;
}
