import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { InputError, type Problem, type SourceLocation } from '../core/problem.ts';
import { sortProblems } from '../core/sort-problems.ts';
import { parseYaml, type YamlFile, type YamlPath } from '../core/yaml-document.ts';
import { readTextFile } from '../core/yaml-file.ts';
import {
  compareGroups,
  compareText,
  GroupGraph,
  type GroupNode,
  groupsOf,
  type HostNode,
  hostsOf,
} from './group-graph.ts';
import { looksLikeAddress } from './host-names.ts';
import { combine, givenVariable, type Variable, type Variables } from './variables.ts';
import { VarsFiles } from './vars-files.ts';
import { readYamlSource } from './yaml-source.ts';

/** A group of an inventory. */
export interface InventoryGroup {
  readonly name: string;
  /** The groups directly below, in the order of the files. */
  readonly children: readonly string[];
  /** The hosts that the group itself names, in the order of the files. */
  readonly hosts: readonly string[];
  /** The hosts of the group and of all groups below it, each once. */
  readonly allHosts: readonly string[];
  /** Where the group is first written; `null` for a built-in one that no file mentions. */
  readonly location: SourceLocation | null;
}

/** A host of an inventory with its variables merged by Ansible's precedence. */
export interface InventoryHost {
  /** `inventory_hostname`. */
  readonly name: string;
  /** Every group it belongs to, directly or not, sorted, without `all` (`group_names`). */
  readonly groups: readonly string[];
  /** Its variables, with `inventory_hostname`, `inventory_hostname_short` and `group_names` among them. */
  readonly variables: Variables;
  /** Where it is first written. */
  readonly location: SourceLocation;
  /** Where the winning value of a variable, or of a part of it, was written; `null` when it is not set by a file. */
  origin(variable: string, path?: YamlPath, at?: 'key' | 'value'): SourceLocation | null;
}

/** What inventory files say, as Ansible understands them. */
export interface Inventory {
  /** The files that were read, as the user named them. */
  readonly files: readonly string[];
  /** Hosts in the order in which Ansible lists `all`. */
  readonly hosts: ReadonlyMap<string, InventoryHost>;
  /** Groups in the order in which they were first written, `all` and `ungrouped` first. */
  readonly groups: ReadonlyMap<string, InventoryGroup>;
  /** What is doubtful but does not keep us from going on. */
  readonly warnings: readonly Problem[];
}

/** Names in an inventory folder that Ansible passes over. */
const IGNORED = /^\.|^(?:host_vars|group_vars|vars_plugins)$|~$|\.(?:pyc|pyo|swp|bak|rpm|md|txt|rst|orig|cfg|retry)$/;
const YAML_EXTENSIONS = new Set(['', '.yaml', '.yml', '.json']);

/**
 * Reads Ansible YAML inventories: files, or folders whose files are read in the order of their names. Later ones add to
 * earlier ones.
 *
 * @throws InputError with every problem found in any of the files, their `group_vars/` and `host_vars/`
 */
export async function loadInventory(paths: string | readonly string[]): Promise<Inventory> {
  return readInventoryFiles(paths);
}

/** The part of {@link loadInventory} that needs no other program: files alone. */
export function readInventoryFiles(paths: string | readonly string[]): Inventory {
  const sources = typeof paths === 'string' ? [paths] : paths;
  const graph = new GroupGraph();
  const problems: Problem[] = [];
  const bases: string[] = [];
  const files: string[] = [];
  for (const source of sources) {
    const folder = isFolder(source);
    bases.push(folder ? source : dirname(source));
    const found = folder ? sourceFiles(source, problems) : [source];
    for (const file of found) {
      files.push(file);
      try {
        problems.push(...readYamlSource(readSource(file), graph));
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        problems.push(...error.problems);
      }
    }
  }
  for (const group of graph.reconcile()) {
    problems.push({
      severity: 'error',
      code: 'group-cycle',
      message: `the group "${group.name}" contains "all", which contains every group`,
      hint: 'Remove "all" from its children',
      location: group.location,
    });
  }
  const varsFiles = new VarsFiles();
  const inventory = problems.some((problem) => problem.severity === 'error')
    ? null
    : resolveInventory(graph, files, bases, varsFiles, problems);
  // Broken files of variables are reported together with a broken inventory.
  if (inventory === null) readAllVarsFiles(graph, bases, varsFiles);
  problems.push(...varsFiles.problems);
  if (inventory === null || problems.some((problem) => problem.severity === 'error'))
    throw new InputError(sortProblems(problems));
  return inventory;
}

/** Reads one inventory file; an INI inventory, which is no YAML, is told apart from a mistake. */
function readSource(file: string): YamlFile {
  const text = readTextFile(file);
  try {
    return parseYaml(text, file);
  } catch (error) {
    if (
      !(error instanceof InputError) ||
      !/^(?:[ \t]*(?:[#;].*)?\r?\n)*[ \t]*\[[\w.:-]+\][ \t]*(?:[#;].*)?$/m.test(text)
    )
      throw error;
    throw new InputError([
      {
        severity: 'error',
        code: 'ini-inventory',
        message: 'this looks like an INI inventory, and portfw reads YAML inventories',
        hint: 'Turn it into YAML with "ansible-inventory -i FILE --list --yaml"',
        location: { file, line: 1, column: 1 },
      },
    ]);
  }
}

function resolveInventory(
  graph: GroupGraph,
  files: readonly string[],
  bases: readonly string[],
  varsFiles: VarsFiles,
  warnings: readonly Problem[],
): Inventory {
  const groups = new Map<string, InventoryGroup>();
  for (const node of graph.groups.values()) {
    groups.set(node.name, {
      name: node.name,
      children: [...node.children].map((child) => child.name),
      hosts: [...node.hosts].map((host) => host.name),
      allHosts: hostsOf(node).map((host) => host.name),
      location: node.location,
    });
  }
  const groupLayers = new Map<string, Variables>();
  const hosts = new Map<string, InventoryHost>();
  for (const node of hostsOf(graph.all)) {
    const memberOf = [...groupsOf(node)].filter((group) => group !== graph.all).sort(compareGroups);
    const key = memberOf.map((group) => group.name).join('\n');
    let fromGroups = groupLayers.get(key);
    if (fromGroups === undefined) {
      fromGroups = combineGroups(graph.all, memberOf, bases, varsFiles);
      groupLayers.set(key, fromGroups);
    }
    hosts.set(node.name, resolveHost(node, memberOf, fromGroups, bases, varsFiles));
  }
  return { files, hosts, groups, warnings: [...warnings, ...varsFiles.problems] };
}

/** Group variables, from weak to strong: of `all` inline, of groups inline, `group_vars/all`, `group_vars/*`. */
function combineGroups(
  all: GroupNode,
  memberOf: readonly GroupNode[],
  bases: readonly string[],
  varsFiles: VarsFiles,
): Variables {
  return combine([
    all.vars,
    ...memberOf.map((group) => group.vars),
    ...bases.map((base) => varsFiles.read(base, 'group_vars', 'all')),
    ...bases.flatMap((base) => memberOf.map((group) => varsFiles.read(base, 'group_vars', group.name))),
  ]);
}

function resolveHost(
  node: HostNode,
  memberOf: readonly GroupNode[],
  fromGroups: Variables,
  bases: readonly string[],
  varsFiles: VarsFiles,
): InventoryHost {
  const groups = memberOf.map((group) => group.name).sort(compareText);
  // The files are read now, so that their problems are known; merging waits until somebody asks.
  const fromFiles = bases.map((base) => varsFiles.read(base, 'host_vars', node.name));
  let merged: Variables | null = null;
  const variables = (): Variables => {
    merged ??= combine([fromGroups, node.vars, ...fromFiles, ownVariables(node, groups)]);
    return merged;
  };
  return {
    name: node.name,
    groups,
    get variables() {
      return variables();
    },
    location: node.location,
    origin: (variable, path = [], at = 'value') => variables().get(variable)?.locate(path, at) ?? null,
  };
}

/** What Ansible itself sets for a host. */
function ownVariables(node: HostNode, groups: readonly string[]): Variables {
  const short = looksLikeAddress(node.name) ? node.name : node.name.split('.')[0];
  return new Map<string, Variable>([
    ['inventory_hostname', givenVariable(node.name, node.location)],
    ['inventory_hostname_short', givenVariable(short, node.location)],
    ['group_names', givenVariable(groups)],
    ['inventory_file', givenVariable(resolve(node.file))],
    ['inventory_dir', givenVariable(dirname(resolve(node.file)))],
  ]);
}

function readAllVarsFiles(graph: GroupGraph, bases: readonly string[], varsFiles: VarsFiles): void {
  for (const base of bases) {
    for (const group of graph.groups.keys()) varsFiles.read(base, 'group_vars', group);
    for (const host of graph.hosts.keys()) varsFiles.read(base, 'host_vars', host);
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** The inventory files of a folder and its folders, in the order of their names. */
function sourceFiles(folder: string, problems: Problem[], depth = 0): string[] {
  const location = { file: folder, line: 1, column: 1 };
  const error = (code: string, message: string, hint: string): string[] => {
    problems.push({ severity: 'error', code, message, hint, location });
    return [];
  };
  if (depth > 16)
    return error(
      'nesting-too-deep',
      'folders are nested more than 16 deep',
      'Does a link lead back to a folder above it?',
    );
  let entries: string[];
  try {
    entries = readdirSync(folder).sort(compareText);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'unknown error';
    return error('folder-unreadable', `the folder cannot be read (${code})`, 'Check its owner and mode');
  }
  const found = entries
    .filter((entry) => !IGNORED.test(entry))
    .flatMap((entry) => {
      const path = join(folder, entry);
      if (isFolder(path)) return sourceFiles(path, problems, depth + 1);
      return YAML_EXTENSIONS.has(extname(basename(path))) ? [path] : [];
    });
  if (found.length === 0 && depth === 0) {
    return error('empty-inventory', 'the folder holds no YAML inventory', 'Name a file that ends in .yaml or .yml');
  }
  return found;
}
