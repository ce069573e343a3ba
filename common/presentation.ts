import { nameFromWire } from './dnsName.ts';

/** Names that need nothing but lower case and the final dot, nearly all. */
const PLAIN_NAME = /^(?:[\w*-]{1,63}\.)*[\w*-]{1,63}\.?$/;
/** A backslash before three digits that are an octet, or before anything but a digit (RFC 1035 section 5.1). */
const PRESENTATION = /^(?:[^\\]|\\(?:[01]\d\d|2[0-4]\d|25[0-5]|\D))*$/s;
const CHARACTER = /\\(?:\d{3}|\D)|[^\\]/gs;
const LONGEST_LABEL = 63;
const LONGEST_PLAIN_NAME = 253;

/**
 * The octets that a text in presentation form stands for (RFC 1035 section 5.1), one character each (latin1); characters
 * beyond ASCII are the octets of their UTF-8. Other than canonicalName and canonicalText of dnsName.ts this knows
 * no dialects of exporters: `\n` is an n.
 * @returns null when a backslash escapes nothing
 */
export function octetsOf(text: string): string | null {
  const octets = latin1(text);
  if (!octets.includes('\\')) return octets;
  if (!PRESENTATION.test(octets)) return null;
  return octets.replace(CHARACTER, octetOf);
}

/**
 * The canonical form (dnsName.ts) of a domain name in presentation form, with or without the final dot.
 * @returns null for what is no name: empty, an empty label, a label beyond 63 octets, more than 255 in all, a bad escape
 */
export function nameFromText(text: string): string | null {
  if (text.length <= LONGEST_PLAIN_NAME && PLAIN_NAME.test(text)) {
    const name = text.toLowerCase();
    return name.endsWith('.') ? name : `${name}.`;
  }
  if (text === '.') return text;
  const octets = latin1(text);
  if (!PRESENTATION.test(octets)) return null;
  let wire = '';
  let label = '';
  for (const [character] of (octets.endsWith('.') ? octets : `${octets}.`).matchAll(CHARACTER)) {
    if (character !== '.') label += octetOf(character);
    else if (label === '' || label.length > LONGEST_LABEL) return null;
    else {
      wire += String.fromCharCode(label.length) + label;
      label = '';
    }
  }
  if (label !== '') wire += String.fromCharCode(label.length) + label; // the last dot was escaped
  return nameFromWire(Buffer.from(`${wire}\0`, 'latin1'), 0)?.name ?? null;
}

function octetOf(character: string): string {
  if (character.length === 1) return character;
  return character.length === 2 ? character.charAt(1) : String.fromCharCode(Number(character.slice(1)));
}

/** A text as the octets of its UTF-8, one character each. */
export function latin1(text: string): string {
  return /^[\0-\x7f]*$/.test(text) ? text : Buffer.from(text).toString('latin1');
}
