import { privateNetworks, proposeInterfaces } from './interfaces.ts';
import { proposeManagement } from './management.ts';
import { choice, type MissedHost, type Proposal, type Seen } from './proposals.ts';
import { proposeRoles } from './roles.ts';
import { proposeVirtualAddresses } from './virtual-addresses.ts';

/**
 * What an inventory needs for portfw, as far as the hosts show it, each with its evidence: facts → proposals. Pure; nothing is
 * proposed for a host over what the inventory says of it already.
 */
export function propose(seen: Seen): readonly Proposal[] {
  const interfaces = proposeInterfaces(seen);
  return [
    ...proposeRoles(seen),
    ...interfaces,
    ...proposeVirtualAddresses(seen),
    ...proposeManagement(seen, privateNetworks(interfaces)),
    ...seen.missed.map((host) => openHost(host, interfaces)),
  ];
}

/** What is left open for a host that told nothing: the lines of other hosts, to choose from. */
function openHost({ name, why }: MissedHost, interfaces: readonly Proposal[]): Proposal {
  const found = interfaces.flatMap((one) => (one.kind === 'line' ? [one.setting] : []));
  const options = [...new Map(found.map((setting) => [JSON.stringify(setting), setting])).values()];
  return choice(name, 'nothing is known of this host: which interface is public, and which private?', options, [why]);
}
