import type { LeftOut } from '../settings/left-out.ts';
import { privateNetworks, proposeInterfaces } from './interfaces.ts';
import { proposeManagement } from './management.ts';
import { choice, line, type MissedHost, type Proposal, type Seen } from './proposals.ts';
import { proposeRoles } from './roles.ts';
import { proposeVirtualAddresses } from './virtual-addresses.ts';

/**
 * What an inventory needs for portfw, as far as the hosts show it, each with its evidence: facts → proposals. Pure; nothing is
 * proposed for a host over what the inventory says of it already.
 */
export function propose(seen: Seen): readonly Proposal[] {
  const roles = proposeRoles(seen);
  const interfaces = proposeInterfaces(seen);
  return [
    ...roles.proposals,
    ...interfaces,
    ...proposeVirtualAddresses(seen, roles.needVirtual),
    ...proposeManagement(seen, privateNetworks(interfaces)),
    ...seen.missed.map((host) => openHost(host, interfaces)),
    ...seen.leftOut.map(unmanaged),
  ];
}

/** A host that no run is for: written down, so that nobody is asked about it again. */
function unmanaged({ host, why, connection }: LeftOut): Proposal {
  const evidence = `ansible_connection: ${connection}${why === 'connection' ? '' : ': the machine that portfw runs on'}`;
  return line({ kind: 'host', name: host }, { variable: 'portfw_managed', managed: false }, [evidence]);
}

/** What is left open for a host that told nothing: the lines of other hosts, to choose from. */
function openHost({ name, why }: MissedHost, interfaces: readonly Proposal[]): Proposal {
  const found = interfaces.flatMap((one) =>
    one.kind === 'line' && one.setting.variable === 'portfw_interfaces' ? [one.setting] : [],
  );
  const options = [...new Map(found.map((setting) => [JSON.stringify(setting), setting])).values()];
  return choice(
    name,
    'portfw_interfaces',
    'nothing is known of this host: which interface is public, and which private?',
    options,
    [why],
  );
}
