import { normaliseAddress } from '../core/addresses.ts';
import { threeShown } from '../core/lists.ts';
import { shown } from '../core/shown.ts';
import { virtualAddresses } from '../settings/clusters.ts';
import { leftOut, leftOutText } from '../settings/left-out.ts';
import type { HostSettings } from '../settings/settings-types.ts';
import { type Finding, hostNames, type LintCheck, type LintWorld } from './lint-world.ts';

/** Checks of hosts, groups, sites and clusters, and of variables that have no effect. */
export const FLEET_CHECKS: readonly LintCheck[] = [
  { code: 'same-address', find: sameAddress },
  { code: 'host-in-two-sites', find: twoSites },
  { code: 'cluster-across-sites', find: acrossSites },
  { code: 'cluster-one-sided', find: oneSided },
  { code: 'cluster-of-one', find: alone },
  { code: 'only-virtual-address', find: onlyVirtual },
  { code: 'empty-group', find: emptyGroups },
  { code: 'unused-feature', find: unusedFeatures },
  { code: 'unused-role-interface', find: unusedRoleInterfaces },
  { code: 'unmanaged-variable', find: unmanagedVariables },
  { code: 'left-out', find: leftOutHosts },
];

/** Two names for one machine: each would undo what the other did. */
function sameAddress(world: LintWorld): Finding[] {
  const seen = new Map<string, HostSettings>();
  return world.managed.flatMap((host) => {
    const { kind, address, port, sshArgs, commonArgs } = host.connection;
    // Behind different jump hosts, one address is different machines.
    const way =
      kind === 'local'
        ? 'this machine'
        : JSON.stringify([normaliseAddress(address) ?? address.toLowerCase(), port ?? 22, sshArgs, commonArgs]);
    const other = seen.get(way);
    if (other === undefined) {
      seen.set(way, host);
      return [];
    }
    return [
      {
        what:
          kind === 'local'
            ? `${shown(host.name)} and ${shown(other.name)} are both this machine (ansible_connection: local)`
            : `${shown(host.name)} is reached at ${address}, and so is ${shown(other.name)}`,
        solve: `${kind === 'local' ? 'Write portfw_managed: false for one' : 'Correct ansible_host of one'}; one machine under two names would be configured twice`,
        location: host.locate(['ansible_ssh_host']) ?? world.place(host, ['ansible_host']),
      },
    ];
  });
}

function twoSites(world: LintWorld): Finding[] {
  const sites = new Set(world.hosts.flatMap((host) => host.site ?? []));
  const membersOf = (group: string): readonly string[] => world.inventory.groups.get(group)?.allHosts ?? [];
  return world.managed.flatMap((host) => {
    if (host.site === null) return [];
    const own = new Set(membersOf(host.site));
    const others = [...sites].filter((site) => {
      if (site === host.site || site === 'all' || host.site === 'all') return false;
      const members = membersOf(site);
      // A site within a site is meant.
      const nested = members.every((name) => own.has(name)) || [...own].every((name) => members.includes(name));
      return members.includes(host.name) && !nested;
    });
    if (others.length === 0) return [];
    return [
      {
        what: `${shown(host.name)} is in the site ${shown(host.site)}, and in ${threeShown(others)}, which ${others.length === 1 ? 'is a site' : 'are sites'} too`,
        solve: 'Remove it from the other group: the servers of that site let it in as one of their own',
        location: world.inventory.hosts.get(host.name)?.location ?? null,
      },
    ];
  });
}

/** The members of each cluster, as `portfw_cluster` has them. */
function clusters(world: LintWorld): ReadonlyMap<string, readonly HostSettings[]> {
  const found = new Map<string, HostSettings[]>();
  for (const host of world.managed) {
    if (host.cluster !== null) found.set(host.cluster, [...(found.get(host.cluster) ?? []), host]);
  }
  return found;
}

function acrossSites(world: LintWorld): Finding[] {
  return [...clusters(world)].flatMap(([cluster, members]) => {
    const bySite = new Map<string | null, string>();
    for (const host of members) if (!bySite.has(host.site)) bySite.set(host.site, host.name);
    const [first] = members;
    if (bySite.size < 2 || first === undefined) return [];
    const where = [...bySite].map(([site, host]) => `${shown(host)} in ${site === null ? 'none' : shown(site)}`);
    return [
      {
        what: `the members of the cluster ${shown(cluster)} are in different sites: ${where.slice(0, 3).join(', ')}`,
        solve: 'Nothing is filtered between the nodes of a cluster: make two clusters of it, or correct portfw_site',
        location: world.place(first, ['portfw_cluster']),
      },
    ];
  });
}

function oneSided(world: LintWorld): Finding[] {
  return [...clusters(world)].flatMap(([cluster, members]) => {
    const without = (world.inventory.groups.get(cluster)?.allHosts ?? []).flatMap((name) => {
      const host = world.everyone.get(name);
      return host?.managed === true && host.cluster !== cluster ? [host] : [];
    });
    const [first] = without;
    if (first === undefined || members.length === 0) return [];
    return [
      {
        what: `${hostNames(without)} ${without.length === 1 ? 'is' : 'are'} in the group ${shown(cluster)} without portfw_cluster: ${cluster}, and would filter its other nodes, which let ${without.length === 1 ? 'it' : 'them'} in`,
        solve: 'Set portfw_cluster in the vars of the group, for all of its hosts',
        location: world.inventory.hosts.get(first.name)?.location ?? null,
      },
    ];
  });
}

function alone(world: LintWorld): Finding[] {
  return [...clusters(world)].flatMap(([cluster, members]) => {
    const [first] = members;
    if (first === undefined || (world.inventory.groups.get(cluster)?.allHosts.length ?? 0) > 1) return [];
    return [
      {
        what: `${shown(first.name)} is the only node of the cluster ${shown(cluster)}`,
        solve: 'Add the other nodes to the group, or leave portfw_cluster out',
        location: world.place(first, ['portfw_cluster']),
      },
    ];
  });
}

/** Clusters by what they are called in a message: those of `portfw_cluster`, and the hosts of a virtual address. */
function unfiltered(world: LintWorld): ReadonlyMap<string, readonly HostSettings[]> {
  const found = new Map(
    [...clusters(world)].map(([cluster, members]) => [`in the cluster ${shown(cluster)}`, members]),
  );
  const told = new Set([...found.values()].map((members) => hostsKey(members)));
  const holders = new Map<string, HostSettings[]>();
  for (const host of world.managed) {
    for (const vip of virtualAddresses(host)) holders.set(vip, [...(holders.get(vip) ?? []), host]);
  }
  const own = new Set(world.hosts.map(({ connection }) => connection.address));
  for (const [vip, members] of holders) {
    // One finding for the same hosts, however many addresses they share; a host's own address is another check's matter.
    if (told.has(hostsKey(members)) || own.has(vip)) continue;
    told.add(hostsKey(members));
    found.set(`among the hosts of the virtual address ${vip}`, members);
  }
  return found;
}

function hostsKey(hosts: readonly HostSettings[]): string {
  return JSON.stringify(hosts.map((host) => host.name).sort());
}

/** A node of which the cluster knows only the floating address: the traffic from its own address would be filtered. */
function onlyVirtual(world: LintWorld): Finding[] {
  return [...unfiltered(world)].flatMap(([where, members]) => {
    const bare = members.filter((host) => {
      const addresses = world.addressesOf(host);
      return addresses.length > 0 && addresses.every((address) => host.vips.includes(address));
    });
    const [first] = bare;
    if (first === undefined || members.length < 2) return [];
    return [
      {
        what: `only the virtual address of ${hostNames(bare)} is known ${where}, so the other nodes would filter what ${bare.length === 1 ? 'it sends' : 'they send'}`,
        solve: "Write the host's own address as ansible_host, or set portfw_addresses",
        location: world.inventory.hosts.get(first.name)?.location ?? null,
      },
    ];
  });
}

/** Groups without hosts, once a file: an inventory may begin with all the groups that a product knows. */
function emptyGroups(world: LintWorld): Finding[] {
  const empty = [...world.inventory.groups.values()].filter(
    ({ allHosts, name }) => allHosts.length === 0 && name !== 'all' && name !== 'ungrouped',
  );
  return [...new Set(empty.map(({ location }) => location?.file))].map((file) => {
    const groups = empty.filter(({ location }) => location?.file === file);
    const one = groups.length === 1;
    return {
      what: `no host is in the group${one ? '' : 's'} ${threeShown(groups.map(({ name }) => name))}`,
      solve: `Add hosts to ${one ? 'it, or remove it: a list that names it' : 'them, or remove them: a list that names one'} gets no address from it`,
      location: groups[0]?.location ?? null,
    };
  });
}

function unusedFeatures(world: LintWorld): Finding[] {
  const covered = world.managed.filter((host) => world.matrixOf(host)?.features !== undefined);
  const uses = (host: HostSettings, feature: string): boolean =>
    world.possibleRoles(host).some((role) => role.rules.some((rule) => rule.feature === feature));
  const known = (host: HostSettings, feature: string): boolean => world.matrixOf(host)?.features.has(feature) === true;
  const own = world
    .shared(covered, (host) =>
      host.features
        .filter((feature) => known(host, feature))
        .map((feature) => ({ value: feature, location: world.placeOf(host, 'portfw_features', feature) })),
    )
    .filter(({ value, hosts }) => !hosts.some((host) => uses(host, value)));
  const ofPlays = [...new Set(world.plays.values())].flatMap((play) => {
    const hosts = covered.filter((host) => world.plays.get(host.name) === play);
    return play.features
      .filter((feature) => hosts.length > 0 && !hosts.some((host) => uses(host, feature)))
      .map((value) => ({ value, location: play.location, hosts }));
  });
  return [...own, ...ofPlays].map(({ value, location, hosts }) => ({
    what: `the feature ${shown(value)} opens nothing: no role of ${hostNames(hosts)} has a rule for it`,
    solve: 'Turn it on for the hosts whose roles use it, or leave it out',
    location,
  }));
}

function unusedRoleInterfaces(world: LintWorld): Finding[] {
  const covered = world.managed.filter((host) => world.matrixOf(host) !== null);
  const values = world.shared(covered, (host) =>
    Object.keys(host.roleInterfaces).map((role) => ({
      value: role,
      location: world.place(host, ['portfw_role_interfaces', role], 'key'),
    })),
  );
  return values.flatMap(({ value, location, hosts }) => {
    if (hosts.some((host) => world.possibleRoles(host).some((role) => role.name === value))) return [];
    return [
      {
        what: `portfw_role_interfaces moves the role ${shown(value)}, which ${hostNames(hosts)} ${hosts.length === 1 ? 'does' : 'do'} not play`,
        solve: 'Set it for the hosts that play the role, or leave it out',
        location,
      },
    ];
  });
}

/** What only a host that we log in to has a use for. */
const FOR_MANAGED = [
  'portfw_private',
  'portfw_sides_checked',
  'portfw_role_interfaces',
  'portfw_allow_from',
  'portfw_extra_rules',
  'portfw_management',
  'portfw_ensure_firewalld',
  'ansible_become',
] as const;

function unmanagedVariables(world: LintWorld): Finding[] {
  const values = world.shared(world.hosts, (host) =>
    FOR_MANAGED.flatMap((variable) => {
      const location = host.locate([variable], 'key');
      return location === null ? [] : [{ value: variable, location }];
    }),
  );
  return values.flatMap(({ value, location, hosts }) => {
    if (hosts.some((host) => host.managed)) return [];
    const kinds = new Set(hosts.map(({ unmanaged }) => unmanaged?.kind));
    // Nobody has said that portfw stays away: what is Ansible's is there for Ansible.
    if (value.startsWith('ansible_') && !kinds.has('declared')) return [];
    return [
      {
        what: `${value} means nothing for ${hostNames(hosts)}, which ${hosts.length === 1 ? 'is' : 'are'} not managed`,
        solve: kinds.has('declared')
          ? 'Remove it, or remove portfw_managed: false if portfw should log in there'
          : kinds.has('local-among-remote')
            ? 'Remove it, or write portfw_managed: true if portfw should configure this machine'
            : 'Remove it, or correct ansible_connection if portfw should log in there',
        location,
      },
    ];
  });
}

/** Asked once for the whole inventory: a fleet may have hundreds of such hosts. */
function leftOutHosts(world: LintWorld): Finding[] {
  const hosts = leftOut(world.hosts);
  const first = world.hosts.find(({ name }) => name === hosts[0]?.host)?.unmanaged;
  if (first === null || first === undefined || first.kind === 'declared') return [];
  const local = hosts.filter(({ why }) => why === 'local-among-remote').map(({ host }) => host);
  const one = local.length === 1 ? threeShown(local) : `one of ${threeShown(local)}`;
  const meant = local.length === 0 ? '' : `; if portfw should configure this machine, true for ${one}`;
  return [
    {
      what: `every run leaves out ${leftOutText(hosts)}`,
      solve: `Write portfw_managed: false for hosts that are not for portfw${meant}`,
      location: first.location,
    },
  ];
}
