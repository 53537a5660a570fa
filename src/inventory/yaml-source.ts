import type { Problem, SourceLocation } from '../core/problem.ts';
import { hasUnshowable, shown } from '../core/shown.ts';
import { suggestion } from '../core/suggest.ts';
import type { YamlFile, YamlPath } from '../core/yaml-document.ts';
import type { GroupGraph, GroupNode } from './group-graph.ts';
import { expandHostNames, MAX_HOSTS } from './host-names.ts';
import { fileVariable, fileVariables, givenVariable } from './variables.ts';

const SECTIONS = ['hosts', 'children', 'vars'] as const;

/** Characters that mean something to a shell, to XML or to a host pattern, and blanks. */
const FORBIDDEN = /[\s;&|<>$`"'\\(){}[\]*?!#,=^]/u;

/**
 * Adds what one YAML inventory file says to the graph.
 *
 * @returns everything that is wrong with it; what is right has been added nevertheless
 */
export function readYamlSource(yaml: YamlFile, graph: GroupGraph): Problem[] {
  const reader = new SourceReader(yaml, graph);
  reader.read();
  return reader.problems;
}

class SourceReader {
  readonly problems: Problem[] = [];
  private readonly yaml: YamlFile;
  private readonly graph: GroupGraph;
  private tooManyHosts = false;

  constructor(yaml: YamlFile, graph: GroupGraph) {
    this.yaml = yaml;
    this.graph = graph;
  }

  read(): void {
    const root = this.yaml.value;
    if (root === null) {
      this.error(
        this.yaml.locate([]),
        'empty-inventory',
        'the inventory is empty',
        'Begin with "all:" and name hosts below it',
      );
    } else if (!isMapping(root)) {
      this.error(
        this.yaml.locate([]),
        'wrong-type',
        `an inventory is a mapping of groups, not ${shown(root)}`,
        'Begin with "all:" and name hosts below it; an INI inventory is not read',
      );
    } else if (root['plugin'] !== undefined && typeof root['plugin'] === 'string') {
      this.error(
        this.yaml.locate(['plugin']),
        'inventory-plugin',
        `this configures the inventory plugin ${shown(root['plugin'])} and holds no hosts`,
        'Give the output of "ansible-inventory --list --yaml", or an inventory with hosts',
      );
    } else {
      for (const name of this.yaml.keys([])) this.readGroup(name, [name], root[name]);
    }
  }

  private readGroup(name: string, path: YamlPath, data: unknown): GroupNode | null {
    if (!this.checkName(name, path, 'group')) return null;
    const group = this.graph.group(name, this.yaml.locate(path, 'key'));
    if (data === null) return group;
    if (!isMapping(data)) {
      this.error(
        this.yaml.locate(path),
        'wrong-type',
        `the group ${shown(name)} must be a mapping, not ${shown(data)}`,
        'Write "hosts:", "children:" or "vars:" below it, or leave it empty',
      );
      return group;
    }
    for (const key of this.yaml.keys(path)) {
      if (!(SECTIONS as readonly string[]).includes(key)) {
        this.error(
          this.yaml.locate([...path, key], 'key'),
          'unknown-key',
          `unknown key ${shown(key)} in the group ${shown(name)}`,
          groupKeyHint(key, data[key]),
        );
      }
    }
    // Ansible walks a group's keys as written, which decides the order of groups and hosts.
    for (const key of this.yaml.keys(path)) {
      const section = data[key];
      const at = [...path, key];
      if (section === null) continue;
      if (key === 'vars') this.readVars(group, at, section);
      else if (key === 'children') this.readChildren(group, at, section);
      else if (key === 'hosts') this.readHosts(group, at, section);
    }
    return group;
  }

  private readVars(group: GroupNode, path: YamlPath, section: unknown): void {
    if (!this.checkSection(group, 'vars', path, section)) return;
    for (const [name, variable] of fileVariables(this.yaml, path)) {
      if (name !== 'ansible_group_priority') {
        group.vars.set(name, variable);
        continue;
      }
      const priority =
        typeof variable.plain === 'string' && /^\s*[-+]?\d+\s*$/.test(variable.plain)
          ? Number(variable.plain)
          : variable.plain;
      if (typeof priority === 'number' && Number.isFinite(priority)) group.priority = Math.trunc(priority);
      else {
        const message = `ansible_group_priority must be a whole number, not ${shown(variable.plain)}`;
        this.error(variable.locate(), 'wrong-type', message, 'Write digits, such as 10');
      }
    }
  }

  private readChildren(group: GroupNode, path: YamlPath, section: unknown): void {
    if (typeof section === 'string') {
      this.addChild(group, this.readGroup(section, path, null), this.yaml.locate(path));
      return;
    }
    if (!this.checkSection(group, 'children', path, section)) return;
    for (const name of this.yaml.keys(path)) {
      const at = [...path, name];
      this.addChild(group, this.readGroup(name, at, section[name]), this.yaml.locate(at, 'key'));
    }
  }

  private addChild(group: GroupNode, child: GroupNode | null, location: SourceLocation): void {
    if (child === null || this.graph.addChild(group, child)) return;
    this.error(
      location,
      'group-cycle',
      group === child
        ? `the group ${shown(group.name)} is its own child`
        : `the group ${shown(child.name)} already contains ${shown(group.name)}`,
      'A group cannot lie within itself: remove this child',
    );
  }

  private readHosts(group: GroupNode, path: YamlPath, section: unknown): void {
    if (typeof section === 'string') {
      this.addHosts(group, section, path, null, this.yaml.locate(path));
      return;
    }
    if (!this.checkSection(group, 'hosts', path, section)) return;
    for (const key of this.yaml.keys(path)) {
      const at = [...path, key];
      this.addHosts(group, key, at, section[key], this.yaml.locate(at, 'key'));
    }
  }

  private addHosts(group: GroupNode, key: string, path: YamlPath, data: unknown, location: SourceLocation): void {
    if (this.tooManyHosts) return;
    if (this.yaml.keyKind(path) !== 'string') {
      this.error(location, 'bad-name', `the host ${shown(key)} is not text`, `Put it in quotes: "${key}"`);
      return;
    }
    const expanded = expandHostNames(key, MAX_HOSTS - this.graph.hosts.size);
    if ('message' in expanded) {
      this.error(location, 'bad-range', expanded.message, expanded.hint);
      this.tooManyHosts = MAX_HOSTS === this.graph.hosts.size;
      return;
    }
    if (data !== null && !isMapping(data)) {
      this.error(
        this.yaml.locate(path),
        'wrong-type',
        `the variables of the host ${shown(key)} must be a mapping, not ${shown(data)}`,
        'Write "name: value" lines below it, or nothing',
      );
      return;
    }
    for (const name of expanded.names) {
      if (!this.checkName(name, path, 'host')) return;
      const { host, isNew } = this.graph.addHost(group, name, this.yaml.file, location);
      if (isNew && expanded.port !== null) host.vars.set('ansible_port', givenVariable(expanded.port, location));
    }
    if (data === null) return;
    const variables = this.yaml.keys(path).map((name) => [name, fileVariable(this.yaml, [...path, name])] as const);
    for (const name of expanded.names) {
      const vars = this.graph.hosts.get(name)!.vars;
      for (const [variable, value] of variables) vars.set(variable, value);
    }
  }

  private checkSection(
    group: GroupNode,
    key: string,
    path: YamlPath,
    section: unknown,
  ): section is Record<string, unknown> {
    if (isMapping(section)) return true;
    this.error(
      this.yaml.locate(path),
      'wrong-type',
      `"${key}" of the group ${shown(group.name)} must be a mapping, not ${shown(section)}`,
      key === 'vars'
        ? 'Write "name: value" lines below it'
        : 'Write one "name:" a line below it, with the colon and without a dash',
    );
    return false;
  }

  private checkName(name: string, path: YamlPath, what: 'group' | 'host'): boolean {
    const location = this.yaml.locate(path, 'key');
    // A name given as `hosts: NAME` is a value, whose key is one of the sections.
    const kind = this.yaml.keyKind(path);
    if (kind !== 'string') {
      this.error(location, 'bad-name', `the ${what} ${shown(name)} is not text`, `Put it in quotes: "${name}"`);
      return false;
    }
    const forbidden = FORBIDDEN.exec(name);
    if (name === '' || name.startsWith('-') || name.includes('/') || forbidden !== null || hasUnshowable(name)) {
      const reason =
        name === ''
          ? 'is empty'
          : name.startsWith('-')
            ? 'begins with a hyphen'
            : forbidden !== null || name.includes('/')
              ? `holds the character ${shown(forbidden?.[0] ?? '/')}`
              : 'holds an invisible character';
      this.error(
        location,
        'bad-name',
        `the ${what} name ${shown(name)} ${reason}`,
        'Use letters, digits, dots, hyphens and underscores',
      );
      return false;
    }
    return true;
  }

  private error(location: SourceLocation | null, code: string, message: string, hint: string): void {
    this.problems.push({ severity: 'error', code, message, hint, location });
  }
}

function groupKeyHint(key: string, value: unknown): string {
  const hint = suggestion(key, SECTIONS, 'keys');
  if (hint.startsWith('Did')) return hint;
  if (isMapping(value) && SECTIONS.some((section) => Object.hasOwn(value, section)))
    return 'A group within a group goes below "children:"';
  return 'A variable goes below "vars:", a host below "hosts:", a group below "children:"';
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
