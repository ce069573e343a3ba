import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { type DnsMessage, type DnsRecord, decodePayload } from '../../../collector/map/payload.ts';
import { mergePayload } from '../../../collector/map/payloadRows.ts';
import type { MappedFlow, NoteName, RrRow } from '../../../collector/map/rows.ts';
import { rrtypeName } from '../../../common/rrtypes.ts';
import { addressText, mapFixture, rrsOf } from './mapStream.ts';

const [A, NS, CNAME, MX, TXT, AAAA, DS, RRSIG, NSEC, NSEC3, HTTPS] = [
  1, 2, 5, 15, 16, 28, 43, 46, 47, 50, 65,
] as const;

/** A row of the exporter: an answer of message 7 unless said otherwise. */
const listed = (row: Partial<RrRow>): RrRow => ({
  ...{ ttl: 60, dns_id: 7, rrtype: A, section: 1, rcode: 0, origin: 0, qr: true, authoritative: false },
  ...{ rrname: 'a.example.', rdata: null, rdata_ip: null },
  ...row,
});
const asked = (row: Partial<RrRow> = {}): RrRow => listed({ section: 0, ttl: 0, qr: false, ...row });

const record = (part: Partial<DnsRecord>): DnsRecord => ({
  ...{ section: 1, rrname: 'a.example.', rrtype: A, rrclass: 1, ttl: 60, rdata: null, address: null },
  ...part,
});
const question = (part: Partial<DnsRecord> = {}): DnsRecord => record({ section: 0, ttl: 0, ...part });

const response = (records: readonly DnsRecord[], header: Partial<DnsMessage> = {}): DnsMessage => ({
  ...{ id: 7, qr: true, opcode: 0, rcode: 0, authoritative: false, truncated: false },
  ...{ records },
  ...header,
});
const query = (records: readonly DnsRecord[], header: Partial<DnsMessage> = {}): DnsMessage =>
  response(records, { qr: false, ...header });

/** The rows after merging, and what was counted. */
function merged(rows: readonly RrRow[], ...messages: readonly DnsMessage[]) {
  const result = rows.map(row => ({ ...row }));
  const notes: Partial<Record<NoteName, number>> = {};
  mergePayload(result, messages, {
    count: (name, by = 1) => {
      notes[name] = (notes[name] ?? 0) + by;
    },
  });
  return { rows: result, notes };
}

const address = (last: number) => ({ rdata: `192.0.2.${last}`, rdata_ip: 0xc0000200 + last });
const addressRecord = (last: number, part: Partial<DnsRecord> = {}) =>
  record({ rdata: `192.0.2.${last}`, address: 0xc0000200 + last, ...part });

describe('mergePayload', () => {
  it('stores nothing twice: what the list holds stays as it is', () => {
    const rows = [
      asked(),
      listed(address(1)),
      listed(address(2)),
      listed({ rrtype: NS, section: 2, rrname: 'example.', rdata: 'ns1.example.' }),
      listed({ rrtype: AAAA, section: 3, rrname: 'ns1.example.', rdata: '2001:db8::1' }),
    ];
    const result = merged(
      rows,
      query([question()]),
      response([
        question(),
        addressRecord(1),
        addressRecord(2),
        record({ rrtype: NS, section: 2, rrname: 'example.', rdata: 'ns1.example.' }),
        record({ rrtype: AAAA, section: 3, rrname: 'ns1.example.', rdata: '2001:db8::1' }),
      ]),
    );
    expect(result).toEqual({ rows, notes: {} });
  });

  it('stores nothing twice whatever the order', () => {
    const rows = [listed(address(1)), listed(address(2)), listed(address(3))];
    const records = [addressRecord(3), addressRecord(1), addressRecord(2)];
    expect(merged(rows, response(records))).toEqual({ rows, notes: {} });
  });

  it('adds messages that the exporter could not decode, and counts them', () => {
    const https = { rrtype: HTTPS, rdata: '1 . alpn="h2"' };
    const { rows, notes } = merged(
      [],
      query([question({ rrtype: HTTPS })]),
      response([question({ rrtype: HTTPS }), record(https)]),
    );
    expect(rows).toEqual([
      asked({ rrtype: HTTPS, origin: 1 }),
      listed({ rrtype: HTTPS, origin: 1, rdata: '1 . alpn="h2"' }),
    ]);
    expect(notes).toEqual({ payload_only_messages: 2 });
  });

  it('adds the records that the list lacks at its end', () => {
    const { rows, notes } = merged([listed(address(1))], response([addressRecord(1), addressRecord(2)]));
    expect(rows).toEqual([listed(address(1)), listed({ ...address(2), origin: 1 })]);
    expect(notes).toEqual({});
  });

  it('keeps rows past the end of a payload that was cut', () => {
    const rows = [listed(address(1)), listed(address(2))];
    expect(merged(rows, response([addressRecord(1)], { truncated: true }))).toEqual({ rows, notes: {} });
  });

  it('keeps the same RR of a message as often as the message holds it', () => {
    const twice = [addressRecord(1), addressRecord(1)];
    const one = merged([listed(address(1))], response(twice));
    expect(one.rows).toEqual([listed(address(1)), listed({ ...address(1), origin: 1 })]);
    const two = [listed(address(1)), listed(address(1))];
    expect(merged(two, response(twice)).rows).toEqual(two);
  });

  it('does not take a query for its retransmission in the other direction', () => {
    // both ends of a multicast flow ask the same, with id 0
    const ask = query([question()], { id: 0 });
    const both = [asked({ dns_id: 0 }), asked({ dns_id: 0 })];
    expect(merged(both, ask, ask).rows).toEqual(both);
    expect(merged(both.slice(1), ask, ask).rows).toEqual([
      asked({ dns_id: 0 }),
      asked({ dns_id: 0, origin: 1 }),
    ]);
  });

  it('tells messages by id and QR bit', () => {
    const rows = [asked({ dns_id: 1 }), listed({ ...address(1), dns_id: 2 })];
    const result = merged(
      rows,
      query([question()], { id: 1 }),
      response([question(), addressRecord(1)], { id: 2 }),
    );
    expect(result).toEqual({ rows, notes: {} });
    const other = merged(rows, response([addressRecord(1)], { id: 3 }));
    expect(other.rows).toEqual([...rows, listed({ ...address(1), dns_id: 3, origin: 1 })]);
    expect(other.notes).toEqual({ payload_only_messages: 1 });
  });

  it('takes all messages of a TCP stream, also under one id', () => {
    const stream = [1, 2, 3].map(last =>
      response([question(), addressRecord(last)], { id: last === 3 ? 9 : 7 }),
    );
    const { rows, notes } = merged([asked(), listed(address(1))], ...stream);
    expect(rows).toEqual([
      asked(),
      listed(address(1)),
      listed({ ...address(2), origin: 1 }),
      listed({ ...address(3), dns_id: 9, origin: 1 }),
    ]);
    expect(notes).toEqual({ payload_only_messages: 2 });
  });

  describe('questions', () => {
    it('of an error are in query and response, as the exporter has them', () => {
      const error = response([question()], { rcode: 3 });
      const rows = [asked(), asked({ qr: true, rcode: 3 })];
      expect(merged(rows, query([question()]), error)).toEqual({ rows, notes: {} });
      expect(merged([], query([question()]), error).rows).toEqual(rows.map(row => ({ ...row, origin: 1 })));
    });

    it('of a good response are left out where its query is known, and nothing is counted', () => {
      expect(merged([asked()], response([question()]))).toEqual({ rows: [asked()], notes: {} });
      const other = merged([asked()], response([question({ rrtype: AAAA })]));
      expect(other.rows).toEqual([asked(), asked({ rrtype: AAAA, qr: true, origin: 1 })]);
    });

    it('of a good response tell what was asked where its query was not seen', () => {
      const { rows } = merged([listed(address(1))], response([question(), addressRecord(1)]));
      expect(rows).toEqual([listed(address(1)), asked({ qr: true, origin: 1 })]);
    });
  });

  describe('values', () => {
    /** The value after merging, and how many rows there are. */
    const value = (rrtype: number, ours: string | null, whole: string, part: Partial<DnsRecord> = {}) => {
      const { rows, notes } = merged(
        [listed({ rrtype, rdata: ours })],
        response([record({ rrtype, rdata: whole, ...part })]),
      );
      return [rows[0]?.rdata, rows.length, notes.rdata_from_payload ?? 0];
    };

    it('that the exporter left out are taken, with the address', () => {
      expect(value(35, null, '10 100 "s" "" "" .')).toEqual(['10 100 "s" "" "" .', 1, 1]);
      const { rows } = merged([listed({})], response([addressRecord(1)]));
      expect(rows).toEqual([listed(address(1))]);
    });

    it('that the exporter sent in part are completed', () => {
      expect(value(DS, '27105 13 2 -', '27105 13 2 AABB')).toEqual(['27105 13 2 AABB', 1, 1]);
      const signed = 'A 13 2 60 20260101000000 20250101000000 1 example.';
      expect(value(RRSIG, `${signed} -`, `${signed} AAAA`)).toEqual([`${signed} AAAA`, 1, 1]);
      expect(value(NSEC, 'b.example.', 'b.example. A NS RRSIG')).toEqual(['b.example. A NS RRSIG', 1, 1]);
      expect(value(NSEC3, '1 - 5 - 0p9m', '1 0 5 - 0p9m A RRSIG')).toEqual(['1 0 5 - 0p9m A RRSIG', 1, 1]);
      expect(value(MX, '10 -', '10 mx.example.')).toEqual(['10 mx.example.', 1, 1]);
    });

    it('with hyphens inside are whole: another value is another record', () => {
      expect(value(CNAME, 'my-host.example.', 'other.example.')).toEqual(['my-host.example.', 2, 0]);
      expect(value(MX, '10 mx-1.example.', '10 mx-2.example.')).toEqual(['10 mx-1.example.', 2, 0]);
      const { rows } = merged(
        [listed({ rrtype: NS, rdata: 'ns-2.example.' })],
        response([
          record({ rrtype: NS, rdata: 'ns-1.example.' }),
          record({ rrtype: NS, rdata: 'ns-2.example.' }),
        ]),
      );
      expect(rows).toEqual([
        listed({ rrtype: NS, rdata: 'ns-2.example.' }),
        listed({ rrtype: NS, rdata: 'ns-1.example.', origin: 1 }),
      ]);
    });

    it('of TXT get the strings after the first, and the rest of a first that was cut', () => {
      expect(value(TXT, '"one"', '"one" "two"')).toEqual(['"one" "two"', 1, 1]);
      expect(value(TXT, '"one hun"', '"one hundred" "two"')).toEqual(['"one hundred" "two"', 1, 1]);
      expect(value(TXT, '""', '"" "two"')).toEqual(['"" "two"', 1, 1]);
      expect(value(TXT, '"one"', '"one"')).toEqual(['"one"', 1, 0]);
    });

    it('of TXT are told apart under one name', () => {
      const texts = (...values: string[]) => values.map(rdata => record({ rrtype: TXT, rdata }));
      const rows = ['"v=spf1"', '"site=1"'].map(rdata => listed({ rrtype: TXT, rdata }));
      const { rows: result } = merged(rows, response(texts('"site=1" "x"', '"v=spf1" "-all"', '"third"')));
      expect(result.map(({ rdata, origin }) => [rdata, origin])).toEqual([
        ['"v=spf1" "-all"', 0],
        ['"site=1" "x"', 0],
        ['"third"', 1],
      ]);
    });

    it('that are malformed do not replace what the exporter made of them', () => {
      expect(value(A, '0.0.0.0', '\\# 3 C00002')).toEqual(['0.0.0.0', 1, 0]);
      expect(value(MX, null, '\\# 1 0A')).toEqual(['\\# 1 0A', 1, 1]);
    });
  });

  it('takes an RR with another time to live for another', () => {
    const { rows } = merged([listed(address(1))], response([addressRecord(1, { ttl: 59 })]));
    expect(rows.map(({ ttl, origin }) => [ttl, origin])).toEqual([
      [60, 0],
      [59, 1],
    ]);
  });

  describe('owner names', () => {
    it('that the exporter lost are taken from the payload', () => {
      const rows = [
        listed(address(1)),
        listed({ ...address(2), rrname: null }),
        listed({ ...address(3), rrname: null }),
      ];
      const { rows: result } = merged(rows, response([1, 2, 3].map(last => addressRecord(last))));
      expect(result).toEqual([1, 2, 3].map(last => listed(address(last))));
    });

    it('with dots inside labels, which 2.7 and 2.12 do not escape, are put right', () => {
      const [lossy, exact] = ['dot.in.label.example.', 'dot\\.in\\.label.example.'];
      const { rows } = merged(
        [asked({ rrname: lossy }), listed({ rrtype: CNAME, rrname: lossy, rdata: lossy })],
        query([question({ rrname: exact })]),
        response([question({ rrname: exact }), record({ rrtype: CNAME, rrname: exact, rdata: exact })]),
      );
      expect(rows).toEqual([
        asked({ rrname: exact }),
        listed({ rrtype: CNAME, rrname: exact, rdata: exact }),
      ]);
    });

    it('of another record are another record', () => {
      expect(
        merged([listed(address(1))], response([addressRecord(1, { rrname: 'b.example.' })])).rows,
      ).toHaveLength(2);
    });
  });

  it('ends for tens of thousands of records that agree with no row', () => {
    const count = 30_000; // measured: 0.1 s for 6,000; without the bound 7 s, and 25 times that for these
    const mail = (i: number, of: string) => ({ rrtype: MX, rdata: `${i} ${of}.example.` });
    const rows = Array.from({ length: count }, (_, i) => listed(mail(i, 'listed')));
    const records = Array.from({ length: count }, (_, i) => record(mail(i, 'read')));
    const questions = Array.from({ length: count }, (_, i) => question({ rrname: `${i}.example.` }));
    expect(merged(rows, response([...questions, ...records])).rows).toHaveLength(3 * count);
  });
});

describe('the payload of a capture that YAF decoded too', () => {
  const flows = mapFixture('yaf2164-small-payload').flows;
  const own = flows.flatMap(({ rrs }) => rrs.filter(({ origin }) => origin === 1));
  const answers = (type: string) =>
    own
      .filter(({ rrtype, section }) => section === 1 && rrtypeName(rrtype) === type)
      .map(({ rdata }) => rdata);

  it('adds what YAF does not recognise as DNS', () => {
    expect(answers('CAA')).toEqual([
      '0 issue "ca.example.net; account=230123"',
      '0 iodef "mailto:security@shop.example"',
      '128 tbs "unknown"',
    ]);
    expect(answers('HTTPS')).toEqual([
      expect.stringMatching(/^1 \. alpn="h2,h3" ipv4hint=203\.0\.113\.104 ech=/),
    ]);
    expect(answers('SVCB')).toEqual(Array(2).fill('1 doh.shop.example. alpn="h2" port=8443 key65333="ex"'));
    expect(answers('URI')).toEqual(Array(2).fill('10 1 "ftp://ftp1.example.com/public"'));
    expect(answers('TYPE65400')).toEqual(['\\# 3 AABBCC']);
    // of the answer to ANY
    expect(answers('SOA')).toEqual([
      'ns1.infra.test. hostmaster.infra.test. 2024061501 7200 900 1209600 300',
    ]);
    expect(own.filter(({ rrtype, section }) => rrtype === 255 && section === 0)).toHaveLength(1);
  });

  it('gives the values of types that YAF does not export, and all strings of TXT', () => {
    const complete = (type: string) =>
      rrsOf({ ...mapFixture('yaf2164-small-payload'), flows })
        .filter(({ rrtype, origin, section }) => rrtypeName(rrtype) === type && origin === 0 && section === 1)
        .map(({ rdata }) => rdata);
    expect(complete('TXT').filter(rdata => rdata?.includes('" "'))).not.toEqual([]);
    for (const type of ['DNAME', 'NAPTR', 'SSHFP', 'RP', 'HINFO'])
      expect(complete(type), type).toEqual(complete(type).map(() => expect.stringMatching(/\S/)));
  });

  it('leaves the rows of the list as many as they are, and stores none of them twice', () => {
    const plain = rrsOf(mapFixture('yaf2164-small'));
    const exported = flows.flatMap(({ rrs }) => rrs.filter(({ origin }) => origin === 0));
    const key = ({ rdata: _, rdata_ip: __, ...row }: RrRow) => row;
    expect(exported.map(key)).toEqual(plain.map(key));
    expect(own).toHaveLength(57);
    const text = ({ origin: _, ...row }: RrRow) => JSON.stringify(row);
    for (const { rrs } of flows) {
      const [theirs, ours] = [rrs.filter(row => row.origin === 0), rrs.filter(row => row.origin === 1)];
      for (const row of ours) expect(theirs.map(text)).not.toContain(text(row));
    }
  });
});

const truth = new URL('../../../../shared/fixtures/small.tshark.ndjson.gz', import.meta.url);

type Layer = Readonly<Record<string, string | readonly string[] | undefined>>;

interface Packet {
  readonly timeUs: number;
  readonly from: string;
  readonly to: string;
  readonly payload: Buffer;
  /** "owner type" of each entry, OPT left out. */
  readonly entries: readonly string[];
}

/** The UDP packets with DNS in tshark's list. */
function packetsOf(path: URL): Packet[] {
  const lines = gunzipSync(readFileSync(path)).toString().split('\n');
  return lines
    .filter(line => line.startsWith('{"timestamp"'))
    .flatMap(line => {
      const { layers } = JSON.parse(line) as { layers: Readonly<Record<string, Layer | undefined>> };
      const { frame, ip, ipv6, udp, dns } = layers;
      if (frame === undefined || udp === undefined || dns === undefined) return [];
      const end = (side: 'src' | 'dst') => {
        const host = String(ip?.[`ip_ip_${side}`] ?? ipv6?.[`ipv6_ipv6_${side}`]);
        return `${host} ${udp[`udp_udp_${side}port`]}`;
      };
      const entries = [dns.text ?? []].flat().flatMap(text => {
        const [, owner, type] = /^(.*?): type ([^,]+)/.exec(text) ?? [];
        return owner === undefined || type === 'OPT'
          ? []
          : [`${owner === '<Root>' ? '.' : `${owner.toLowerCase()}.`} ${type}`];
      });
      const seconds = String(frame.frame_frame_time_epoch);
      const payload = Buffer.from(String(udp.udp_udp_payload).replaceAll(':', ''), 'hex');
      return [
        { timeUs: Math.round(Number(seconds) * 1e6), from: end('src'), to: end('dst'), payload, entries },
      ];
    });
}

/** Address and port as tshark writes them. */
function endOf(flow: MappedFlow['flow'], side: 'src' | 'dst'): string {
  const address = flow[side];
  const host = typeof address === 'number' ? addressText(address) : decodeIpv6(address);
  return `${host} ${flow[`${side}_port`]}`;
}

const decodeIpv6 = (octets: Buffer) =>
  new URL(`http://[${octets.toString('hex').replace(/(.{4})(?!$)/g, '$1:')}]/`).hostname.slice(1, -1);

/** "owner type" as tshark writes them. */
function entryOf({ rrname, rrtype }: RrRow): string {
  const type = rrtype === 65400 ? 'Unknown (65400)' : rrtypeName(rrtype);
  return `${rrname} ${type}`;
}

describe.skipIf(!existsSync(truth))(
  'the payload of a capture, against tshark (skipped where ../shared/fixtures is absent)',
  () => {
    it('has every complete entry of the first message of each direction of a flow as a row', () => {
      const { flows } = mapFixture('yaf2164-small-payload');
      const seen = new Set<string>();
      let compared = 0;
      for (const { timeUs, from, to, payload, entries } of packetsOf(truth)) {
        const index = flows.findIndex(({ flow }) => {
          const [src, dst] = [endOf(flow, 'src'), endOf(flow, 'dst')];
          const isOne = (src === from && dst === to) || (src === to && dst === from);
          return isOne && flow.start_time - 2 <= timeUs && timeUs <= Number(flow.end_time) + 2;
        });
        const direction = `${index} ${from}`;
        if (seen.has(direction)) continue;
        seen.add(direction);
        expect(index, `${from} ${to}`).toBeGreaterThanOrEqual(0);
        const [message] = decodePayload(payload.subarray(0, 200), 'udp');
        if (message === undefined) continue;
        const rows = flows[index]!.rrs; // expected above
        const stored = rows.filter(row => row.qr === message.qr && row.dns_id === message.id);
        const open = stored.map(row => `${row.section} ${entryOf(row)}`);
        const asked = new Set(rows.filter(({ section, qr }) => section === 0 && !qr).map(entryOf));
        for (const [i, { section }] of message.records.entries()) {
          const entry = entries[i] ?? 'nothing';
          const at = open.indexOf(`${section} ${entry}`);
          if (at >= 0) open.splice(at, 1);
          else if (section > 0 || !message.qr || message.rcode > 0 || !asked.has(entry))
            expect(open, `${from} ${to}`).toContain(`${section} ${entry}`);
          compared++;
        }
      }
      expect(compared).toBe(806);
    });
  },
);
