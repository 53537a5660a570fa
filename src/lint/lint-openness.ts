import { three } from '../core/lists.ts';
import { formatPortRange } from '../core/ports.ts';
import type { SourceLocation } from '../core/problem.ts';
import { shown } from '../core/shown.ts';
import type { MatrixRule } from '../matrix/matrix.ts';
import { type DoubtfulService, doubtfulServices, isEveryone } from '../policy/open-to-all.ts';
import { allowSelector, isPublicSide, narrowingOf } from '../policy/sources.ts';
import { meansAnyone } from '../settings/addresses-of-hosts.ts';
import type { HostSettings, InterfaceClass } from '../settings/settings-types.ts';
import { overlap } from './lint-interfaces.ts';
import { type Finding, hostNames, type LintCheck, type LintWorld } from './lint-world.ts';

/** Checks of what strangers can reach. */
export const OPENNESS_CHECKS: readonly LintCheck[] = [{ code: 'open-to-all', find: openToAll }];

/** What opens one service to anybody: which rules, on which hosts, and what the inventory can say about it. */
interface Exposure {
  readonly rules: Set<string>;
  readonly hosts: Set<HostSettings>;
  readonly lines: Set<string>;
  readonly anyone: Set<string>;
  readonly location: SourceLocation | null;
}

function openToAll(world: LintWorld): Finding[] {
  return [...byRules(world), ...byExtraRules(world)];
}

/** Each administrative, clear-text or database service that a table opens to anybody: once, for all hosts. */
function byRules(world: LintWorld): Finding[] {
  const exposures = new Map<DoubtfulService, Exposure>();
  for (const host of world.managed) {
    for (const { rule, interface: side } of world.sureRoles(host).flatMap((role) => world.standing(host, role))) {
      if (rule.port.kind !== 'range' || !strangersReach(world, host, side)) continue;
      const services = doubtfulServices(rule.protocol, rule.port.range);
      if (services.length === 0 || !anybodyMay(world, host, rule)) continue;
      const { line, anyone } = narrowingOf(rule, host.allowFrom);
      for (const service of services) {
        const exposure = exposures.get(service) ?? {
          ...{ rules: new Set(), hosts: new Set(), lines: new Set(), anyone: new Set() },
          location: host.locate(['portfw_allow_from'], 'key') ?? world.place(host, ['portfw_playbook']),
        };
        exposure.rules.add(rule.id);
        exposure.hosts.add(host);
        exposure.lines.add(line);
        exposure.anyone.add(anyone);
        exposures.set(service, exposure);
      }
    }
  }
  return [...exposures].map(([{ name }, { rules, hosts, lines, anyone, location }]) => ({
    what: `${name} is open to anybody on the public side of ${hostNames([...hosts])}, by ${three([...rules])}`,
    solve: `Narrow it with ${three([...lines])}, or say with ${three([...anyone])} that this is meant`,
    location,
  }));
}

/** The same of the inventory's own rules, each at its line. */
function byExtraRules(world: LintWorld): Finding[] {
  const values = world.shared(world.managed, (host) =>
    host.extraRules
      .filter((rule) => strangersReach(world, host, rule.interface))
      .filter(({ from }) => from === null || (!meansAnyone(from) && isEveryone(world.resolve(from).addresses)))
      // Expired rules no longer apply.
      .filter(({ expires }) => expires === null || expires >= world.today)
      .map((rule) => ({ value: rule, location: rule.location })),
  );
  return values.flatMap(({ value: rule, location, hosts }) => {
    const opened = rule.ports.filter((range) => doubtfulServices(rule.protocol, range).length > 0);
    const services = new Set(opened.flatMap((range) => doubtfulServices(rule.protocol, range)));
    if (services.size === 0) return [];
    const names = [...services].map(({ name }) => name).join(' and ');
    const ports = opened.map((range) => `${rule.protocol}/${formatPortRange(range)}`).join(', ');
    return [
      {
        what: `the extra rule ${shown(rule.name)} opens ${names} (${ports}) to anybody on the public side of ${hostNames(hosts)}`,
        solve: 'Narrow it with "from", or say with from: [any] that this is meant',
        location,
      },
    ];
  });
}

/** Whether anybody may use a rule, after all that narrows it, and the inventory does not say that this is meant. */
function anybodyMay(world: LintWorld, host: HostSettings, rule: MatrixRule): boolean {
  const selector = allowSelector(rule, host.allowFrom);
  if (selector !== null) {
    const names = host.allowFrom[selector]!;
    if (meansAnyone(names) || !isEveryone(world.resolve(names).addresses)) return false;
  } else if (rule.administration && rule.from === 'any') {
    const managers = world.resolve(host.management).addresses;
    if (managers.length > 0) return isEveryone(managers);
  }
  return rule.from === 'any' || isEveryone(world.peerAddresses(host, rule.from));
}

/** Whether strangers reach a class on a host: a public one, or one that shares its interface with a public one. */
function strangersReach(world: LintWorld, host: HostSettings, side: InterfaceClass): boolean {
  if (!world.maps(host, side)) return false;
  if (isPublicSide(side)) return true;
  const shared = [...host.interfaces.public, ...host.interfaces.vip];
  return host.interfaces[side].some((entry) => shared.some((other) => overlap(entry, other)));
}
