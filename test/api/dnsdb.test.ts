import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { linesOf, startTestApi, type TestApi } from '../support/api.ts';
import { importRecords, knownRecords } from '../support/passiveDns.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi(knownRecords);
});
afterAll(() => api.close());

/** The objects of an answer of version 2, which must be complete and framed as documented. */
async function objects(path: string): Promise<readonly Record<string, unknown>[]> {
  const { status, body } = await api.get(`/dnsdb/v2/${path}`);
  expect([status, body]).toEqual([200, expect.stringMatching(/^\{"cond":"begin"\}\n/)]);
  const lines = linesOf(body);
  expect(lines.at(-1)).toEqual({ cond: 'succeeded' });
  return lines.slice(1, -1).map(({ obj }) => obj as Record<string, unknown>); // all lines between carry one
}

const counts = async (path: string) => (await objects(path)).map(({ count }) => count);

describe('DNSDB version 2 on the wire', () => {
  it('frames an answer as documented, octet by octet', async () => {
    const { status, headers, body } = await api.get('/dnsdb/v2/lookup/rrset/name/www.example.com/A?limit=10');
    expect(body).toBe(`{"cond":"begin"}
{"obj":{"count":120,"time_first":1700000000,"time_last":1705000000,"rrname":"www.example.com.","rrtype":"A","bailiwick":"example.com.","rdata":["192.0.2.10"]}}
{"obj":{"count":30,"time_first":1705000100,"time_last":1710000000,"rrname":"www.example.com.","rrtype":"A","bailiwick":"example.com.","rdata":["192.0.2.10","198.51.100.2"]}}
{"cond":"succeeded"}
`);
    expect([
      status,
      headers['content-type'],
      headers['content-encoding'],
      headers['x-ratelimit-limit'],
    ]).toEqual([200, 'application/x-ndjson', undefined, 'unlimited']);
  });

  it('answers nothing found with 200, begin and succeeded', async () => {
    expect((await api.get('/dnsdb/v2/lookup/rrset/name/nosuch.example')).body).toBe(
      '{"cond":"begin"}\n{"cond":"succeeded"}\n',
    );
    expect((await api.get('/dnsdb/v2/summarize/rrset/name/nosuch.example')).body).toBe(
      '{"cond":"begin"}\n{"cond":"succeeded"}\n',
    );
  });

  it('says limited if and only if there was one row more', async () => {
    const last = async (limit: number) =>
      linesOf((await api.get(`/dnsdb/v2/lookup/rrset/name/www.example.com/A?limit=${limit}`)).body).at(-1);
    expect(await last(1)).toEqual({ cond: 'limited', msg: 'Result limit reached' });
    expect(await last(2)).toEqual({ cond: 'succeeded' });
  });

  it('never compresses, though a client would take it, and never answers without a last line feed', async () => {
    const { headers, body } = await api.get('/dnsdb/v2/rate_limit', { 'accept-encoding': 'gzip, deflate' });
    expect([headers['content-encoding'], body]).toEqual([
      undefined,
      '{"rate":{"reset":"n/a","limit":"unlimited","remaining":"n/a","results_max":1000000,"offset_max":3000000}}\n',
    ]);
    expect((await api.get('/dnsdb/v2/ping')).body).toBe('{"ping":"ok"}\n');
  });

  it('writes what is not printable as escapes, in plain ASCII', async () => {
    const { body } = await api.get('/dnsdb/v2/lookup/rrset/name/%5C255%5C000.example.org');
    expect(body).toContain('"rrname":"\\\\255\\\\000.example.org."');
    expect(body).toMatch(/^[\n -~]*$/);
  });

  it.each([
    ['begins with two slashes', '//dnsdb/v2/lookup/rrset/name/.', [11]],
    ['has two slashes inside', '/dnsdb/v2//lookup/rrset/name/example.com/MX', [9]],
    ['ends in a slash', '/dnsdb/v2/lookup/rrset/name/example.com/MX/', [9]],
    ['has a prefix', '/some/prefix/dnsdb/v2/lookup/rrset/name/example.com/MX', [9]],
    ['is the root, escaped', '/dnsdb/v2/lookup/rrset/name/%2e', [11]],
    ['has a slash in a label', '/dnsdb/v2/lookup/rrset/name/0%2F25.2.0.192.in-addr.arpa', [12]],
    [
      'has a slash in a label, escaped twice',
      '/dnsdb/v2/lookup/rrset/name/0%252f25.2.0.192.in-addr.arpa',
      [12],
    ],
    ['has octets that are no UTF-8', '/dnsdb/v2/lookup/rrset/name/%FF%00.example.org', [19]],
    ['has half of a character', '/dnsdb/v2/lookup/rrset/name/%E0%A4', []],
    ['is in capitals with a last dot', '/dnsdb/v2/lookup/rrset/name/WWW.Example.COM./a', [120, 30]],
    ['is in its own script', '/dnsdb/v2/lookup/rrset/name/B%C3%9CCHER.example', [13]],
    ['is a published wildcard', '/dnsdb/v2/lookup/rrset/name/%5C052.wild.example', [16]],
    ['is a published wildcard, in decimal', '/dnsdb/v2/lookup/rrset/name/%5C042.wild.example', [16]],
    ['has a raw asterisk', '/dnsdb/v2/lookup/rrset/name/*.wild.example', [16]],
    ['repeats a parameter', '/dnsdb/v2/lookup/rrset/name/www.example.com/A?limit=1&limit=9', [120, 30]],
    [
      'has parameters of the client',
      '/dnsdb/v2/lookup/rrset/name/www.example.com?swclient=x&version=1&id=a:b&unknown=%',
      [120, 30],
    ],
    [
      'asks for Python’s booleans',
      '/dnsdb/v2/lookup/rrset/name/www.example.com?aggr=True&humantime=False&offset=0',
      [120, 30],
    ],
    [
      'asks for more than there can be',
      '/dnsdb/v2/lookup/rrset/name/www.example.com?limit=1000000000000',
      [120, 30],
    ],
    ['asks for all', '/dnsdb/v2/lookup/rrset/name/%2A./SRV', [17]],
  ])('understands a URL that %s', async (_what, target, expected) => {
    const lines = linesOf((await api.get(target)).body);
    expect(lines.slice(1, -1).map(({ obj }) => (obj as { count: number }).count)).toEqual(expected);
  });

  it.each([
    ['*.example.com', ['a+b&c.example.com.', 'example.com.', 'mail.example.com.', 'www.example.com.']],
    ['www.example.*', ['www.example.co.test.', 'www.example.com.']],
    [
      '*.com.',
      [
        'a+b&c.example.com.',
        'exa\\032mple.com.',
        'example.com.',
        'mail.example.com.',
        'not-example.com.',
        'notexample.com.',
        'www.example.com.',
        'www.examples.com.',
      ],
    ],
  ])('finds whole labels with %s', async (pattern, names) => {
    const found = await objects(`lookup/rrset/name/${encodeURIComponent(pattern)}`);
    expect([...new Set(found.map(({ rrname }) => rrname))].toSorted()).toEqual(names);
  });

  it.each([
    ['', [900, 640, 77, 9, 10, 3]],
    ['/ANY', [900, 640, 77, 9, 10, 3]],
    ['/TYPE255', [900, 640, 77, 9, 10, 3]],
    ['/ANY-DNSSEC', [5]],
    ['/ds', [5]],
    ['/TYPE2', [900, 640, 77]],
    ['/any/COM.', [900, 640]],
  ])('takes rrset/name/example.com%s for its types', async (path, expected) => {
    expect(await counts(`lookup/rrset/name/example.com${path}`)).toEqual(expected);
  });

  it('names types without a mnemonic by their number, and shows their values as RFC 3597 does', async () => {
    expect(await objects('lookup/rrset/name/odd.example.org/TYPE65280')).toMatchObject([
      { rrtype: 'TYPE65280', rdata: ['\\# 3 ABCDEF'] },
    ]);
  });

  it.each([
    ['ip/192.0.2.77,24', [150]],
    ['ip/192.0.2.0%2F24', [150]],
    ['ip/192.0.2.0%2C24/AAAA', [150]],
    ['ip/2001:db8::,32', [3]],
    ['ip/2001%3Adb8%3A%3A-2001%3Adb8%3A%3Aff/any', [3]],
    ['ip/0.0.0.0,0', [150, 30, 6, 7, 8, 1, 13, 14, 15, 16]],
    ['ip/::,0', [3]],
    ['name/mail.example.net', [9]],
    ['name/ns1.example.net/A', []],
    ['name/ns1.example.net/ns', [977, 640]],
    ['name/*.example.net', [9, 977, 640, 977, 640]],
    ['name/ns1.example.*', [977, 640]],
    ['raw/C000020A', [150]],
    ['raw/c00002', [150]],
    ['raw/20010DB8/AAAA', [3]],
    ['raw/036E7331076578616D706C65036E657400', [977, 640]],
    ['raw/036E7331076578616D', [977, 640]],
    ['raw/036e73', [977, 640, 977, 640]], // ns. has a label of two
    ['raw/026e', [12]],
    ['raw/0A/MX', []],
    ['raw/000A046D61696C/MX', [9]],
    ['raw/046d61696c', [9]],
    ['raw/0005000613C4', [17]],
    ['raw/03736970', [17]],
    ['raw/0b763d73706631202d616c6c', [10]],
    ['raw/0b763d', [10]],
    ['raw/0600FF20227122', [19]],
    ['raw/0600FF20227123', []],
    ['raw/303908', []],
    ['raw/303908/DS', [5]],
    ['raw/ABCDEF/TYPE65280', [18]],
    ['raw/ABCD', [18]],
  ])('finds rdata/%s', async (path, expected) => {
    expect((await counts(`lookup/rdata/${path}`)).toSorted()).toEqual(expected.toSorted());
  });

  it.each([
    ['time_first_after=1700000000', [120, 30]],
    ['time_first_after=1700000001', [30]],
    ['time_first_before=1705000099', [120]],
    ['time_first_before=1705000100', [120, 30]],
    ['time_last_after=1705000000', [120, 30]],
    ['time_last_after=1705000001', [30]],
    ['time_last_before=1710000000', [120, 30]],
    ['time_last_before=1709999999', [120]],
    ['time_last_after=-31536000', []],
    ['time_last_before=-1', [120, 30]],
    ['time_first_before=1706788800&time_last_after=1705276800', [30]],
    ['time_last_after=1709000000&time_first_before=1701000000', []],
    ['time_last_before=99999999999999999999999', [120, 30]],
  ])('shows with the inclusive fences %s', async (parameters, expected) => {
    for (const aggr of ['t', 'f'])
      expect(await counts(`lookup/rrset/name/www.example.com?aggr=${aggr}&${parameters}`)).toEqual(expected);
  });

  it('pages through everything with offset, in one order, without a gap or a double', async () => {
    for (const path of [
      'lookup/rrset/name/*.',
      'lookup/rrset/name/*.com',
      'lookup/rdata/ip/0.0.0.0,0',
      'lookup/rdata/name/*.',
      'regex/rrnames/e',
    ]) {
      const lines = async (parameters: string) =>
        linesOf((await api.get(`/dnsdb/v2/${path}?${parameters}`)).body).filter(
          ({ obj }) => obj !== undefined,
        );
      const all = await lines('limit=0');
      expect(all.length).toBeGreaterThan(5);
      const pages = await Promise.all(all.map((_, i) => lines(`limit=1&offset=${i}`)));
      expect(pages.flat()).toEqual(all);
    }
  });

  it('gives times as text where asked for', async () => {
    expect(await objects('lookup/rrset/name/example.com/NS/com?humantime=True')).toMatchObject([
      { time_first: '2023-07-22T04:26:40Z', time_last: '2024-03-09T16:08:20Z' },
      { zone_time_first: '2022-04-15T05:20:00Z', zone_time_last: '2024-03-08T12:13:20Z' },
    ]);
  });

  it('sums up the rows of the lookup, up to the limit', async () => {
    expect(await objects('summarize/rrset/name/example.com/NS')).toEqual([
      {
        count: 1617,
        num_results: 3,
        time_first: 1690000000,
        time_last: 1710000500,
        zone_time_first: 1650000000,
        zone_time_last: 1709900000,
      },
    ]);
    expect(await objects('summarize/rrset/name/example.com/NS?max_count=901')).toMatchObject([
      { count: 1540, num_results: 2 },
    ]);
    expect(
      linesOf((await api.get('/dnsdb/v2/summarize/rrset/name/example.com/NS?limit=1')).body).slice(1),
    ).toMatchObject([{ obj: { count: 900, num_results: 1 } }, { cond: 'limited' }]);
  });
});

describe('flexible search', () => {
  it.each([
    ['regex/rrnames/%5Ewww%5C.example%5C./A', ['www.example.co.test.', 'www.example.com.']],
    [
      'regex/rrnames/EXAMPLE%5C.COM?exclude=^(www|mail)\\.',
      ['a+b&c.example.com.', 'example.com.', 'not-example.com.', 'notexample.com.'],
    ],
    [
      'regex/rrnames/example?exclude=^.*\\.[cn](om|et)\\.$',
      [
        '*.wild.example.',
        '\\255\\000.example.org.',
        '_sip._tcp.example.org.',
        'odd.example.org.',
        'www.example.co.test.',
        'xn--bcher-kva.example.',
      ],
    ],
    ['glob/rrnames/www.example.%3F%3F%3F.', ['www.example.com.']],
    ['glob/rrnames/www.example', []],
    ['glob/rrnames/%5B!w%5D*.example.com.', ['a+b&c.example.com.', 'mail.example.com.']],
    ['glob/rrnames/%5C*.*', ['*.wild.example.']],
  ])('finds names by %s', async (path, expected) => {
    const { body } = await api.get(`/dnsdb/v2/${path}`);
    const names = linesOf(body).flatMap(({ obj }) =>
      obj === undefined ? [] : (obj as { rrname: string }).rrname,
    );
    expect([...new Set(names)].toSorted()).toEqual(expected);
  });

  it('finds values, with their wire form to go on with', async () => {
    expect(await objects('glob/rdata/ns%2A.example.net.')).toEqual([
      { rdata: 'ns1.example.net.', raw_rdata: '036E7331076578616D706C65036E657400', rrtype: 'NS' },
      { rdata: 'ns2.example.net.', raw_rdata: '036E7332076578616D706C65036E657400', rrtype: 'NS' },
    ]);
    expect(await objects('regex/rdata/SPF1/TXT?verbose=true')).toEqual([
      {
        count: 10,
        time_first: 1700000000,
        time_last: 1700000010,
        rdata: '"v=spf1 -all"',
        raw_rdata: '0B763D73706631202D616C6C',
        rrtype: 'TXT',
      },
    ]);
    expect(await objects('regex/rdata/192/A')).toEqual([]); // addresses have lookups of their own
  });

  it('fences what it finds', async () => {
    expect(await objects('regex/rdata/ns1/NS?time_first_before=1600000000')).toEqual([]);
    expect(await objects('regex/rdata/ns1/NS?time_first_before=1700000000')).toHaveLength(1);
  });
});

describe('gravel', () => {
  const day = 86_400;
  const first = Math.floor(Date.now() / 1000 / day - 5) * day; // five days ago, at midnight
  const piece = (from: number, to: number, count: number) => ({
    count,
    time_first: from,
    time_last: to,
    rrname: 'often.example.',
    rrtype: 'A',
    bailiwick: 'example.',
    rdata: ['203.0.113.50'],
  });

  it('has rows that do not overlap, and that add up to the rock', async () => {
    for (const [source, pieces] of [
      ['one', [piece(first, first + 60, 3), piece(first + 3600, first + 7200, 4)]],
      [
        'two',
        [
          piece(first + 30, first + 90, 5),
          piece(first + day, first + day + 5, 6),
          piece(first + 2 * day, first + 4 * day, 7),
        ],
      ],
      ['three', [piece(first + 3 * day, first + 3 * day + 9, 8)]],
    ] as const)
      await importRecords(api.database.pool, pieces, source);
    for (const path of [
      'lookup/rrset/name/often.example',
      'lookup/rdata/ip/203.0.113.50',
      'lookup/rdata/raw/cb007132',
    ]) {
      const rows = await objects(`${path}?aggr=f`);
      expect(rows.map(({ count, time_first, time_last }) => [count, time_first, time_last])).toEqual([
        [12, first, first + 7200],
        [6, first + day, first + day + 5],
        [15, first + 2 * day, first + 4 * day],
      ]);
      expect(await objects(path)).toMatchObject([
        { count: 33, time_first: first, time_last: first + 4 * day },
      ]);
      expect(await counts(`${path}?aggr=f&offset=1&limit=1&time_first_after=${first + day}`)).toEqual([15]);
      expect(
        await counts(`${path}?aggr=No&time_first_after=${first + day}&time_last_before=${first + 2 * day}`),
      ).toEqual([6]);
    }
    expect(await objects('summarize/rrset/name/often.example?aggr=f')).toMatchObject([
      { count: 33, num_results: 3 },
    ]);
  });
});

describe('DNSDB version 1', () => {
  it('sends bare objects, with a plain value for rdata', async () => {
    const { headers, body } = await api.get('/lookup/rdata/ip/192.0.2.10', { accept: 'application/json' });
    expect([headers['content-type'], linesOf(body)]).toEqual([
      'application/json',
      [
        {
          count: 150,
          time_first: 1700000000,
          time_last: 1710000000,
          rrname: 'www.example.com.',
          rrtype: 'A',
          rdata: '192.0.2.10',
        },
      ],
    ]);
    expect(linesOf((await api.get('/lookup/rrset/name/www.example.com/A')).body)).toMatchObject([
      { rdata: ['192.0.2.10'] },
      { count: 30 },
    ]);
  });

  it('answers 404 where nothing is found, and cuts silently', async () => {
    expect(await api.get('/lookup/rrset/name/nosuch.example')).toMatchObject({
      status: 404,
      body: 'Error: no results found for query.\n',
    });
    expect(linesOf((await api.get('/lookup/rrset/name/example.com?limit=2')).body)).toHaveLength(2);
    expect(linesOf((await api.get('/summarize/rrset/name/example.com/NS')).body)).toMatchObject([
      { count: 1617 },
    ]);
  });

  it.each(['//rrset/name/www.example.com/A', '/prefix/rrset/name/www.example.com/A'])(
    'answers %s too',
    async target => {
      expect(linesOf((await api.get(target)).body)).toHaveLength(2);
    },
  );
});

describe('CIRCL', () => {
  it.each(['192.0.2.0,24', '192.0.2.0%2C24', '192.0.2.0/24', '192.0.2.10', '192.0.2.0-192.0.2.255'])(
    'takes %s as addresses',
    async value => {
      const { headers, body } = await api.get(`/pdns/query/${value}`);
      expect([headers['content-type'], linesOf(body)]).toEqual([
        'application/x-ndjson',
        [
          {
            rrname: 'www.example.com.',
            rrtype: 'A',
            rdata: '192.0.2.10',
            time_first: 1700000000,
            time_last: 1710000000,
            count: 150,
            origin: expect.stringMatching(/^http/),
          },
        ],
      ]);
    },
  );

  it('counts what sensors saw, and zone files only where no sensor did; the newest first', async () => {
    await importRecords(
      api.database.pool,
      [
        {
          count: 2,
          zone_time_first: 1650000000,
          zone_time_last: 1660000000,
          rrname: 'zone.example.',
          rrtype: 'NS',
          bailiwick: 'example.',
          rdata: ['ns.zone.example.'],
        },
      ],
      'zones',
    );
    expect(linesOf((await api.get('/pdns/query/example.com')).body).slice(0, 2)).toMatchObject([
      { rrtype: 'NS', rdata: 'ns1.example.net.', count: 977, time_first: 1690000000 },
      { rrtype: 'NS', rdata: 'ns2.example.net.', count: 977 },
    ]);
    expect(linesOf((await api.get('/pdns/query/zone.example')).body)).toMatchObject([
      { count: 2, time_first: 1650000000, time_last: 1660000000 },
    ]);
  });

  it('answers 200 with nothing where nothing is found', async () => {
    expect(await api.get('/pdns/query/nosuch.example')).toMatchObject({ status: 200, body: '' });
  });

  it('gives pages with a cursor as long as there are more', async () => {
    const all = linesOf((await api.get('/pdns/query/*.example.com')).body);
    const pages: unknown[] = [];
    let cursor: string | undefined;
    do {
      const page = await api.get('/pdns/query/*.example.com', {
        'dribble-paginate-count': '3',
        ...(cursor && { 'dribble-paginate-cursor': cursor }),
      });
      pages.push(...linesOf(page.body));
      cursor = page.headers['x-dribble-cursor'] as string | undefined; // sent once
    } while (cursor !== undefined);
    expect([all.length > 6, pages]).toEqual([true, all]);
  });

  it('filters by type', async () => {
    const of = async (type: string) =>
      linesOf((await api.get('/pdns/query/example.com', { 'dribble-filter-rrtype': type })).body);
    expect(await of('MX')).toMatchObject([{ rrtype: 'MX', rdata: '10 mail.example.net.' }]);
    expect(await of('NONSENSE')).toEqual([]);
  });
});
