import type pg from 'pg';

/** A lookup as a flow with its DNS records, as YAF exports it. */
export interface Lookup {
  /** ISO 8601, or milliseconds since the Unix epoch. */
  readonly at: string | number;
  readonly name: string;
  readonly client?: string;
  readonly resolver?: string;
  readonly qtype?: number;
  /** Undefined: no response. */
  readonly rcode?: number | null;
  readonly answers?: readonly {
    readonly name?: string;
    readonly type?: number;
    readonly ttl?: number;
    readonly rdata: string;
  }[];
  readonly exporter?: number;
  readonly port?: number;
  readonly protocol?: number;
  /** What the exporter takes it for. */
  readonly application?: number;
  /** False: the exporter could not decode the messages. */
  readonly isDecoded?: boolean;
}

let nextFlowId = 1;

/** Stores lookups as the loader does: partitions, flows, records, and the hours that have new ones. */
export async function insertLookups(pool: pg.Pool, lookups: readonly Lookup[]): Promise<void> {
  const flows: unknown[] = [];
  const rrs: unknown[] = [];
  for (const lookup of lookups) {
    const time = new Date(lookup.at).toISOString();
    const [client, resolver] = [lookup.client ?? '10.0.0.1', lookup.resolver ?? '10.0.0.53'];
    const exporter_id = lookup.exporter ?? 1;
    const flow_id = nextFlowId++;
    flows.push({
      start_time: time,
      flow_id,
      exporter_id,
      protocol: lookup.protocol ?? 17,
      src_port: 40_000,
      dst_port: lookup.port ?? 53,
      application: lookup.application ?? 53,
      octets: 60,
      reverse_octets: 120,
      src: client,
      dst: resolver,
    });
    if (lookup.isDecoded === false) continue;
    const rrtype = lookup.qtype ?? 1;
    const row = { time, flow_id, dns_id: flow_id % 65_536, exporter_id, client, resolver };
    const question = { ...row, rrtype, section: 0, rrname: lookup.name };
    rrs.push({ ...question, qr: false, rcode: 0, ttl: 0 });
    const rcode = lookup.rcode === undefined ? 0 : lookup.rcode;
    if (rcode === null) continue;
    if (rcode !== 0) rrs.push({ ...question, qr: true, rcode, ttl: 0 });
    for (const { name = lookup.name, type = rrtype, ttl = 300, rdata } of lookup.answers ?? [])
      rrs.push({
        ...row,
        section: 1,
        qr: true,
        rcode,
        rrname: name,
        rrtype: type,
        ttl,
        rdata,
        rdata_ip: type === 1 || type === 28 ? rdata : null,
      });
  }
  const client = await pool.connect();
  try {
    await client.query(
      `insert into public.exporter (exporter_id, name, observation_domain_id) overriding system value
       select id, 'sensor' || id, 0 from generate_series(1, 5) as id on conflict do nothing`,
    );
    const days = [...new Set(lookups.map(({ at }) => new Date(at).toISOString().slice(0, 10)))];
    await client.query('select public.ensure_partitions($1::date[])', [days]);
    await client.query('begin');
    await client.query(
      `insert into public.flow (start_time, flow_id, exporter_id, protocol, src_port, dst_port, application, octets, reverse_octets, src, dst)
       select start_time, flow_id, exporter_id, protocol, src_port, dst_port, application, octets, reverse_octets, src, dst
       from jsonb_populate_recordset(null::public.flow, $1)`,
      [JSON.stringify(flows)],
    );
    await client.query(
      `insert into public.dns_rr (time, flow_id, ttl, dns_id, rrtype, exporter_id, section, rcode, origin, qr, client, resolver, rrname, rdata, rdata_ip)
       select time, flow_id, ttl, dns_id, rrtype, exporter_id, section, rcode, 0, qr, client, resolver, rrname, rdata, rdata_ip
       from jsonb_populate_recordset(null::public.dns_rr, $1)`,
      [JSON.stringify(rrs)],
    );
    await client.query(
      `insert into public.landed_hour (hour) select distinct date_trunc('hour', t::timestamptz, 'UTC') from unnest($1::text[]) as t`,
      [[...new Set(lookups.map(({ at }) => new Date(at).toISOString()))]],
    );
    await client.query('commit');
  } finally {
    client.release();
  }
}

/** Ordinary lookups of some clients, every hour or every few from a time on, so that windows and sensors have a history. */
export function background(from: string, hours: number, clients = 20, every = 1): Lookup[] {
  const found: Lookup[] = [];
  for (let hour = 0; hour < hours; hour += every)
    for (let i = 0; i < clients; i++)
      found.push({
        at: Date.parse(from) + hour * 3_600_000 + i * 1000,
        client: `10.0.1.${i + 1}`,
        name: 'www.example.com.',
        answers: [{ rdata: '93.184.216.34' }],
      });
  return found;
}

/** Detections without what differs from run to run. */
export async function detections(pool: pg.Pool): Promise<Record<string, unknown>[]> {
  const { rows } = await pool.query(
    `select kind, subject, host(client) as client, first_time, last_time, windows, score, severity, evidence, thresholds, query, status
     from public.detection order by kind, subject, client, first_time`,
  );
  return rows;
}

/** Stores settings as config apply does, unchecked. */
export async function set(pool: pg.Pool, settings: Readonly<Record<string, unknown>>): Promise<void> {
  for (const [name, value] of Object.entries(settings))
    await pool.query(
      'insert into public.setting (name, value) values ($1, $2) on conflict (name) do update set value = excluded.value',
      [name, JSON.stringify(value)],
    );
}
