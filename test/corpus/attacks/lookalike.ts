import { domainToASCII } from 'node:url';
import { publicAddress } from '../addresses.ts';
import { type Random, sample } from '../chance.ts';
import { fixedHost } from '../dns.ts';
import { strengths } from '../strengths.ts';
import { fetch, type Plan, spread } from './plant.ts';

const LURES = ['update', 'login', 'support', 'secure', 'download', 'account', 'install'];
const VOWELS = 'aeiou';
/** Letters that look alike: ASCII for ASCII, Cyrillic for ASCII. */
const ASCII_TWINS: Readonly<Record<string, string>> = { o: '0', l: '1', m: 'rn', w: 'vv' };
const CYRILLIC_TWINS: Readonly<Record<string, string>> = { a: 'а', c: 'с', e: 'е', i: 'і', o: 'о', p: 'р' };

/** A domain that wants to be taken for one of a watched word. */
export const lookalike: Plan = (planner, strength, variant) => {
  const { clients, questions, hours } = strengths.lookalike[strength];
  const { random, names, world } = planner;
  const { word } = random.pick(world.watched.slice(0, -1)); // the last is too short for some variants
  const [subject, name] = imitation(random, word, variant, names);
  const host = fixedHost(name, 300, [publicAddress(random)]);
  const who = { clients: planner.deal(clients), period: planner.period(hours) };
  return {
    ...who,
    subject,
    activities: chance =>
      spread(chance, who, questions, (client, at) => fetch(client, host, at, chance, 0.8)),
  };
};

/** @returns the registered domain, and the name that is asked for */
function imitation(
  random: Random,
  word: string,
  variant: string,
  names: { take(name: string): boolean; domain(): string },
): [domain: string, name: string] {
  if (variant === 'below') {
    const domain = names.domain();
    return [domain, `${word}.com.${domain}`];
  }
  for (;;) {
    const domain = `${imitate(random, word, variant)}.${random.pick(['com', 'net', 'org', 'info'])}.`;
    if (names.take(domain)) return [domain, random.next() < 0.5 ? `www.${domain}` : domain];
  }
}

function imitate(random: Random, word: string, variant: string): string {
  const lure = random.pick(LURES);
  const at = random.between(1, word.length - 2);
  switch (variant) {
    case 'keyword':
      return random.pick([`${lure}-${word}`, `${word}-${lure}`]);
    case 'combination':
      return random.pick([lure + word, word + lure]);
    case 'hyphenation':
      return `${word.slice(0, at + 1)}-${word.slice(at + 1)}`;
    case 'transposition':
      // no word has the same letter twice in a row
      return word.slice(0, at) + word[at + 1] + word[at] + word.slice(at + 2);
    case 'homoglyph':
      return replaceOne(random, word, ASCII_TWINS);
    case 'idn':
      return domainToASCII(replaceOne(random, word, CYRILLIC_TWINS));
    case 'substitution':
      return substitute(random, word, 1);
    default:
      return substitute(random, word, 2);
  }
}

/** Every word has a letter with a twin. */
function replaceOne(random: Random, word: string, twins: Readonly<Record<string, string>>): string {
  const places = [...word].flatMap((letter, i) => (letter in twins ? [i] : []));
  const at = random.pick(places);
  return word.slice(0, at) + twins[word[at] ?? ''] + word.slice(at + 1);
}

/** Another vowel in the place of so many. */
function substitute(random: Random, word: string, count: number): string {
  const letters = [...word];
  const vowels = letters.flatMap((letter, i) => (VOWELS.includes(letter) ? [i] : []));
  for (const at of sample(random, vowels, count))
    letters[at] = random.pick([...VOWELS].filter(vowel => vowel !== word[at]));
  return letters.join('');
}
