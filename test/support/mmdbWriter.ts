import { isIPv4 } from 'node:net';

/** Type numbers of the format; those above 7 are extended. */
const Type = { string: 2, uint16: 5, uint32: 6, map: 7, uint64: 9, array: 11 } as const;
const LONG_SIZE = 29;

/** One or two records of a node: another node, what a network has, or nothing. */
interface Node {
  children: [Node | Buffer | undefined, Node | Buffer | undefined];
}

/**
 * A MaxMind DB file (format 2.0, record size 24, a tree of IPv6 with IPv4 below ::/96) that tells the origin AS of networks.
 * @param networks CIDR by CIDR, none within another, with the number of the AS
 */
export function asnDatabase(networks: Readonly<Record<string, number>>): Buffer {
  const root: Node = { children: [undefined, undefined] };
  for (const [network, asn] of Object.entries(networks)) insert(root, bitsOf(network), describe(asn));
  const nodes = nodesBelow(root);
  const [tree, data] = [Buffer.alloc(nodes.length * 6), [] as Buffer[]];
  let octets = 0;
  for (const [i, { children }] of nodes.entries())
    for (const [side, child] of children.entries()) {
      let record = nodes.length; // nothing is known
      if (Buffer.isBuffer(child)) {
        record = nodes.length + 16 + octets;
        data.push(child);
        octets += child.length;
      } else if (child !== undefined) record = nodes.indexOf(child);
      tree.writeUIntBE(record, i * 6 + side * 3, 3);
    }
  const marker = Buffer.from('\xab\xcd\xefMaxMind.com', 'latin1');
  return Buffer.concat([tree, Buffer.alloc(16), ...data, marker, metadata(nodes.length)]);
}

function insert(root: Node, bits: readonly (0 | 1)[], data: Buffer): void {
  let node = root;
  for (const bit of bits.slice(0, -1)) {
    const below = node.children[bit];
    if (Buffer.isBuffer(below)) throw new RangeError('a network lies within another');
    const next: Node = below ?? { children: [undefined, undefined] };
    node.children[bit] = next;
    node = next;
  }
  node.children[bits.at(-1)!] = data; // a network has a bit at least
}

/** Nodes in the order of their numbers: the root is 0. */
function nodesBelow(root: Node): Node[] {
  const nodes = [root];
  for (const { children } of nodes)
    for (const child of children) if (child !== undefined && !Buffer.isBuffer(child)) nodes.push(child);
  return nodes;
}

function bitsOf(network: string): (0 | 1)[] {
  const [address = '', prefix] = network.split('/');
  const length = Number(prefix) + (isIPv4(address) ? 96 : 0);
  const octets = isIPv4(address) ? [...Array(12).fill(0), ...address.split('.').map(Number)] : ipv6(address);
  return Array.from({ length }, (_, i) => ((octets[i >> 3]! >> (7 - (i & 7))) & 1 ? 1 : 0)); // 16 octets
}

function ipv6(address: string): number[] {
  const [before = [], after = []] = address.split('::').map(half => half.split(':').filter(Boolean));
  const groups = [...before, ...Array(8 - before.length - after.length).fill('0'), ...after];
  return groups.flatMap(group => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 255]);
}

function describe(asn: number): Buffer {
  return map({
    autonomous_system_number: uint(Type.uint32, asn),
    autonomous_system_organization: text(`AS ${asn}`),
  });
}

function metadata(nodes: number): Buffer {
  return map({
    node_count: uint(Type.uint32, nodes),
    record_size: uint(Type.uint16, 24),
    ip_version: uint(Type.uint16, 6),
    database_type: text('Test-ASN'),
    languages: field(Type.array, 0),
    binary_format_major_version: uint(Type.uint16, 2),
    binary_format_minor_version: uint(Type.uint16, 0),
    build_epoch: uint(Type.uint64, 1_767_225_600),
    description: map({ en: text('networks of a test') }),
  });
}

/** A control octet, or several, with what follows. @param size octets, or entries of a map or an array */
function field(type: number, size: number, ...content: readonly Buffer[]): Buffer {
  const first = (type > 7 ? 0 : type << 5) | Math.min(size, LONG_SIZE);
  const more = [...(type > 7 ? [type - 7] : []), ...(size >= LONG_SIZE ? [size - LONG_SIZE] : [])];
  return Buffer.concat([Buffer.from([first, ...more]), ...content]);
}

function map(entries: Readonly<Record<string, Buffer>>): Buffer {
  const content = Object.entries(entries).flatMap(([key, value]) => [text(key), value]);
  return field(Type.map, content.length / 2, ...content);
}

function text(value: string): Buffer {
  return field(Type.string, Buffer.byteLength(value), Buffer.from(value));
}

function uint(type: number, value: number): Buffer {
  const hex = value === 0 ? '' : value.toString(16);
  const octets = Buffer.from(hex.padStart(hex.length + (hex.length & 1), '0'), 'hex');
  return field(type, octets.length, octets);
}
