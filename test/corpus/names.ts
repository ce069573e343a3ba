import { type Random, weighted } from './chance.ts';

const ONSETS = 'b br c cl d dr f fl g gl gr h j k kr l m n p pl pr qu r s sk st t tr v w z'.split(' ');
const VOWELS = 'a e i o u a e i o ai ea io ou'.split(' ');
const CODAS = ['', '', '', '', 'n', 'r', 'l', 's', 'x', 'nd', 'rt', 'm', 'ck', 'nt'];
const NOUNS =
  'shop news hub blog media tech garden travel sport music labs cloud soft press bike foto craft food care data games support login update secure download market forum radio home auto klinik verlag studio works group farm kids pets'.split(
    ' ',
  );

/** Where ordinary sites are, by share. Attacks other than those on TLDs use them too. */
// biome-ignore format: a table reads better in few lines
const ORDINARY_TLDS = [
  ['com', 46], ['net', 8], ['org', 9], ['de', 7], ['io', 4], ['co.uk', 3], ['info', 4], ['biz', 3], ['fr', 3], ['nl', 2], ['eu', 3],
  ['dev', 2], ['app', 2], ['it', 2], ['pl', 2], ['ch', 2], ['se', 2], ['us', 1], ['com.br', 1], ['me', 2], ['tv', 2],
] as const;

/** An invented word that can be spoken. @param syllables 2 to 4 */
export function inventWord(random: Random, syllables = 2 + Math.floor(random.next() ** 1.3 * 2)): string {
  let word = '';
  for (let i = 0; i < syllables; i++) word += random.pick(ONSETS) + random.pick(VOWELS);
  return word + random.pick(CODAS);
}

/** The first label of a registered domain: always with an invented word in it. */
export function inventLabel(random: Random): string {
  const word = inventWord(random, 3);
  const noun = random.pick(NOUNS);
  return weighted(random, [
    [word, 50],
    [word + noun, 20],
    [`${word}-${noun}`, 15],
    [noun + word, 8],
    [`${inventWord(random, 2)}-${word}`, 4],
    [word + random.between(2, 99), 3],
  ]);
}

export function ordinaryTld(random: Random): string {
  return weighted(random, ORDINARY_TLDS);
}

/** Invents registered domains, no two alike. Canonical: lower case, with trailing dot. */
export class DomainNames {
  readonly taken = new Set<string>();
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  domain(tld = ordinaryTld(this.#random)): string {
    for (;;) {
      const domain = `${inventLabel(this.#random)}.${tld}.`;
      if (this.take(domain)) return domain;
    }
  }

  /** @returns whether nobody had it before */
  take(domain: string): boolean {
    if (this.taken.has(domain)) return false;
    this.taken.add(domain);
    return true;
  }
}
