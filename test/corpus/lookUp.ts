import { type DnsResponse, RrType, type YafFlow } from '../bench/yafWriter.ts';
import type { Random } from './chance.ts';
import { addressIn, ask, connect, type Host, nxdomain, opaque, Rcode, ROOT } from './dns.ts';
import { type Client, WRONG_SUFFIX } from './network.ts';
import { MOST_WAIT } from './upstream.ts';

/** Flows that belong together. The first one starts first. */
export type Activity = readonly YafFlow[];

/** Activities in order of the start of their first flow; none is empty. */
export type Source = Iterable<Activity>;

const UNANSWERED = 0.004;
const FAILED = 0.003;
const PLAIN_HTTP = 0.06;

/** What came back, for sometimes nothing does. */
export function reply(response: DnsResponse, random: Random): DnsResponse | undefined {
  const draw = random.next();
  if (draw < UNANSWERED) return undefined;
  return draw < UNANSWERED + FAILED ? { rcode: Rcode.SERVFAIL, rrs: [] } : response;
}

/**
 * What happens when a program of a client looks a name up: questions for the types that it wants, with the search list
 * before where that is wrong, and mostly a connection to what was found.
 */
export function lookUp(client: Client, host: Host, at: number, random: Random, connects = 0.7): Activity {
  const { habits } = client;
  const flows: YafFlow[] = [];
  let begins = at;
  if (habits.wrongSuffix && random.next() < 0.5) {
    const wrong = { name: host.name + WRONG_SUFFIX, type: RrType.A };
    flows.push(ask(client, begins, wrong, nxdomain(ROOT), random));
    begins += 2500;
  }
  const response = reply(host.answer(RrType.A, at), random);
  const question = ask(client, begins, { name: host.name, type: RrType.A }, response, random);
  flows.push(question);
  if (habits.ipv6) {
    const aaaa = reply(host.answer(RrType.AAAA, at), random);
    flows.push(ask(client, begins + 40, { name: host.name, type: RrType.AAAA }, aaaa, random));
  }
  if (habits.httpsRecords)
    flows.push(opaque(client.address, client.resolver, 53, begins + 90, random, 'udp'));
  const address = response === undefined ? undefined : addressIn(response, RrType.A);
  if (typeof address === 'number' && address > 0 && random.next() < connects) {
    const port = random.next() < PLAIN_HTTP ? 80 : 443;
    const start = question.end + MOST_WAIT + 1000 + Math.floor(random.next() * 200_000);
    flows.push(connect(client.ipv4, address, port, start, random));
  }
  return flows;
}
