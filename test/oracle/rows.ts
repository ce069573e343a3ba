/** Rows of public.flow, public.flow_packet and public.dns_rr in a form that can be compared: without ids. */

/** Columns of public.flow. bigint and times are decimal text, times in microseconds since 1970. */
export interface ExpectedFlow {
  readonly start_time: string;
  readonly end_time: string | null;
  readonly octets: string | null;
  readonly packets: string | null;
  readonly reverse_octets: string | null;
  readonly reverse_packets: string | null;
  readonly src_port: number | null;
  readonly dst_port: number | null;
  readonly vlan: number | null;
  readonly application: number | null;
  readonly rtt_ms: number | null;
  readonly ingress: string | null;
  readonly egress: string | null;
  readonly protocol: number | null;
  readonly end_reason: number | null;
  readonly attributes: number | null;
  readonly reverse_attributes: number | null;
  readonly tcp_flags: number | null;
  readonly reverse_tcp_flags: number | null;
  readonly tos: number | null;
  readonly src: string | null;
  readonly dst: string | null;
  readonly src_mac: string | null;
  readonly dst_mac: string | null;
}

/** Columns of public.dns_rr. `carrier` names the row that flow_id points to: table, protocol, both ends. */
export interface ExpectedRr {
  readonly time: string;
  readonly carrier: string;
  readonly ttl: string | null;
  readonly dns_id: number | null;
  readonly rrtype: number;
  readonly section: number;
  readonly rcode: number | null;
  readonly origin: number;
  readonly qr: boolean;
  readonly authoritative: boolean | null;
  readonly client: string | null;
  readonly resolver: string | null;
  readonly rrname: string | null;
  readonly rdata: string | null;
  readonly rdata_ip: string | null;
}

/** What the tables must hold of one file, and what its ledger must count. */
export interface ExpectedRows {
  readonly dataRecords: number;
  readonly optionRecords: number;
  readonly otherRecords: number;
  /** List entries of RR type 0. */
  readonly fillers: number;
  /** List entries by section: question, answer, authority, additional; fillers included. */
  readonly sections: readonly number[];
  readonly flows: readonly ExpectedFlow[];
  /** One-packet records of --udp-uniflow: public.flow_packet. */
  readonly packets: readonly ExpectedFlow[];
  readonly rrs: readonly ExpectedRr[];
}

/** The rows of the three tables. */
export type Rows = Pick<ExpectedRows, 'flows' | 'packets' | 'rrs'>;

/** Text by which a row of dns_rr names its flow or one-packet record. */
export const carrierOf = (table: 'flow' | 'flow_packet', flow: ExpectedFlow): string =>
  `${table} ${flow.protocol} ${flow.src} ${flow.src_port} ${flow.dst} ${flow.dst_port}`;
