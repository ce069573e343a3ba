/**
 * Exact NTP timestamps (RFC 7011 section 6.1.9) of a file, found without decoding it: ipfix2json clears the low 11 bits of
 * the fraction and cuts the rest to a whole microsecond, so most of what it prints is a microsecond early.
 */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

const toMicroseconds = (fraction: number): number => (fraction * 1e6) / 2 ** 32;

/** Seconds from 1900 to 1970. */
const ntpEpoch = 2_208_988_800;

/**
 * @param path the exporter's file, plain or .gz
 * @param cut timestamps that occur in it, in microseconds since 1970, as ipfix2json cuts them
 * @returns each of `cut` → the timestamp rounded to the nearest microsecond
 */
export function nearestMicroseconds(path: string, cut: ReadonlySet<string>): Map<string, string> {
  const content = readFileSync(path);
  const octets = path.endsWith('.gz') ? gunzipSync(content) : content;
  const seconds = new Set([...cut].map(text => Number(text.slice(0, -6)) + ntpEpoch));
  const found = new Map<string, string>();
  for (let at = 0; at + 8 <= octets.length; at++) {
    const second = octets.readUInt32BE(at);
    if (!seconds.has(second)) continue;
    const fraction = octets.readUInt32BE(at + 4);
    const base = BigInt(second - ntpEpoch) * 1_000_000n;
    const printed = String(base + BigInt(Math.floor(toMicroseconds(fraction - (fraction % 2 ** 11)))));
    if (cut.has(printed)) found.set(printed, String(base + BigInt(Math.round(toMicroseconds(fraction)))));
  }
  return found;
}
