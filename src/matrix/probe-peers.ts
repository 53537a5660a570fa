import type { Inventory } from '../ansible/inventory.ts';
import { matchHosts } from '../ansible/patterns/patterns.ts';
import { Problem, type SourceLocation } from '../core/problem.ts';
import { shown } from '../core/shown.ts';
import { terminalLine } from '../core/terminal-text.ts';
import { isLeftOut } from '../settings/left-out.ts';
import type { HostSettings, Unmanaged } from '../settings/settings-types.ts';
import type { Play, Probe } from './matrix.ts';

/** With a pattern for a whole fleet, portfw would log in to all of it twice for each changed host. */
const MAX_PEERS = 10;

/**
 * The hosts that a probe of one changed host connects from, in the inventory's order. A host is no peer of itself: its
 * firewall does not see what it sends to its own address. Hosts that are left out because of their connection are none.
 *
 * @param host the changed host
 */
export function probePeers(
  inventory: Inventory,
  settings: ReadonlyMap<string, HostSettings>,
  probe: Probe,
  host: string,
): readonly string[] {
  if (probe.kind === 'command' || probe.from === null) return [];
  const match = matchHosts(inventory, probe.from.pattern, probe.from.location);
  const hosts = reachable(match.hosts, settings);
  return probe.host === null ? hosts.filter((peer) => peer !== host) : hosts;
}

function reachable(hosts: readonly string[], settings: ReadonlyMap<string, HostSettings>): readonly string[] {
  return hosts.filter((host) => !isLeftOut(settings.get(host)?.unmanaged ?? null));
}

/** What is wrong with the peers that a play's probes name. */
export function checkProbePeers(
  inventory: Inventory,
  settings: ReadonlyMap<string, HostSettings>,
  play: Play,
): readonly Problem[] {
  return play.probes.flatMap((probe): readonly Problem[] => {
    if (probe.kind === 'command' || probe.from === null) return [];
    const { pattern, location } = probe.from;
    const { hosts, problems } = matchHosts(inventory, pattern, location);
    if (problems.length > 0) return problems;
    const able = reachable(hosts, settings);
    for (const host of able.length === 0 ? hosts : able) {
      const unmanaged = settings.get(host)?.unmanaged ?? null;
      if (unmanaged !== null) return [notManaged(host, unmanaged, location)];
    }
    return able.length > MAX_PEERS ? [tooMany(pattern, able.length, location)] : [];
  });
}

function notManaged(host: string, unmanaged: Unmanaged, location: SourceLocation): Problem {
  const why = isLeftOut(unmanaged)
    ? `ansible_connection: ${terminalLine(unmanaged.connection)}`
    : 'portfw_managed: false';
  return new Problem({
    severity: 'error',
    code: 'peer-not-managed',
    what: `a probe cannot run from ${shown(host)}, which has ${why}`,
    solve: 'Name a host that portfw may log in to, or connect from the controller',
    location,
  });
}

function tooMany(pattern: string, count: number, location: SourceLocation): Problem {
  return new Problem({
    severity: 'error',
    code: 'too-many-peers',
    what: `a probe can run from at most ${MAX_PEERS} hosts, but ${shown(pattern)} has ${count}`,
    solve: 'Choose some of them, such as "sip[0:2]"',
    location,
  });
}
