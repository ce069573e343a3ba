/** IPv4 as 32 bit number, IPv6 as its 16 octets. */
export type Address = number | Buffer;

/** Columns that `flow` and `flow_packet` share; see migrations/0001_flows_and_rrs.sql. Times in microseconds since the Unix epoch. */
export interface FlowRow {
  start_time: number;
  end_time: number | null;
  octets: number | bigint | null;
  packets: number | bigint | null;
  reverse_octets: number | bigint | null;
  reverse_packets: number | bigint | null;
  src_port: number | null;
  dst_port: number | null;
  vlan: number | null;
  application: number | null;
  rtt_ms: number | null;
  ingress: number | null;
  egress: number | null;
  protocol: number | null;
  end_reason: number | null;
  attributes: number | null;
  reverse_attributes: number | null;
  tcp_flags: number | null;
  reverse_tcp_flags: number | null;
  tos: number | null;
  src: Address;
  dst: Address;
  src_mac: Buffer | null;
  dst_mac: Buffer | null;
}

/** One question entry or resource record as a row of `dns_rr`, without what it shares with its flow. */
export interface RrRow {
  ttl: number | null;
  dns_id: number | null;
  rrtype: number;
  section: number;
  rcode: number | null;
  /** 0: the exporter's list, 1: decoded by us from payload octets. */
  origin: 0 | 1;
  qr: boolean;
  authoritative: boolean | null;
  /** Canonical; null when unknown. */
  rrname: string | null;
  rdata: string | null;
  rdata_ip: Address | null;
}

/** A flow record with the DNS records found in it. */
export interface MappedFlow {
  readonly flow: FlowRow;
  /** One-packet record of --udp-uniflow: its packets are in an ordinary flow record too. */
  readonly isPacketRecord: boolean;
  readonly client: Address;
  readonly resolver: Address;
  readonly rrs: readonly RrRow[];
}

/** Row of `exporter_statistics`. 64-bit totals may be bigint. Times in microseconds since the Unix epoch. */
export interface StatisticsRow {
  readonly time: number | null;
  readonly system_init_time: number | null;
  readonly exporting_process: number | bigint | null;
  readonly exporter_address: Address | null;
  readonly exported_flows: number | bigint | null;
  readonly packets: number | bigint | null;
  readonly dropped_packets: number | bigint | null;
  readonly ignored_packets: number | bigint | null;
  readonly not_sent_packets: number | bigint | null;
  readonly expired_fragments: number | bigint | null;
  readonly assembled_fragments: number | bigint | null;
  readonly flow_table_flushes: number | bigint | null;
  readonly flow_table_peak: number | bigint | null;
  readonly mean_flow_rate: number | bigint | null;
  readonly mean_packet_rate: number | bigint | null;
}

/** Row of `tombstone`. */
export interface TombstoneRow {
  readonly tombstone_id: number;
  readonly configured_id: number | null;
  readonly time: number | null;
  readonly tools: readonly { readonly tool: number; readonly time: string }[];
}

/** What a data record turned out to be. */
export type Mapped =
  | { readonly kind: 'flow'; readonly value: MappedFlow }
  | { readonly kind: 'statistics'; readonly value: StatisticsRow }
  | { readonly kind: 'tombstone'; readonly value: TombstoneRow }
  /** An options record that brings no row: element and template descriptions. */
  | { readonly kind: 'option' }
  /** Neither flow nor option. */
  | { readonly kind: 'other' };

/** Counts of remarkable things, by stable name (ipfix_file.notes). */
export interface Notes {
  count(name: NoteName, by?: number): void;
}

export type NoteName =
  | 'filler_rr'
  | 'unknown_owner_name'
  | 'clock_out_of_range'
  | 'clock_missing'
  | 'counter_out_of_range'
  | 'rrsig_repaired'
  | 'payload_undecodable'
  | 'payload_only_messages'
  | 'rdata_from_payload';
