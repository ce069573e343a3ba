import type { DataRecord, MessageHeader, SubTemplateList, Value } from '../ipfix/index.ts';
import { sourceIsResolver, touchesDnsPort } from './client.ts';
import { DnsEntries } from './dns.ts';
import { mac, PACKET_RECORD } from './flow.ts';
import { ipfixprobeRows } from './ipfixprobe.ts';
import { decodePayload } from './payload.ts';
import { mergePayload } from './payloadRows.ts';
import { type Plan, planOf } from './plan.ts';
import type { FlowRow, Mapped, MappedFlow, Notes } from './rows.ts';

const APPLICATION_DNS = 53;
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
      const mapped = plan.options(record);
      if (mapped.kind === 'statistics' && mapped.value.system_init_time !== null)
        this.#systemInitTimeMs.set(header.observationDomainId, mapped.value.system_init_time / 1000);
      return mapped;
    }
    const flow = plan.flow?.(record, header, this.#systemInitTimeMs.get(header.observationDomainId), this.#notes) ?? null;
    return flow === null ? other : { kind: 'flow', value: this.#flow(flow, plan, record) };
  }

  #flow(flow: FlowRow, plan: Plan, record: DataRecord): MappedFlow {
    const found = new FlowContent(flow, this.#notes);
    found.payload = plan.payload < 0 ? undefined : record.values[plan.payload];
    found.reversePayload = plan.reversePayload < 0 ? undefined : record.values[plan.reversePayload];
    for (const position of plan.lists) found.readList(record.values[position]);
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

/** Gathers what the lists of one flow record hold, at whatever depth: 2.x nests deeper than 3.x. */
class FlowContent {
  readonly entries: DnsEntries;
  payload: Value | undefined;
  reversePayload: Value | undefined;
  readonly #flow: FlowRow;
  readonly #notes: Notes;

  constructor(flow: FlowRow, notes: Notes) {
    this.#flow = flow;
    this.#notes = notes;
    this.entries = new DnsEntries(notes);
  }

  readList(value: Value | undefined): void {
    if (value === null || typeof value !== 'object' || !('kind' in value)) return;
    if (value.kind === 'subTemplateMultiList') for (const list of value.lists) this.#readRecords(list);
    else if (value.kind === 'subTemplateList') this.#readRecords(value);
  }

  #readRecords({ records }: SubTemplateList): void {
    for (const record of records) {
      const plan = planOf(record.template);
      if (plan.dns !== null) this.entries.add(plan.dns, record);
      else this.#readDetails(plan, record);
    }
  }

  /** Entries of YAF's multi list beside DNS: TCP flags, MAC addresses, payload. */
  #readDetails(plan: Plan, { values }: DataRecord): void {
    const flow = this.#flow;
    flow.tcp_flags ??= plan.tcpFlags.forward(values);
    flow.reverse_tcp_flags ??= plan.tcpFlags.reverse(values);
    flow.src_mac ??= mac(values[plan.srcMac]);
    flow.dst_mac ??= mac(values[plan.dstMac]);
    this.payload ??= values[plan.payload];
    this.reversePayload ??= values[plan.reversePayload];
    for (const position of plan.lists) this.readList(values[position]);
  }

  /** Decodes captured payload where DNS is spoken. */
  decodePayloads(): void {
    if (this.payload === undefined && this.reversePayload === undefined) return;
    const isDns = touchesDnsPort(this.#flow) || this.#flow.application === APPLICATION_DNS;
    if (!isDns || this.#flow.dst_port === 853 || this.#flow.src_port === 853) return;
    const transport = this.#flow.protocol === TCP ? 'tcp' : 'udp';
    for (const payload of [this.payload, this.reversePayload]) {
      if (!Buffer.isBuffer(payload) || payload.length === 0) continue;
      const messages = decodePayload(payload, transport);
      if (messages.length === 0) this.#notes.count('payload_undecodable');
      mergePayload(this.entries.rows, messages, this.#notes);
    }
  }
}
