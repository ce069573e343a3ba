/** What tshark (`-T ek`) says of the DNS messages of a capture: the truth that exporters see a part of. */
import { readText } from './ipfix2json.ts';
import { typeName } from './presentation.ts';

/** One DNS message, as tshark dissects it. */
export interface TsharkMessage {
  /** Microseconds since 1970. */
  readonly time: string;
  readonly dnsId: number;
  /** "name type" of questions and resource records, names in lower case with trailing dot, not escaped. */
  readonly owners: readonly string[];
  readonly ttls: readonly string[];
  /** Addresses in A and AAAA records. */
  readonly addresses: readonly string[];
  /** "type-covered key-tag signature" of RRSIG, the signature in base64. */
  readonly signatures: readonly string[];
}

type Layer = Readonly<Record<string, string | readonly string[] | boolean | undefined>>;

const list = (value: Layer[string]): readonly string[] =>
  typeof value === 'object' ? value : typeof value === 'string' ? [value] : [];

/** All DNS and LLMNR messages of the capture whose layers are in `path`. */
export function readTshark(path: string): TsharkMessage[] {
  return readText(path)
    .split('\n')
    .filter(line => line.startsWith('{"timestamp"'))
    .flatMap(line => {
      const { layers } = JSON.parse(line) as { layers: Record<string, Layer | Layer[]> };
      const time = String((layers.frame as Layer).frame_frame_time_epoch)
        .replace('.', '')
        .slice(0, -3);
      const dissected = [layers.dns, layers.llmnr].flat().filter(layer => layer !== undefined);
      return dissected.map(layer => messageOf(time, layer));
    });
}

function messageOf(time: string, layer: Layer): TsharkMessage {
  // resp_name and resp_type cannot be paired: SRV has no resp_name, and NSEC adds its bit map to resp_type
  const owners = list(layer.text).flatMap(line => {
    const found = /^(.*): type ([A-Z0-9]+)\b/.exec(line);
    return found === null ? [] : [`${found[1] === '<Root>' ? '' : found[1]!.toLowerCase()}. ${found[2]}`];
  });
  const covered = list(layer.dns_dns_rrsig_type_covered);
  const tags = list(layer.dns_dns_rrsig_key_tag);
  const signatures = list(layer.dns_dns_rrsig_signature).map((signature, index) => {
    const base64 = Buffer.from(signature.replaceAll(':', ''), 'hex').toString('base64');
    return `${typeName(Number(covered[index]))} ${tags[index]} ${base64}`;
  });
  return {
    time,
    dnsId: Number(list(layer.dns_dns_id)[0]),
    owners,
    ttls: list(layer.dns_dns_resp_ttl),
    addresses: [...list(layer.dns_dns_a), ...list(layer.dns_dns_aaaa)],
    signatures,
  };
}

/** Everything that the messages of one id say, as sets; there may be several such messages in a capture. */
export function byDnsId(messages: readonly TsharkMessage[]) {
  const said = new Map<number | null, Record<'owners' | 'ttls' | 'addresses' | 'signatures', Set<string>>>();
  for (const message of messages) {
    const sets = said.get(message.dnsId) ?? {
      owners: new Set(),
      ttls: new Set(),
      addresses: new Set(),
      signatures: new Set(),
    };
    for (const key of ['owners', 'ttls', 'addresses', 'signatures'] as const)
      for (const value of message[key]) sets[key].add(value);
    said.set(message.dnsId, sets);
  }
  return said;
}
