import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { loadFiles } from '../../../collector/load/load.ts';
import type { FileReport } from '../../../collector/load/loadFile.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { messagesOf, recorded } from '../../support/exporter.ts';
import {
  basicList,
  dataSet,
  field,
  message,
  octets,
  set,
  subTemplateList,
  template,
  templateSet,
  u16,
  VARIABLE,
  variable,
  variableLong,
} from '../../support/ipfixBuilder.ts';
import { withDirectory } from '../../support/processes.ts';
import { ledgerProblems } from '../../torture/contents.ts';

/** Messages of one stream, and the exporter's clock in them. */
const good = messagesOf(recorded('yaf2164-small'));
const exportTime = good[0]!.readUInt32BE(4);
const half = Math.floor(good.length / 2);
const [before, after] = [good.slice(0, half), good.slice(half)];
const whole = Buffer.concat(good);
const middle = Buffer.concat(before).length;

/** The good stream with something bad in its middle. */
const around = (bad: Buffer): Buffer => Buffer.concat([...before, bad, ...after]);
const inDomain = (sets: readonly Buffer[]) => message(sets, { exportTime, observationDomainId: 99 });

interface Case {
  readonly what: string;
  readonly content: Buffer;
  readonly status: 'partial' | 'failed' | 'loaded';
  /** What the error says, the place included. */
  readonly error: RegExp;
  readonly reason: string;
  /** The first of the octets in quarantine. */
  readonly bytes?: Buffer;
  /** How many of the good flows are stored; default all. */
  readonly isCut?: boolean;
}

const garbage = Buffer.alloc(5000, 0xa5);
const cutAt = middle + 30;
const nestedLists = (): Buffer => {
  let list = basicList(field(4, 1), [Buffer.from([6])]);
  for (let depth = 0; depth < 1000; depth++)
    list = basicList(field(291, VARIABLE), [list.length < 255 ? variable(list) : variableLong(list)]);
  return list;
};

const cases: readonly Case[] = [
  {
    what: 'a file cut in a message',
    content: whole.subarray(0, cutAt),
    status: 'partial',
    error: RegExp(`truncated: octet ${middle}: `),
    reason: 'truncated',
    bytes: whole.subarray(middle, cutAt),
    isCut: true,
  },
  {
    what: 'garbage in the middle',
    content: around(garbage),
    status: 'partial',
    error: RegExp(`version: octet ${middle}: version 42405`),
    reason: 'version',
    bytes: garbage,
  },
  {
    what: 'a NetFlow v9 message in the middle',
    content: around(message([], { version: 9, exportTime })),
    status: 'partial',
    error: RegExp(`octet ${middle}: version 9`),
    reason: 'version',
    bytes: u16(9),
  },
  {
    what: 'a message of length 0',
    content: around(message([], { length: 0, exportTime })),
    status: 'partial',
    error: RegExp(`octet ${middle}: message length 0`),
    reason: 'message_length',
    bytes: octets(u16(10), u16(0)),
  },
  {
    what: 'a message longer than the file',
    content: around(message([], { length: 65535, exportTime })),
    status: 'partial',
    error: RegExp(`octet ${middle}: message of 65535 octets`),
    reason: 'message_length',
    bytes: octets(u16(10), u16(65535)),
  },
  {
    what: 'a template of 65,535 fields',
    content: around(inDomain([templateSet(octets(u16(256), u16(65535), u16(8), u16(4)))])),
    status: 'partial',
    error: /template/,
    reason: 'template',
  },
  {
    what: 'lists nested 1000 deep',
    content: around(
      inDomain([
        templateSet(template(256, [field(291, VARIABLE)])),
        dataSet(256, variableLong(nestedLists())),
      ]),
    ),
    status: 'partial',
    error: /deep|depth|level|nested/,
    reason: 'list_depth',
  },
  {
    what: 'a data set without a template',
    content: around(inDomain([dataSet(999, Buffer.from('no template'))])),
    status: 'partial',
    error: /data set of template 999, which was not defined/,
    reason: 'unknown_template',
    bytes: Buffer.from('no template'),
  },
  {
    what: 'a list whose template is unknown',
    content: around(
      inDomain([
        templateSet(template(256, [field(292, VARIABLE)])),
        dataSet(256, variable(subTemplateList(777, [Buffer.from([1, 2, 3])]))),
      ]),
    ),
    status: 'partial',
    error: /777/,
    reason: 'list_template',
  },
  {
    what: 'a set longer than its message',
    content: around(inDomain([set(256, Buffer.alloc(4), 500)])),
    status: 'partial',
    error: /set 256 says 500 octets/,
    reason: 'set_length',
  },
  {
    what: 'a web page',
    content: Buffer.from('<!doctype html><p>Not found</p>'),
    status: 'failed',
    error: /octet 0: version 15393/,
    reason: 'version',
    bytes: Buffer.from('<!doctype'),
  },
  {
    what: 'a gzip file cut in the middle',
    content: gzipSync(whole).subarray(0, 9000),
    status: 'partial',
    error: /gzip: cannot read .*cut short/,
    reason: 'gzip',
    isCut: true,
  },
];

async function load(
  content: Buffer,
  check: (report: FileReport, database: TestDatabase) => Promise<void>,
): Promise<void> {
  await withDirectory(async directory => {
    const file = path.join(directory, 'file.ipfix');
    writeFileSync(file, content);
    const database = await createTestDatabase();
    try {
      const [report] = await loadFiles(database.url, [file]);
      await check(report!, database); // one file
    } finally {
      await database.drop();
    }
  });
}

const flowsOfTheWhole = 208;

it.each(cases)(
  'stores what is good around $what, and says where it is',
  async ({ content, status, error, reason, bytes, isCut }) => {
    await load(content, async (report, { pool }) => {
      expect(report.status).toBe(status);
      expect(report.error).toMatch(error);
      const { rows } = await pool.query<{ reason: string; bytes: Buffer }>(
        'select reason, bytes from public.quarantine order by quarantine_id',
      );
      expect(rows[0]?.reason).toBe(reason);
      if (bytes !== undefined) expect(rows[0]?.bytes.includes(bytes)).toBe(true);
      if (isCut) expect(report.flows).toBeGreaterThan(5);
      else if (status === 'partial') expect(report.flows).toBe(flowsOfTheWhole);
      const { rows: files } = await pool.query('select status, error from public.ipfix_file');
      expect(files).toEqual([{ status, error: report.error }]);
      expect(await ledgerProblems(pool)).toEqual([]);
    });
  },
);

it('says that an empty file is empty', async () => {
  await load(Buffer.alloc(0), async (report, { pool }) => {
    expect(report.status).toBe('failed');
    expect(report.error).toMatch(/empty/);
    expect(await ledgerProblems(pool)).toEqual([]);
  });
});

it('says why a file cannot be read, and loads the others', async () => {
  await withDirectory(async directory => {
    mkdirSync(path.join(directory, 'empty'));
    writeFileSync(path.join(directory, 'good.ipfix'), whole);
    const missing = path.join(directory, 'missing.ipfix');
    const secret = path.join(directory, 'secret.ipfix');
    writeFileSync(secret, whole);
    chmodSync(secret, 0);
    const isRoot = process.getuid?.() === 0; // who may read it all the same
    const database = await createTestDatabase();
    try {
      const reports = await loadFiles(database.url, [
        missing,
        path.join(directory, 'empty'),
        secret,
        path.join(directory, 'good.ipfix'),
      ]);
      const outcomes = reports.map(({ status, error }) => [status, error]);
      expect(outcomes).toEqual([
        ['failed', `cannot read ${missing}: there is no such file (ENOENT)`],
        isRoot
          ? [expect.stringMatching(/loaded|duplicate/), null]
          : ['failed', expect.stringContaining('permission denied')],
        [expect.stringMatching(/loaded|duplicate/), null],
      ]);
    } finally {
      await database.drop();
    }
  });
});
