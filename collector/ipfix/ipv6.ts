/** IPv6 address of the 16 octets at `at`, in the text form of RFC 5952. */
export function ipv6Text(buffer: Buffer, at: number): string {
  const groups = Array.from({ length: 8 }, (_, i) => buffer.readUInt16BE(at + 2 * i));
  if (groups.slice(0, 5).every(group => group === 0) && groups[5] === 0xffff)
    return `::ffff:${[...buffer.subarray(at + 12, at + 16)].join('.')}`; // IPv4-mapped: section 5
  const zeros = longestZeroRun(groups);
  const hex = (part: readonly number[]) => part.map(group => group.toString(16)).join(':');
  if (zeros.length < 2) return hex(groups);
  return `${hex(groups.slice(0, zeros.start))}::${hex(groups.slice(zeros.start + zeros.length))}`;
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < groups.length; start++) {
    let length = 0;
    while (groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  return best;
}
