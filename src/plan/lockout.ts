import type { HostFacts } from '../facts/facts.ts';
import type { FirewalldConfig, ZoneConfig } from '../firewalld/model.ts';
import type { DesiredFirewalld, PolicyRefusal } from '../policy/desired.ts';
import { letsIn, within } from './exposure.ts';

/**
 * Whether the plan would cut the very path that we came in by: the client's address and sshd's port as the host sees
 * them, against the zone that will hold the interface with sshd's address.
 *
 * @returns the refusal, or `null` when the path stays open or is not affected
 */
export function lockout(facts: HostFacts, desired: DesiredFirewalld, runtime: FirewalldConfig): PolicyRefusal | null {
  const path = facts.controllerPath;
  if (path === null) return null;
  const holder = facts.interfaces.find((item) => item.addresses.some(({ address }) => address === path.serverAddress));
  if (holder === undefined || holder.loopback) return null;
  const zone = [...desired.zones.values()].find((item) => item.config.interfaces.includes(holder.name))?.config;
  if (zone === undefined) return null;
  // A zone that is bound to the client's address is asked before the interface's zone, and we leave such zones alone.
  const bound = [...runtime.zones.values()].some(
    (item) => !desired.zones.has(item.name) && bindsSource(item, path.clientAddress, runtime),
  );
  if (bound) return null;
  const config: FirewalldConfig = {
    zones: new Map([[zone.name, zone]]),
    services: new Map([...desired.services].map(([name, item]) => [name, item.value])),
    ipsets: new Map([...desired.ipsets].map(([name, item]) => [name, item.value])),
  };
  const knock = { source: path.clientAddress, destination: path.serverAddress, protocol: 'tcp', port: path.serverPort };
  if (letsIn(zone, config, knock)) return null;
  const side = [...(zone.interfaces.length > 0 ? zone.short.replace(/^portfw /, '').split(', ') : [])][0] ?? 'public';
  return {
    code: 'lockout',
    text: `zone ${zone.name} would not let SSH in again: ${path.clientAddress} to ${path.serverAddress} port ${path.serverPort}/tcp on ${holder.name}`,
    hint: `add to the inventory: portfw_extra_rules: [{ name: ssh-${path.serverPort}, interface: ${side}, protocol: tcp, port: ${path.serverPort}, from: [${path.clientAddress}], owner: YOU, reason: administration }]`,
  };
}

function bindsSource(zone: ZoneConfig, client: string, config: FirewalldConfig): boolean {
  return zone.sources.some((source) =>
    source.startsWith('ipset:')
      ? within(client, config.ipsets.get(source.slice('ipset:'.length))?.entries ?? [])
      : within(client, [source]),
  );
}
