import type { FlowRow } from './rows.ts';

/** Ports of DNS, DNS over TLS or QUIC, multicast DNS and LLMNR, the surest sign of a resolver first. */
const DNS_PORTS = [53, 853, 5353, 5355];
const NO_DNS_PORT = DNS_PORTS.length;

/** Rank of a port in `DNS_PORTS`; lower says "resolver" more surely. */
export function dnsPortRank(port: number | null): number {
  const rank = port === null ? -1 : DNS_PORTS.indexOf(port);
  return rank < 0 ? NO_DNS_PORT : rank;
}

/** Whether a flow goes to or from a port where DNS is spoken in the clear or not. */
export function touchesDnsPort(flow: FlowRow): boolean {
  return Math.min(dnsPortRank(flow.src_port), dnsPortRank(flow.dst_port)) < NO_DNS_PORT;
}

/**
 * Whether the source of a flow is the resolver:
 * 1. The one side with the surer DNS port (53, 853, 5353, 5355) is the resolver: holds for biflows, for uniflows of
 *    either direction, for answers whose query was not seen, for LLMNR.
 * 2. Where both sides or none have it (multicast DNS, servers that ask from port 53, odd ports): a uniflow that holds
 *    only responses comes from the resolver; otherwise who sent the first packet is the client.
 * So the client of a multicast response is the group, and the resolver of a multicast query.
 */
export function sourceIsResolver(flow: FlowRow, messages: readonly { readonly qr: boolean }[]): boolean {
  const [source, destination] = [dnsPortRank(flow.src_port), dnsPortRank(flow.dst_port)];
  if (source !== destination) return source < destination;
  const isUniflow = flow.reverse_packets === null || flow.reverse_packets === 0;
  return isUniflow && messages.length > 0 && messages.every(({ qr }) => qr);
}
