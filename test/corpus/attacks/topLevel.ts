import { RrType } from '../../bench/yafWriter.ts';
import { publicAddress } from '../addresses.ts';
import { ask, fixedHost, nxdomain, ROOT } from '../dns.ts';
import { inventWord } from '../names.ts';
import { strengths } from '../strengths.ts';
import { fetch, type Plan, spread } from './plant.ts';

/** Exist, and nobody else goes there. */
const RARE =
  'gq cf tk ml ga pw cam sbs cyou buzz monster quest bond boats lol rest hair beauty cfd icu makeup skin loan work'.split(
    ' ',
  );
/** Do not exist: what routers and installers give to networks. */
const NONEXISTENT =
  'localdomain intranet workgroup homestation homenet lokal internal1 netzwerk zentrale gateway2 router1 werk2 domain1 modem wlan server privat station5'.split(
    ' ',
  );

/** Several domains under a TLD that this network does not use. */
export const rareTld: Plan = (planner, strength) => {
  const { clients, domains, questions, hours } = strengths.rare_tld[strength];
  const tld = takeTld(planner.names, RARE);
  const hosts = Array.from({ length: domains }, () =>
    fixedHost(`www.${planner.names.domain(tld)}`, 300, [publicAddress(planner.random)]),
  );
  const who = { clients: planner.deal(clients), period: planner.period(hours) };
  return {
    ...who,
    subject: `${tld}.`,
    activities: random =>
      spread(random, who, questions, (client, at, i) =>
        fetch(client, hosts[i] ?? random.pick(hosts), at, random, 0.7),
      ),
  };
};

/** Names of another network that leak out of a machine that was moved. */
export const nonexistentTld: Plan = (planner, strength) => {
  const { clients, names, questions, hours } = strengths.nonexistent_tld[strength];
  const tld = takeTld(planner.names, NONEXISTENT);
  const { random } = planner;
  const leaked = Array.from(
    { length: names },
    (_, i) => `${random.pick(['srv', 'nas', 'pc', inventWord(random)])}${i}.${inventWord(random)}.${tld}.`,
  );
  const who = { clients: planner.deal(clients), period: planner.period(hours) };
  return {
    ...who,
    subject: `${tld}.`,
    activities: chance =>
      spread(chance, who, questions, (client, at, i) => {
        const name = leaked[i] ?? chance.pick(leaked);
        return [ask(client, at, { name, type: RrType.A }, nxdomain(ROOT), chance)];
      }),
  };
};

function takeTld(names: { take(name: string): boolean }, from: readonly string[]): string {
  const free = from.find(tld => names.take(`${tld}.`));
  if (free === undefined)
    throw new RangeError(`more attacks are asked for than there are TLDs (${from.length})`);
  return free;
}
