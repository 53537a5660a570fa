import type { CodedFault } from '../core/failure.ts';
import type { IpsetConfig, OurZoneConfig, ServiceConfig } from '../firewalld/model.ts';

/** Why something is in the desired configuration. */
export type Reason =
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
  | { readonly kind: 'peers'; readonly set: string; readonly from: string };

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
  readonly richRules: readonly Reasoned<string>[];
}

/** What a host's firewalld should hold of ours. Everything else on the host is none of our business. */
export interface DesiredFirewalld {
  readonly zones: ReadonlyMap<string, DesiredZone>;
  readonly services: ReadonlyMap<string, Reasoned<ServiceConfig>>;
  readonly ipsets: ReadonlyMap<string, Reasoned<IpsetConfig>>;
}

/** Something the operator should know that is not a change: an expired exception, a rule whose peers are unknown. */
export interface PolicyNote {
  readonly severity: 'info' | 'warning';
  readonly code: string;
  readonly text: string;
}

/** Why no desired configuration can be worked out for a host. */
export type PolicyRefusal = CodedFault;

export type PolicyOutcome =
  | { readonly kind: 'desired'; readonly desired: DesiredFirewalld; readonly notes: readonly PolicyNote[] }
  | { readonly kind: 'refused'; readonly refusals: readonly PolicyRefusal[]; readonly notes: readonly PolicyNote[] };
