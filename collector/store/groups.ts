import { registeredDomainLength } from '../../common/registeredDomain.ts';
import type { Address, MappedFlow, RrRow } from '../map/rows.ts';
import { canonicalOrder, type SetValue, targetOf } from './rdataSet.ts';

const DAY_US = 86_400_000_000;
/** Above so many records of one flow (zone transfers), sets are found through a map. */
const FEW = 64;
const NS = 2;
const SOA = 6;
/** Pseudo-types: not data of any zone (OPT, TKEY, TSIG). */
const PSEUDO_TYPES: ReadonlySet<number> = new Set([41, 249, 250]);

/** How often and when something was observed; times in microseconds since the Unix epoch. */
interface Observed {
  count: number;
  first: number;
  last: number;
}

/** Piece of `rrset`: one set of one UTC day. */
export interface RrsetGroup extends Observed {
  readonly rrname: string;
  readonly rrtype: number;
  readonly bailiwickLength: number;
  /** In canonical order. */
  readonly values: readonly SetValue[];
}

/** Piece of `rdata`: one value of one owner name in one UTC day. */
export interface RdataGroup extends Observed {
  readonly rrname: string;
  readonly rrtype: number;
  readonly ip: Address | null;
  readonly target: string | null;
  /** Null where it is the address or the target. */
  readonly rdata: string | null;
}

/** Piece of `asked`: one name, client and UTC day. */
export interface AskedGroup extends Observed {
  readonly rrname: string;
  readonly client: Address;
  /** Days since the Unix epoch. */
  readonly day: number;
}

/** Piece of `dns_name`. */
export interface NameGroup {
  readonly rrname: string;
  first: number;
  last: number;
}

/**
 * Observations with their equals merged, between two commits of them. Only what changes with every observation is done
 * for every observation; values one by one and names follow from the groups.
 */
export class Groups {
  readonly #rrsets = new Map<string, RrsetGroup>();
  readonly #asked = new Map<string, AskedGroup>();
  /** When the first observation came, milliseconds of performance.now(). */
  #since = 0;

  /** Groups held. */
  get size(): number {
    return this.#rrsets.size + this.#asked.size;
  }

  /** Milliseconds since the first observation; 0 when there is none. */
  get age(): number {
    return this.size === 0 ? 0 : performance.now() - this.#since;
  }

  add({ flow, rrs, client }: MappedFlow): void {
    if (rrs.length === 0) return;
    if (this.size === 0) this.#since = performance.now();
    const time = flow.start_time;
    const day = Math.floor(time / DAY_US);
    const sets = rrs.length > FEW ? new ManySets() : new FewSets();
    // a response repeats the question: that counts where the query was not seen
    let hasQuery = false;
    for (const row of rrs) {
      if (row.section !== 0) sets.add(row);
      else if (!row.qr) {
        hasQuery = true;
        this.#ask(row.rrname, client, day, time);
      }
    }
    if (!hasQuery) for (const row of rrs) if (row.section === 0) this.#ask(row.rrname, client, day, time);
    const { found } = sets;
    const zones = found.filter(({ rrtype }) => rrtype === NS || rrtype === SOA);
    for (const set of found) this.#observe(set, zones.length === 0 ? '' : zoneOf(set, zones), day, time);
  }

  #ask(rrname: string | null, client: Address, day: number, time: number): void {
    if (rrname === null) return;
    const who = typeof client === 'number' ? client : client.toString('latin1');
    const key = `${rrname} ${day} ${who}`;
    const known = this.#asked.get(key);
    if (known === undefined)
      this.#asked.set(key, { rrname, client: kept(client), day, count: 1, first: time, last: time });
    else see(known, time);
  }

  #observe(set: ResponseSet, zone: string, day: number, time: number): void {
    const { rrname, rrtype, rows } = set;
    let key = `${rrname} ${rrtype} ${zone} ${day}`;
    if (rows.length > 1) canonicalOrder(rrtype, rows);
    for (const { rdata } of rows) key += ` ${rdata}`;
    const known = this.#rrsets.get(key);
    if (known !== undefined) {
      see(known, time);
      return;
    }
    this.#rrsets.set(key, {
      rrname,
      rrtype,
      bailiwickLength: zone === '' ? registeredDomainLength(rrname) : zone.length,
      values: rows.map(({ rdata, ip }) => ({ rdata, ip: ip === null ? null : kept(ip) })),
      count: 1,
      first: time,
      last: time,
    });
  }

  get rrsets(): Iterable<RrsetGroup> {
    return this.#rrsets.values();
  }

  get asked(): Iterable<AskedGroup> {
    return this.#asked.values();
  }

  /** Values of the sets one by one: those of several sets of a name are added up. */
  rdata(): Iterable<RdataGroup> {
    const found = new Map<string, RdataGroup>();
    for (const { rrname, rrtype, values, count, first, last } of this.#rrsets.values()) {
      const day = Math.floor(first / DAY_US);
      for (const { rdata, ip } of values) {
        const target = ip === null ? targetOf(rrtype, rdata) : null;
        if (ip === null && target === null) continue;
        const key = `${rrname} ${rrtype} ${day} ${rdata}`;
        const known = found.get(key);
        if (known !== undefined) {
          known.count += count;
          known.first = Math.min(known.first, first);
          known.last = Math.max(known.last, last);
        } else {
          const isMore = ip === null && target !== rdata;
          found.set(key, { rrname, rrtype, ip, target, rdata: isMore ? rdata : null, count, first, last });
        }
      }
    }
    return found.values();
  }

  /** All names that were asked for or own a record. */
  names(): Iterable<NameGroup> {
    const found = new Map<string, NameGroup>();
    for (const groups of [this.#rrsets, this.#asked])
      for (const { rrname, first, last } of groups.values()) {
        const known = found.get(rrname);
        if (known === undefined) found.set(rrname, { rrname, first, last });
        else {
          known.first = Math.min(known.first, first);
          known.last = Math.max(known.last, last);
        }
      }
    return found.values();
  }
}

/** An RRset of one response: its records of one owner name and type (RFC 2181 section 5). */
interface ResponseSet {
  readonly rrname: string;
  readonly rrtype: number;
  readonly dnsId: number | null;
  readonly rows: SetValue[];
}

function setOf({ rrname, rrtype, dns_id }: RrRow): ResponseSet {
  return { rrname: rrname!, rrtype, dnsId: dns_id, rows: [] }; // isData
}

/** Whether a record tells what is in a zone. */
function isData({ qr, rrname, rdata, rrtype }: RrRow): boolean {
  return qr && rrname !== null && rdata !== null && !PSEUDO_TYPES.has(rrtype);
}

/** The sets of a few records, found by looking through them. */
class FewSets {
  readonly found: ResponseSet[] = [];

  add(row: RrRow): void {
    if (!isData(row)) return;
    let set: ResponseSet | undefined;
    for (const each of this.found)
      if (each.rrtype === row.rrtype && each.rrname === row.rrname && each.dnsId === row.dns_id) set = each;
    if (set === undefined) {
      set = setOf(row);
      this.found.push(set);
    }
    addValue(set, row);
  }
}

/** The sets of many records. */
class ManySets {
  readonly #sets = new Map<string, ResponseSet>();

  add(row: RrRow): void {
    if (!isData(row)) return;
    const key = `${row.rrname} ${row.rrtype} ${row.dns_id}`;
    let set = this.#sets.get(key);
    if (set === undefined) {
      set = setOf(row);
      this.#sets.set(key, set);
    }
    addValue(set, row);
  }

  get found(): ResponseSet[] {
    return [...this.#sets.values()];
  }
}

/** A set holds a value once: the payload and the exporter's records may both have brought it. */
function addValue({ rows }: ResponseSet, { rdata, rdata_ip }: RrRow): void {
  for (const row of rows) if (row.rdata === rdata) return;
  rows.push({ rdata: rdata!, ip: rdata_ip }); // isData
}

/** Owner of the NS or SOA in the same message that encloses the owner of a set most closely; empty when none does. */
function zoneOf({ rrname, dnsId }: ResponseSet, zones: readonly ResponseSet[]): string {
  let closest = '';
  for (const zone of zones)
    if (zone.dnsId === dnsId && zone.rrname.length > closest.length && encloses(zone.rrname, rrname))
      closest = zone.rrname;
  return closest;
}

function encloses(zone: string, name: string): boolean {
  if (!name.endsWith(zone)) return false;
  const before = name.length - zone.length - 1;
  if (before < 0 || zone === '.') return true;
  if (name[before] !== '.') return false;
  let backslashes = 0;
  while (name[before - 1 - backslashes] === '\\') backslashes++;
  return backslashes % 2 === 0; // an escaped dot parts nothing
}

function see(group: Observed, time: number): void {
  group.count++;
  if (time < group.first) group.first = time;
  else if (time > group.last) group.last = time;
}

/** An address that outlives the message it is a part of. */
function kept(address: Address): Address {
  return typeof address === 'number' ? address : Buffer.from(address);
}
