import { isMapping } from '../../core/mapping.ts';
import type { Problem, SourceLocation } from '../../core/problem.ts';
import { safeText, shown } from '../../core/shown.ts';
import type { YamlFile, YamlPath } from '../../documents/yaml-view.ts';
import { GraphWriter } from '../graph/graph-writer.ts';
import type { GroupGraph, GroupNode, HostNode } from '../graph/group-graph.ts';
import { fileVariables, type Variable } from '../graph/variables.ts';

/** What an inventory program printed. */
export interface ScriptOutput {
  /** The program, or the configuration that `ansible-inventory` was given. */
  readonly file: string;
  /** The answer to `--list`. */
  readonly list: YamlFile;
  /** The answers to `--host NAME`, when the list has no `_meta.hostvars`. */
  readonly hosts: ReadonlyMap<string, YamlFile>;
}

const SECTIONS = ['hosts', 'vars', 'children'] as const;

/**
 * Adds what an inventory program printed to the graph.
 * Source: the documentation of Ansible's inventory scripts and its `script` plugin.
 *
 * @param known `override` lets every variable win over those of earlier sources, as Ansible does; `keep-equal` leaves a
 *   variable alone that has this value already, and so knows its place better
 * @returns all problems; everything without a problem has been added anyway
 */
export function readScriptSource(
  output: ScriptOutput,
  graph: GroupGraph,
  known: 'override' | 'keep-equal' = 'override',
): Problem[] {
  const writer = new GraphWriter(graph, output.file);
  new ScriptReader(output, writer, known === 'keep-equal').read();
  return writer.problems;
}

/** The hosts that a program's list names, each once, or `null` when `_meta.hostvars` makes asking for each needless. */
export function hostsToAskFor(list: YamlFile): readonly string[] | null {
  if (!isMapping(list.value)) return null;
  const meta = list.value['_meta'];
  if (isMapping(meta) && meta['hostvars'] !== undefined) return null;
  const names = new Set<string>();
  for (const [group, data] of Object.entries(list.value)) {
    if (group === '_meta') continue;
    const hosts = isMapping(data) ? (data['hosts'] ?? (isShort(data) ? [group] : [])) : data;
    if (Array.isArray(hosts)) for (const host of hosts) if (typeof host === 'string') names.add(host);
  }
  return [...names];
}

/**
 * A program's output, whose places are told by the program's name, the path in its JSON, and line and column of what it printed.
 *
 * @param command how to see that output: `inventory.py --list`
 */
export function outputView(document: YamlFile, command: string): YamlFile {
  return {
    ...document,
    locate(path, at) {
      return { ...document.locate(path, at), file: `${safeText(command)}${inWords(path)}` };
    },
  };
}

/** The path in words; without slashes, so that the folder of the place is still the program's. */
function inWords(path: YamlPath): string {
  if (path.length === 0) return '';
  const steps = path.map((step) => (/^[^\s/]{1,100}$/.test(String(step)) ? safeText(String(step)) : '…'));
  return ` (${steps.join('.')})`;
}

class ScriptReader {
  private readonly output: ScriptOutput;
  private readonly list: YamlFile;
  private readonly writer: GraphWriter;
  private readonly keepEqual: boolean;
  /** Its own hosts: it sets no variables for other hosts. */
  private readonly hosts = new Set<HostNode>();

  constructor(output: ScriptOutput, writer: GraphWriter, keepEqual: boolean) {
    this.output = output;
    this.list = output.list;
    this.writer = writer;
    this.keepEqual = keepEqual;
  }

  read(): void {
    if (!isMapping(this.list.value)) {
      this.wrongType([], `the list must be a mapping of groups, not ${shown(this.list.value)}`);
      return;
    }
    for (const name of this.list.keys([])) if (name !== '_meta') this.readGroup(name, this.list.value[name]);
    const meta = this.list.value['_meta'];
    if (meta !== undefined && !isMapping(meta)) {
      this.wrongType(['_meta'], `"_meta" must be a mapping, not ${shown(meta)}`);
      return;
    }
    const hostvars = meta?.['hostvars'];
    if (hostvars !== undefined && !isMapping(hostvars)) {
      this.wrongType(['_meta', 'hostvars'], `"hostvars" must be a mapping of hosts, not ${shown(hostvars)}`);
      return;
    }
    for (const host of this.hosts) {
      const answer = hostvars === undefined ? this.output.hosts.get(host.name) : this.list;
      const path = hostvars === undefined ? [] : ['_meta', 'hostvars', host.name];
      if (answer !== undefined) this.readHostVariables(host, answer, path, hostvars);
    }
  }

  private readHostVariables(
    host: HostNode,
    answer: YamlFile,
    path: YamlPath,
    hostvars: Record<string, unknown> | undefined,
  ): void {
    if (hostvars !== undefined && !Object.hasOwn(hostvars, host.name)) return;
    const value = hostvars === undefined ? answer.value : hostvars[host.name];
    // A program may print nothing for a host without variables.
    if (hostvars === undefined && value === null) return;
    if (!isMapping(value)) {
      this.wrongType(
        path,
        `the variables of the host ${shown(host.name)} must be a mapping, not ${shown(value)}`,
        answer,
      );
      return;
    }
    for (const [name, variable] of fileVariables(answer, path))
      if (!this.isKept(host.vars.get(name), variable)) this.writer.setHostVariable(host, name, variable);
  }

  private readGroup(name: string, data: unknown): void {
    const at = this.list.locate([name], 'key');
    const group = this.writer.group(name, at);
    if (group === null) return;
    if (!isMapping(data)) {
      this.readHosts(group, [name], data);
      return;
    }
    if (isShort(data)) {
      // The short form of old: a host of the group's name, and the group's variables.
      this.addHost(group, name, at);
      this.readVariables(group, [name]);
      return;
    }
    if (data['hosts'] !== undefined) this.readHosts(group, [name, 'hosts'], data['hosts']);
    if (data['vars'] !== undefined) {
      if (isMapping(data['vars'])) this.readVariables(group, [name, 'vars']);
      else
        this.wrongType(
          [name, 'vars'],
          `"vars" of the group ${shown(name)} must be a mapping, not ${shown(data['vars'])}`,
        );
    }
    if (data['children'] !== undefined) this.readChildren(group, [name, 'children'], data['children']);
  }

  private readHosts(group: GroupNode, path: YamlPath, hosts: unknown): void {
    if (!Array.isArray(hosts)) {
      this.wrongType(path, `the hosts of the group ${shown(group.name)} must be a list, not ${shown(hosts)}`);
      return;
    }
    for (const [index, name] of hosts.entries()) {
      if (typeof name === 'string') this.addHost(group, name, this.list.locate([...path, index]));
      else this.wrongType([...path, index], `a host must be a name, not ${shown(name)}`);
    }
  }

  private addHost(group: GroupNode, name: string, at: SourceLocation): void {
    const host = this.writer.host(group, name, at);
    if (host !== null) this.hosts.add(host);
  }

  private readVariables(group: GroupNode, path: YamlPath): void {
    for (const [name, variable] of fileVariables(this.list, path))
      if (!this.isKept(group.vars.get(name), variable)) this.writer.setGroupVariable(group, name, variable);
  }

  private readChildren(group: GroupNode, path: YamlPath, children: unknown): void {
    const names = isMapping(children) ? Object.keys(children) : children;
    if (!Array.isArray(names)) {
      this.wrongType(path, `"children" of the group ${shown(group.name)} must be a list, not ${shown(children)}`);
      return;
    }
    for (const [index, name] of names.entries()) {
      const at = this.list.locate([...path, isMapping(children) ? name : index]);
      if (typeof name !== 'string') {
        this.wrongType([...path, index], `a child must be the name of a group, not ${shown(name)}`);
        continue;
      }
      const child = this.writer.group(name, at);
      if (child !== null) this.writer.addChild(group, child, at);
    }
  }

  private isKept(before: Variable | undefined, now: Variable): boolean {
    return this.keepEqual && before !== undefined && sameValue(before.exact, now.exact);
  }

  private wrongType(path: YamlPath, what: string, document: YamlFile = this.list): void {
    this.writer.error(document.locate(path), 'wrong-type', what, 'Correct what the program prints');
  }
}

/** Without any of the three sections a mapping is the group's variables. */
function isShort(data: Record<string, unknown>): boolean {
  return !SECTIONS.some((section) => Object.hasOwn(data, section));
}

/** Whether two exact values print alike. */
function sameValue(a: unknown, b: unknown): boolean {
  return canonical(a) === canonical(b);
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => {
    if (typeof item === 'bigint') return `${item}n`;
    if (typeof item !== 'object' || item === null || Array.isArray(item)) return item;
    if (Object.getPrototypeOf(item) !== Object.prototype) return [item.constructor.name, { ...item }];
    return Object.fromEntries(Object.entries(item).sort(([one], [other]) => (one < other ? -1 : 1)));
  });
}
