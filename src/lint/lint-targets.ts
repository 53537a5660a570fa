import { shown } from '../core/shown.ts';
import { type HostSettings, INTERFACE_CLASSES, type InterfaceClass } from '../settings/settings-types.ts';
import { type Finding, hostNames, type LintCheck, type LintWorld } from './lint-world.ts';

/** Checks of `portfw_zone_target`. */
export const TARGET_CHECKS: readonly LintCheck[] = [
  { code: 'target-without-interface', find: withoutInterface },
  { code: 'target-on-trusted', find: onTrusted },
];

/** The entries that name a class; a target for all of them names none. */
function entries(world: LintWorld, hosts: readonly HostSettings[]) {
  return world.shared(hosts, (host) => {
    const written = world.written(host, 'portfw_zone_target');
    if (typeof written !== 'object' || written === null) return [];
    return INTERFACE_CLASSES.filter((name) => host.zoneTargets[name] !== undefined).map((name) => ({
      value: { name, target: host.zoneTargets[name]! },
      location: world.place(host, ['portfw_zone_target', name]),
    }));
  });
}

/** A class that no interface of the host serves: its virtual addresses may be there, a zone is not. */
function withoutInterface(world: LintWorld): Finding[] {
  return entries(world, world.managed).flatMap(({ value: { name }, location, hosts }) => {
    const without = hosts.filter((host) => !serves(world, host, name));
    if (without.length < hosts.length || without.length === 0) return [];
    return [
      {
        what: `portfw_zone_target names the class ${name}, and no interface of ${hostNames(without)} is mapped to it`,
        solve:
          name === 'vip'
            ? 'Virtual addresses are in the zone of the interface that holds them: set the target for its class'
            : `Set portfw_interfaces.${name}, or leave the target out`,
        location,
      },
    ];
  });
}

function serves(world: LintWorld, host: HostSettings, name: InterfaceClass): boolean {
  return name === 'vip' ? host.interfaces.vip.length > 0 : world.maps(host, name);
}

/** Where everything is accepted nothing is left for a target. */
function onTrusted(world: LintWorld): Finding[] {
  const trusting = world.managed.filter((host) => world.privateMode(host) === 'trusted');
  return entries(world, trusting).flatMap(({ value: { name, target }, location, hosts }) => {
    if (name !== 'private' || target === 'default') return [];
    return [
      {
        what: `portfw_zone_target of the private side is ${shown(target)}, and ${hostNames(hosts)} ${hosts.length === 1 ? 'trusts' : 'trust'} it as a whole: everything is accepted before the target is used`,
        solve: 'The target has an effect only with portfw_private set to "peers" or "matrix"',
        location,
      },
    ];
  });
}
