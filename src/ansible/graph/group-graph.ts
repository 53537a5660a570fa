import type { SourceLocation } from '../../core/problem.ts';
import type { HashBehaviour } from './layers.ts';
import type { Variable } from './variables.ts';

/** A group while the inventory is being read. */
export interface GroupNode {
  readonly name: string;
  /** Where it was first written; `null` for `all` and `ungrouped` when no file has them. */
  location: SourceLocation | null;
  /** `ansible_group_priority`, set inside the inventory file. */
  priority: number;
  /** The longest way down from `all`. */
  depth: number;
  readonly vars: Map<string, Variable>;
  readonly hosts: Set<HostNode>;
  readonly children: Set<GroupNode>;
  readonly parents: Set<GroupNode>;
}

/** A host while the inventory is being read. */
export interface HostNode {
  readonly name: string;
  readonly location: SourceLocation;
  /** The inventory file that named it first. */
  readonly file: string;
  readonly vars: Map<string, Variable>;
  /** The groups that name it directly. */
  readonly groups: Set<GroupNode>;
  /** The groups whose member it is no more, though it is named below them; see {@link GroupGraph.reconcile}. */
  readonly left: Set<GroupNode>;
}

/** The groups and hosts of an inventory, built up in the order of the files, as Ansible builds them. */
export class GroupGraph {
  readonly groups = new Map<string, GroupNode>();
  readonly hosts = new Map<string, HostNode>();
  readonly all: GroupNode;
  readonly ungrouped: GroupNode;
  readonly behaviour: HashBehaviour;

  /** @param behaviour what becomes of mappings that are set again */
  constructor(behaviour: HashBehaviour = 'replace') {
    this.behaviour = behaviour;
    this.all = this.group('all', null);
    this.ungrouped = this.group('ungrouped', null);
    this.addChild(this.all, this.ungrouped);
  }

  /** The group of that name, made when there is none yet. */
  group(name: string, location: SourceLocation | null): GroupNode {
    let node = this.groups.get(name);
    if (node === undefined) {
      node = {
        name,
        location,
        priority: 1,
        depth: 0,
        vars: new Map(),
        hosts: new Set(),
        children: new Set(),
        parents: new Set(),
      };
      this.groups.set(name, node);
    }
    node.location ??= location;
    return node;
  }

  /** Puts a host into a group; makes it when there is none of that name yet. */
  addHost(group: GroupNode, name: string, file: string, location: SourceLocation): { host: HostNode; isNew: boolean } {
    let host = this.hosts.get(name);
    const isNew = host === undefined;
    if (host === undefined) {
      host = { name, location, file, vars: new Map(), groups: new Set(), left: new Set() };
      this.hosts.set(name, host);
    }
    group.hosts.add(host);
    host.groups.add(group);
    return { host, isNew };
  }

  /** Makes `child` a child of `parent`; `false`, and nothing done, when that would make a circle. */
  addChild(parent: GroupNode, child: GroupNode): boolean {
    if (parent === child || ancestorsOf([parent]).has(child)) return false;
    parent.children.add(child);
    child.parents.add(parent);
    return true;
  }

  /**
   * Ansible's last step: what has no parent belongs to `all`, `ungrouped` holds exactly the hosts that no other group
   * has, and every group knows its depth.
   *
   * @returns the groups that cannot be put under `all` because `all` lies under them
   */
  reconcile(): GroupNode[] {
    const refused: GroupNode[] = [];
    for (const group of this.groups.values()) {
      if (group !== this.all && group.parents.size === 0 && !this.addChild(this.all, group)) refused.push(group);
    }
    for (const host of this.hosts.values()) {
      const groups = groupsOf(host);
      if (groups.has(this.ungrouped)) {
        if ([...groups].some((group) => group !== this.all && group !== this.ungrouped)) {
          this.leaveUngrouped(host, groups);
        }
      } else if ([...groups].every((group) => group === this.all)) {
        // By name: if a group has the host's name, Ansible finds the group.
        const namesake = this.groups.get(host.name);
        if (namesake !== undefined) this.addChild(this.ungrouped, namesake);
        else {
          this.ungrouped.hosts.add(host);
          host.groups.add(this.ungrouped);
        }
      }
    }
    this.setDepths();
    return refused;
  }

  /**
   * A host that has another group leaves `ungrouped`, and with it every group above that which none of its other groups lies
   * below. (To lie in such a group itself does not count, in Ansible.)
   */
  private leaveUngrouped(host: HostNode, groups: Set<GroupNode>): void {
    if (!this.ungrouped.hosts.delete(host)) return;
    host.groups.delete(this.ungrouped);
    groups.delete(this.ungrouped);
    host.left.add(this.ungrouped);
    const above = ancestorsOf(this.ungrouped.parents);
    above.delete(this.all);
    for (let changed = true; changed; ) {
      changed = false;
      for (const group of above) {
        if (!groups.has(group) || [...groups].some((other) => ancestorsOf(other.parents).has(group))) continue;
        groups.delete(group);
        host.left.add(group);
        changed = true;
      }
    }
  }

  /** The longest way from `all` to each group. */
  private setDepths(): void {
    const waiting = new Map([...this.groups.values()].map((group) => [group, group.parents.size]));
    const ready = [...this.groups.values()].filter((group) => group.parents.size === 0);
    for (let group = ready.pop(); group !== undefined; group = ready.pop()) {
      for (const child of group.children) {
        child.depth = Math.max(child.depth, group.depth + 1);
        const left = waiting.get(child)! - 1;
        waiting.set(child, left);
        if (left === 0) ready.push(child);
      }
    }
  }
}

/** The given groups with everything above them. */
export function ancestorsOf(groups: Iterable<GroupNode>): Set<GroupNode> {
  const result = new Set<GroupNode>(groups);
  // A set may grow while it is walked, and the walk reaches what was added.
  for (const group of result) for (const parent of group.parents) result.add(parent);
  return result;
}

/** Every group that a host belongs to, directly or not. */
export function groupsOf(host: HostNode): Set<GroupNode> {
  const groups = ancestorsOf(host.groups);
  for (const group of host.left) groups.delete(group);
  return groups;
}

/** The hosts of a group and of everything below it, each once: its own first, then level by level. */
export function hostsOf(group: GroupNode): HostNode[] {
  const descendants = new Set<GroupNode>([group]);
  for (const one of descendants) for (const child of one.children) descendants.add(child);
  const hosts = new Set<HostNode>();
  for (const one of descendants) for (const host of one.hosts) hosts.add(host);
  return [...hosts];
}

/** Ansible's order of merging: shallow groups first, then low priorities, then by name; a later group wins. */
export function compareGroups(a: GroupNode, b: GroupNode): number {
  return a.depth - b.depth || a.priority - b.priority || compareText(a.name, b.name);
}

/** Orders text by code points, as Python does. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  let i = 0;
  while (i < a.length && i < b.length && a.charCodeAt(i) === b.charCodeAt(i)) i += 1;
  // Step back to the first half of a surrogate pair: a single half would sort wrongly.
  if (i > 0 && i < a.length && isLowSurrogate(a, i)) i -= 1;
  return (a.codePointAt(i) ?? -1) - (b.codePointAt(i) ?? -1);
}

function isLowSurrogate(text: string, index: number): boolean {
  const code = text.charCodeAt(index);
  return code >= 0xdc00 && code <= 0xdfff;
}
