import { addressSpace } from '../core/address-space.ts';
import { contains, type Network, parseAddress, parseNetwork } from '../core/addresses.ts';
import { threeShown } from '../core/lists.ts';
import { shown } from '../core/shown.ts';
import type { MatrixRole } from '../matrix/matrix.ts';
import { type HostSettings, INTERFACE_CLASSES, type InterfaceClass } from '../settings/settings-types.ts';
import { type Finding, hostNames, type LintCheck, type LintWorld } from './lint-world.ts';

/** Checks of interfaces and virtual addresses. */
export const INTERFACE_CHECKS: readonly LintCheck[] = [
  { code: 'class-not-mapped', find: notMapped },
  { code: 'class-nobody-maps', find: nobodyMaps },
  { code: 'public-is-private', find: publicIsPrivate },
  { code: 'trusted-is-public', find: trustedIsPublic },
  { code: 'overlapping-classes', find: overlapping },
  { code: 'vip-outside', find: vipOutside },
  { code: 'vip-is-a-host', find: vipIsHost },
  { code: 'vip-not-shared', find: vipNotShared },
  { code: 'unused-vip', find: unusedVip },
];

/** The classes with rules of a role that some source can reach. */
function classesOf(world: LintWorld, host: HostSettings, role: MatrixRole): ReadonlySet<InterfaceClass> {
  return new Set(
    world
      .standing(host, role)
      .filter(({ rule }) => rule.from === 'any' || world.peerAddresses(host, rule.from).length > 0)
      .map((standing) => standing.interface),
  );
}

/** A class that a host's roles need and that it maps nowhere: the plan will refuse the host. */
function notMapped(world: LintWorld): Finding[] {
  const values = world.shared(world.managed, (host) => {
    const missing = new Map<InterfaceClass, string[]>();
    for (const role of world.sureRoles(host)) {
      if (role.everyHost) continue;
      for (const one of classesOf(world, host, role)) {
        if (!world.maps(host, one)) missing.set(one, [...(missing.get(one) ?? []), role.name]);
      }
    }
    return [...missing].map(([missed, roles]) => ({
      value: { missed, roles },
      location:
        (missed === 'vip' ? null : host.locate(['portfw_interfaces'], 'key')) ?? world.place(host, ['portfw_roles']),
    }));
  });
  return values.map(({ value: { missed, roles }, location, hosts }) => ({
    what:
      missed === 'vip'
        ? `rules of ${threeShown(roles)} apply to a virtual address, and ${hostNames(hosts)} ${hosts.length === 1 ? 'has' : 'have'} no portfw_vips`
        : `rules of ${threeShown(roles)} apply to the ${missed} interface, and ${hostNames(hosts)} ${hosts.length === 1 ? 'maps' : 'map'} none`,
    solve:
      missed === 'vip'
        ? 'List the virtual addresses in portfw_vips; without one the host is refused'
        : `Set portfw_interfaces.${missed}; without it the host is refused`,
    location,
  }));
}

/** A class of the matrix that no host maps, where roles are yet to be detected. */
function nobodyMaps(world: LintWorld): Finding[] {
  const hosts = world.managed.filter((host) => world.matrixOf(host) !== null);
  const plays = new Set(hosts.map((host) => world.plays.get(host.name)!));
  return [...plays].flatMap((play) => {
    const own = hosts.filter((host) => world.plays.get(host.name) === play);
    const detecting = own.filter(
      (host) => host.roles === null && !world.sureRoles(host).some((role) => !role.everyHost),
    );
    const [first] = detecting;
    if (first === undefined) return [];
    return INTERFACE_CLASSES.flatMap((one) => {
      // Whether a site has a virtual address shows with the roles whose rules apply to it.
      if (one === 'vip' || own.some((host) => world.maps(host, one))) return [];
      // Where nothing is mapped at all, hosts with a single interface are meant.
      if (!own.some((host) => INTERFACE_CLASSES.some((other) => host.interfaces[other].length > 0))) return [];
      const roles = world
        .possibleRoles(first)
        .filter((role) => !role.everyHost && classesOf(world, first, role).has(one))
        .map((role) => role.name);
      if (roles.length === 0) return [];
      return [
        {
          what: `no host of the play ${shown(play.name)} has a ${one} interface, and rules of ${threeShown(roles)} apply to it`,
          solve: `Set portfw_interfaces.${one}, or declare the hosts' roles with portfw_roles if none of these is among them`,
          location: first.locate(['portfw_interfaces'], 'key') ?? world.place(first, ['portfw_playbook']),
        },
      ];
    });
  });
}

const networks = (texts: readonly string[]): readonly Network[] => texts.flatMap((text) => parseNetwork(text) ?? []);

/** The entries of a class by place. */
function entriesOf(world: LintWorld, hosts: readonly HostSettings[], interfaceClass: InterfaceClass) {
  return world.shared(hosts, (host) => {
    const written = world.written(host, 'portfw_interfaces') as Record<string, unknown> | null | undefined;
    const list = written?.[interfaceClass];
    return host.interfaces[interfaceClass].map((entry) => {
      const index = Array.isArray(list) ? list.indexOf(entry) : -1;
      const path = ['portfw_interfaces', interfaceClass, ...(index === -1 ? [] : [index])];
      return { value: entry, location: world.place(host, path) };
    });
  });
}

/** Whether portfw_sides_checked is not set: nobody has confirmed that public and private are right. */
function unchecked(host: HostSettings): boolean {
  return !host.sidesChecked;
}

function publicIsPrivate(world: LintWorld): Finding[] {
  return entriesOf(world, world.managed.filter(unchecked), 'public').flatMap(({ value, location }) => {
    const network = parseNetwork(value);
    if (network === null || addressSpace(network) !== 'private') return [];
    return [
      {
        what: `the public interface is ${shown(value)}, which is private address space`,
        solve:
          'Check that public and private are not mixed up; behind NAT, name the interface instead (public: [eth0])',
        location,
      },
    ];
  });
}

function trustedIsPublic(world: LintWorld): Finding[] {
  const trusting = world.managed.filter((host) => unchecked(host) && world.privateMode(host) === 'trusted');
  return entriesOf(world, trusting, 'private').flatMap(({ value, location }) => {
    const network = parseNetwork(value);
    if (network === null || addressSpace(network) !== 'global') return [];
    return [
      {
        what: `the private interface, which is trusted as a whole, is ${shown(value)}, which the internet can reach`,
        solve: 'Check that public and private are not mixed up, or write portfw_private: peers (or matrix)',
        location,
      },
    ];
  });
}

/** A private interface that is trusted and something else as well: the plan will refuse the host. */
function overlapping(world: LintWorld): Finding[] {
  const trusting = world.managed.filter((host) => world.privateMode(host) === 'trusted');
  return entriesOf(world, trusting, 'private').flatMap(({ value, location, hosts }) => {
    const others = hosts.flatMap((host) =>
      INTERFACE_CLASSES.filter(
        (one) => one !== 'private' && host.interfaces[one].some((entry) => overlap(entry, value)),
      ),
    );
    if (others.length === 0) return [];
    return [
      {
        what: `${shown(value)} is both the private interface, which is trusted as a whole, and the ${[...new Set(others)].join(' and the ')} one`,
        solve: 'Give each class its own, or write portfw_private: peers (or matrix)',
        location,
      },
    ];
  });
}

/** Whether two entries of `portfw_interfaces` may mean the same interface. */
export function overlap(left: string, right: string): boolean {
  const [a, b] = [parseNetwork(left), parseNetwork(right)];
  return a === null || b === null ? left === right : contains(a, b) || contains(b, a);
}

/** The virtual addresses by place. */
function vips(world: LintWorld) {
  return world.shared(world.managed, (host) =>
    host.vips.map((vip) => ({ value: vip, location: world.placeOf(host, 'portfw_vips', vip) })),
  );
}

function vipOutside(world: LintWorld): Finding[] {
  const known = world.managed.flatMap((host) =>
    INTERFACE_CLASSES.flatMap((one) =>
      networks(host.interfaces[one]).filter((network) => network.first !== network.last),
    ),
  );
  return vips(world).flatMap(({ value, location, hosts }) => {
    const address = parseAddress(value);
    if (address === null || known.length === 0) return [];
    // An interface that is named for them settles where they belong.
    if (hosts.every((host) => host.interfaces.vip.some((entry) => parseNetwork(entry) === null))) return [];
    const ofFamily = known.filter((network) => network.family === address.family);
    if (ofFamily.some((network) => contains(network, address))) return [];
    return [
      {
        what: `the virtual address ${value} lies in no network that the inventory knows`,
        solve:
          'Check the address; otherwise add its network to portfw_interfaces, or name its interface there with "vip"',
        location,
      },
    ];
  });
}

function vipIsHost(world: LintWorld): Finding[] {
  const owners = new Map(
    [...world.everyone.values()].flatMap((host) =>
      [host.connection.address, ...INTERFACE_CLASSES.flatMap((one) => host.addresses[one] ?? [])].map(
        (address): [string, string] => [address, host.name],
      ),
    ),
  );
  return vips(world).flatMap(({ value, location }) => {
    const owner = owners.get(value);
    if (owner === undefined) return [];
    return [
      {
        what: `the virtual address ${value} is the fixed address of the host ${shown(owner)}`,
        solve: 'Write the shared address here; ansible_host must be the fixed address of the host',
        location,
      },
    ];
  });
}

/** A node of a cluster that does not carry the rules of an address that may float to it. */
function vipNotShared(world: LintWorld): Finding[] {
  return vips(world).flatMap(({ value, location, hosts }) => {
    const clusters = new Set(hosts.flatMap((host) => host.cluster ?? []));
    const without = world.managed.filter(
      (host) => host.cluster !== null && clusters.has(host.cluster) && !host.vips.includes(value),
    );
    if (without.length === 0) return [];
    return [
      {
        what: `the virtual address ${value} floats in the cluster ${threeShown([...clusters])}, and ${hostNames(without)} ${without.length === 1 ? 'does' : 'do'} not list it`,
        solve: 'Set portfw_vips for the whole group, so that each node is ready before the address moves',
        location,
      },
    ];
  });
}

function unusedVip(world: LintWorld): Finding[] {
  return vips(world).flatMap(({ value, location, hosts }) => {
    const covered = hosts.filter((host) => world.matrixOf(host) !== null);
    const used = covered.some(
      (host) =>
        host.extraRules.some((rule) => rule.interface === 'vip') ||
        world
          .possibleRoles(host)
          .some((role) => world.standing(host, role).some((standing) => standing.interface === 'vip')),
    );
    if (covered.length === 0 || used) return [];
    return [
      {
        what: `no rule of ${hostNames(covered)} applies to the virtual address ${value}`,
        solve: 'Set portfw_vips for the hosts whose roles answer there, or leave it out',
        location,
      },
    ];
  });
}
