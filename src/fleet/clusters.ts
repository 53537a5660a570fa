import type { Inventory } from '../ansible/inventory.ts';
import { type ClusterBond, playsIn, siteMembers, virtualAddresses } from '../settings/clusters.ts';
import type { HostJob } from './operations.ts';

/** Hosts of a run that must never be changed at the same time, at least two. */
export interface Cluster {
  readonly bond: ClusterBond;
  readonly hosts: readonly string[];
}

/**
 * The clusters among the hosts of a run: members of the group that a `portfw_cluster` names, hosts that share a virtual
 * address, and hosts of one site whose roles form a cluster in the matrix. Hosts that are never filtered from
 * each other are in a cluster here; it is enough if one side says so.
 *
 * @param rolesOf the known roles of a host
 */
export function clustersAmong(
  jobs: readonly HostJob[],
  inventory: Inventory,
  rolesOf: (job: HostJob) => readonly string[],
): readonly Cluster[] {
  const clusters = [
    ...groupClusters(jobs, inventory),
    ...addressClusters(jobs),
    ...roleClusters(jobs, inventory, rolesOf),
  ];
  return clusters.filter(({ hosts }) => hosts.length > 1);
}

function groupClusters(jobs: readonly HostJob[], inventory: Inventory): Cluster[] {
  const groups = new Set(jobs.flatMap(({ settings }) => settings.cluster ?? []));
  return [...groups].map((group) => {
    const members = new Set(inventory.groups.get(group)?.allHosts ?? []);
    const hosts = jobs.filter(({ host, settings }) => settings.cluster === group || members.has(host));
    return { bond: { kind: 'group', group }, hosts: hosts.map(({ host }) => host) };
  });
}

function addressClusters(jobs: readonly HostJob[]): Cluster[] {
  const holders = new Map<string, string[]>();
  for (const { host, settings } of jobs) {
    for (const address of virtualAddresses(settings)) holders.set(address, [...(holders.get(address) ?? []), host]);
  }
  return [...holders].map(([address, hosts]) => ({ bond: { kind: 'address', address }, hosts }));
}

function roleClusters(
  jobs: readonly HostJob[],
  inventory: Inventory,
  rolesOf: (job: HostJob) => readonly string[],
): Cluster[] {
  const found = new Map<string, Cluster>();
  const known = jobs.map((job) => ({
    ...job,
    roles: rolesOf(job),
    features: new Set([...job.settings.features, ...(job.play?.features ?? [])]),
  }));
  for (const { settings, play, roles, features } of known) {
    for (const cluster of play?.matrix.clusters.values() ?? []) {
      if (!playsIn(cluster, roles, features)) continue;
      const { site } = settings;
      // Matrices that extend each other may use one name for different roles.
      const { name, description, feature } = cluster;
      const key = JSON.stringify([site, site === null ? settings.playbook : null, name, cluster.roles, feature]);
      if (found.has(key)) continue;
      const isOfSite = siteMembers(settings, inventory);
      const members = known.filter(
        (other) => playsIn(cluster, other.roles, other.features) && isOfSite(other.settings),
      );
      const bond: ClusterBond = { kind: 'roles', cluster: name, description, site };
      found.set(key, { bond, hosts: members.map(({ host }) => host) });
    }
  }
  return [...found.values()];
}
