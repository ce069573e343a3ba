import { describe, expect, it } from 'vitest';
import { compareRows } from './compare.ts';
import type { ExpectedFlow, ExpectedRr, Rows } from './rows.ts';

const flow: ExpectedFlow = {
  start_time: '1718000080179119',
  end_time: '1718000080181832',
  octets: '68',
  packets: '1',
  reverse_octets: '190',
  reverse_packets: '1',
  src_port: 44465,
  dst_port: 53,
  vlan: 0,
  application: 53,
  rtt_ms: 2,
  ingress: null,
  egress: null,
  protocol: 17,
  end_reason: 1,
  attributes: 0,
  reverse_attributes: 0,
  tcp_flags: null,
  reverse_tcp_flags: null,
  tos: 0,
  src: '192.0.2.36',
  dst: '198.51.100.53',
  src_mac: null,
  dst_mac: null,
};
const rr: ExpectedRr = {
  time: flow.start_time,
  carrier: 'flow 17 192.0.2.36 44465 198.51.100.53 53',
  ttl: '20',
  dns_id: 11735,
  rrtype: 16,
  section: 1,
  rcode: 0,
  origin: 0,
  qr: true,
  authoritative: false,
  client: flow.src,
  resolver: flow.dst,
  rrname: 'www.example.',
  rdata: '"one"',
  rdata_ip: null,
};
const rows = (...rrs: ExpectedRr[]): Rows => ({ flows: [flow], packets: [], rrs });

describe('compareRows', () => {
  it('finds nothing between the same rows in another order', () => {
    const other = { ...rr, rrtype: 99 };
    expect(compareRows(rows(rr, other, rr), rows(rr, rr, other))).toEqual([]);
  });

  it('counts equal rows', () => {
    expect(compareRows(rows(rr), rows(rr, rr))).toEqual([`dns_rr: missing ${JSON.stringify(rr)}`]);
    expect(compareRows(rows(rr, rr), rows(rr))).toEqual([`dns_rr: unexpected ${JSON.stringify(rr)}`]);
  });

  it('names the columns in which the nearest row differs', () => {
    const [difference] = compareRows({ ...rows(rr), flows: [{ ...flow, octets: '69' }] }, rows(rr));
    expect(difference).toMatch(/^flow: octets is "69", not "68", in /);
  });

  it('writes twenty differences of a table and counts the rest', () => {
    const many = Array.from({ length: 25 }, (_, index) => ({ ...rr, dns_id: index, ttl: String(index) }));
    const differences = compareRows(rows(), rows(...many));
    expect(differences).toHaveLength(21);
    expect(differences.at(-1)).toBe('dns_rr: … and 5 more');
  });

  describe('where the collector decodes payload too', () => {
    const payload = { payload: true };

    it('leaves out the rows it decoded itself', () => {
      const own = { ...rr, origin: 1, rrtype: 65 };
      expect(compareRows(rows(rr, own), rows(rr), payload)).toEqual([]);
      expect(compareRows(rows(rr, own), rows(rr))).toHaveLength(1);
    });

    it('accepts rdata that the exporter left out or cut, and only that', () => {
      const whole = { ...rr, rdata: '"one" "two"' };
      expect(compareRows(rows(whole), rows(rr), payload)).toEqual([]);
      expect(compareRows(rows(whole), rows({ ...rr, rdata: null }), payload)).toEqual([]);
      expect(compareRows(rows(whole), rows({ ...rr, rdata: '"two"' }), payload)).toHaveLength(1);
      expect(compareRows(rows(whole), rows(rr))).toHaveLength(1);
    });
  });
});
