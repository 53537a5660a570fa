import { isMapping } from '../../core/mapping.ts';
import type { Problem, SourceLocation } from '../../core/problem.ts';
import { shown } from '../../core/shown.ts';
import { suggestion } from '../../core/suggest.ts';
import type { YamlFile, YamlPath } from '../../documents/yaml-document.ts';
import { GraphWriter } from '../graph/graph-writer.ts';
import type { GroupGraph, GroupNode } from '../graph/group-graph.ts';
import { fileVariable, fileVariables } from '../graph/variables.ts';

const SECTIONS = ['hosts', 'children', 'vars'] as const;

/**
 * Adds what one YAML inventory file says to the graph.
 *
 * @returns all problems; everything without a problem has been added anyway
 */
export function readYamlSource(yaml: YamlFile, graph: GroupGraph): Problem[] {
  const writer = new GraphWriter(graph, yaml.file);
  new SourceReader(yaml, writer).read();
  return writer.problems;
}

class SourceReader {
  private readonly yaml: YamlFile;
  private readonly writer: GraphWriter;

  constructor(yaml: YamlFile, writer: GraphWriter) {
    this.yaml = yaml;
    this.writer = writer;
  }

  read(): void {
    const root = this.yaml.value;
    if (isMapping(root) && Object.keys(root).length === 0) {
      this.writer.error(
        this.yaml.locate([]),
        'empty-inventory',
        'the inventory is empty: "{}" holds no group',
        'Begin with "all:" and name hosts below it',
      );
    } else if (!isMapping(root)) {
      this.writer.error(
        this.yaml.locate([]),
        'wrong-type',
        `an inventory is a mapping of groups, not ${shown(root)}`,
        'Begin with "all:" and name hosts below it',
      );
    } else {
      for (const name of this.yaml.keys([])) this.readGroup(name, [name], root[name]);
    }
  }

  private readGroup(name: string, path: YamlPath, data: unknown): GroupNode | null {
    if (!this.checkText(name, path, 'group')) return null;
    const group = this.writer.group(name, this.yaml.locate(path, 'key'));
    if (data === null || group === null) return group;
    if (!isMapping(data)) {
      this.writer.error(
        this.yaml.locate(path),
        'wrong-type',
        `the group ${shown(name)} must be a mapping, not ${shown(data)}`,
        'Write "hosts:", "children:" or "vars:" below it, or leave it empty',
      );
      return group;
    }
    for (const key of this.yaml.keys(path)) {
      if (!(SECTIONS as readonly string[]).includes(key)) {
        this.writer.error(
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
    for (const [name, variable] of fileVariables(this.yaml, path)) this.writer.setGroupVariable(group, name, variable);
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
    if (child !== null) this.writer.addChild(group, child, location);
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
    if (!this.checkText(key, path, 'host')) return;
    const hosts = this.writer.hosts(group, key, location);
    if (data === null) return;
    if (!isMapping(data)) {
      this.writer.error(
        this.yaml.locate(path),
        'wrong-type',
        `the variables of the host ${shown(key)} must be a mapping, not ${shown(data)}`,
        typeof data === 'string' && /^\w+:\S/.test(data)
          ? 'Leave a space after the colon'
          : 'Write "name: value" lines below it, or nothing',
      );
      return;
    }
    const variables = this.yaml.keys(path).map((name) => [name, fileVariable(this.yaml, [...path, name])] as const);
    for (const host of hosts)
      for (const [name, variable] of variables) this.writer.setHostVariable(host, name, variable);
  }

  private checkSection(
    group: GroupNode,
    key: string,
    path: YamlPath,
    section: unknown,
  ): section is Record<string, unknown> {
    if (isMapping(section)) return true;
    this.writer.error(
      this.yaml.locate(path),
      'wrong-type',
      `"${key}" of the group ${shown(group.name)} must be a mapping, not ${shown(section)}`,
      key === 'vars'
        ? 'Write "name: value" lines below it'
        : 'Write one "name:" a line below it, with the colon and without a dash',
    );
    return false;
  }

  private checkText(name: string, path: YamlPath, what: 'group' | 'host'): boolean {
    // A name given as `hosts: NAME` is a value, whose key is one of the sections.
    if (this.yaml.keyKind(path) === 'string') return true;
    this.writer.error(
      this.yaml.locate(path, 'key'),
      'bad-name',
      `the ${what} ${shown(name)} is not text`,
      `Put it in quotes: "${name}"`,
    );
    return false;
  }
}

function groupKeyHint(key: string, value: unknown): string {
  const solve = suggestion(key, SECTIONS, 'keys');
  if (solve.startsWith('Did')) return solve;
  if (isMapping(value) && SECTIONS.some((section) => Object.hasOwn(value, section)))
    return 'A group within a group goes below "children:"';
  return 'A variable goes below "vars:", a host below "hosts:", a group below "children:"';
}
