import type { ControllerPath, HostFacts, InterfaceFacts } from '../facts/facts.ts';
import type { FirewalldConfig, ZoneConfig } from '../firewalld/model.ts';
import { isOurs } from '../firewalld/model.ts';
import type { ObservedFirewalld } from '../firewalld/observed.ts';
import type { DesiredFirewalld, PolicyRefusal } from '../policy/desired.ts';
import { type Knock, letsIn, within } from './exposure.ts';
import { desiredConfig } from './zone-changes.ts';

export interface LockoutInput {
  readonly facts: Pick<HostFacts, 'controllerPath' | 'interfaces'>;
  readonly desired: DesiredFirewalld;
  readonly observed: ObservedFirewalld;
  readonly defaultZone: string;
  /** Whether the plan reloads firewalld, which puts into force what is pending in the files of others. */
  readonly reload: boolean;
}

/**
 * Whether the plan would cut the very path that we came in by: the client's address and sshd's port as the host sees
 * them, against the zone that will be asked, right after the apply and after the next boot.
 *
 * A zone that is not ours counts only where the plan itself makes it refuse what it lets in now.
 *
 * @returns the refusal, or `null` when the path stays open or is not affected
 */
export function lockout(input: LockoutInput): PolicyRefusal | null {
  const path = input.facts.controllerPath;
  const holder = entrance(input.facts);
  if (path === null || holder === undefined || holder.loopback) return null;
  const { permanent, runtime } = input.observed;
  const { defaultZone } = input;
  const ours = [...input.desired.zones.values()].some((zone) => zone.config.interfaces.includes(holder.name));
  const knock = { source: path.clientAddress, destination: path.serverAddress, protocol: 'tcp', port: path.serverPort };
  const atBoot = withDesired(permanent, input.desired, runtime);
  const now = input.reload ? atBoot : withDesired(runtime, input.desired, runtime);
  // Without a reload, what waits in the files of others waits for its owner: only a zone of ours is our business then.
  for (const after of input.reload || ours ? [now, atBoot] : [now]) {
    const zone = asked(after, holder.name, knock, defaultZone);
    if (zone === undefined || letsIn(zone, after, knock)) continue;
    if (isOurs(zone.name)) return closedByUs(zone, path, holder.name);
    if (!input.reload) continue;
    const before = asked(runtime, holder.name, knock, defaultZone);
    if (before !== undefined && letsIn(before, runtime, knock)) return closedByReload(zone, path, holder.name);
  }
  return null;
}

/** The interface with the address that sshd answered on; `undefined` when the host does not say, and nothing can be proved. */
export function entrance(facts: LockoutInput['facts']): InterfaceFacts | undefined {
  const { controllerPath, interfaces } = facts;
  if (controllerPath === null) return undefined;
  return interfaces.find((item) => item.addresses.some(({ address }) => address === controllerPath.serverAddress));
}

/** One layer of the host with our part of it as it is to be. Definitions that are built in are known from runtime only. */
function withDesired(layer: FirewalldConfig, desired: DesiredFirewalld, runtime: FirewalldConfig): FirewalldConfig {
  const wanted = desiredConfig(desired);
  const homes = new Set([...wanted.zones.values()].flatMap((zone) => zone.interfaces));
  const others = [...layer.zones.values()]
    .filter((zone) => !isOurs(zone.name))
    .map((zone) => ({ ...zone, interfaces: zone.interfaces.filter((name) => !homes.has(name)) }));
  return {
    zones: new Map([...others.map((zone) => [zone.name, zone] as const), ...wanted.zones]),
    services: new Map([...runtime.services, ...layer.services, ...wanted.services]),
    ipsets: new Map([...layer.ipsets, ...wanted.ipsets]),
  };
}

/** The zone that firewalld asks about a flow: one that is bound to its source, else its interface's, else the default. */
function asked(
  config: FirewalldConfig,
  interfaceName: string,
  knock: Knock,
  defaultZone: string,
): ZoneConfig | undefined {
  const zones = [...config.zones.values()];
  return (
    zones.find((zone) => bindsSource(zone, knock.source, config)) ??
    zones.find((zone) => zone.interfaces.includes(interfaceName)) ??
    config.zones.get(defaultZone)
  );
}

function bindsSource(zone: ZoneConfig, client: string, config: FirewalldConfig): boolean {
  return zone.sources.some((source) =>
    source.startsWith('ipset:')
      ? within(client, config.ipsets.get(source.slice('ipset:'.length))?.entries ?? [])
      : within(client, [source]),
  );
}

function way(path: ControllerPath, interfaceName: string): string {
  return `${path.clientAddress} to ${path.serverAddress} port ${path.serverPort}/tcp on ${interfaceName}`;
}

function closedByUs(zone: ZoneConfig, path: ControllerPath, interfaceName: string): PolicyRefusal {
  const [side = 'public'] = zone.short.replace(/^portfw /, '').split(', ');
  return {
    code: 'lockout',
    text: `zone ${zone.name} would not let SSH in again: ${way(path, interfaceName)}`,
    hint: `add to the inventory: portfw_extra_rules: [{ name: ssh-${path.serverPort}, interface: ${side}, protocol: tcp, port: ${path.serverPort}, from: [${path.clientAddress}], owner: YOU, reason: administration }]`,
  };
}

function closedByReload(zone: ZoneConfig, path: ControllerPath, interfaceName: string): PolicyRefusal {
  return {
    code: 'lockout',
    text: `the plan has to reload firewalld, and zone ${zone.name}, as its file has it, would not let SSH in again: ${way(path, interfaceName)}`,
    hint: `what lets SSH in now is set at runtime only: make it permanent in zone ${zone.name}, or map ${interfaceName} in portfw_interfaces`,
  };
}
