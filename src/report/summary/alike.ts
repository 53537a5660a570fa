import { firstOf } from '../shortened.ts';
import type { Keyed } from './port-lines.ts';
import type { HostNames, PortsLine, VerdictPorts } from './summary-types.ts';

/** At most this many names are in a view; the input of the review has all. */
const MOST_NAMES = 20;

export function hostNames(hosts: readonly string[]): HostNames {
  return { ...firstOf(hosts, MOST_NAMES), count: hosts.length };
}

/** Members with the same key, in the order of their first member. */
export function grouped<T>(members: Iterable<T>, keyOf: (member: T) => string): readonly (readonly [T, ...T[]])[] {
  const groups = new Map<string, [T, ...T[]]>();
  for (const member of members) {
    const key = keyOf(member);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [member]);
    else group.push(member);
  }
  return [...groups.values()];
}

/** The lines of hosts whose lines have the same keys: as the first host says them, where all say the same. */
export function common<T extends PortsLine | VerdictPorts>(hosts: readonly (readonly Keyed<T>[])[]): readonly T[] {
  const [first = []] = hosts;
  return first.map(({ value, rough }, at) => {
    const text = peopleOf(value);
    return hosts.every((lines) => lines[at] !== undefined && peopleOf(lines[at].value) === text) ? value : rough;
  });
}

function peopleOf(line: PortsLine | VerdictPorts): string {
  return 'from' in line ? line.from : `${line.before} → ${line.after}`;
}

export function keysOf(...lists: readonly (readonly Keyed<unknown>[])[]): string {
  return JSON.stringify(lists.map((lines) => lines.map(({ key }) => key)));
}
