import { describe, expect, it } from 'vitest';
import type { RrRow } from '../../../collector/map/rows.ts';
import {
  field,
  ipv4,
  octets,
  subTemplateList,
  template,
  u8,
  u16,
  u32,
  VARIABLE,
  variable,
  variableLong,
} from '../../support/ipfixBuilder.ts';
import { addressText, CERT, ipv6, mapFixture, mapStream, rrsOf, streamOf, udpFlow } from './mapStream.ts';
import {
  dns2,
  dns3,
  dnsEntry2,
  multiList,
  type Rr,
  tcpEntry,
  tcpTemplate,
  templates2,
  templates3,
} from './yafRecords.ts';

const A = 1;
const NS = 2;
const TXT = 16;
const RRSIG = 46;
const NSEC3 = 50;
const NSEC3PARAM = 51;
const cert = (id: number, length: number) => field(id, length, CERT);

/** What the entries become in the layout of 2.x or 3.x, with this rdata template. */
const map2 = (rrs: readonly Rr[], rdata = [field(8, 4)]) =>
  mapStream(streamOf([...udpFlow, dns2(...rrs)], templates2(rdata)));
const map3 = (rrs: readonly Rr[], rdata = [cert(302, 4)]) =>
  mapStream(streamOf([...udpFlow, dns3(rrs)], templates3(rdata)));
const names = (rows: readonly RrRow[]) => rows.map(({ rrname }) => rrname);
const nameIn2 = (name: string, type = A, section = 1) => rrsOf(map2([{ name, type, section }]))[0]?.rrname;
const nameIn3 = (name: string, type = A, section = 1) => rrsOf(map3([{ name, type, section }]))[0]?.rrname;

describe('an entry of the DNS list', () => {
  const question: Rr = { name: 'WWW.Example.', type: A, id: 0x2dd7 };
  const answer: Rr = {
    ...{ name: 'www.example.', type: A, id: 0x2dd8, qr: 1, authoritative: 1, section: 1, ttl: 20 },
    rdata: ipv4('203.0.113.80'),
  };
  const rows = [
    {
      ...{
        rrname: 'www.example.',
        rrtype: A,
        dns_id: 0x2dd7,
        qr: false,
        authoritative: false,
        section: 0,
        ttl: 0,
      },
      ...{ rcode: 0, origin: 0, rdata: null, rdata_ip: null },
    },
    {
      ...{
        rrname: 'www.example.',
        rrtype: A,
        dns_id: 0x2dd8,
        qr: true,
        authoritative: true,
        section: 1,
        ttl: 20,
      },
      ...{ rcode: 0, origin: 0, rdata: '203.0.113.80', rdata_ip: 0xcb007150 },
    },
  ];

  it.each([
    ['2.x', map2([question, answer])],
    ['3.x', map3([question, answer])],
  ])('becomes a row with all columns, from YAF %s', (_, stream) => expect(rrsOf(stream)).toEqual(rows));

  it('holds the response code in what 2.x calls dnsNXDomain', () => {
    expect(rrsOf(map2([{ ...question, qr: 1, rcode: 5 }]))[0]).toMatchObject({
      section: 0,
      qr: true,
      rcode: 5,
    });
    const refused = rrsOf(mapFixture('yaf2164-small')).filter(({ rcode }) => rcode === 5);
    expect(refused.map(({ qr, section }) => [qr, section])).toContainEqual([true, 0]);
  });

  it('has the time to live as unsigned number', () => {
    expect(rrsOf(map2([{ ...answer, ttl: 0xffff_ffff }]))[0]?.ttl).toBe(0xffff_ffff);
  });

  it('has no value where its list is empty, whatever template that names', () => {
    const dname = { ...answer, type: 39 };
    delete (dname as { rdata?: unknown }).rdata;
    expect(rrsOf(map2([dname]))[0]).toMatchObject({ rrtype: 39, rdata: null, rdata_ip: null });
    const unsupported = rrsOf(mapFixture('yaf2164-small')).filter(({ rrtype }) =>
      [13, 35, 39, 44, 52].includes(rrtype),
    );
    expect(unsupported.length).toBeGreaterThan(5);
    expect(unsupported.map(({ rdata }) => rdata)).toEqual(unsupported.map(() => null));
  });

  it('of version 2 with an address leaves the source address of its flow alone', () => {
    const expectOwn = ({ flows }: ReturnType<typeof map2>) => {
      expect(addressText(flows[0]?.flow.src ?? null)).toBe('192.0.2.1');
      expect(flows[0]?.rrs[0]?.rdata).toBe('203.0.113.80');
    };
    expectOwn(map2([answer]));
    expectOwn(mapStream(streamOf([dns2(answer), ...udpFlow], templates2())));
    const aaaa = { ...answer, type: 28, rdata: ipv6('20010db8000000000000000000000001') };
    expect(rrsOf(map2([aaaa], [field(27, 16)]))[0]?.rdata).toBe('2001:db8::1');
  });

  it('keeps an IPv4-mapped address in AAAA', () => {
    const mapped = ipv6('00000000000000000000ffffc0000201');
    const [row] = rrsOf(map3([{ ...answer, type: 28, rdata: mapped }], [cert(303, 16)]));
    expect(row).toMatchObject({ rdata: '::ffff:192.0.2.1', rdata_ip: mapped });
  });
});

describe('template ids and the order of lists', () => {
  const rrs: readonly Rr[] = [
    { name: 'a.example.', type: A, id: 1 },
    { name: 'a.example.', type: A, id: 1, qr: 1, section: 1, ttl: 9, rdata: ipv4('192.0.2.9') },
  ];
  const expected = rrsOf(map2(rrs));
  const others = { dns: 300, rr: 299, rdata: 4711 };

  it('play no role in 2.x', () => {
    const stream = streamOf(
      [...udpFlow, multiList(dnsEntry2(rrs, others))],
      templates2([field(8, 4)], others),
      256,
    );
    expect(rrsOf(mapStream(stream))).toEqual(expected);
  });

  it('play no role in 3.x', () => {
    const stream = streamOf([...udpFlow, dns3(rrs, others)], templates3([cert(302, 4)], others), 256);
    expect(rrsOf(mapStream(stream))).toEqual(expected);
  });

  it('play no role between the entries of a multi list', () => {
    const entries = [dnsEntry2(rrs), tcpEntry(2, 0x18, 0x12, 0x18)];
    const mapped = [entries, entries.toReversed()].map(order =>
      mapStream(streamOf([...udpFlow, multiList(...order)], [tcpTemplate, ...templates2()])),
    );
    for (const stream of mapped) {
      expect(rrsOf(stream)).toEqual(expected);
      expect(stream.flows[0]?.flow.tcp_flags).toBe(0x1a);
    }
  });

  it('play no role across the versions of YAF: each gives the same rows for the same packets', () => {
    const rows = rrsOf(mapFixture('yaf2164-small'));
    expect(rows).toHaveLength(727);
    for (const name of ['yaf271-small', 'yaf2122-small', 'yaf3-small', 'tcp-reconnect-conn1'])
      expect(rrsOf(mapFixture(name)), name).toEqual(rows);
  });
});

describe('a flow without DNS', () => {
  it('has an empty yafDPIList in 3.x, named after a template that holds nothing', () => {
    const empty = variableLong(subTemplateList(0xc209, []));
    const stream = streamOf([[cert(432, VARIABLE), empty], ...udpFlow], [template(0xc209, [field(210, 1)])]);
    expect(mapStream(stream)).toMatchObject({ kinds: { flow: 1 }, notes: {}, flows: [{ rrs: [] }] });
  });

  it('has a multi list of no entry in 2.x', () => {
    expect(mapStream(streamOf([...udpFlow, multiList()]))).toMatchObject({ notes: {}, flows: [{ rrs: [] }] });
    expect(multiList()[1]).toEqual(Buffer.from('ff000103', 'hex'));
  });
});

describe('fillers', () => {
  it('are dropped and counted, the half filled one too', () => {
    const half: Rr = { section: 1, qr: 1, id: 0x2dd7 };
    for (const map of [map2, map3]) {
      const stream = map([{ name: 'a.', type: A, id: 0x2dd7 }, half, {}, {}]);
      expect(names(rrsOf(stream))).toEqual(['a.']);
      expect(stream.notes).toEqual({ filler_rr: 3 });
    }
  });

  it('of big answers are dropped and counted', () => {
    const stream = mapFixture('yaf2164-big');
    expect(stream.notes.filler_rr).toBe(134);
    expect(rrsOf(stream).map(({ rrtype }) => rrtype)).not.toContain(0);
  });
});

describe('owner names', () => {
  it('are the root when empty in a question, or of a type that the root has', () => {
    expect([nameIn2('', NS), nameIn2('', 6), nameIn2('', 48), nameIn2('', A, 0)]).toEqual([
      '.',
      '.',
      '.',
      '.',
    ]);
  });

  it('are the root as a dot in 3.x, whatever the type', () => {
    expect([nameIn3('.', NS), nameIn3('.', A), nameIn3('.', A, 0)]).toEqual(['.', '.', '.']);
  });

  it('that 2.7 and 2.12 lose are unknown and counted', () => {
    const stream = map2([{ type: A, section: 1, qr: 1, rdata: ipv4('192.0.2.1') }]);
    expect(rrsOf(stream)).toMatchObject([{ rrname: null, rdata: '192.0.2.1' }]);
    expect(stream.notes).toEqual({ unknown_owner_name: 1 });
  });

  it('that are empty after a thousand octets of text are lost, not the root', () => {
    const long = { name: `${'a'.repeat(60)}.`, type: TXT, section: 1 };
    const stream = map2([...Array<Rr>(16).fill(long), { type: NS, section: 2 }]);
    expect(rrsOf(stream).at(-1)).toMatchObject({ rrtype: NS, rrname: null });
    expect(stream.notes).toEqual({ unknown_owner_name: 1 });
  });

  it('that lost labels are unknown, also in a question', () => {
    for (const name of ['many.big..', '..', '.big.'])
      expect([nameIn2(name), nameIn2(name, A, 0), nameIn2(name, NS), nameIn3(name, A, 0)], name).toEqual([
        null,
        null,
        null,
        null,
      ]);
    const { notes } = mapFixture('yaf2164-names');
    expect(notes).toEqual({ unknown_owner_name: 1 });
  });

  it('inside rdata that lost labels are unknown', () => {
    const cname = { name: 'a.', type: 5, section: 1, rdata: variable('many.big..') };
    expect(rrsOf(map2([cname], [cert(180, VARIABLE)]))[0]?.rdata).toBeNull();
    const mx = { name: 'a.', type: 15, section: 1, rdata: octets(variable('many.big..'), u16(10)) };
    expect(rrsOf(map3([mx], [cert(182, VARIABLE), cert(181, 2)]))[0]?.rdata).toBe('10 -');
  });

  it('come in two dialects and have one form', () => {
    const pairs: readonly (readonly [escaped: string, raw: string, canonical: string])[] = [
      ['back\\\\slash.', 'back\\slash.', 'back\\\\slash.'],
      ['new\\nline.', 'new\nline.', 'new\\010line.'],
      ['bin\\x00\\x01\\xFFx.', 'bin\0\x01\xffx.', 'bin\\000\\001\\255x.'],
      ['caf\\xC3\\xA9.', 'caf\xc3\xa9.', 'caf\\195\\169.'],
      ['bad\\xC3.', 'bad\xc3.', 'bad\\195.'],
      ['space name.', 'space name.', 'space\\032name.'],
      ['quote"semi;at@dol$.', 'quote"semi;at@dol$.', 'quote\\"semi\\;at\\@dol\\$.'],
      ['XN--Caf-DMA.', 'XN--Caf-DMA.', 'xn--caf-dma.'],
    ];
    for (const [escaped, raw, canonical] of pairs)
      expect([nameIn2(escaped), nameIn2(raw), nameIn3(escaped)]).toEqual([canonical, canonical, canonical]);
    expect(nameIn2('dot\\.in\\.label.example.')).toBe('dot\\.in\\.label.example.');
  });

  it('of 2.7, 2.16 and 3.x are the same for the same packets, but for dots inside labels and a lost name', () => {
    const [raw, ...escaped] = ['yaf271-names', 'yaf2164-names', 'yaf3-names'].map(name =>
      names(rrsOf(mapFixture(name))),
    );
    expect(escaped[1]).toEqual(escaped[0]);
    const known = raw?.map((name, i) => (escaped[0]?.[i] === null ? null : name));
    expect(known).toEqual(escaped[0]?.map(name => name?.replaceAll('\\.', '.') ?? null));
    expect(raw?.filter(name => name?.includes('\\000'))).not.toEqual([]);
    for (const name of raw ?? []) expect(name).toMatch(/^[!-~]+$/);
  });
});

describe('texts', () => {
  const txt = (value: string) =>
    rrsOf(map2([{ name: 'a.', type: TXT, section: 1, rdata: variable(value) }], [cert(208, VARIABLE)]))[0]
      ?.rdata;

  it('are the first string, in either dialect, with dots left alone', () => {
    expect([txt('v=spf1 a.example -all'), txt('')]).toEqual(['"v=spf1 a.example -all"', '""']);
    expect([txt('a\\\\b\\n\\x00'), txt('a\\b\n\0')]).toEqual(['"a\\\\b\\010\\000"', '"a\\\\b\\010\\000"']);
    expect(txt('say "hi"')).toBe('"say \\"hi\\""');
  });
});

describe('values of several parts', () => {
  it('are whole in either version', () => {
    const soa = [
      cert(214, VARIABLE),
      cert(215, VARIABLE),
      ...[209, 210, 211, 212, 213].map(id => cert(id, 4)),
    ];
    const values = octets(
      variable('NS.example.'),
      variable('admin\\.x.example.'),
      ...[1, 2, 3, 4, 5].map(u32),
    );
    const rr = { name: 'example.', type: 6, section: 1 };
    const [padded, plain] = [
      map2([{ ...rr, rdata: octets(values, u32(0)) }], [...soa, field(210, 4)]),
      map3([{ ...rr, rdata: values }], soa),
    ].map(stream => rrsOf(stream)[0]?.rdata);
    expect([padded, plain]).toEqual(Array(2).fill('ns.example. admin\\.x.example. 1 2 3 4 5'));

    const srv = [cert(219, VARIABLE), cert(216, 2), cert(217, 2), cert(218, 2)];
    const target = octets(variable('sip.example.'), u16(10), u16(60), u16(5060));
    expect(rrsOf(map3([{ ...rr, type: 33, rdata: target }], srv))[0]?.rdata).toBe('10 60 5060 sip.example.');
  });

  it('are the root for an empty exchange of 2.x and a dot of 3.x: the null MX', () => {
    const mx = (exchange: string) => ({
      name: 'a.',
      type: 15,
      section: 1,
      rdata: octets(variable(exchange), u16(0)),
    });
    const fields = [cert(182, VARIABLE), cert(181, 2)];
    expect(rrsOf(map2([mx('')], fields))[0]?.rdata).toBe('0 .');
    expect(rrsOf(map3([mx('.')], fields))[0]?.rdata).toBe('0 .');
  });
});

describe('DNSSEC records', () => {
  const rdataOf = (name: string, type: number) =>
    rrsOf(mapFixture(name)).flatMap(({ rrtype, rdata }) =>
      rrtype === type && rdata !== null ? [rdata] : [],
    );
  const rrsig = (signature: Buffer, ...tagAndCovered: readonly [number, number]) =>
    octets(
      variable('example.'),
      variable(signature),
      u32(1_700_000_000),
      u32(1_710_000_000),
      u32(3600),
      u16(tagAndCovered[0]),
      u16(tagAndCovered[1]),
      u8(13),
      u8(2),
    );
  const signatureFields = (ttl: number, tag: number, algorithm: number) =>
    [
      [229, VARIABLE],
      [230, VARIABLE],
      [237, 4],
      [236, 4],
      [ttl, 4],
      [tag, 2],
      [240, 2],
      [algorithm, 1],
      [239, 1],
    ].map(([id, length]) => cert(id as number, length as number));
  const rr: Rr = { name: 'example.', type: RRSIG, section: 1 };
  const signature = Buffer.alloc(64, 7);
  const written = `NS 13 2 3600 20240309160000 20231114221320 27287 example. ${signature.toString('base64')}`;

  it('of 2.x have key tag and type covered put right, and counted', () => {
    const stream = map2([{ ...rr, rdata: rrsig(signature, NS, 27287) }], signatureFields(199, 228, 227));
    expect(rrsOf(stream)[0]?.rdata).toBe(written);
    expect(stream.notes).toEqual({ rrsig_repaired: 1 });
  });

  it('of 3.x are right as they are', () => {
    const stream = map3([{ ...rr, rdata: rrsig(signature, 27287, NS) }], signatureFields(449, 448, 447));
    expect(rrsOf(stream)[0]?.rdata).toBe(written);
    expect(stream.notes).toEqual({});
  });

  it('of 2.7 and 2.12 lose the octet too many of their signature, and write a hyphen for none', () => {
    const rdata = (octets: Buffer) =>
      rrsOf(map2([{ ...rr, rdata: rrsig(octets, NS, 27287) }], signatureFields(199, 228, 227)))[0]?.rdata;
    expect(rdata(Buffer.concat([signature, Buffer.of(0)]))).toBe(written);
    expect(rdata(Buffer.alloc(0))).toMatch(/ example\. -$/);
  });

  it('with signatures are the same from 2.16 and 3.x', () => {
    const signatures = rdataOf('yaf3-dnssec-on', RRSIG);
    expect(signatures).toHaveLength(151);
    expect(rdataOf('yaf2164-dnssec', RRSIG)).toEqual(signatures);
  });

  it('with signatures are the same from 2.12, but for those that found no room', () => {
    const signatures = rdataOf('yaf3-dnssec-on', RRSIG);
    const old = rdataOf('tcp-reconnect-conn3', RRSIG);
    const withoutSignature = (rdata: string) => rdata.replace(/\S+$/, '-');
    const [whole, cut] = [
      old.filter(rdata => !rdata.endsWith(' -')),
      old.filter(rdata => rdata.endsWith(' -')),
    ];
    expect(whole.length).toBeGreaterThan(100);
    for (const rdata of whole) expect(signatures).toContain(rdata);
    for (const rdata of cut) expect(signatures.map(withoutSignature)).toContain(rdata);
  });

  it('have hyphens for digest and key, which 2.16 sends empty', () => {
    for (const type of [43, 48]) {
      const [empty, whole] = [rdataOf('yaf2164-dnssec', type), rdataOf('yaf3-dnssec-on', type)];
      expect(whole.length).toBeGreaterThan(0);
      expect(empty).toEqual(whole.map(rdata => rdata.replace(/\S+$/, '-')));
      expect(rdataOf('tcp-reconnect-conn3', type)).toEqual(whole);
    }
  });

  it('share a template for NSEC3 and NSEC3PARAM in 2.x: the RR type tells, and flags are not sent', () => {
    const fields = [cert(233, VARIABLE), cert(234, VARIABLE), cert(235, 2), cert(227, 1), field(210, 5)];
    const rdata = octets(variable([0xaa, 0xbb]), variable(Buffer.alloc(20)), u16(5), u8(1), Buffer.alloc(5));
    const [next, parameters] = [NSEC3, NSEC3PARAM].map(
      type => rrsOf(map2([{ name: 'example.', type, section: 1, rdata }], fields))[0]?.rdata,
    );
    expect([next, parameters]).toEqual([`1 - 5 AABB ${'0'.repeat(32)}`, '1 - 5 AABB']);
    const inFixture = rdataOf('yaf2164-dnssec', NSEC3PARAM);
    expect(inFixture).toEqual(
      rdataOf('yaf3-dnssec-on', NSEC3PARAM).map(text => text.replace(/^(\d+) \d+/, '$1 -')),
    );
    expect(inFixture.length).toBeGreaterThan(0);
  });
});
