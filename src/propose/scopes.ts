import { isSet, type Scope, type Seen, type Setting } from './proposals.ts';

/** A setting with the hosts that it is meant for. */
export interface Placed<S extends Setting> {
  readonly scope: Scope;
  readonly setting: S;
  readonly hosts: readonly string[];
}

/**
 * Writes the settings of single hosts with few lines: what most hosts share is for all, what a whole group
 * shares is for the group, the rest for the hosts. No host gets a value that is not its own, whatever Ansible's precedence:
 * a group is used only if all its hosts have the same value.
 *
 * @param share the part of the hosts above which a value is for all hosts, also those that were not seen; 1 for never
 */
export function placeSettings<S extends Setting>(
  values: ReadonlyMap<string, S>,
  seen: Seen,
  variable: S['variable'],
  share: number,
): readonly Placed<S>[] {
  const keyOf = (host: string): string => JSON.stringify(values.get(host));
  const sharing = new Map<string, string[]>();
  for (const host of values.keys()) sharing.set(keyOf(host), [...(sharing.get(keyOf(host)) ?? []), host]);
  const placed: Placed<S>[] = [];
  const left = new Map(values);
  const place = (scope: Scope, hosts: readonly string[]): void => {
    placed.push({ scope, setting: values.get(hosts[0]!)!, hosts });
    for (const host of hosts) left.delete(host);
  };
  const [common = []] = [...sharing.values()].sort((a, b) => b.length - a.length);
  if (common.length > share * seen.hosts.length) place({ kind: 'all' }, common);
  // A host that was not seen may be in the group, unless it has a value of its own.
  const free = new Set(seen.missed.filter((host) => !isSet(host, variable)).map(({ name }) => name));
  const groups = [...seen.groups].sort(([, a], [, b]) => b.length - a.length);
  for (const [name, members] of groups) {
    const own = members.filter((host) => values.has(host));
    const fits = new Set(own.map(keyOf)).size === 1 && members.every((host) => values.has(host) || free.has(host));
    const needed = own.filter((host) => left.has(host));
    if (fits && needed.length > 1) place({ kind: 'group', name }, needed);
  }
  for (const host of [...left.keys()]) place({ kind: 'host', name: host }, [host]);
  return placed;
}
