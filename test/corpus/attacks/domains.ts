import { RrType, Section } from '../../bench/yafWriter.ts';
import { addressPool, ipv4, publicAddress } from '../addresses.ts';
import { ALPHABET, BASE32, HEX, letters, type Random, sample } from '../chance.ts';
import { addressRrs, answered, authority, fixedHost, type Host, rr } from '../dns.ts';
import { inventWord } from '../names.ts';
import { strengths } from '../strengths.ts';
import { SECOND, ticks } from '../time.ts';
import { fetch, type Plan, question, spread } from './plant.ts';

const OFTEN = 0.8;

/** A domain like any other, but new. */
export const firstSeen: Plan = (planner, strength) => {
  const { clients, questions, hours } = strengths.first_seen[strength];
  const subject = planner.names.domain();
  const host = fixedHost(`www.${subject}`, 300, [publicAddress(planner.random)]);
  const who = { clients: planner.deal(clients), period: planner.period(hours) };
  return {
    ...who,
    subject,
    activities: random =>
      spread(random, who, questions, (client, at) => fetch(client, host, at, random, OFTEN)),
  };
};

/** A name whose addresses are infected machines all over the world. */
export const fastFlux: Plan = (planner, strength) => {
  const { clients, questions, hours, ttl, addresses, networks, inAnswer } = strengths.fast_flux[strength];
  const subject = planner.names.domain();
  const pool = addressPool(planner.random, addresses, networks);
  const who = { clients: planner.deal(clients), period: planner.period(hours) };
  const host = (random: Random): Host => ({
    name: subject,
    answer: type => answered(addressRrs(subject, type, ttl, sample(random, pool, inAnswer), false), subject),
  });
  return {
    ...who,
    subject,
    activities: random =>
      spread(random, who, questions, (client, at) => fetch(client, host(random), at, random, OFTEN)),
  };
};

/** The name servers flux too: the answers name some of them, with their addresses. */
export const doubleFlux: Plan = (planner, strength) => {
  const { clients, questions, hours, ttl, addresses, networks, inAnswer } = strengths.fast_flux[strength];
  const { nameServers, named } = strengths.double_flux[strength];
  const subject = planner.names.domain();
  const pool = addressPool(planner.random, addresses, networks);
  const servers = addressPool(planner.random, nameServers, Math.ceil(nameServers / 2)).map((address, i) => ({
    name: `ns${i + 1}.${subject}`,
    address,
  }));
  const who = { clients: planner.deal(clients), period: planner.period(hours) };
  const answer = (type: number, random: Random) => {
    const now = sample(random, servers, named);
    return answered(
      [
        ...addressRrs(subject, type, ttl, sample(random, pool, inAnswer), false),
        ...authority(
          subject,
          now.map(({ name }) => name),
        ).map(each => ({ ...each, ttl })),
        ...now.map(({ name, address }) =>
          rr(name, RrType.A, ttl, { kind: 'a', address }, Section.additional),
        ),
      ],
      subject,
    );
  };
  return {
    ...who,
    subject,
    also: [{ kind: 'fast_flux', subject }],
    activities: random => {
      const host = { name: subject, answer: (type: number) => answer(type, random) };
      return spread(random, who, questions, (client, at) => fetch(client, host, at, random, OFTEN));
    },
  };
};

/** What is carried is in the names, as many labels of base 32 as there is room for, each name once. */
export const tunnelling: Plan = (planner, strength) => {
  const { questions, labels, labelOctets, type, hours } = strengths.tunnelling[strength];
  const subject = planner.names.domain();
  const who = { clients: planner.deal(1), period: planner.period(hours) };
  const rdata = (name: string, random: Random) => {
    if (type === 'NULL') return [{ name, type: RrType.NULL, ttl: 0, section: Section.answer }];
    if (type === 'TXT') return [rr(name, RrType.TXT, 0, { kind: 'txt', text: letters(random, 120, BASE32) })];
    return addressRrs(name, RrType.A, 0, [publicAddress(random)]);
  };
  return {
    ...who,
    subject,
    also: [
      { kind: 'name_explosion', subject },
      { kind: 'malformed_name', subject },
    ],
    activities: random =>
      spread(random, who, questions, (client, at) => {
        const carried = Array.from({ length: labels }, () => letters(random, labelOctets, BASE32));
        const name = `${carried.join('.')}.t.${subject}`;
        return [question(client, at, name, RrType[type], answered(rdata(name, random), subject), random)];
      }),
  };
};

/** Every name under a domain answers, and many machines ask for many of them. */
export const nameExplosion: Plan = (planner, strength) => {
  const { clients, names, hours } = strengths.name_explosion[strength];
  const subject = planner.names.domain();
  const who = {
    clients: sample(planner.random, planner.world.clients, clients),
    period: planner.period(hours),
  };
  const addresses = addressPool(planner.random, 3, 1);
  return {
    ...who,
    subject,
    activities: random =>
      spread(random, who, names, (client, at, i) => {
        const label = `${inventWord(random)}${i.toString(36)}`;
        const host = fixedHost(`${label}.${subject}`, 300, addresses, { zone: subject });
        return fetch(client, host, at, random, 0.3);
      }),
  };
};

/** A program reports to its master and sleeps, so long and a bit. */
export const beaconing: Plan = (planner, strength) => {
  const { everySeconds, jitter, missed, hours } = strengths.beaconing[strength];
  const subject = planner.names.domain();
  const host = fixedHost(`${inventWord(planner.random)}.${subject}`, 60, [publicAddress(planner.random)]);
  const clients = planner.deal(1);
  const period = planner.period(hours);
  return {
    clients,
    period,
    subject,
    activities: function* (random) {
      for (const at of ticks(random, period, everySeconds * SECOND, jitter))
        if (random.next() >= missed) yield fetch(clients[0]!, host, at, random, OFTEN); // one was dealt
    },
  };
};

/** Names that no host may have (RFC 1123 section 2.1), as YAF escapes them. */
export const malformedName: Plan = (planner, strength, variant) => {
  const { names, questions, hours } = strengths.malformed_name[strength];
  const { random } = planner;
  const subject = planner.names.domain();
  const who = { clients: planner.deal(1), period: planner.period(hours) };
  const hosts = Array.from({ length: names }, (_, i) =>
    fixedHost(`${malformed(random, variant, i)}.${subject}`, 300, [publicAddress(random)]),
  );
  return {
    ...who,
    subject,
    activities: chance =>
      spread(chance, who, questions, (client, at, i) =>
        fetch(client, hosts[i] ?? chance.pick(hosts), at, chance, 0.2),
      ),
  };
};

/** @param i makes it another one each time */
function malformed(random: Random, variant: string, i: number): string {
  const word = `${inventWord(random)}${i}`;
  switch (variant) {
    case 'hyphen':
      return `-${word}-`;
    case 'underscore':
      return `${inventWord(random)}_${word}`;
    case 'long_label':
      return `${word}${letters(random, 63 - word.length, ALPHABET)}`;
    default:
      return `${word}\\x${random.pick(['00', '07', '1F', '7F', 'A9', 'E4', 'FF'])}${letters(random, 3, HEX)}`;
  }
}

/** A public name that points to the inside, in turn with its own address. */
export const rebinding: Plan = (planner, strength) => {
  const { answers, addresses, ttl, hours } = strengths.rebinding[strength];
  const { random } = planner;
  const subject = planner.names.domain();
  const who = { clients: planner.deal(1), period: planner.period(hours) };
  const outside = publicAddress(random);
  const inside = sample(random, privateAddresses(random), addresses);
  return {
    ...who,
    subject,
    also: [{ kind: 'name_explosion', subject }],
    activities: chance =>
      spread(chance, who, answers, (client, at, i) => {
        const name = `${letters(chance, 8, HEX)}.${subject}`;
        const address = inside[i % inside.length]!; // one at least
        const first = fetch(client, fixedHost(name, ttl, [outside]), at, chance, 1);
        const second = fetch(client, fixedHost(name, ttl, [address]), at + (ttl + 1) * SECOND, chance, 1);
        return answers === 1
          ? fetch(client, fixedHost(name, ttl, [address]), at, chance, 0)
          : [...first, ...second];
      }),
  };
};

function privateAddresses(random: Random): number[] {
  return [
    ...Array.from({ length: 6 }, (_, i) => ipv4(10, 0, 3, 32 + i)),
    ...Array.from({ length: 4 }, () => ipv4(192, 168, random.between(0, 2), random.between(1, 20))),
    ipv4(172, 16, 0, 1),
    ipv4(172, 20, 4, 9),
  ];
}
