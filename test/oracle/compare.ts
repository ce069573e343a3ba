/** Compares what the tables hold with what they should, as multisets: order and ids do not matter. */
import type pg from 'pg';
import { carrierOf, type ExpectedFlow, type ExpectedRr, type Rows } from './rows.ts';

/** What the tables hold: rows as expected, except that a carrier may be missing. */
export type ActualRows = Rows;

const flowColumns = `
  (extract(epoch from start_time) * 1000000)::bigint as start_time,
  (extract(epoch from end_time) * 1000000)::bigint as end_time,
  octets, packets, reverse_octets, reverse_packets, src_port, dst_port, vlan, application, rtt_ms, ingress, egress,
  protocol, end_reason, attributes, reverse_attributes, tcp_flags, reverse_tcp_flags, tos,
  host(src) as src, host(dst) as dst, src_mac::text as src_mac, dst_mac::text as dst_mac`;

const selectFlows = (table: 'flow' | 'flow_packet') => `
  select flow_id, ${flowColumns} from public.${table} where $1::bigint is null or flow_id >> 32 = $1`;

const selectRrs = `
  select (extract(epoch from time) * 1000000)::bigint as time, flow_id, ttl, dns_id, rrtype, section, rcode, origin, qr,
    authoritative, host(client) as client, host(resolver) as resolver, rrname, rdata, host(rdata_ip) as rdata_ip
  from public.dns_rr where $1::bigint is null or flow_id >> 32 = $1`;

/**
 * Rows of flow, flow_packet and dns_rr; bigint columns and times (microseconds) are decimal text.
 * @param fileId only rows that came from this file: the upper half of flow_id
 */
export async function readRows(pool: pg.Pool, fileId?: number): Promise<ActualRows> {
  const values = [fileId ?? null];
  const carriers = new Map<string, string>();
  const readFlows = async (table: 'flow' | 'flow_packet') => {
    const { rows } = await pool.query<ExpectedFlow & { flow_id: string }>(selectFlows(table), values);
    return rows.map(({ flow_id, ...flow }) => {
      carriers.set(`${flow_id} ${flow.start_time}`, carrierOf(table, flow));
      return flow;
    });
  };
  const flows = await readFlows('flow');
  const packets = await readFlows('flow_packet');
  const { rows } = await pool.query<Omit<ExpectedRr, 'carrier'> & { flow_id: string }>(selectRrs, values);
  const rrs = rows.map(({ flow_id, ...rr }) => ({
    ...rr,
    carrier: carriers.get(`${flow_id} ${rr.time}`) ?? `no row has flow_id ${flow_id} and time ${rr.time}`,
  }));
  return { flows, packets, rrs };
}

/**
 * Differences in words, none if the rows are the same.
 * @param options.payload the collector also decodes payload octets: rows of origin 1 are left out of the comparison, and an
 *   exporter's row without rdata or with a cut TXT may hold the whole rdata
 */
export function compareRows(actual: Rows, expected: Rows, options: { payload?: boolean } = {}): string[] {
  const exported = options.payload ? actual.rrs.filter(rr => rr.origin === 0) : actual.rrs;
  const rrs = unmatched(exported, expected.rrs);
  if (options.payload) dropFilledIn(rrs);
  return [
    ...report('flow', unmatched(actual.flows, expected.flows)),
    ...report('flow_packet', unmatched(actual.packets, expected.packets)),
    ...report('dns_rr', rrs),
  ];
}

interface Unmatched<Row> {
  readonly unexpected: Row[];
  readonly missing: Row[];
}

function unmatched<Row extends object>(actual: readonly Row[], expected: readonly Row[]): Unmatched<Row> {
  const open = new Map<string, Row[]>();
  for (const row of expected) {
    const same = open.get(keyOf(row));
    if (same === undefined) open.set(keyOf(row), [row]);
    else same.push(row);
  }
  const unexpected = actual.filter(row => open.get(keyOf(row))?.pop() === undefined);
  return { unexpected, missing: [...open.values()].flat() };
}

const keyOf = (row: object): string =>
  JSON.stringify(Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1)));

function dropFilledIn({ unexpected, missing }: Unmatched<ExpectedRr>): void {
  const rest = ({ rdata: _, rdata_ip: __, ...others }: ExpectedRr) => keyOf(others);
  const fuller = (whole: ExpectedRr, cut: ExpectedRr) =>
    rest(whole) === rest(cut) &&
    (cut.rdata === null ? whole.section > 0 : cut.rrtype === 16 && whole.rdata?.startsWith(cut.rdata));
  for (const row of unexpected.splice(0)) {
    const index = missing.findIndex(candidate => fuller(row, candidate));
    if (index < 0) unexpected.push(row);
    else missing.splice(index, 1);
  }
}

/** How many differences are written out. */
const shown = 20;

function report<Row extends object>(table: string, { unexpected, missing }: Unmatched<Row>): string[] {
  const lines: string[] = [];
  const others = [...missing];
  for (const row of unexpected) {
    const nearest = takeNearest(row, others);
    lines.push(
      `${table}: ${nearest === undefined ? `unexpected ${JSON.stringify(row)}` : between(row, nearest)}`,
    );
  }
  for (const row of others) lines.push(`${table}: missing ${JSON.stringify(row)}`);
  const more = lines.length - shown;
  return more > 0 ? [...lines.slice(0, shown), `${table}: … and ${more} more`] : lines;
}

/** Takes the row out of `candidates` that differs in the fewest columns, at most three. */
function takeNearest<Row extends object>(row: Row, candidates: Row[]): Row | undefined {
  let [best, fewest] = [-1, 4];
  for (const [index, candidate] of candidates.slice(0, 2000).entries()) {
    const count = differing(row, candidate).length;
    if (count < fewest) [best, fewest] = [index, count];
  }
  return best < 0 ? undefined : candidates.splice(best, 1)[0];
}

const differing = <Row extends object>(one: Row, other: Row): (keyof Row)[] =>
  (Object.keys(one) as (keyof Row)[]).filter(column => one[column] !== other[column]);

function between<Row extends object>(actual: Row, expected: Row): string {
  const changes = differing(actual, expected).map(
    column =>
      `${String(column)} is ${JSON.stringify(actual[column])}, not ${JSON.stringify(expected[column])}`,
  );
  return `${changes.join('; ')}, in ${JSON.stringify(expected)}`;
}
