import type { Inventory } from '../ansible/inventory.ts';
import { normaliseAddress } from '../core/addresses.ts';
import { shown } from '../core/shown.ts';
import type { HostSettings } from './settings-types.ts';

/** Roles whose hosts form one cluster on each site, as a matrix says. */
export interface RoleCluster {
  readonly name: string;
  /** What people call it, such as `PortaSIP cluster`. */
  readonly description: string;
  readonly roles: readonly string[];
  /** The feature without which these hosts are no cluster, or `null`. */
  readonly feature: string | null;
  /** True where the members stay filtered from each other: they only never change at the same time. */
  readonly filtered: boolean;
}

/** What makes some hosts a cluster. */
export type ClusterBond =
  /** They are in the group that a `portfw_cluster` names. */
  | { readonly kind: 'group'; readonly group: string }
  /** They list the same virtual address in `portfw_vips`. */
  | { readonly kind: 'address'; readonly address: string }
  /** They play roles that form a cluster, on one site. `site` is its group, or `null` for the hosts under one playbook. */
  | { readonly kind: 'roles'; readonly cluster: string; readonly description: string; readonly site: string | null };

/** A cluster in words that follow "in": `the cluster "dispatching"`. */
export function clusterText(bond: ClusterBond): string {
  switch (bond.kind) {
    case 'group':
      return `the cluster ${shown(bond.group)}`;
    case 'address':
      return `the hosts of the virtual address ${bond.address}`;
    case 'roles':
      return `the ${bond.description}${bond.site === null ? '' : ` of ${shown(bond.site)}`}`;
  }
}

/** The virtual addresses of a host in one spelling, each once. */
export function virtualAddresses(host: Pick<HostSettings, 'vips'>): readonly string[] {
  return [...new Set(host.vips.map((vip) => normaliseAddress(vip) ?? vip))];
}

type Sited = Pick<HostSettings, 'name' | 'site' | 'playbook' | 'managed'>;

/** Whether a host is of another one's site: in the group of its `portfw_site`, else managed under the same playbook. */
export function siteMembers(host: Sited, inventory: Inventory): (other: Sited) => boolean {
  if (host.site === null) return (other) => other.managed && other.playbook === host.playbook;
  const members = new Set(inventory.groups.get(host.site)?.allHosts ?? []);
  return (other) => members.has(other.name);
}

/** Whether a host that plays `roles` and has `features` on is a member of a cluster of roles. */
export function playsIn(
  cluster: RoleCluster,
  roles: readonly string[],
  features: { has(feature: string): boolean },
): boolean {
  return (
    (cluster.feature === null || features.has(cluster.feature)) && cluster.roles.some((role) => roles.includes(role))
  );
}
