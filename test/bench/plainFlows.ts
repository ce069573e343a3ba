import { type Field, IpfixWriter } from './ipfixWriter.ts';

/** The make of the stream in words, for the recipe of a result. */
export const PLAIN_FLOWS_MAKE =
  'generated (test/bench/plainFlows.ts): IPv4 uniflows without DNS over one day, one template of 13 fixed-length elements ' +
  '(flowStartMilliseconds, flowEndMilliseconds, octetDeltaCount, packetDeltaCount, addresses, ports, interfaces, protocol, ' +
  'class of service, TCP flags), no two alike; messages of at most 1400 octets, template every 500 messages';

const MESSAGE_OCTETS = 1400;
const HEADERS_OCTETS = 16 + 4;
const TEMPLATE_ID = 256;
/** Over UDP templates are sent again and again (RFC 7011 section 8.4). */
const MESSAGES_PER_TEMPLATE = 500;
const START_MS = Date.UTC(2026, 2, 2);
const DAY_MS = 86_400_000;

// biome-ignore format: a table reads better in few lines
const fields: readonly Field[] = [
  [0, 152, 8], [0, 153, 8], [0, 1, 8], [0, 2, 8], [0, 8, 4], [0, 12, 4], [0, 7, 2], [0, 11, 2], [0, 10, 4], [0, 14, 4],
  [0, 4, 1], [0, 5, 1], [0, 6, 1],
];
const RECORD_OCTETS = fields.reduce((sum, [, , length]) => sum + length, 0);
const TEMPLATE_OCTETS = 4 + 4 + 4 * fields.length;
const RECORDS_PER_MESSAGE = Math.floor((MESSAGE_OCTETS - HEADERS_OCTETS - TEMPLATE_OCTETS) / RECORD_OCTETS);

const PORTS = [443, 443, 443, 80, 53, 123, 22, 8080];
const [TCP, UDP] = [6, 17];

/** So many flows in IPFIX messages that fit into a datagram each; the same octets for the same number. */
export function* plainFlowStream(flows: number): Generator<Buffer, void> {
  const writer = new IpfixWriter();
  for (let flow = 0, message = 0; flow < flows; message++) {
    if (message % MESSAGES_PER_TEMPLATE === 0) writer.template(TEMPLATE_ID, fields);
    const end = Math.min(flows, flow + RECORDS_PER_MESSAGE);
    const exportTime = Math.floor(startOf(flow, flows) / 1000) + 60;
    for (; flow < end; flow++) writer.record(TEMPLATE_ID, exportTime, () => writeFlow(writer, flow, flows));
    yield writer.message(exportTime);
  }
}

/** Flows start one after another, evenly over the day. */
function startOf(flow: number, flows: number): number {
  return START_MS + Math.floor((flow / flows) * DAY_MS);
}

function writeFlow(w: IpfixWriter, flow: number, flows: number): void {
  const start = startOf(flow, flows);
  const mixed = mix(flow);
  const packets = 1 + (mixed >>> 24);
  const port = PORTS[mixed & 7]!; // eight ports
  const isUdp = port === 53 || port === 123;
  w.u64(start);
  w.u64(start + ((mixed >>> 8) & 0x7fff));
  w.u64(packets * (60 + (mixed & 0x3ff)));
  w.u64(packets);
  w.u32(0x0a140000 + ((mixed >>> 16) & 0x7ff)); // 2048 clients
  w.u32(0xc6120000 + (mix(mixed) & 0x1ffff)); // 131 072 servers
  w.u16(1024 + (flow % 64_000)); // two flows that start in the same millisecond differ here
  w.u16(port);
  w.u32(1);
  w.u32(2);
  w.u8(isUdp ? UDP : TCP);
  w.u8(0);
  w.u8(isUdp ? 0 : 0x1b);
}

/** Scatters the bits of a number (the last steps of MurmurHash3, public domain). */
function mix(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
