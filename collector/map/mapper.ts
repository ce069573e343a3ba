import type { DataRecord, MessageHeader, SubTemplateList, Value } from '../ipfix/index.ts';
import { sourceIsResolver, touchesDnsPort } from './client.ts';
import { DnsEntries } from './dns.ts';
import { PACKET_RECORD, tcpFlagsAt } from './flow.ts';
import { ipfixprobeRows } from './ipfixprobe.ts';
import { decodePayload } from './payload.ts';
import { mergePayload } from './payloadRows.ts';
import { type DetailsPlan, type Plan, planOf } from './plan.ts';
import type { FlowRow, Mapped, MappedFlow, Notes } from './rows.ts';
import { integerAt, macAt } from './value.ts';

const APPLICATION_DNS = 53;
const DNS_OVER_TLS = 853;
const TCP = 6;
const other: Mapped = { kind: 'other' };

/** Maps the data records of one transport session. Keeps of it only when its exporters were started. */
export class Mapper {
  readonly #notes: Notes;
  readonly #systemInitTimeMs = new Map<number, number>();

  constructor(notes: Notes) {
    this.#notes = notes;
  }

  /** What a top-level data record is, and its rows. They may hold views on the message. */
  map(record: DataRecord, header: MessageHeader): Mapped {
    const plan = planOf(record.template);
    if (plan.options !== null) {
      const systemInitTimeMs = integerAt(record.values, plan.options.systemInitTime);
      if (systemInitTimeMs !== null) this.#systemInitTimeMs.set(header.observationDomainId, systemInitTimeMs);
      return plan.options.read(record);
    }
    const flow =
      plan.flow?.(record, header, this.#systemInitTimeMs.get(header.observationDomainId), this.#notes) ??
      null;
    return flow === null ? other : { kind: 'flow', value: this.#flow(flow, plan, record) };
  }

  #flow(flow: FlowRow, plan: Plan, record: DataRecord): MappedFlow {
    const found = new FlowContent(flow, this.#notes);
    found.readRecord(plan, record);
    const rrs = found.entries.rows;
    if (plan.ipfixprobe !== null) rrs.push(...ipfixprobeRows(plan.ipfixprobe, record, flow, this.#notes));
    found.decodePayloads();
    const isResponse = rrs.length > 0 && sourceIsResolver(flow, rrs);
    return {
      flow,
      isPacketRecord: flow.end_reason === PACKET_RECORD,
      client: isResponse ? flow.dst : flow.src,
      resolver: isResponse ? flow.src : flow.dst,
      rrs,
    };
  }
}

/** Gathers what one flow record and its lists hold, at whatever depth: 2.x nests deeper than 3.x. */
class FlowContent {
  readonly entries: DnsEntries;
  readonly #payloads: Buffer[] = [];
  readonly #flow: FlowRow;
  readonly #notes: Notes;

  constructor(flow: FlowRow, notes: Notes) {
    this.#flow = flow;
    this.#notes = notes;
    this.entries = new DnsEntries(notes);
  }

  /** Reads payload and lists of the flow record or of a record in its lists. */
  readRecord(plan: Plan, { values }: DataRecord): void {
    if (plan.payload >= 0) this.#addPayload(values[plan.payload]);
    if (plan.reversePayload >= 0) this.#addPayload(values[plan.reversePayload]);
    for (const position of plan.lists) this.#readList(values[position]);
  }

  #readList(value: Value | undefined): void {
    if (value === null || typeof value !== 'object' || !('kind' in value)) return;
    if (value.kind === 'subTemplateMultiList') for (const list of value.lists) this.#readRecords(list);
    else if (value.kind === 'subTemplateList') this.#readRecords(value);
  }

  #readRecords({ records }: SubTemplateList): void {
    for (const record of records) {
      const plan = planOf(record.template);
      if (plan.dns !== null) {
        this.entries.add(plan.dns, record);
        continue;
      }
      if (plan.details !== null) this.#complete(plan.details, record);
      this.readRecord(plan, record);
    }
  }

  /** What the flow record itself says counts first. */
  #complete(plan: DetailsPlan, { values }: DataRecord): void {
    const flow = this.#flow;
    flow.tcp_flags ??= tcpFlagsAt(values, plan.tcpFlags.forward);
    flow.reverse_tcp_flags ??= tcpFlagsAt(values, plan.tcpFlags.reverse);
    flow.src_mac ??= macAt(values, plan.srcMac);
    flow.dst_mac ??= macAt(values, plan.dstMac);
  }

  #addPayload(value: Value | undefined): void {
    if (Buffer.isBuffer(value) && value.length > 0) this.#payloads.push(value);
  }

  /** Decodes captured payload where DNS is spoken in the clear. */
  decodePayloads(): void {
    if (this.#payloads.length === 0) return;
    const { src_port, dst_port, protocol, application } = this.#flow;
    const isDns = touchesDnsPort(this.#flow) || application === APPLICATION_DNS;
    if (!isDns || src_port === DNS_OVER_TLS || dst_port === DNS_OVER_TLS) return;
    const transport = protocol === TCP ? 'tcp' : 'udp';
    const messages = this.#payloads.flatMap(payload => {
      const decoded = decodePayload(payload, transport);
      if (decoded.length === 0) this.#notes.count('payload_undecodable');
      return decoded;
    });
    mergePayload(this.entries.rows, messages, this.#notes);
  }
}
