import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { linesOf, startTestApi, type TestApi } from '../support/api.ts';
import { knownRecords } from '../support/passiveDns.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi(knownRecords);
});
afterAll(() => api.close());

const L = '/dnsdb/v2/lookup';
const V1 = '/api/v1';
const NAME = `${L}/rrset/name/example.com`;
const label = 'x'.repeat(64);

/** What must be refused, by path; the status, and a request that is no more than wrong or odd. */
const refused: readonly (readonly [number, string])[] = [
  // SQL where a value is expected
  [400, `${L}/rdata/ip/192.0.2.1'%20or%201=1--`],
  [400, `${L}/rdata/ip/192.0.2.1;drop%20table%20dns_rr`],
  [400, `${L}/rdata/ip/'::inet`],
  [400, `${L}/rdata/raw/00'%20or%20'1'='1`],
  [400, `${L}/rdata/raw/x'41'`],
  [400, `${L}/rrset/raw/0x03777777`],
  [400, `${NAME}/A'%20union%20select%201--`],
  [400, `${NAME}/A)or(1=1`],
  [400, `${NAME}?limit=1;select%20pg_sleep(10)`],
  [400, `${NAME}?limit=1%20offset%200`],
  [400, `${NAME}?offset=0)--`],
  [400, `${NAME}?time_first_after=now()`],
  [400, `${NAME}?time_last_before=1'or'1`],
  [400, `${NAME}?aggr='or''='`],
  [400, `${NAME}?humantime=(select%201)`],
  [400, `/dnsdb/v2/summarize/rrset/name/example.com?max_count=1%20or%201`],
  [400, `/lookup/rdata/ip/192.0.2.1'`],
  [400, `/lookup/rrset/name/example.com/A%00`],
  [400, `/pdns/query/192.0.2.0/24'--`],
  [404, `/api/v1/nothing'%20or%201=1`],
  // paths
  [404, '/../../etc/passwd'],
  [404, '/..%2f..%2fetc%2fpasswd'],
  [404, '/dnsdb/v2/../../../etc/passwd'],
  [404, '/dnsdb/v2/%2e%2e/%2e%2e/etc/passwd'],
  [404, '/dnsdb/v3/lookup/rrset/name/example.com'],
  [404, '/.git/config'],
  [404, '/package.json'],
  [404, '/dnsdb/v2'],
  [404, '/dnsdb/v2/LOOKUP/rrset/name/example.com'],
  [404, '/a/b/c/d/e/f/dnsdb/v2/ping'],
  [404, '/index.html'],
  [404, '/%'],
  [404, '/%FF%FE'],
  [404, '/__proto__/constructor'],
  [400, '/dnsdb/v2/rate_limit/more'],
  [400, `${L}/`],
  [400, `${L}/rrset/name/`],
  [400, `${L}/rrset/ip/192.0.2.1`],
  [400, `${L}/__proto__/name/example.com`],
  [400, `${NAME}/A/com/more`],
  [400, `${L}/rrset/raw/00/A/com`],
  [400, `${L}/rdata/name/example.com/A/com`],
  [400, '/dnsdb/v2/regex/rdata'],
  [400, '/dnsdb/v2/regex/raw/x'],
  [400, '/dnsdb/v2/glob/rrnames/x/A/com'],
  // names, addresses, hex, types
  [400, `${L}/rrset/name/${label}.example`],
  [400, `${L}/rrset/name/${`${'x'.repeat(60)}.`.repeat(5)}`],
  [400, `${L}/rrset/name/a..example`],
  [400, `${L}/rrset/name/.example`],
  [400, `${L}/rrset/name/${'%5C256'}.example`],
  [400, `${L}/rrset/name/a%5C`],
  [400, `${L}/rrset/name/%zz`],
  [400, `${L}/rrset/name/%`],
  [400, `${L}/rrset/name/*.example.*`],
  [400, `${L}/rrset/name/www.*.example`],
  [400, `${L}/rrset/name/w*.example`],
  [400, `${L}/rrset/name/*.*.example`],
  [400, `${L}/rrset/name/*..`],
  [400, `${NAME}/ANY/*.com`],
  [400, `${L}/rrset/raw/c00c`],
  [400, `${L}/rrset/raw/0377777700ff`],
  [400, `${L}/rrset/raw/ff`],
  [400, `${L}/rrset/raw/123`],
  [400, `${L}/rdata/raw/`],
  [400, `${L}/rdata/raw/${'0'.repeat(14_001)}`],
  [400, `${L}/rdata/ip/192.0.2.0,33`],
  [400, `${L}/rdata/ip/::,129`],
  [400, `${L}/rdata/ip/192.0.2.1-2001:db8::1`],
  [400, `${L}/rdata/ip/192.0.2.9-192.0.2.1`],
  [400, `${L}/rdata/ip/2001:db8::9-2001:db8::1`],
  [400, `${L}/rdata/ip/192.0.2.1-192.0.2.2-192.0.2.3`],
  [400, `${L}/rdata/ip/fe80::1%25eth0`],
  [400, `${L}/rdata/ip/0300.1.1.1`],
  [400, `${L}/rdata/ip/192.0.2.1/MX`],
  [400, `${NAME}/TYPE65536`],
  [400, `${NAME}/TYPE-1`],
  [400, `${NAME}/28`],
  // parameters
  [400, `${NAME}?limit=-1`],
  [400, `${NAME}?limit=1e3`],
  [400, `${NAME}?limit=`],
  [400, `${NAME}?limit=1.5`],
  [416, `${NAME}?offset=99999999999999999999`],
  [400, `${NAME}?aggr=maybe`],
  [400, '/dnsdb/v2/summarize/rrset/name/example.com?max_count=0'],
  // patterns
  [400, '/dnsdb/v2/regex/rrnames/%28'],
  [400, '/dnsdb/v2/regex/rrnames/%5B'],
  [400, '/dnsdb/v2/regex/rrnames/a%7B256%7D'],
  [400, '/dnsdb/v2/regex/rrnames/%28a%29%5C1'],
  [400, '/dnsdb/v2/regex/rrnames/%28%3F%3Da%29'],
  [400, '/dnsdb/v2/regex/rrnames/***=a'],
  [400, `/dnsdb/v2/regex/rrnames/${'a'.repeat(1001)}`],
  [400, '/dnsdb/v2/regex/rrnames/a%00b'],
  [400, '/dnsdb/v2/regex/rrnames/a?exclude=%28'],
  [400, '/dnsdb/v2/regex/rdata/%28%28%28a%7B1,250%7D%29%7B1,250%7D%29%7B1,250%7D%29'],
  [400, '/dnsdb/v2/glob/rrnames/%5Ba'],
  [400, '/dnsdb/v2/glob/rrnames/a%5C'],
  [400, '/pdns/query/'],
  [400, '/pdns/query/*.'],
  [400, '/pdns/query/*.a.*'],
  // our own
  [400, `${V1}/top/nonsense`],
  [400, `${V1}/top/domains'--`],
  [400, `${V1}/traffic?step=minute'or'1`],
  [400, `${V1}/traffic?since=now()`],
  [400, `${V1}/traffic?cursor=WyJ5ZWFyIiwiMSJd`],
  [400, `${V1}/traffic?limit=99999999`],
  [400, `${V1}/detections?kind=a'or'1'='1`],
  [400, `${V1}/detections?severity=terrible`],
  [400, `${V1}/detections?status=new,gone`],
  [400, `${V1}/detections?client=10.0.0.0/8`],
  [400, `${V1}/detections?subject=a..b`],
  [400, `${V1}/detections?muted=perhaps`],
  [400, `${V1}/detections?cursor=WyIxIiwiMSBvciAxIl0`],
  [400, `${V1}/detections/1%20or%201=1`],
  [400, `${V1}/detections/99999999999999999999`],
  [400, `${V1}/detections/-1`],
  [404, `${V1}/detections/2000000000`],
  [404, `${V1}/detections/2000000000/rows`],
  [404, `${V1}/detections/2000000000/windows`],
  [400, `${V1}/detections/0/rows?limit=0`],
  [400, `${V1}/mutes?over=1;--`],
  [400, `${V1}/clients/10.0.0.1'--`],
  [400, `${V1}/clients/10.0.0.1%00`],
  [400, `${V1}/clients/fe80::1%25eth0`],
  [400, `${V1}/clients/192.0.2.1?since=now()`],
  [400, `${V1}/clients/999.1.1.1/unusual`],
  [400, `${V1}/clients/192.0.2.1/resolvers?cursor=WyInIG9yIDE9MSJd`],
  [400, `${V1}/addresses/192.0.2.0%2F24/neighbours`],
  [400, `${V1}/addresses/::ffff:1/names?cursor=WyJhIiw5OTk5OTk5OV0`],
  [400, `${V1}/connections?name=*.example`],
  [400, `${V1}/connections?cursor=WzEsMiwzLDRd`],
  [400, `${V1}/unconnected?since=1990-01-01`],
  [400, `${V1}/flows?address=localhost`],
  [400, `${V1}/flows?cursor=WyIxIiwiMSk7LS0iXQ`],
  [400, `${V1}/resolvers?cursor=WzEsIngiXQ`],
  [400, `${V1}/tlds?exists=maybe`],
  [400, `${V1}/suggest`],
  [400, `${V1}/suggest?q=${'x'.repeat(256)}`],
  [400, `${V1}/suggest?q=a&limit=51`],
  [400, `${V1}/exporters?since=soon`],
  [400, `${V1}/files?status=lost`],
  [400, `${V1}/feed?events='--`],
  [400, `${V1}/feed?last_event_id=1:1:%0Aid:%20x`],
  [404, `${V1}/settings/webhook`],
  // size
  [400, `${NAME}?id=${'x'.repeat(9000)}`],
];

describe('a request that is wrong', () => {
  it.each(refused)('gets %i for %s', async (status, target) => {
    const reply = await api.get(target);
    expect(reply).toMatchObject({
      status,
      body: expect.stringMatching(/^Error: [ -~]+\n$|^\{"type":"about:blank"/),
    });
  });

  it.each(['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE'])('gets 405 for %s', async method => {
    expect((await api.get(NAME, {}, method)).status).toBe(405);
  });

  it.each([
    [
      'a header beyond all size',
      `GET ${NAME} HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: ${'k'.repeat(20_000)}\r\n\r\n`,
      431,
    ],
    ['a URL beyond all size', `GET /${'a'.repeat(20_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`, 431],
    ['no HTTP', 'HELO example.com\r\n\r\n', 400],
    [
      'two lengths',
      `GET ${NAME} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`,
      400,
    ],
  ])('gets an answer for %s', async (_what, text, status) => {
    const socket = connect(api.port, '127.0.0.1').on('error', () => {});
    socket.end(text);
    const [data] = (await once(socket, 'data')) as [Buffer];
    expect(data.toString()).toMatch(new RegExp(`^HTTP/1.1 ${status} [^]*\r\n\r\nError: [ -~]+\n$`));
    socket.destroy();
  });

  it('changes nothing: the data is as it was', async () => {
    expect(linesOf((await api.get(`${L}/rrset/name/www.example.com/A`)).body)).toHaveLength(4);
  });
});

describe('a body that is wrong', () => {
  const big = 'x'.repeat(2000);
  it.each<[number, string, string, unknown]>([
    [400, 'POST', '/mutes', undefined],
    [400, 'POST', '/mutes', []],
    [400, 'POST', '/mutes', { reason: 'r', until: '1d' }],
    [400, 'POST', '/mutes', { subject: 'a.example', reason: 'r' }],
    [400, 'POST', '/mutes', { subject: 'a.example', reason: 'r', until: '1990-01-01' }],
    [400, 'POST', '/mutes', { subject: 'a..example', reason: 'r', until: '1d' }],
    [400, 'POST', '/mutes', { kind: 'no_such_kind', reason: 'r', until: '1d' }],
    [400, 'POST', '/mutes', { client: "10.0.0.0/8'--", reason: 'r', until: '1d' }],
    [400, 'POST', '/mutes', { client: '10.0.0.0/33', reason: 'r', until: '1d' }],
    [400, 'POST', '/mutes', { subject: 'a.example', reason: big, until: '1d' }],
    [404, 'POST', '/detections/2000000000/status', { status: 'closed' }],
    [400, 'POST', '/detections/1/status', { status: 'withdrawn' }],
    [400, 'POST', '/detections/1/status', { status: ["closed'; --"] }],
    [400, 'POST', '/detections/1/status', 'closed'],
    [400, 'POST', '/what-if', { kind: 'tunnelling' }],
    [400, 'POST', '/what-if', { kind: 'tunnelling', set: {} }],
    [400, 'POST', '/what-if', { kind: 'nonsense', set: { names: 1 } }],
    [400, 'POST', '/what-if', { kind: 'tunnelling', set: { nonsense: 1 } }],
    [400, 'POST', '/what-if', { kind: 'tunnelling', set: { names: -1 } }],
    [400, 'POST', '/what-if', { kind: 'tunnelling', set: { 'names=1 --': 1 } }],
    [400, 'POST', '/what-if', { kind: 'tunnelling', set: { names: "1'; drop table mute; --" } }],
    [400, 'POST', '/resolvers', { network: '10.0.0.0/8, ::/0' }],
    [400, 'POST', '/resolvers', { network: '10.0.0.1-10.0.0.9' }],
    [400, 'POST', '/resolvers', { network: null }],
    [400, 'PATCH', '/settings', { nonsense: 1 }],
    [400, 'PATCH', '/settings', { own_networks: ['10.0.0.0/99'] }],
    [400, 'PATCH', '/settings', { own_networks: '10.0.0.0/8' }],
    [400, 'PATCH', '/settings', { burn_in_days: -1 }],
    [400, 'PATCH', '/settings', { burn_in_days: 1e9 }],
    [400, 'PATCH', '/settings', { thresholds: { tunnelling: { nonsense: 1 } } }],
    [400, 'PATCH', '/settings', { thresholds: { nonsense: {} } }],
    [400, 'PATCH', '/settings', { thresholds: { tunnelling: { names: 'many' } } }],
    [400, 'PATCH', '/settings', { watch_list: [{ word: 'a' }] }],
    [
      400,
      'PATCH',
      '/settings',
      { webhook: { url: 'file:///etc/passwd', secret: big.slice(0, 20), least_severity: 'low' } },
    ],
    [400, 'PATCH', '/settings', { __proto__: null, constructor: { prototype: 1 } }],
    [404, 'DELETE', '/mutes/2000000000', undefined],
    [400, 'DELETE', '/mutes/1%20or%201=1', undefined],
    [400, 'DELETE', '/resolvers/everything', undefined],
    [404, 'DELETE', '/detections/1', undefined],
    [404, 'PUT', '/settings', {}],
  ])('gets %i for %s %s %j', async (status, method, path, body) => {
    const headers: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' };
    const reply = await api.get(
      `${V1}${path}`,
      headers,
      method,
      body === undefined ? undefined : JSON.stringify(body),
    );
    expect(reply).toMatchObject({ status, body: expect.stringMatching(/^\{"type":"about:blank"/) });
  });

  it('changed nothing', async () => {
    const { rows } = await api.database.pool.query(
      'select (select count(*) from setting) + (select count(*) from mute) as n',
    );
    expect(rows).toEqual([{ n: '0' }]);
  });
});

describe('a value that looks like SQL but is a name', () => {
  it.each([
    `'%20or%201=1--`,
    `a';drop%20table%20rrset;--.example`,
    '%27%22%5C%5C.example',
    '$1.example',
    '%2527.example',
  ])('%s is looked for', async name => {
    expect(await api.get(`${L}/rrset/name/${name}`)).toMatchObject({
      status: 200,
      body: '{"cond":"begin"}\n{"cond":"succeeded"}\n',
    });
  });
});
