import { ipv4Text } from '../../../collector/ipfix/index.ts';
import { RrType } from '../../bench/yafWriter.ts';
import { publicAddress } from '../addresses.ts';
import { ALPHABET, letters, type Random } from '../chance.ts';
import { ask, fixedHost, nxdomain, opaque } from '../dns.ts';
import type { Activity } from '../lookUp.ts';
import type { Client } from '../network.ts';
import { strengths } from '../strengths.ts';
import { popularSite } from '../world.ts';
import { fetch, type Plan, spread } from './plant.ts';

/** Real ones, the only real names here: only from a list of names can somebody know that a name is an endpoint. */
const DOH_ENDPOINTS = ['dns.quad9.net.', 'doh.opendns.com.', 'mozilla.cloudflare-dns.com.'];

/** A client that asks a resolver of its own choice. */
export const rogueResolver: Plan = (planner, strength, variant) => {
  const { clients, flows, hours } = strengths.rogue_resolver[strength];
  const { world } = planner;
  const resolver = publicAddress(planner.random);
  const endpoint = DOH_ENDPOINTS[['weak', 'medium', 'strong'].indexOf(strength)]!; // one for each
  const who = { clients: planner.deal(clients), period: planner.period(hours) };
  return {
    ...who,
    subject: variant === 'doh' ? endpoint : ipv4Text(resolver),
    activities: random => {
      const popular = popularSite(world, random);
      const act = (client: Client, at: number): Activity => {
        if (variant === 'doh') return fetch(client, fixedHost(endpoint, 300, [resolver]), at, random, 1);
        if (variant !== 'udp' && variant !== 'tcp') return [hidden(client, resolver, at, random, variant)];
        const { page } = popular();
        const response = page.answer(RrType.A, at);
        const asker = { address: client.ipv4, resolver };
        return [ask(asker, at, { name: page.name, type: RrType.A }, response, random, variant)];
      };
      return spread(random, who, flows, act);
    },
  };
};

/** What is asked cannot be seen. */
function hidden({ ipv4 }: Client, resolver: number, at: number, random: Random, variant: string) {
  switch (variant) {
    case 'dot':
      return opaque(ipv4, resolver, 853, at, random, 'tcp', 443);
    case 'doq':
      return opaque(ipv4, resolver, 853, at, random, 'udp');
    default:
      return opaque(ipv4, resolver, 53, at, random, 'udp');
  }
}

/** A program that seeks its master under names that it makes up; few or none exist. */
export const nxdomainBurst: Plan = (planner, strength) => {
  const { names, registered, hours } = strengths.nxdomain_burst[strength];
  const who = { clients: planner.deal(1), period: planner.period(hours) };
  const masters = Array.from({ length: registered }, () => generated(planner.random));
  for (const master of masters) planner.names.take(master);
  return {
    ...who,
    subject: ipv4Text(who.clients[0]!.ipv4), // one was dealt
    activities: random =>
      spread(random, who, names, (client, at, i) => {
        const master = masters[i - names + masters.length]; // found last
        if (master !== undefined)
          return fetch(client, fixedHost(master, 300, [publicAddress(random)]), at, random, 1);
        const name = generated(random);
        const tld = name.slice(name.indexOf('.') + 1);
        return [ask(client, at, { name, type: RrType.A }, nxdomain(tld), random)];
      }),
  };
};

function generated(random: Random): string {
  return `${letters(random, random.between(11, 18), ALPHABET)}.${random.pick(['com', 'net', 'org', 'info', 'biz'])}.`;
}
