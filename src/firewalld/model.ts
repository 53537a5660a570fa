import type { PortRange } from '../core/ports.ts';

/** A port or range with its protocol, as firewalld's zones and services hold them. */
export interface PortProtocol {
  readonly protocol: string;
  readonly range: PortRange;
}

/** firewalld.zone(5). `default` is the target that rejects what nothing else accepts. */
export interface ZoneConfig {
  readonly name: string;
  readonly short: string;
  readonly description: string;
  readonly target: 'default' | 'ACCEPT' | 'DROP' | '%%REJECT%%';
  readonly interfaces: readonly string[];
  readonly sources: readonly string[];
  readonly services: readonly string[];
  readonly ports: readonly PortProtocol[];
  readonly protocols: readonly string[];
  readonly sourcePorts: readonly PortProtocol[];
  readonly icmpBlocks: readonly string[];
  readonly icmpBlockInversion: boolean;
  readonly masquerade: boolean;
  readonly forward: boolean;
  /** Forward ports in firewalld's own spelling `port=…:proto=…:toport=…:toaddr=…`. */
  readonly forwardPorts: readonly string[];
  /** Rich rules in canonical spelling (see rich-rule.ts). */
  readonly richRules: readonly string[];
  /** From firewalld 2.0 on, zones with a lower one are asked first; 0 when left out. */
  readonly ingressPriority?: number;
}

/**
 * A zone of ours. It never has the target ACCEPT: that also lets everything be forwarded out of the zone, and on 0.9 into it,
 * which makes the host a router. See `ACCEPT_ALL` in rich-rule.ts for a zone that lets all input in.
 */
export interface OurZoneConfig extends ZoneConfig {
  readonly target: Exclude<ZoneConfig['target'], 'ACCEPT'>;
}

/** firewalld.service(5). */
export interface ServiceConfig {
  readonly name: string;
  readonly short: string;
  readonly description: string;
  readonly ports: readonly PortProtocol[];
  readonly protocols: readonly string[];
  readonly sourcePorts: readonly PortProtocol[];
  readonly helpers: readonly string[];
  readonly modules: readonly string[];
  readonly includes: readonly string[];
  readonly destination: { readonly ipv4: string | null; readonly ipv6: string | null };
}

/** firewalld.ipset(5). Entries are normalised and sorted. */
export interface IpsetConfig {
  readonly name: string;
  readonly short: string;
  readonly description: string;
  readonly type: string;
  readonly family: 'ipv4' | 'ipv6';
  readonly options: Readonly<Record<string, string>>;
  readonly entries: readonly string[];
}

/** One layer (permanent or runtime) of a host's firewalld, ours and everybody's. */
export interface FirewalldConfig {
  readonly zones: ReadonlyMap<string, ZoneConfig>;
  readonly services: ReadonlyMap<string, ServiceConfig>;
  readonly ipsets: ReadonlyMap<string, IpsetConfig>;
}

/** Everything of ours on a host begins with this, and nothing else is ever changed or deleted. */
export const OUR_PREFIX = 'portfw-';

/** Whether an object of this name is ours. */
export function isOurs(name: string): boolean {
  return name.startsWith(OUR_PREFIX);
}

/** What a zone is but for its name and texts when nothing is in it; XML and D-Bus leave most of it out. */
export const EMPTY_ZONE: Omit<OurZoneConfig, 'name' | 'short' | 'description'> = {
  target: 'default',
  interfaces: [],
  sources: [],
  services: [],
  ports: [],
  protocols: [],
  sourcePorts: [],
  icmpBlocks: [],
  icmpBlockInversion: false,
  masquerade: false,
  forward: false,
  forwardPorts: [],
  richRules: [],
};

/** Whether what a zone binds stands for an interface: its name, or a pattern such as `eth+`, for every name that begins with `eth`. */
export function coversInterface(bound: string, name: string): boolean {
  return bound.endsWith('+') ? name.startsWith(bound.slice(0, -1)) : bound === name;
}

/** The zone that an interface is in at runtime: the one that names it, else one that has a pattern for it. */
export function zoneHolding(config: FirewalldConfig, name: string): ZoneConfig | undefined {
  const zones = [...config.zones.values()];
  return (
    zones.find(({ interfaces }) => interfaces.includes(name)) ??
    zones.find(({ interfaces }) => interfaces.some((bound) => coversInterface(bound, name)))
  );
}
