import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
});

afterAll(() => database.drop());

async function evaluate(expression: string): Promise<unknown> {
  return (await database.pool.query(`select ${expression} as value`)).rows[0].value;
}

test.each([
  ['rrtype_name(28)', 'AAAA'],
  ['rrtype_name(28::smallint)', 'AAAA'],
  ['rrtype_name(65)', 'HTTPS'],
  ['rrtype_name(255)', 'ANY'],
  ['rrtype_name(32769)', 'DLV'],
  ['rrtype_name(0)', 'TYPE0'],
  ['rrtype_name(65280)', 'TYPE65280'],
  ['rrtype_name(null)', null],
  [`rrtype_number('aaaa')`, 28],
  [`rrtype_number('TYPE65280')`, 65280],
  [`rrtype_number('*')`, 255],
  [`rrtype_number('nsap-ptr')`, 23],
  ['rrtype_number(null)', null],
  ['rcode_name(3)', 'NXDOMAIN'],
  ['rcode_name(3::smallint)', 'NXDOMAIN'],
  ['rcode_name(12)', 'RCODE12'],
  ['section_name(2::smallint)', 'authority'],
  ['protocol_name(17::smallint)', 'UDP'],
  ['protocol_name(200)', '200'],
  ['end_reason_name(31::smallint)', 'udpforce'],
  ['tcp_flags_name(27::smallint)', 'APSF'],
  ['tcp_flags_name(0)', '0'],
])('%s is %s', async (expression, value) => {
  expect(await evaluate(expression)).toBe(value);
});

test('every number of an RR type is found again by its name', async () => {
  expect(
    await evaluate(
      '(select array_agg(n) from generate_series(0, 65535, 7) n where rrtype_number(rrtype_name(n)) <> n)',
    ),
  ).toBeNull();
  expect(
    await evaluate(
      '(select array_agg(n) from generate_series(0, 300) n where rrtype_number(rrtype_name(n)) <> n)',
    ),
  ).toBeNull();
});

test.each([`'AAA'`, `'TYPE65536'`, `'TYPE'`, `''`, `'1'`])(
  'rrtype_number(%s) is an error',
  async mnemonic => {
    await expect(evaluate(`rrtype_number(${mnemonic})`)).rejects.toThrow('is not an RR type');
  },
);
