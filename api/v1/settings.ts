import { z } from 'zod';
import { endpoint } from './endpoint.ts';

const networks = z.array(z.string().max(50)).max(10_000);
const domains = z.array(z.string().min(1).max(1100)).max(100_000);
const watchList = z
  .array(z.object({ word: z.string().min(1).max(100), legitimate: domains.optional() }))
  .max(10_000);
const allow = z.object({ domains, networks });
const days = z.number().min(0).max(100_000);
const webhook = z
  .object({ url: z.string().max(2000), secret: z.string().max(1000), least_severity: z.string().max(20) })
  .nullable();
const thresholds = z.record(z.string().max(50), z.record(z.string().max(50), z.unknown()));

const all = {
  own_networks: networks,
  approved_resolvers: networks,
  own_suffixes: domains,
  watch_list: watchList,
  allow,
  burn_in_days: days,
  facts_days: days,
  webhook,
  thresholds,
};

export const settingsEndpoints = [
  endpoint({
    path: '/settings',
    summary: 'What is known about the network, and the thresholds',
    description:
      'All settings with their defaults, thresholds of every kind included. The secret of the webhook is not shown.',
    input: z.object({}),
    row: z.looseObject(all),
    isOne: true,
    answer: async (_reader, _input, _signal, { desk }) => ({
      rows: [await desk.run((analyst, pool) => analyst.showSettings(pool))],
    }),
  }),
  endpoint({
    method: 'patch',
    path: '/settings',
    scope: 'admin',
    summary: 'Change settings',
    description:
      'Sets what is named and leaves the rest; null means the default. Thresholds are replaced as a whole: name those of every kind that are not the default. Everything that the change matters to is looked at again.',
    input: z.looseObject({
      own_networks: networks.nullable().optional(),
      approved_resolvers: networks.nullable().optional(),
      own_suffixes: domains.nullable().optional(),
      watch_list: watchList.nullable().optional(),
      allow: allow.nullable().optional(),
      burn_in_days: days.nullable().optional(),
      facts_days: days.nullable().optional(),
      webhook: webhook.optional(),
      thresholds: thresholds.nullable().optional(),
    }),
    row: z.object({ changed: z.array(z.string()) }),
    isOne: true,
    answer: async (_reader, given, _signal, { desk }) => ({
      rows: [{ changed: await desk.run((analyst, pool) => analyst.setSettings(pool, given)) }],
    }),
  }),
];
