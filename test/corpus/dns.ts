import {
  type Address,
  type DnsExchange,
  type DnsResponse,
  type Rdata,
  type Rr,
  RrType,
  Section,
  type YafFlow,
} from '../bench/yafWriter.ts';
import { ipv6Of } from './addresses.ts';
import { exponential, logNormal, type Random } from './chance.ts';
import { SECOND } from './time.ts';

export const Rcode = { NOERROR: 0, SERVFAIL: 2, NXDOMAIN: 3 } as const;

const NEGATIVE_TTL = 900;
const [TCP, UDP] = [6, 17];
const DNS = 53;
const IDLE = 1;
const END_OF_FLOW = 3;
/** YAF ends a flow that goes on for longer. */
const ACTIVE_TIMEOUT = 1800 * SECOND;

/** Who asks, and whom. */
export interface Asker {
  readonly address: Address;
  readonly resolver: Address;
}

/** A name and how it answers. */
export interface Host {
  readonly name: string;
  /** @param at microseconds since the Unix epoch */
  answer(type: number, at: number): DnsResponse;
}

export interface Question {
  readonly name: string;
  readonly type: number;
}

export function rr(
  name: string,
  type: number,
  ttl: number,
  rdata: Rdata,
  section: number = Section.answer,
): Rr {
  return { name, type, ttl, section, rdata };
}

/** A and AAAA of the same hosts; the latter only where `hasV6`. */
export function addressRrs(
  name: string,
  type: number,
  ttl: number,
  addresses: readonly number[],
  hasV6 = true,
): Rr[] {
  if (type === RrType.A) return addresses.map(address => rr(name, RrType.A, ttl, { kind: 'a', address }));
  if (type !== RrType.AAAA || !hasV6) return [];
  return addresses.map(address => rr(name, RrType.AAAA, ttl, { kind: 'aaaa', address: ipv6Of(address) }));
}

/** An answer, or what stands for none (RFC 2308 section 2.2). @param zone whose name it is */
export function answered(rrs: readonly Rr[], zone: string): DnsResponse {
  return { rcode: Rcode.NOERROR, rrs: rrs.length === 0 ? [soa(zone)] : rrs };
}

export function nxdomain(zone: string): DnsResponse {
  return { rcode: Rcode.NXDOMAIN, rrs: [soa(zone)] };
}

/** YAF 2.x sends the root as an empty name. */
export const ROOT = '';

function soa(zone: string): Rr {
  if (zone === ROOT)
    return rr(ROOT, RrType.SOA, 86_400, { kind: 'soa', zone: 'root-servers.net.' }, Section.authority);
  return rr(zone, RrType.SOA, NEGATIVE_TTL, { kind: 'soa', zone }, Section.authority);
}

/** Authority records, as some resolvers add them. */
export function authority(zone: string, nameServers: readonly string[]): Rr[] {
  return nameServers.map(text => rr(zone, RrType.NS, 86_400, { kind: 'ns', text }, Section.authority));
}

/** A host with addresses that do not change. */
export function fixedHost(
  name: string,
  ttl: number,
  addresses: readonly number[],
  extra: { readonly zone?: string; readonly hasV6?: boolean; readonly authority?: readonly Rr[] } = {},
): Host {
  const make = (type: number) => {
    const rrs = addressRrs(name, type, ttl, addresses, extra.hasV6 ?? false);
    return answered(rrs.length === 0 ? rrs : [...rrs, ...(extra.authority ?? [])], extra.zone ?? name);
  };
  const [a, aaaa, other] = [make(RrType.A), make(RrType.AAAA), make(0)];
  return { name, answer: type => (type === RrType.A ? a : type === RrType.AAAA ? aaaa : other) };
}

/** A question and what came back, over UDP or TCP. */
export function ask(
  { address, resolver }: Asker,
  at: number,
  { name, type }: Question,
  response: DnsResponse | undefined,
  random: Random,
  transport: 'udp' | 'tcp' = 'udp',
): YafFlow {
  const question: Rr = { name, type, ttl: 0, section: Section.question };
  const dns: DnsExchange = { id: random.between(0, 65_535), question, response };
  const volume = {
    question: 45 + name.length,
    response: 45 + name.length + 28 * (response?.rrs.length ?? 0),
  };
  const flow = between(address, resolver, DNS, at, random);
  const delayUs = 400 + Math.floor(exponential(random, 900));
  const isTcp = transport === 'tcp';
  const packets = isTcp ? 5 : 1;
  return {
    ...flow,
    end: response === undefined ? at : at + delayUs * packets,
    protocol: isTcp ? TCP : UDP,
    application: DNS,
    endReason: isTcp ? END_OF_FLOW : IDLE,
    forward: { octets: volume.question + (packets - 1) * 52, packets },
    reverse:
      response === undefined ? undefined : { octets: volume.response + (packets - 1) * 52, packets, delayUs },
    dns,
  };
}

/** The response alone, its question not seen: the resolver is the source. */
export function responseOnly(flow: YafFlow): YafFlow {
  if (flow.dns?.response === undefined || flow.reverse === undefined) return flow;
  return {
    ...flow,
    start: flow.end,
    source: flow.destination,
    destination: flow.source,
    sourcePort: flow.destinationPort,
    destinationPort: flow.sourcePort,
    forward: flow.reverse,
    reverse: undefined,
    dns: { ...flow.dns, question: undefined },
  };
}

/** A question to a multicast group, from its own port (RFC 6762 section 5.1); nobody's answer is seen. */
export function askGroup(
  source: Address,
  group: Address,
  port: number,
  at: number,
  name: string,
  type: number,
  random: Random,
): YafFlow {
  return {
    ...ask({ address: source, resolver: group }, at, { name, type }, undefined, random),
    sourcePort: port,
    destinationPort: port,
  };
}

/** Traffic whose DNS messages were not decoded, if it is DNS: to port 53 or 853. */
export function opaque(
  source: Address,
  destination: Address,
  port: number,
  at: number,
  random: Random,
  transport: 'udp' | 'tcp',
  application = 0,
): YafFlow {
  const isTcp = transport === 'tcp';
  const packets = isTcp ? random.between(6, 30) : random.between(1, 4);
  const delayUs = 2000 + Math.floor(exponential(random, 20_000));
  return {
    ...between(source, destination, port, at, random),
    end: at + delayUs * packets,
    protocol: isTcp ? TCP : UDP,
    application,
    endReason: isTcp ? END_OF_FLOW : IDLE,
    forward: { octets: packets * random.between(60, 90), packets },
    reverse: { octets: packets * random.between(80, 200), packets, delayUs },
    dns: undefined,
  };
}

/** A connection to a web server. @param port 443 or 80 */
export function connect(
  source: Address,
  destination: Address,
  port: number,
  at: number,
  random: Random,
): YafFlow {
  const packets = 8 + Math.floor(logNormal(random, 12, 3));
  const delayUs = 3000 + Math.floor(exponential(random, 25_000));
  const duration = Math.min(ACTIVE_TIMEOUT, 4 * delayUs + logNormal(random, 3 * SECOND, 5));
  return {
    ...between(source, destination, port, at, random),
    end: at + Math.floor(duration),
    protocol: TCP,
    application: port,
    endReason: END_OF_FLOW,
    forward: { octets: packets * random.between(60, 300), packets },
    reverse: { octets: packets * random.between(300, 1400), packets, delayUs },
    dns: undefined,
  };
}

/** The first address in an answer, of the wanted family. */
export function addressIn(response: DnsResponse, type: number): Address | undefined {
  for (const { rdata } of response.rrs) {
    if (type === RrType.A && rdata?.kind === 'a') return rdata.address;
    if (type === RrType.AAAA && rdata?.kind === 'aaaa') return rdata.address;
  }
  return undefined;
}

function between(source: Address, destination: Address, port: number, at: number, random: Random) {
  return {
    start: at,
    source,
    destination,
    sourcePort: random.between(1024, 65_535),
    destinationPort: port,
  };
}
