import { expect, it } from 'vitest';
import { rowPrinter } from '../../../collector/inspect/printRows.ts';

const columns = [
  { name: 'name', isNumber: false, isBoolean: false },
  { name: 'count', isNumber: true, isBoolean: false },
  { name: 'qr', isNumber: false, isBoolean: true },
];

it('prints a table with numbers to the right, its head once, and nothing that breaks a line', () => {
  const print = rowPrinter('table', columns);
  expect(
    print([
      ['a\nb', '5', 't'],
      [null, '12345', 'f'],
    ]),
  ).toEqual(['name   | count | qr', '-------+-------+---', 'a\\x0ab |     5 | t', '       | 12345 | f']);
  expect(print([['x', '1', 't']])).toEqual(['x      |     1 | t']);
});

it('prints JSON with numbers, booleans and null as such, and numbers that JSON would round as text', () => {
  const print = rowPrinter('json', columns);
  expect(
    print([
      ['a"b', '5', 't'],
      [null, '12345678901234567890', 'f'],
      ['n', 'NaN', 't'],
      ['f', '1.5', 't'],
    ]),
  ).toEqual([
    '{"name":"a\\"b","count":5,"qr":true}',
    '{"name":null,"count":"12345678901234567890","qr":false}',
    '{"name":"n","count":"NaN","qr":true}',
    '{"name":"f","count":1.5,"qr":true}',
  ]);
});

it('prints CSV that keeps the empty string apart from NULL', () => {
  const print = rowPrinter('csv', columns);
  expect(
    print([
      ['a,"b"', '5', 't'],
      ['', null, 'f'],
    ]),
  ).toEqual(['name,count,qr', '"a,""b""",5,t', '"",,f']);
  expect(print([['line\nbreak', '1', 't']])).toEqual(['"line\nbreak",1,t']);
});
