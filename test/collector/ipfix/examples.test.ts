import { describe, expect, it } from 'vitest';
import { recordToJson } from '../../../collector/ipfix/index.ts';
import {
  dataSet,
  field,
  ipv4,
  message,
  octets,
  optionsTemplate,
  optionsTemplateSet,
  record,
  set,
  u8,
  u16,
  u32,
  u64,
  VARIABLE,
  variable,
} from '../../support/ipfixBuilder.ts';
import { Decoding, decode, fixture, messagesOf } from './decode.ts';

describe('the examples of RFC 7011 appendix A', () => {
  /** 16-bit words, as the figures have them. */
  const words = (...values: number[]) => octets(...values.map(u16));

  it('A.2.1 and A.3: flows', () => {
    const templates = words(2, 28, 256, 5, 8, 4, 12, 4, 15, 4, 2, 4, 1, 4);
    const flow = (source: string, destination: string, nextHop: string, packets: number, count: number) =>
      record(ipv4(source), ipv4(destination), ipv4(nextHop), u32(packets), u32(count));
    const flows = set(
      256,
      octets(
        flow('192.0.2.12', '192.0.2.254', '192.0.2.1', 5009, 5344385),
        flow('192.0.2.27', '192.0.2.23', '192.0.2.2', 748, 388934),
        flow('192.0.2.56', '192.0.2.65', '192.0.2.3', 5, 6534),
      ),
      64,
    );
    const { records, problems } = decode(message([templates, flows]));
    expect(problems).toEqual([]);
    expect(records.map(recordToJson)).toEqual([
      {
        sourceIPv4Address: '192.0.2.12',
        destinationIPv4Address: '192.0.2.254',
        ipNextHopIPv4Address: '192.0.2.1',
        packetDeltaCount: 5009,
        octetDeltaCount: 5344385,
      },
      expect.objectContaining({
        destinationIPv4Address: '192.0.2.23',
        packetDeltaCount: 748,
        octetDeltaCount: 388934,
      }),
      expect.objectContaining({
        ipNextHopIPv4Address: '192.0.2.3',
        packetDeltaCount: 5,
        octetDeltaCount: 6534,
      }),
    ]);
  });

  it('A.2.2: an element of an enterprise', () => {
    const { session, out } = new Decoding().feed(
      message([words(2, 32, 257, 5, 8, 4, 12, 4, 0x8000 | 15, 4, 0, 99, 2, 4, 1, 4)]),
    );
    expect(out.problems).toEqual([]);
    expect(session.domains.get(0)?.templates.get(257)?.fields[2]?.element).toMatchObject({ pen: 99, id: 15 });
  });

  it('A.4.1 to A.4.3: options templates, with padding', () => {
    const { session, out } = new Decoding().feed(
      message([
        words(3, 24, 258, 3, 1, 141, 4, 41, 2, 42, 2, 0),
        words(3, 28, 259, 3, 1, 141, 4, 41, 2, 0x8000 | 42, 4, 0, 99, 0),
        words(3, 28, 260, 3, 1, 0x8000 | 123, 4, 0, 99, 41, 2, 42, 2, 0),
      ]),
    );
    expect(out.problems).toEqual([]);
    const templates = [...session.domains.get(0)!.templates.values()];
    expect(
      templates.map(({ scopeCount, fields }) => [scopeCount, ...fields.map(each => each.element.name)]),
    ).toEqual([
      [1, 'lineCardId', 'exportedMessageTotalCount', 'exportedFlowRecordTotalCount'],
      [1, 'lineCardId', 'exportedMessageTotalCount', '_99_42'],
      [1, '_99_123', 'exportedMessageTotalCount', 'exportedFlowRecordTotalCount'],
    ]);
  });

  it('A.4.4: options records', () => {
    const { values } = decode(
      message([
        words(3, 28, 260, 3, 1, 0x8000 | 123, 4, 0, 99, 41, 2, 42, 2, 0),
        words(260, 20, 0, 1, 345, 10201, 0, 2, 690, 20402),
      ]),
    );
    expect(values).toEqual([
      [u32(1), 345, 10201],
      [u32(2), 690, 20402],
    ]);
  });
});

describe('IPFIX files (RFC 5655)', () => {
  it('are messages one after another: nothing stands before, between or behind them', () => {
    const file = fixture('yaf2164-small');
    expect(Buffer.concat(messagesOf(file)).equals(file)).toBe(true);
    expect(decode(...messagesOf(file)).problems).toEqual([]);
  });

  it('written one behind the other are read as one, if their templates agree', () => {
    const file = messagesOf(fixture('yaf2164-small'));
    const { session, out } = new Decoding().feed(...file, ...file);
    expect([out.problems.length, out.records.length]).toEqual([0, 420]);
    expect(session.domains.get(0)).toMatchObject({ sequenceResets: 1, redefinitions: 0 });
  });

  it('give their own options, such as checksum and time window, as records: nothing is checked by them', () => {
    const wrongChecksum = Buffer.alloc(16, 0xee);
    const { records, problems } = decode(
      message([
        optionsTemplateSet(
          optionsTemplate(300, [field(263, 1)], [field(262, 16)]), // section 8.1.1: message checksum
          optionsTemplate(301, [field(267, 1)], [field(260, 4), field(264, 4)]), // section 8.1.2: time window
          optionsTemplate(302, [field(267, 1)], [field(130, 4), field(217, 2), field(275, VARIABLE)]), // 8.1.3: session
          optionsTemplate(303, [field(263, 1)], [field(258, 8)]), // section 8.1.4: message details
        ),
        dataSet(300, u8(0), wrongChecksum),
        dataSet(301, u8(0), u32(2_000_000_000), u32(1_000_000_000)),
        dataSet(302, u8(0), ipv4('192.0.2.1'), u16(4739), variable('')),
        dataSet(303, u8(0), u64(1_700_000_000_123)),
      ]),
    );
    expect(problems).toEqual([]);
    expect(records.map(({ template }) => template.isOptions)).toEqual([true, true, true, true]);
    expect(records.map(recordToJson)).toMatchObject([
      { messageMD5Checksum: 'ee'.repeat(16) },
      { maxExportSeconds: '2033-05-18T03:33:20.000Z', minExportSeconds: '2001-09-09T01:46:40.000Z' },
      { exporterIPv4Address: '192.0.2.1' },
      { collectionTimeMilliseconds: '2023-11-14T22:13:20.123Z' },
    ]);
  });
});
