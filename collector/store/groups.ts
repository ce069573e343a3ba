import { randomInt } from 'node:crypto';
import { registeredDomainLength } from '../../common/registeredDomain.ts';
import type { TierName } from '../../common/tiers.ts';
import type { Address, MappedFlow, RrRow } from '../map/rows.ts';
import { CopyBuffer } from './copyBuffer.ts';
import { CountedRows } from './countedRows.ts';
import { canonicalOrder, type SetValue, targetOf } from './rdataSet.ts';

const DAY_US = 86_400_000_000;
const A = 1;
const NS = 2;
const SOA = 6;
/** Pseudo-types: not data of any zone (OPT, TKEY, TSIG). */
const PSEUDO_TYPES: ReadonlySet<number> = new Set([41, 249, 250]);

/** Octets from the beginning of a row in COPY format to the length of a column: two, then four and its own for each. */
const RrsetColumn = { rrtype: 38, sourceId: 46, bailiwickLength: 52, rrname: 58 } as const;
const ASKED_CLIENT = 52;
const NAME_RRNAME = 32;
const IPV4_OCTETS = 12;
const IPV6_OCTETS = 24;

/** An RRset of one response: its records of one owner name and type (RFC 2181 section 5). Used again for each flow. */
interface ResponseSet {
  rrname: string;
  rrtype: number;
  dnsId: number | null;
  readonly values: SetValue[];
}

/** What another passive DNS observed; times in microseconds since the Unix epoch. */
export interface ForeignRrset {
  readonly rrname: string;
  readonly rrtype: number;
  /** End of the owner name; null where the other does not say. */
  readonly bailiwick: string | null;
  /** Without repetitions; of type A with their address. */
  readonly values: SetValue[];
  readonly count: number;
  readonly first: number;
  readonly last: number;
}

/**
 * Groups that the database has, for the next observations of this process: new memory of this size costs collections of
 * garbage.
 */
const spare: Groups[] = [];
const MOST_SPARE = 2;

/**
 * Observations with their equals added up, between two commits of them: rows of `rrset`, `rdata`, `asked` and `dns_name`
 * in COPY format.
 */
export class Groups {
  readonly #rrsets = new CountedRows();
  readonly #asked = new CountedRows();
  readonly #names = new CountedRows(false);
  /** Values of the sets, in the order of the sets; they are as often and as old as those. */
  readonly #rdata = new CopyBuffer();
  /** Of each value where its row begins in #rdata, and its set. */
  readonly #rdataRows: number[] = [];
  readonly #rdataSets: number[] = [];
  /** Of each name its registered domain; of each set and question the name. */
  readonly #domainLengths: number[] = [];
  readonly #rrsetNames: number[] = [];
  readonly #askedNames: number[] = [];
  /** When the first observation came, milliseconds of performance.now(). */
  #since = 0;
  readonly #sets: ResponseSet[] = [];
  #setCount = 0;

  /** Empty ones, in memory that was used before where there is any. */
  static take(): Groups {
    return spare.pop() ?? new Groups();
  }

  /** Gives the memory to later groups. Only for who knows that nothing reads what finish() returned any more. */
  recycle(): void {
    if (spare.length >= MOST_SPARE) return;
    for (const rows of [this.#rrsets, this.#asked, this.#names, this.#rdata]) rows.clear();
    for (const list of [
      this.#rdataRows,
      this.#rdataSets,
      this.#domainLengths,
      this.#rrsetNames,
      this.#askedNames,
    ])
      list.length = 0;
    spare.push(this);
  }

  /** Groups held. */
  get size(): number {
    return this.#rrsets.length + this.#asked.length;
  }

  /** Milliseconds since the first observation; 0 when there is none. */
  get age(): number {
    return this.size === 0 ? 0 : performance.now() - this.#since;
  }

  add({ flow, rrs, client }: MappedFlow): void {
    if (rrs.length === 0) return;
    if (this.size === 0) this.#since = performance.now();
    const time = flow.start_time;
    this.#setCount = 0;
    // a response repeats the question: that counts where the query was not seen
    let hasQuery = false;
    let hasZone = false;
    for (const row of rrs) {
      if (row.section !== 0) {
        if (row.rrtype === NS || row.rrtype === SOA) hasZone = true;
        this.#addRecord(row);
      } else if (!row.qr) {
        hasQuery = true;
        this.#ask(row.rrname, client, time);
      }
    }
    if (!hasQuery) for (const row of rrs) if (row.section === 0) this.#ask(row.rrname, client, time);
    for (let i = 0; i < this.#setCount; i++) {
      const { rrname, rrtype, values } = this.#sets[i]!; // i < setCount
      const zone = hasZone ? this.#zoneOf(this.#sets[i]!) : '';
      this.#observe(rrname, rrtype, zone.length, values, 1, time, time);
    }
  }

  addForeign({ rrname, rrtype, bailiwick, values, count, first, last }: ForeignRrset): void {
    if (this.size === 0) this.#since = performance.now();
    this.#observe(rrname, rrtype, bailiwick?.length ?? 0, values, count, first, last);
  }

  /**
   * What is to be copied into each tier. Nothing can be added any more.
   * @param sourceId public.rrset_source; 0 for what was observed here
   */
  finish(sourceId = 0): readonly (readonly [TierName, CopyBuffer])[] {
    const [rrsets, asked, names] = [this.#rrsets, this.#asked, this.#names];
    for (const [row, name] of this.#rrsetNames.entries())
      names.see(name, 0, rrsets.first(row), rrsets.last(row));
    for (const [row, name] of this.#askedNames.entries())
      names.see(name, 0, asked.first(row), asked.last(row));
    for (let row = 0; row < rrsets.length; row++)
      rrsets.out.setInt16(rrsets.at(row) + RrsetColumn.sourceId, sourceId);
    for (const [i, set] of this.#rdataSets.entries()) {
      const at = this.#rdataRows[i]!; // as many as #rdataSets
      rrsets.write(this.#rdata, at, set);
      this.#rdata.setInt16(at + RrsetColumn.sourceId, sourceId);
    }
    return [
      ['rrset', rrsets.finish()],
      ['rdata', this.#rdata],
      ['asked', asked.finish()],
      ['dns_name', names.finish()],
    ];
  }

  #addRecord({ qr, rrname, rrtype, rdata, rdata_ip: ip, dns_id }: RrRow): void {
    if (!qr || rrname === null || rdata === null || PSEUDO_TYPES.has(rrtype)) return;
    if (rrtype === A && ip === null) return; // damaged
    const { values } = this.#setOf(rrname, rrtype, dns_id);
    // a set holds a value once: the payload and the exporter's records may both have brought it
    for (const value of values) if (value.rdata === rdata) return;
    values.push({ rdata, ip });
  }

  #setOf(rrname: string, rrtype: number, dnsId: number | null): ResponseSet {
    for (let i = this.#setCount - 1; i >= 0; i--) {
      const set = this.#sets[i]!; // i < setCount
      if (set.rrtype === rrtype && set.dnsId === dnsId && set.rrname === rrname) return set;
    }
    const free = this.#sets[this.#setCount++];
    if (free === undefined) {
      const set = { rrname, rrtype, dnsId, values: [] };
      this.#sets.push(set);
      return set;
    }
    free.rrname = rrname;
    free.rrtype = rrtype;
    free.dnsId = dnsId;
    free.values.length = 0;
    return free;
  }

  /** Owner of the NS or SOA in the same message that encloses the owner of a set most closely. */
  #zoneOf({ rrname, dnsId }: ResponseSet): string {
    let closest = '';
    for (let i = 0; i < this.#setCount; i++) {
      const { rrtype, dnsId: id, rrname: zone } = this.#sets[i]!; // i < setCount
      const isZone = (rrtype === NS || rrtype === SOA) && id === dnsId;
      if (isZone && zone.length > closest.length && encloses(zone, rrname)) closest = zone;
    }
    return closest;
  }

  /** @param zoneLength of the enclosing zone, which is the end of the owner name; 0: the registered domain */
  #observe(
    rrname: string,
    rrtype: number,
    zoneLength: number,
    values: SetValue[],
    count: number,
    first: number,
    last: number,
  ): void {
    if (values.length > 1) canonicalOrder(rrtype, values);
    const rows = this.#rrsets;
    const day = Math.floor(first / DAY_US);
    let hash = hashText(rrname, rrtype ^ Math.imul(day, 0x9e3779b1));
    for (const { rdata } of values) hash = hashText(rdata, hash);
    let row = rows.find(hash);
    while (row >= 0 && !this.#isSet(row, rrname, rrtype, zoneLength, values, day)) row = rows.next();
    if (row < 0) row = this.#addSet(rrname, rrtype, zoneLength, values);
    rows.see(row, count, first, last);
  }

  #isSet(
    row: number,
    rrname: string,
    rrtype: number,
    zoneLength: number,
    values: readonly SetValue[],
    day: number,
  ): boolean {
    const { out } = this.#rrsets;
    const at = this.#rrsets.at(row);
    if (
      out.int32At(at + RrsetColumn.rrtype) !== rrtype ||
      Math.floor(this.#rrsets.first(row) / DAY_US) !== day
    )
      return false;
    const bailiwickLength = zoneLength || this.#domainLengths[this.#rrsetNames[row]!]!; // each has a name, and that a domain
    if (out.int16At(at + RrsetColumn.bailiwickLength) !== bailiwickLength) return false;
    const name = at + RrsetColumn.rrname;
    if (out.lengthAt(name) !== rrname.length || !out.hasAscii(name + 4, rrname)) return false;
    const rdata = name + 4 + rrname.length;
    const end = rdata + 4 + out.lengthAt(rdata);
    let from = rdata + 4;
    for (const value of values) {
      if (from + value.rdata.length > end || !out.hasAscii(from, value.rdata)) return false;
      from += value.rdata.length + 1; // and the line's end
    }
    return from === end + 1;
  }

  #addSet(rrname: string, rrtype: number, zoneLength: number, values: readonly SetValue[]): number {
    const name = this.#name(rrname);
    const { out } = this.#rrsets;
    const row = this.#rrsets.append();
    this.#rrsetNames.push(name);
    const rdata = values.length === 1 ? values[0]!.rdata : values.map(value => value.rdata).join('\n'); // length 1
    out.row(8, rrname.length + rdata.length);
    out.time(0);
    out.time(0);
    out.int64(0);
    out.int32(rrtype);
    out.int16(0);
    out.int16(zoneLength || this.#domainLengths[name]!); // each name has a domain
    out.ascii(rrname);
    out.ascii(rdata);
    for (const value of values) this.#addValue(row, rrname, rrtype, value);
    return row;
  }

  /** Values that are an address or point to a name, one by one. */
  #addValue(set: number, rrname: string, rrtype: number, { rdata, ip }: SetValue): void {
    const target = ip === null ? targetOf(rrtype, rdata) : null;
    if (ip === null && target === null) return;
    const out = this.#rdata;
    this.#rdataRows.push(out.length);
    this.#rdataSets.push(set);
    out.row(9, rrname.length + (target === null ? 0 : target.length + rdata.length));
    out.time(0);
    out.time(0);
    out.int64(0);
    out.int32(rrtype);
    out.int16(0);
    out.inet(ip);
    out.ascii(rrname);
    out.ascii(target);
    out.ascii(ip === null && target !== rdata ? rdata : null);
  }

  #ask(rrname: string | null, client: Address, time: number): void {
    if (rrname === null) return;
    const rows = this.#asked;
    const day = Math.floor(time / DAY_US);
    let row = rows.find(hashText(rrname, hashAddress(client) ^ Math.imul(day, 0x9e3779b1)));
    while (row >= 0 && !this.#isAsked(row, rrname, client, day)) row = rows.next();
    if (row < 0) row = this.#addAsked(rrname, client, day);
    rows.see(row, 1, time, time);
  }

  #isAsked(row: number, rrname: string, client: Address, day: number): boolean {
    const { out } = this.#asked;
    const at = this.#asked.at(row);
    if (Math.floor(this.#asked.first(row) / DAY_US) !== day) return false;
    if (!out.hasInet(at + ASKED_CLIENT, client)) return false;
    const name = at + ASKED_CLIENT + (typeof client === 'number' ? IPV4_OCTETS : IPV6_OCTETS);
    return out.lengthAt(name) === rrname.length && out.hasAscii(name + 4, rrname);
  }

  #addAsked(rrname: string, client: Address, day: number): number {
    const name = this.#name(rrname);
    const { out } = this.#asked;
    const row = this.#asked.append();
    this.#askedNames.push(name);
    out.row(7, rrname.length);
    out.time(0);
    out.time(0);
    out.int64(0);
    out.date(day);
    out.int16(this.#domainLengths[name]!); // each name has a domain
    out.inet(client);
    out.ascii(rrname);
    return row;
  }

  /** The row of a name that was asked for or owns a record. Its times follow from those. */
  #name(rrname: string): number {
    const rows = this.#names;
    const { out } = rows;
    for (let row = rows.find(hashText(rrname, 0)); row >= 0; row = rows.next()) {
      const at = rows.at(row) + NAME_RRNAME;
      if (out.lengthAt(at) === rrname.length && out.hasAscii(at + 4, rrname)) return row;
    }
    const domainLength = registeredDomainLength(rrname);
    const row = rows.append();
    this.#domainLengths.push(domainLength);
    out.row(4, rrname.length);
    out.time(0);
    out.time(0);
    out.int16(domainLength);
    out.ascii(rrname);
    return row;
  }
}

/** Not to be foreseen by who chooses names: those of one hash would all be compared with each other. */
const SEED = randomInt(2 ** 31);

function hashText(text: string, seed: number): number {
  let hash = SEED ^ seed ^ Math.imul(text.length, 0x85ebca6b);
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) ^ (hash >>> 13);
}

function hashAddress(address: Address): number {
  if (typeof address === 'number') return Math.imul(address, 0x9e3779b1);
  let hash = 0;
  for (let i = 0; i < address.length; i++) hash = Math.imul(hash ^ address[i]!, 0x01000193); // i < length
  return hash;
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
