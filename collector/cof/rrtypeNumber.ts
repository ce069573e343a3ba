import { rrtypeName } from '../map/rrtypes.ts';

const LARGEST = 65535;
let numbers: ReadonlyMap<string, number> | undefined;

/** The number of an RR type by its mnemonic, `TYPE123` (RFC 3597 section 5) or the number itself as text, in any case. */
export function rrtypeNumber(text: string): number | null {
  numbers ??= new Map(Array.from({ length: LARGEST + 1 }, (_, number) => [rrtypeName(number), number]));
  const known = numbers.get(text) ?? numbers.get(text.toUpperCase());
  if (known !== undefined) return known;
  const [, digits] = /^(?:TYPE)?(\d{1,5})$/i.exec(text) ?? [];
  return digits === undefined || Number(digits) > LARGEST ? null : Number(digits);
}
