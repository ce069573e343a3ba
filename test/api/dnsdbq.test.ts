import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../support/api.ts';
import { knownRecords } from '../support/passiveDns.ts';

/** Debian's package dnsdbq, a client of DNSDB; where it is not installed, its tests are skipped with a word. */
const isInstalled = spawnSync('dnsdbq', ['-h']).error === undefined;
if (!isInstalled) console.warn('dnsdbq is not installed (apt-get install dnsdbq): its tests are skipped');

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi(knownRecords);
});
afterAll(() => api.close());

interface Said {
  readonly objects: readonly Record<string, unknown>[];
  readonly stdout: string;
  readonly stderr: string;
}

function environment(server = api.url) {
  return {
    PATH: process.env.PATH,
    DNSDBQ_CONFIG_FILE: '/dev/null', // an empty one: without any, CIRCL_SERVER would not count
    DNSDB_SERVER: server,
    DNSDB_API_KEY: 'testkey',
    CIRCL_SERVER: `${api.url}/pdns/query`,
    CIRCL_AUTH: 'user:pw',
  };
}

async function dnsdbq(args: readonly string[], server?: string): Promise<Said> {
  // a crash (134, 139) or an error of transfer rejects
  const { stdout, stderr } = await promisify(execFile)('dnsdbq', args, {
    env: environment(server),
    timeout: 45_000,
  });
  const objects = stdout
    .split('\n')
    .filter(line => line.startsWith('{"'))
    .map(line => JSON.parse(line));
  return { objects, stdout, stderr };
}

const counts = ({ objects }: Said) => objects.map(({ count }) => count);

describe.skipIf(!isInstalled)('dnsdbq', () => {
  it('prints exactly the objects of the documents', async () => {
    expect((await dnsdbq(['-r', 'www.example.com/A', '-j'])).stdout).toBe(
      `{"count":120,"time_first":1700000000,"time_last":1705000000,"rrname":"www.example.com.","rrtype":"A","bailiwick":"example.com.","rdata":["192.0.2.10"]}
{"count":30,"time_first":1705000100,"time_last":1710000000,"rrname":"www.example.com.","rrtype":"A","bailiwick":"example.com.","rdata":["192.0.2.10","198.51.100.2"]}
`,
    );
    expect((await dnsdbq(['-i', '192.0.2.10', '-j'])).stdout).toBe(
      '{"count":150,"time_first":1700000000,"time_last":1710000000,"rrname":"www.example.com.","rrtype":"A","rdata":["192.0.2.10"]}\n',
    );
  });

  it.each<[string, readonly string[], readonly number[]]>([
    ['a name', ['-r', 'www.example.com'], [120, 30]],
    ['a type by -t', ['-t', 'A', '-r', 'www.example.com'], [120, 30]],
    ['two types at once, one of them without rows', ['-t', 'a,aaaa', '-r', 'www.example.com'], [120, 30]],
    ['type and bailiwick', ['-r', 'example.com/NS/com'], [900, 640]],
    ['a bailiwick without type', ['-b', 'example.com', '-r', 'example.com'], [77, 9, 10, 3]],
    ['two types and a bailiwick', ['-r', 'example.com/DS,NS/com'], [5, 900, 640]],
    ['all below a domain, and itself', ['-r', '*.example.com'], [900, 640, 77, 9, 10, 3, 15, 4, 120, 30]],
    ['all that begins with labels', ['-r', 'www.example.*'], [8, 120, 30]],
    ['the root', ['-r', '.'], [11]],
    ['a space in a name', ['-r', 'exa mple.com'], [14]],
    ['characters of URLs in a name', ['-r', 'a+b&c.example.com'], [15]],
    ['a slash as \\047', ['-r', '0\\04725.2.0.192.in-addr.arpa'], [12]],
    ['a slash as %2F, which dnsdbq escapes again', ['-r', '0%2F25.2.0.192.in-addr.arpa'], [12]],
    ['a name in its own script', ['-8', '-r', 'bücher.example'], [13]],
    ['a name in wire format', ['-R', '03777777076578616d706c6503636f6d00'], [120, 30]],
    ['what points to a name', ['-n', 'ns1.example.net'], [977, 640]],
    ['what points to a name, of two types', ['-n', 'www.example.com/A,CNAME'], [4]],
    ['rdata in wire format', ['-N', '0b763d73706631202d616c6c/TXT'], [10]],
    ['an address', ['-i', '192.0.2.10'], [150]],
    ['a network', ['-i', '192.0.2.0/24'], [150]],
    ['a network with its comma escaped', ['-i', '192.0.2.0,24'], [150]],
    ['a range', ['-i', '192.0.2.0-192.0.2.15'], [150]],
    ['a network of IPv6', ['-i', '2001:db8::/32'], [3]],
    ['five rows', ['-l', '5', '-r', 'example.com'], [900, 640, 77, 9, 10]],
    ['as many rows as allowed', ['-l', '0', '-r', 'example.com'], [900, 640, 77, 9, 10, 3]],
    ['rows from the second on', ['-O', '1', '-l', '2', '-r', 'example.com'], [640, 77]],
    ['rows cut by the client', ['-L', '2', '-r', 'example.com'], [900, 640]],
    ['rows by period', ['-g', '-r', 'example.com/NS'], [900, 640, 77]],
    ['last seen after', ['-A', '2024-01-15', '-r', 'www.example.com'], [30]],
    ['overlapping a time', ['-A', '2024-01-15', '-B', '2024-02-01 12:00:00', '-r', 'www.example.com'], [30]],
    ['inside a time', ['-c', '-A', '1700000000', '-B', '1710000000', '-r', 'www.example.com'], [120, 30]],
    [
      'inside a time that one row exceeds',
      ['-c', '-A', '1700000000', '-B', '1709999999', '-r', 'www.example.com'],
      [120],
    ],
    ['nothing of the last year', ['-A', '52w', '-r', 'www.example.com'], []],
    [
      'a sum until a count is reached',
      ['-V', 'summarize', '-M', '100', '-l', '2', '-r', 'example.com'],
      [900],
    ],
    ['a sum', ['-V', 'summarize', '-r', 'example.com/NS'], [1617]],
    ['a sum over a network', ['-V', 'summarize', '-i', '192.0.2.0/24'], [150]],
    ['version 1', ['-u', 'dnsdb1', '-r', 'www.example.com/A'], [120, 30]],
    ['version 1, addresses', ['-u', 'dnsdb1', '-i', '192.0.2.10'], [150]],
    ['version 1, a sum', ['-u', 'dnsdb1', '-V', 'summarize', '-r', 'example.com/NS'], [1617]],
    ['CIRCL, a name and what points to it', ['-u', 'circl', '-r', 'www.example.com'], [150, 30, 4]],
    ['CIRCL, a network', ['-u', 'circl', '-i', '192.0.2.0/24'], [150]],
    ['CIRCL, an address of IPv6', ['-u', 'circl', '-i', '2001:db8::10'], [3]],
    [
      'CIRCL, fences that are not sent',
      ['-u', 'circl', '-r', 'www.example.com', '-A', '2024-01-15', '-l', '1'],
      [150],
    ],
  ])('finds %s', async (_what, args, expected) => {
    const said = await dnsdbq([...args, '-j']);
    expect(counts(said).toSorted()).toEqual(expected.toSorted());
    expect(said.stderr).not.toMatch(/libcurl|\bERROR \(/);
  });

  it('tells sums apart by sensors and zone files', async () => {
    const { objects } = await dnsdbq(['-V', 'summarize', '-r', 'example.com/NS', '-j']);
    expect(objects).toEqual([
      {
        count: 1617,
        num_results: 3,
        time_first: 1690000000,
        time_last: 1710000500,
        zone_time_first: 1650000000,
        zone_time_last: 1709900000,
      },
    ]);
  });

  it('gives the objects of CIRCL with origin, and a value a line', async () => {
    const { objects } = await dnsdbq(['-u', 'circl', '-i', '192.0.2.10', '-j']);
    expect(objects).toEqual([
      {
        rrname: 'www.example.com.',
        rrtype: 'A',
        rdata: '192.0.2.10',
        time_first: 1700000000,
        time_last: 1710000000,
        count: 150,
        origin: `${api.url}/`,
      },
    ]);
  });

  it('prints text, CSV and lists', async () => {
    expect((await dnsdbq(['-r', 'www.example.com/A'])).stdout).toContain(
      ';; count: 120; bailiwick: example.com.\nwww.example.com.  A  192.0.2.10\n',
    );
    expect((await dnsdbq(['-r', 'www.example.com/A', '-p', 'csv'])).stdout).toContain(
      '"2023-11-14 22:13:20","2024-01-11 19:06:40",,,120,"example.com.","www.example.com.","A","192.0.2.10"',
    );
    expect((await dnsdbq(['-r', 'www.example.com/A', '-p', 'minimal'])).stdout).toBe(
      '192.0.2.10\n198.51.100.2\n',
    );
    expect(counts(await dnsdbq(['-r', 'example.com', '-s', '-k', 'first', '-j'])).slice(0, 3)).toEqual([
      640, 900, 77,
    ]);
  });

  it.each([
    ['-I', []],
    ['-I of version 1', ['-u', 'dnsdb1']],
  ])('shows the quota with %s', async (_what, args) => {
    expect((await dnsdbq([...args, '-I'])).stdout).toBe(
      'rate:\n\treset: n/a\n\tlimit: unlimited\n\tremaining: n/a\n\tresults_max: 1000000\n\toffset_max: 3000000\n',
    );
  });

  it.each<[string, readonly string[], string]>([
    [
      'that nothing is there',
      ['-r', 'nosuch.example'],
      'Query status: NOERROR (no results found for query.)',
    ],
    [
      'that nothing is there, by version 1',
      ['-u', 'dnsdb1', '-r', 'nosuch.example'],
      'no results found for query.',
    ],
    [
      'that the limit cut',
      ['-l', '1', '-L', '5', '-r', 'www.example.com/A'],
      'Database limit: Result limit reached',
    ],
    ['that a type is none', ['-r', 'www.example.com/XYZ'], 'Query status: NOERROR (Error: unknown RR type)'],
    ['that a network is none', ['-i', '192.0.2.0/33'], 'Error: not an address, network or range'],
    ['that hex is none', ['-N', 'abc'], 'Error: not an even number of hexadecimal digits'],
    [
      'that an offset is too large',
      ['-O', '3000001', '-r', 'example.com'],
      'Error: offset value greater than maximum allowed',
    ],
  ])('says %s', async (_what, args, text) => {
    expect((await dnsdbq(args)).stderr).toContain(text);
  });

  it.each(['/', '/dnsdb/v2', '/dnsdb/v2/', '/prefix', '//'])(
    'works with a server URL that ends in %s',
    async path => {
      expect(counts(await dnsdbq(['-r', 'www.example.com/A', '-j'], `${api.url}${path}`))).toEqual([120, 30]);
    },
  );

  it.each(['/', '/prefix'])('works with version 1 and a server URL that ends in %s', async path => {
    expect(
      counts(await dnsdbq(['-u', 'dnsdb1', '-r', 'www.example.com/A', '-j'], `${api.url}${path}`)),
    ).toEqual([120, 30]);
  });

  it('answers batches, one by one and many at once', async () => {
    const lines = [
      'rrset/name/www.example.com/A',
      'rdata/ip/192.0.2.0,24',
      'rrset/name/0%2F25.2.0.192.in-addr.arpa',
      '$OPTIONS -l 1',
      'rrset/name/example.com',
      'rrset/name/nosuch.example',
    ];
    const batch = async (flags: readonly string[]) => {
      const child = spawn('dnsdbq', [...flags, '-j'], {
        env: environment(),
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      let stdout = '';
      child.stdout.setEncoding('utf8').on('data', text => (stdout += text));
      child.stdin.end(`${lines.join('\n')}\n`);
      expect(await once(child, 'close')).toEqual([0, null]);
      return stdout;
    };
    const marked = await batch(['-ff']);
    expect(marked.match(/^(--|\+\+).*/gm)).toEqual([
      '++ rrset/name/www.example.com/A',
      '-- NOERROR (no error)',
      '++ rdata/ip/192.0.2.0%2C24',
      '-- NOERROR (no error)',
      '++ rrset/name/0%252F25.2.0.192.in-addr.arpa',
      '-- NOERROR (no error)',
      '++ rrset/name/example.com',
      '-- NOERROR (Result limit reached)',
      '++ rrset/name/nosuch.example',
      '-- NOERROR (no results found for query.)',
    ]);
    for (const flags of [
      ['-ff', '-m'],
      ['-f', '-m'],
    ])
      expect((await batch(flags)).match(/"count":\d+/g)?.toSorted()).toEqual([
        '"count":12',
        '"count":120',
        '"count":150',
        '"count":30',
        '"count":900',
      ]);
  });
});
