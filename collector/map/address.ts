import { ipv4Text, ipv6Text } from '../ipfix/index.ts';
import type { Address } from './rows.ts';

/** IPv6 address of 16 octets; an IPv4-mapped one (RFC 4291 section 2.5.5.2) as the IPv4 address it stands for. */
export function addressFromIpv6(octets: Buffer): Address {
  if (octets[10] !== 0xff || octets[11] !== 0xff) return octets;
  for (let i = 0; i < 10; i++) if (octets[i] !== 0) return octets;
  return octets.readUInt32BE(12);
}

/** Address from a decoded element value of type ipv4Address or ipv6Address; null for anything else. */
export function addressOf(value: unknown): Address | null {
  if (typeof value === 'number') return value;
  return Buffer.isBuffer(value) && value.length === 16 ? addressFromIpv6(value) : null;
}

/** IPv4 or IPv6 address from text, and its canonical text (RFC 5952). @param text for which net.isIP() is not 0 */
export function addressFromText(text: string): { text: string; address: Address } {
  if (!text.includes(':')) {
    const address = text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
    return { text: ipv4Text(address), address };
  }
  const [head = '', tail] = text.split('::');
  const groups = (part: string) => (part === '' ? [] : part.split(':').flatMap(ipv6Group));
  const [before, after] = [groups(head), tail === undefined ? [] : groups(tail)];
  const address = Buffer.alloc(16);
  for (const [i, group] of before.entries()) address.writeUInt16BE(group, 2 * i);
  for (const [i, group] of after.entries()) address.writeUInt16BE(group, 16 - 2 * (after.length - i));
  return { text: ipv6Text(address, 0), address };
}

/** One group, or the two that an IPv4 tail stands for. */
function ipv6Group(text: string): number[] {
  if (!text.includes('.')) return [Number.parseInt(text, 16)];
  const { address } = addressFromText(text);
  return [Number(address) >>> 16, Number(address) & 0xffff];
}

/** The canonical text of an address. */
export function addressText(address: Address): string {
  return typeof address === 'number' ? ipv4Text(address) : ipv6Text(address, 0);
}
