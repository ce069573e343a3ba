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
  [404, '/'],
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
