import { BlockList, isIPv6 } from 'node:net';
import type { Finding } from './detector.ts';
import type { Settings } from './settings.ts';

/** Whether an address is in one of some networks. */
export function networkSet(networks: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', prefix] = network.split('/');
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    list.addSubnet(address, Number(prefix ?? (family === 'ipv6' ? 128 : 32)), family);
  }
  return address => list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}

/** Whether a name is one of some domains or below one; all canonical. */
export function isWithin(name: string, domains: readonly string[]): boolean {
  return domains.some(domain => name === domain || name.endsWith(`.${domain}`));
}

/** Whether a finding may be told, by the allow list. */
export function permits({ allow }: Settings): (finding: Finding) => boolean {
  const isAllowed = networkSet(allow.networks);
  return ({ subject, client }) =>
    !isWithin(subject, allow.domains) &&
    !(client !== null && isAllowed(client)) &&
    !(/^[0-9a-f.:]+$/.test(subject) && !subject.endsWith('.') && isAllowed(subject));
}
