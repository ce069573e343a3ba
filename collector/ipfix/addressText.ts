const DECIMAL: readonly string[] = Array.from({ length: 256 }, (_, octet) => String(octet));

/** Dotted decimal of an IPv4 address given as unsigned 32-bit number. */
export function ipv4Text(address: number): string {
  const [a, b] = [DECIMAL[address >>> 24], DECIMAL[(address >>> 16) & 0xff]];
  return `${a}.${b}.${DECIMAL[(address >>> 8) & 0xff]}.${DECIMAL[address & 0xff]}`;
}

const HEX_DIGITS = Buffer.from('0123456789abcdef', 'latin1');
const COLON = 0x3a;
const scratch = Buffer.alloc(40);

/**
 * IPv6 address in the form of RFC 5952: lower case, the first longest run of two or more zero groups as `::`, and
 * `::ffff:192.0.2.1` for IPv4-mapped addresses (§5).
 * @param at offset of its 16 octets in buffer
 */
export function ipv6Text(buffer: Buffer, at: number): string {
  let zerosStart = -1;
  let zerosLength = 1;
  for (let group = 0; group < 8; group++) {
    let end = group;
    while (end < 8 && buffer.readUInt16BE(at + 2 * end) === 0) end++;
    if (end - group > zerosLength) {
      zerosStart = group;
      zerosLength = end - group;
    }
    if (end > group) group = end;
  }
  if (zerosStart === 0 && zerosLength === 5 && buffer.readUInt16BE(at + 10) === 0xffff) {
    return `::ffff:${ipv4Text(buffer.readUInt32BE(at + 12))}`;
  }
  let length = 0;
  for (let group = 0; group < 8; group++) {
    if (group === zerosStart) {
      if (group === 0) scratch[length++] = COLON;
      scratch[length++] = COLON;
      group += zerosLength - 1;
      continue;
    }
    length = writeGroup(buffer.readUInt16BE(at + 2 * group), length);
    if (group < 7) scratch[length++] = COLON;
  }
  return scratch.toString('latin1', 0, length);
}

/** Writes one group without leading zeros into scratch. @returns where the next character goes */
function writeGroup(value: number, at: number): number {
  let next = at;
  for (let shift = value > 0xfff ? 12 : value > 0xff ? 8 : value > 0xf ? 4 : 0; shift >= 0; shift -= 4) {
    scratch[next++] = HEX_DIGITS[(value >> shift) & 15] as number; // 16 digits
  }
  return next;
}
