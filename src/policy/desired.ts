import type { IpsetConfig } from '../firewalld/kinds/ipset.ts';
import type { OurObjects } from '../firewalld/kinds/kinds.ts';
import type { ServiceConfig } from '../firewalld/kinds/service.ts';
import type { OurZoneConfig } from '../firewalld/kinds/zone.ts';
import type { PortProtocol } from '../firewalld/model.ts';
import type { RichRule } from '../firewalld/rich-rule.ts';
import type { Loss } from './loss-types.ts';

/** Why something is in the desired configuration, or why it is not any more. */
export type Reason =
  | Loss
  | {
      readonly kind: 'rule';
      readonly matrix: string;
      readonly rule: string;
      readonly purpose: string;
      readonly source: string;
      readonly feature: string | null;
    }
  | {
      readonly kind: 'extra-rule';
      readonly name: string;
      readonly owner: string;
      readonly text: string;
      readonly expires: string | null;
    }
  | { readonly kind: 'private-mode'; readonly mode: 'trusted' | 'peers' | 'matrix' }
  | { readonly kind: 'site-ssh' }
  /** `portfw_zone_target` of one or several of a zone's classes. */
  | { readonly kind: 'zone-target'; readonly target: 'drop' | 'reject'; readonly classes: readonly string[] }
  /** What a target that refuses ICMP has to leave open. */
  | { readonly kind: 'needed-icmp' }
  /** Members of a `portfw_cluster`. */
  | { readonly kind: 'cluster'; readonly group: string }
  /** Hosts that list the same virtual address. */
  | { readonly kind: 'shared-address'; readonly address: string }
  /** Hosts whose roles form a cluster; `site` is the group of the site, or `null` for the hosts under one playbook. */
  | {
      readonly kind: 'role-cluster';
      readonly cluster: string;
      readonly description: string;
      readonly site: string | null;
    }
  | { readonly kind: 'interface-class'; readonly classes: readonly string[]; readonly given: string }
  | { readonly kind: 'peers'; readonly set: string; readonly from: string }
  /** A saved generation that a rollback returns to. */
  | { readonly kind: 'generation'; readonly id: string; readonly savedAt: string };

/** Whether two reasons say the same. */
export function sameReason(one: Reason, other: Reason): boolean {
  if (one === other) return true;
  // A service has a reason for each of its ports: most of them differ here.
  if (one.kind === 'rule' && other.kind === 'rule' && one.rule !== other.rule) return false;
  return one.kind === other.kind && JSON.stringify(one) === JSON.stringify(other);
}

/** A value with the reasons for it; never without one. */
export interface Reasoned<T> {
  readonly value: T;
  readonly reasons: readonly Reason[];
}

/** One of our zones as it should be; interfaces, services and rich rules say why they are there. */
export interface DesiredZone {
  readonly config: OurZoneConfig;
  readonly reasons: readonly Reason[];
  readonly interfaces: readonly Reasoned<string>[];
  readonly services: readonly Reasoned<string>[];
  readonly richRules: readonly Reasoned<RichRule>[];
}

/** One of our services as it should be. */
export interface DesiredService extends Reasoned<ServiceConfig> {
  /** Why each port is in it; not given where nothing says why. */
  readonly ports?: readonly Reasoned<PortProtocol>[];
}

/** What a host's firewalld should hold for portfw. portfw ignores everything else on the host. */
export interface DesiredFirewalld {
  readonly zones: ReadonlyMap<string, DesiredZone>;
  readonly services: ReadonlyMap<string, DesiredService>;
  readonly ipsets: ReadonlyMap<string, Reasoned<IpsetConfig>>;
}

/** The objects of a desired configuration without their reasons. */
export function desiredObjects({ zones, services, ipsets }: DesiredFirewalld): OurObjects {
  const values = <T>(items: ReadonlyMap<string, Reasoned<T>>) =>
    new Map([...items].map(([name, { value }]) => [name, value]));
  return {
    zones: new Map([...zones].map(([name, { config }]) => [name, config])),
    services: values(services),
    ipsets: values(ipsets),
  };
}

/** Objects as a desired configuration that gives no reasons: to be compared with a host. */
export function withoutReasons({ zones, services, ipsets }: OurObjects): DesiredFirewalld {
  const bare = <T>(value: T): Reasoned<T> => ({ value, reasons: [] });
  const all = <T>(items: ReadonlyMap<string, T>) => new Map([...items].map(([name, item]) => [name, bare(item)]));
  const zone = (config: OurZoneConfig): DesiredZone => ({
    config,
    reasons: [],
    interfaces: config.interfaces.map(bare),
    services: config.services.map(bare),
    richRules: config.richRules.map(bare),
  });
  return {
    zones: new Map([...zones].map(([name, config]) => [name, zone(config)])),
    services: all(services),
    ipsets: all(ipsets),
  };
}

/** Something the operator should know that is not a change: an expired exception, a rule whose peers are unknown. */
export interface PolicyNote {
  readonly severity: 'info' | 'warning';
  readonly code: string;
  readonly text: string;
}
