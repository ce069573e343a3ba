import type { Random } from './chance.ts';

/** First octets that hold private, shared, documentation, multicast and other special space (RFC 6890). */
const SPECIAL = new Set([0, 10, 100, 127, 169, 172, 192, 198, 203]);
const MOST_UNICAST = 223;

/** A /16 of public IPv4 space, as its first address. */
export function publicNetwork(random: Random): number {
  for (;;) {
    const first = random.between(1, MOST_UNICAST);
    if (!SPECIAL.has(first)) return first * 2 ** 24 + random.between(0, 255) * 2 ** 16;
  }
}

/** A public IPv4 address in a /16. */
export function addressIn(random: Random, network: number): number {
  return network + random.between(1, 65_534);
}

export function publicAddress(random: Random): number {
  return addressIn(random, publicNetwork(random));
}

/** So many different public addresses in so many /16 networks, at least one in each. */
export function addressPool(random: Random, addresses: number, networks: number): number[] {
  const from = new Set<number>();
  while (from.size < networks) from.add(publicNetwork(random));
  const found = new Set<number>();
  const bases = [...from];
  for (let i = 0; found.size < addresses; i++) found.add(addressIn(random, bases[i % bases.length]!)); // not empty
  return [...found];
}

/** Where a provider has an IPv4 address, its IPv6 address. */
export function ipv6Of(address: number): Buffer {
  const octets = Buffer.alloc(16);
  octets.writeUInt32BE(0x2a020000 + (address >>> 24), 0);
  octets.writeUInt32BE(address, 4);
  octets.writeUInt32BE(address >>> 8, 12);
  return octets;
}

/** The organisation's own address in fd12:3456:789a::/48 for one in 10.0.0.0/8. */
export function ownIpv6(address: number): Buffer {
  const octets = Buffer.alloc(16);
  octets.writeUInt32BE(0xfd123456, 0);
  octets.writeUInt16BE(0x789a, 4);
  octets.writeUInt32BE(address, 12);
  return octets;
}

export function ipv4(a: number, b: number, c: number, d: number): number {
  return ((a * 256 + b) * 256 + c) * 256 + d;
}
