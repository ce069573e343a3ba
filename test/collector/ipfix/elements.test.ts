import { describe, expect, it } from 'vitest';
import { ElementTable } from '../../../collector/ipfix/elements.ts';
import { recordToJson } from '../../../collector/ipfix/index.ts';
import { field, octets, u16, u32 } from '../../support/ipfixBuilder.ts';
import { decodeRecords } from './decode.ts';

const table = new ElementTable(10);

describe('the element table', () => {
  it.each([
    [0, 1, 'octetDeltaCount', 'unsigned64'],
    [0, 8, 'sourceIPv4Address', 'ipv4Address'],
    [0, 154, 'flowStartMicroseconds', 'dateTimeMicroseconds'],
    [0, 293, 'subTemplateMultiList', 'subTemplateMultiList'],
    [6871, 178, 'dnsSection', 'unsigned8'],
    [6871, 432, 'yafDPIList', 'subTemplateList'],
    [8057, 2, 'cesnetDnsName', 'string'],
  ])('knows element %d/%d as %s, %s', (pen, id, name, type) => {
    expect(table.get(pen, id)).toMatchObject({ pen, id, name, type, known: true });
  });

  it('gives unknown elements a name of their numbers, and keeps their octets', () => {
    expect(table.get(99, 0x7fff)).toMatchObject({ name: '_99_32767', type: 'octetArray', known: false });
    expect(table.get(0, 0)).toMatchObject({ name: '_0_0', known: false });
  });
});

describe('reverse elements of a biflow (RFC 5103)', () => {
  it('of IANA have the number of their forward ones under enterprise number 29305', () => {
    expect(table.get(29305, 85)).toMatchObject({
      name: 'reverseOctetTotalCount',
      type: 'unsigned64',
      known: true,
    });
    expect(table.get(29305, 154)).toMatchObject({
      name: 'reverseFlowStartMicroseconds',
      type: 'dateTimeMicroseconds',
    });
  });

  it('of CERT have the bit 0x4000 in their number', () => {
    expect(table.get(6871, 40 | 0x4000)).toMatchObject({
      id: 16424,
      name: 'reverseFlowAttributes',
      known: true,
    });
    expect(table.get(6871, 40)).toMatchObject({ name: 'flowAttributes' });
  });

  it('of other enterprises are not guessed', () => {
    expect(table.get(8057, 2 | 0x4000).known).toBe(false);
    expect(table.get(29305, 32000).known).toBe(false);
  });

  it('stand beside their forward ones in a record, reduced in size alike', () => {
    const fields = [field(85, 4), field(85, 4, 29305), field(40, 2, 6871), field(16424, 2, 6871)];
    const { records } = decodeRecords(fields, octets(u32(100), u32(200), u16(1), u16(2)));
    expect(recordToJson(records[0]!)).toEqual({
      octetTotalCount: 100,
      reverseOctetTotalCount: 200,
      flowAttributes: 1,
      reverseFlowAttributes: 2,
    });
  });
});
