import { Problem, type SourceLocation } from '../../core/problem.ts';
import { hasUnshowable, shown } from '../../core/shown.ts';
import type { GroupGraph, GroupNode, HostNode } from './group-graph.ts';
import { expandHostNames, MAX_HOSTS } from './host-names.ts';
import { setVariable } from './layers.ts';
import { givenVariable, type Variable } from './variables.ts';

/** Characters that mean something to a shell, to XML or to a host pattern, and blanks. */
const FORBIDDEN = /[\s;&|<>$`"'\\(){}[\]*?!#,=^]/u;

/**
 * What every kind of inventory source does to the graph, with the same rules for names and values, which are always
 * untrusted.
 */
export class GraphWriter {
  /** All problems; everything without a problem has been added anyway. */
  readonly problems: Problem[] = [];
  readonly graph: GroupGraph;
  private readonly file: string;
  private tooManyHosts = false;

  /** @param file the inventory source, as the user named it */
  constructor(graph: GroupGraph, file: string) {
    this.graph = graph;
    this.file = file;
  }

  /** The group of that name; `null` when the name is not valid. */
  group(name: string, location: SourceLocation): GroupNode | null {
    return this.checkName(name, location, 'group') ? this.graph.group(name, location) : null;
  }

  /** Sets a variable of a group; `ansible_group_priority` is no variable. */
  setGroupVariable(group: GroupNode, name: string, variable: Variable): void {
    if (name !== 'ansible_group_priority') {
      setVariable(group.vars, name, variable, this.graph.behaviour);
      return;
    }
    const priority = toInteger(variable.plain);
    if (priority !== null) group.priority = priority;
    else {
      const what = `ansible_group_priority must be a whole number, not ${shown(variable.plain)}`;
      this.error(variable.locate(), 'wrong-type', what, 'Write digits, such as 10');
    }
  }

  /** Sets a variable of a host. If a group has the same name, the group gets the variable, as in Ansible. */
  setHostVariable(host: HostNode, name: string, variable: Variable): void {
    const group = this.graph.groups.get(host.name);
    if (group === undefined) setVariable(host.vars, name, variable, this.graph.behaviour);
    else this.setGroupVariable(group, name, variable);
  }

  addChild(group: GroupNode, child: GroupNode, location: SourceLocation): void {
    if (this.graph.addChild(group, child)) return;
    this.error(
      location,
      'group-cycle',
      group === child
        ? `the group ${shown(group.name)} is its own child`
        : `the group ${shown(child.name)} already contains ${shown(group.name)}`,
      'A group cannot contain itself: remove this child',
    );
  }

  /**
   * The hosts that a key stands for, with ranges and a port, put into a group.
   *
   * @returns an empty list when something is wrong with the key
   */
  hosts(group: GroupNode, key: string, location: SourceLocation): readonly HostNode[] {
    if (this.tooManyHosts) return [];
    const expanded = expandHostNames(key, MAX_HOSTS - this.graph.hosts.size);
    if ('what' in expanded) {
      this.error(location, 'bad-range', expanded.what, expanded.solve);
      this.tooManyHosts = MAX_HOSTS === this.graph.hosts.size;
      return [];
    }
    const hosts: HostNode[] = [];
    for (const name of expanded.names) {
      const host = this.host(group, name, location, expanded.port);
      if (host === null) return [];
      hosts.push(host);
    }
    return hosts;
  }

  /** The host of that very name, put into a group; `null` when the name is not valid. */
  host(group: GroupNode, name: string, location: SourceLocation, port: number | null = null): HostNode | null {
    if (!this.checkName(name, location, 'host')) return null;
    if (!this.graph.hosts.has(name) && this.graph.hosts.size >= MAX_HOSTS) {
      const what = `the inventory holds more than ${MAX_HOSTS} hosts`;
      if (!this.tooManyHosts) this.error(location, 'bad-range', what, 'Split the inventory');
      this.tooManyHosts = true;
      return null;
    }
    const { host, isNew } = this.graph.addHost(group, name, this.file, location);
    if (isNew && port !== null) host.vars.set('ansible_port', givenVariable(port, location));
    return host;
  }

  error(location: SourceLocation | null, code: string, what: string, solve: string): void {
    this.problems.push(new Problem({ severity: 'error', code, what, solve, location }));
  }

  private checkName(name: string, location: SourceLocation, what: 'group' | 'host'): boolean {
    const fault = nameFault(name);
    if (fault === null) return true;
    this.error(
      location,
      'bad-name',
      `the ${what} name ${shown(name)} ${fault}`,
      /\[\w+-\w+\]/.test(name)
        ? 'Write a range with a colon, such as [1:9]'
        : 'Use letters, digits, dots, hyphens and underscores',
    );
    return false;
  }
}

/** What is wrong with the name of a group or host, or `null`. */
function nameFault(name: string): string | null {
  if (name === '') return 'is empty';
  if (name.startsWith('-')) return 'begins with a hyphen';
  const forbidden = FORBIDDEN.exec(name);
  if (forbidden !== null && /[^\S ]/.test(forbidden[0]) && !hasUnshowable(forbidden[0]))
    return 'holds an unusual kind of blank';
  if (forbidden !== null || name.includes('/')) return `holds the character ${shown(forbidden?.[0] ?? '/')}`;
  return hasUnshowable(name) ? 'holds an invisible character' : null;
}

/** A priority as Python's `int()` takes it, or `null`. */
function toInteger(value: unknown): number | null {
  if (typeof value === 'boolean') return Number(value);
  const number =
    typeof value === 'string' && /^\s*[-+]?\d+(?:_\d+)*\s*$/.test(value) ? Number(value.replaceAll('_', '')) : value;
  return typeof number === 'number' && Number.isFinite(number) ? Math.trunc(number) : null;
}
