import { parse } from 'tldts';
import { describe, expect, it } from 'vitest';
import { addressText } from '../../collector/map/address.ts';
import { registeredDomainLength } from '../../common/registeredDomain.ts';
import type { Address, YafFlow } from '../bench/yafWriter.ts';
import { plantAttacks } from './attacks/plants.ts';
import { makeCorpus } from './corpus.ts';
import { KINDS, type Label, STRENGTHS } from './labels.ts';
import { people } from './people.ts';
import { programs } from './programs.ts';
import { strengths } from './strengths.ts';
import { flowsInOrder } from './timeline.ts';
import { makeWorld } from './world.ts';

const small = { seed: 5, days: 2, clients: 60, scale: 0.2 };
const FORWARDS = '10.0.0.53';
const DNS_PORTS = new Set([53, 853]);

describe('the labels of a corpus', () => {
  const corpus = makeCorpus(small);
  const { labels } = corpus;
  const traffic = trafficOf(labels, corpus.flows());

  it('are there for each kind in each strength', () => {
    for (const kind of KINDS)
      for (const strength of STRENGTHS)
        expect(labels.filter(label => label.kind === kind && label.strength === strength)).not.toEqual([]);
  });

  it.each(labels.map(label => [label.kind, label.strength, label.variant ?? '', label] as const))(
    'stand for what is in the stream: %s %s %s',
    (_kind, _strength, _variant, label) => {
      const found = traffic.get(label)!; // one for each
      expect(found.length).toBeGreaterThanOrEqual(leastFlows(label));
      const starts = found.map(({ start }) => start / 1000).sort((a, b) => a - b);
      expect(starts.at(0)).toBeGreaterThanOrEqual(label.from.getTime());
      expect(starts.at(-1)).toBeLessThan(label.to.getTime());
    },
  );

  it('name the clients that do it, all and no others', () => {
    for (const label of labels) {
      const sources = new Set(traffic.get(label)!.map(({ source }) => addressText(source))); // one for each
      if (label.variant !== 'search_list') expect(sources).toEqual(new Set(label.clients));
      if (label.client !== undefined) expect(label.clients).toEqual([label.client]);
    }
  });

  it('have a subject of their own', () => {
    const subjects = labels.map(({ subject }) => subject);
    expect(new Set(subjects).size).toBe(subjects.length);
  });

  it('name registered domains as they are', () => {
    const others = new Set(['rogue_resolver', 'rare_tld', 'nonexistent_tld', 'nxdomain_burst']);
    const domains = labels.filter(({ kind }) => !others.has(kind)).map(({ subject }) => subject);
    expect(domains.map(domain => domain.slice(-registeredDomainLength(`host.${domain}`)))).toEqual(domains);
  });

  it('begin after the burn-in', () => {
    const after = corpus.from.getTime() + corpus.operator.burn_in_days * 86_400_000;
    for (const { from, to, variant } of labels) {
      if (variant !== 'search_list') expect(from.getTime()).toBeGreaterThan(after);
      expect(to.getTime() - corpus.to.getTime()).toBeLessThanOrEqual(3_600_000);
    }
  });

  it('say rightly which TLDs exist', () => {
    for (const { kind, subject } of labels) {
      const isKnown = parse(`name.${subject.slice(0, -1)}`).isIcann;
      if (kind === 'rare_tld') expect(isKnown, subject).toBe(true);
      if (kind === 'nonexistent_tld') expect(isKnown, subject).toBe(false);
    }
  });
});

describe('the ordinary traffic of a corpus', () => {
  const world = makeWorld(small.seed, small.days, small.clients);
  const planted = plantAttacks(world, 1).map(({ label }) => label);
  const ordinary = [...flowsInOrder(world, [...people(world, small.scale), ...programs(world, small.scale)])];

  it('has nothing of what is planted', () => {
    const byName = planted.filter(({ kind }) => kind !== 'nxdomain_burst');
    for (const [label, found] of trafficOf(byName, ordinary))
      expect(found.length, `${label.kind} ${label.subject}`).toBe(0);
  });

  it('keeps to the approved resolvers', () => {
    const { approved_resolvers } = makeCorpus(small).operator;
    const isApproved = (address: Address) => approved_resolvers.includes(addressText(address));
    const elsewhere = ordinary.filter(
      ({ source, destination, destinationPort }) =>
        DNS_PORTS.has(destinationPort) &&
        addressText(source).startsWith('10.') &&
        !isApproved(source) &&
        !isApproved(destination),
    );
    expect(elsewhere).toEqual([]);
  });
});

/** The flows of each label: questions of its subject, or flows to it or of it. Without what a resolver forwards. */
function trafficOf(labels: readonly Label[], flows: Iterable<YafFlow>): Map<Label, YafFlow[]> {
  const found = new Map(labels.map(label => [label, [] as YafFlow[]]));
  const bySubject = new Map(labels.map(label => [label.subject, label]));
  const add = (subject: string, flow: YafFlow) => {
    const label = bySubject.get(subject);
    if (label !== undefined && label.kind !== 'nxdomain_burst') found.get(label)!.push(flow); // one for each
  };
  for (const flow of flows) {
    const source = addressText(flow.source);
    if (source === FORWARDS) continue;
    const name = flow.dns?.question?.name ?? '';
    const label = bySubject.get(source);
    if (label?.kind === 'nxdomain_burst' && isGenerated(flow, label)) found.get(label)!.push(flow);
    if (DNS_PORTS.has(flow.destinationPort)) add(addressText(flow.destination), flow);
    for (let dot = -1; dot < name.length - 1; dot = name.indexOf('.', dot + 1))
      add(name.slice(dot + 1), flow);
  }
  return found;
}

/** The client mistypes names as well, before and after. */
function isGenerated({ start, dns }: YafFlow, { from, to }: Label): boolean {
  const isThen = start / 1000 >= from.getTime() && start / 1000 < to.getTime();
  return isThen && dns?.response?.rcode === 3;
}

/** As the table of strengths has it, but for questions that come in time with the clock. */
function leastFlows({ kind, strength, variant }: Label): number {
  if (variant === 'search_list') return 100;
  switch (kind) {
    case 'rogue_resolver':
      return strengths[kind][strength].flows;
    case 'double_flux':
      return strengths.fast_flux[strength].questions;
    case 'name_explosion':
      return strengths[kind][strength].names;
    case 'nxdomain_burst':
      return strengths[kind][strength].names - strengths[kind][strength].registered;
    case 'rebinding':
      return strengths[kind][strength].answers;
    case 'beaconing': {
      const { everySeconds, jitter, missed } = strengths[kind][strength];
      const hours = 20; // there is room for so many
      return Math.floor(((hours * 3600) / everySeconds) * (1 - missed) * (1 - jitter / 2));
    }
    default:
      return strengths[kind][strength].questions;
  }
}
