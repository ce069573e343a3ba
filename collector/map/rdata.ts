/**
 * rdata in presentation form from values that are already decoded: numbers, octet strings (latin1, see
 * common/dnsName.ts) for names, Buffers for binary parts. A part that the exporter does not send, or sends empty
 * where it may not be empty, is written as `-`; only trailing type bit maps are then left out.
 */
import { canonicalName } from '../../common/dnsName.ts';
import { rrtypeName } from '../../common/rrtypes.ts';

const MISSING = '-';
const NO_TYPES: readonly string[] = [];

/**
 * A name inside rdata in canonical form. YAF 2.x sends the root as empty string ("MX 0 .", the signer of the root's
 * RRSIGs), 3.x as `.`; a name lost to YAF's buffer limit is empty too and cannot be told apart. A damaged one is `-`.
 */
export function rdataName(octets: string): string {
  return octets === '' ? '.' : (canonicalName(octets) ?? MISSING);
}

const hex = (octets: Buffer) => (octets.length === 0 ? MISSING : octets.toString('hex').toUpperCase());
const base64 = (octets: Buffer) => (octets.length === 0 ? MISSING : octets.toString('base64'));

/** MX (RFC 1035 §3.3.9): `preference exchange`. Also KX, RT and AFSDB, which have the same form. */
export function mxRdata(preference: number, exchange: string): string {
  return `${preference} ${rdataName(exchange)}`;
}

/** SOA (RFC 1035 §3.3.13): `mname rname serial refresh retry expire minimum`. */
export function soaRdata(
  mname: string,
  rname: string,
  serial: number,
  refresh: number,
  retry: number,
  expire: number,
  minimum: number,
): string {
  return `${rdataName(mname)} ${rdataName(rname)} ${serial} ${refresh} ${retry} ${expire} ${minimum}`;
}

/** SRV (RFC 2782): `priority weight port target`. */
export function srvRdata(priority: number, weight: number, port: number, target: string): string {
  return `${priority} ${weight} ${port} ${rdataName(target)}`;
}

/**
 * DS and CDS (RFC 4034 §5.3): `keyTag algorithm digestType digest`, the digest in upper-case hexadecimal.
 * YAF 2.16 sends the digest empty, 2.12 and 3.x whole.
 */
export function dsRdata(keyTag: number, algorithm: number, digestType: number, digest: Buffer): string {
  return `${keyTag} ${algorithm} ${digestType} ${hex(digest)}`;
}

/** DNSKEY and CDNSKEY (RFC 4034 §2.2): `flags protocol algorithm key`. YAF 2.16 sends the key empty. */
export function dnskeyRdata(flags: number, protocol: number, algorithm: number, key: Buffer): string {
  return `${flags} ${protocol} ${algorithm} ${base64(key)}`;
}

/** The parts of an RRSIG RR (RFC 4034 §3.1); times in seconds since 1970. */
export interface Rrsig {
  readonly typeCovered: number;
  readonly algorithm: number;
  readonly labels: number;
  readonly originalTtl: number;
  readonly expiration: number;
  readonly inception: number;
  readonly keyTag: number;
  readonly signer: string;
  readonly signature: Buffer;
}

/**
 * RRSIG (RFC 4034 §3.2): `typeCovered algorithm labels originalTtl expiration inception keyTag signer signature`,
 * times as YYYYMMDDHHMMSS in UTC. Two defects of YAF 2.x are the caller's to undo first: key tag (IE 6871/228) and
 * type covered (6871/240) each hold the other's value, and 2.7 and 2.12 need trimSignature.
 */
export function rrsigRdata(rrsig: Rrsig): string {
  const { algorithm, labels, originalTtl, keyTag } = rrsig;
  const times = `${timeText(rrsig.expiration)} ${timeText(rrsig.inception)}`;
  const signed = `${rrtypeName(rrsig.typeCovered)} ${algorithm} ${labels} ${originalTtl} ${times}`;
  return `${signed} ${keyTag} ${rdataName(rrsig.signer)} ${base64(rrsig.signature)}`;
}

const timeText = (seconds: number) => new Date(seconds * 1000).toISOString().replace(/\D/g, '').slice(0, 14);

/** Octets of a signature where the algorithm alone decides them: DSA, GOST, ECDSA, EdDSA, SM2. */
// biome-ignore format: a table reads better in few lines
const SIGNATURE_LENGTH: Readonly<Record<number, number>> = {
  3: 41, 6: 41, 12: 64, 13: 64, 14: 96, 15: 64, 16: 114, 17: 64, 23: 64,
};
const RSA_ALGORITHMS: ReadonlySet<number> = new Set([1, 5, 7, 8, 10]);

/**
 * Takes off the octet too many that YAF 2.7 and 2.12 append to RRSIG signatures (the first octet of what follows in the
 * message; at its end they send the signature empty). It is recognised by the algorithm's length, or for RSA
 * by being one more than a multiple of 8; what does not look like that is returned as it is, so it is safe for
 * 2.16 too. Not meant for 3.x, as an RSA key of 8n + 1 octets is odd but possible.
 */
export function trimSignature(algorithm: number, signature: Buffer): Buffer {
  const length = signature.length - 1;
  const tooLong = RSA_ALGORITHMS.has(algorithm)
    ? length >= 64 && length % 8 === 0
    : SIGNATURE_LENGTH[algorithm] === length;
  return tooLong ? signature.subarray(0, length) : signature;
}

/**
 * NSEC (RFC 4034 §4.2): `next TYPE …`.
 * @param next dotted text; YAF sends it in octetArray elements (2.x 6871/234, 3.x 6871/445)
 * @param bitMaps as on the wire (3.x 6871/446); undefined from YAF 2.x, which does not send them
 */
export function nsecRdata(next: string, bitMaps?: Buffer): string {
  return [rdataName(next), ...typeNames(bitMaps)].join(' ');
}

/**
 * NSEC3 (RFC 5155 §3.3): `hashAlgorithm flags iterations salt nextHashedOwner TYPE …`. The hash is written in lower case
 * so that it equals the first label of the owner name it points to.
 * @param flags undefined from YAF 2.x
 * @param salt binary in all exporters; empty is `-` by the RFC too
 * @param nextHashedOwner binary in all exporters
 * @param bitMaps as on the wire (3.x 6871/440); undefined from YAF 2.x
 */
export function nsec3Rdata(
  hashAlgorithm: number,
  flags: number | undefined,
  iterations: number,
  salt: Buffer,
  nextHashedOwner: Buffer,
  bitMaps?: Buffer,
): string {
  const parameters = nsec3paramRdata(hashAlgorithm, flags, iterations, salt);
  return [parameters, base32hex(nextHashedOwner) || MISSING, ...typeNames(bitMaps)].join(' ');
}

/** NSEC3PARAM (RFC 5155 §4.3): `hashAlgorithm flags iterations salt`. YAF 2.x uses its NSEC3 template, without flags. */
export function nsec3paramRdata(
  hashAlgorithm: number,
  flags: number | undefined,
  iterations: number,
  salt: Buffer,
): string {
  return `${hashAlgorithm} ${flags ?? MISSING} ${iterations} ${hex(salt)}`;
}

const typeNames = (bitMaps: Buffer | undefined) => (bitMaps && readTypeBitMaps(bitMaps)) ?? NO_TYPES;

/**
 * The type mnemonics of NSEC and NSEC3 bit maps (RFC 4034 §4.1.2).
 * @returns null when a window block is cut, has a length other than 1–32, or is out of order
 */
export function readTypeBitMaps(bitMaps: Buffer): string[] | null {
  const names: string[] = [];
  let lastWindow = -1;
  for (let at = 0; at < bitMaps.length; ) {
    const window = bitMaps[at] as number; // at < bitMaps.length
    const length = bitMaps[at + 1] ?? 0;
    const end = at + 2 + length;
    if (window <= lastWindow || length < 1 || length > 32 || end > bitMaps.length) return null;
    for (let bit = 0; bit < length * 8; bit++) {
      const octet = bitMaps[at + 2 + (bit >> 3)] as number; // below end
      if (octet & (0x80 >> (bit & 7))) names.push(rrtypeName(window * 256 + bit));
    }
    lastWindow = window;
    at = end;
  }
  return names;
}

const BASE32HEX = '0123456789abcdefghijklmnopqrstuv';

/** RFC 4648 §7 in lower case without padding, as RFC 5155 §3.3 wants it. */
function base32hex(octets: Buffer): string {
  let text = '';
  let bits = 0;
  let pending = 0;
  for (const octet of octets) {
    pending = ((pending << 8) | octet) & 0xfff;
    for (bits += 8; bits >= 5; bits -= 5) text += BASE32HEX[(pending >> (bits - 5)) & 31];
  }
  return bits > 0 ? text + BASE32HEX[(pending << (5 - bits)) & 31] : text;
}
