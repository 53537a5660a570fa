import { formatPortRange, type PortRange } from '../core/ports.ts';
import { shown } from '../core/shown.ts';
import { allowSelector } from '../policy/sources.ts';
import { meansAnyone } from '../settings/addresses-of-hosts.ts';
import type { ExtraRule, HostSettings } from '../settings/settings-types.ts';
import { type Finding, hostNames, type LintCheck, type LintWorld, type SharedValue } from './lint-world.ts';

/** Checks of `portfw_extra_rules`. */
export const EXCEPTION_CHECKS: readonly LintCheck[] = [
  { code: 'expired-rule', find: expired },
  { code: 'extra-rule-unmapped', find: unmapped },
  { code: 'extra-rule-nobody', find: nobody },
  { code: 'extra-rule-covered', find: covered },
];

function extraRules(world: LintWorld): readonly SharedValue<ExtraRule>[] {
  return world.shared(world.managed, (host) =>
    host.extraRules.map((rule) => ({ value: rule, location: rule.location })),
  );
}

function expired(world: LintWorld): Finding[] {
  return extraRules(world).flatMap(({ value, location }) =>
    value.expires === null || value.expires >= world.today
      ? []
      : [
          {
            what: `the extra rule ${shown(value.name)} expired on ${value.expires}: the next apply removes it`,
            solve: `Ask its owner, ${value.owner}; then remove it, or give it a later "expires"`,
            location,
          },
        ],
  );
}

function unmapped(world: LintWorld): Finding[] {
  return extraRules(world).flatMap(({ value, location, hosts }) => {
    const without = hosts.filter((host) => !world.maps(host, value.interface));
    if (without.length === 0) return [];
    return [
      {
        what: `the extra rule ${shown(value.name)} applies to ${value.interface}, and ${hostNames(without)} ${without.length === 1 ? 'has' : 'have'} no such ${value.interface === 'vip' ? 'address' : 'interface'}`,
        solve:
          value.interface === 'vip'
            ? 'List the virtual addresses in portfw_vips; without one the host is refused'
            : `Set portfw_interfaces.${value.interface}, or correct the rule's "interface"; without this the host is refused`,
        location,
      },
    ];
  });
}

function nobody(world: LintWorld): Finding[] {
  return extraRules(world).flatMap(({ value, location }) =>
    value.from === null || meansAnyone(value.from) || world.resolve(value.from).addresses.length > 0
      ? []
      : [
          {
            what: `the extra rule ${shown(value.name)} opens nothing: no address is known of what "from" names`,
            solve: 'Name machines that have an address (ansible_host or portfw_addresses)',
            location,
          },
        ],
  );
}

/** Extra rules whose ports the table already opens to anyone. */
function covered(world: LintWorld): Finding[] {
  return extraRules(world).flatMap(({ value, location, hosts }) => {
    const rules = hosts.map((host) => coveringRules(world, host, value));
    const [first] = rules[0] ?? [];
    if (first === undefined || rules.some((found) => found.length === 0)) return [];
    return [
      {
        what: `the extra rule ${shown(value.name)} opens what the matrix opens to anyone already (${first})`,
        solve: 'Remove it; to narrow a rule of the matrix, use portfw_allow_from',
        location,
      },
    ];
  });
}

/** The ids of rules to anyone that together hold all of an extra rule's ports; none when a port is missing. */
function coveringRules(world: LintWorld, host: HostSettings, extra: ExtraRule): readonly string[] {
  const open = world
    .sureRoles(host)
    .flatMap((role) => world.standing(host, role))
    .filter(
      ({ rule, interface: side }) =>
        side === extra.interface &&
        rule.protocol === extra.protocol &&
        rule.from === 'any' &&
        !(rule.administration && host.management.length > 0) &&
        allowSelector(rule, host.allowFrom) === null,
    );
  const found = extra.ports.map((range) =>
    open.find(({ rule }) => rule.port.kind === 'range' && within(range, rule.port.range)),
  );
  if (found.some((one) => one === undefined)) return [];
  return found.map((one, index) => one?.rule.id ?? formatPortRange(extra.ports[index]!));
}

function within(inner: PortRange, outer: PortRange): boolean {
  return outer.first <= inner.first && inner.last <= outer.last;
}
