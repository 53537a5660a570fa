import { dirname, resolve } from 'node:path';
import type { Problem } from '../../core/problem.ts';
import {
  compareGroups,
  compareText,
  type GroupGraph,
  type GroupNode,
  groupsOf,
  type HostNode,
  hostsOf,
} from './group-graph.ts';
import { looksLikeAddress } from './host-names.ts';
import type { Inventory, InventoryGroup, InventoryHost } from './inventory-types.ts';
import { combine, type HashBehaviour } from './layers.ts';
import { givenVariable, type Variable, type Variables } from './variables.ts';
import type { VarsFiles } from './vars-files.ts';

/** The inventory of a graph, with the variables of every host merged by Ansible's precedence. */
export function mergeInventory(
  graph: GroupGraph,
  files: readonly string[],
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
      fromGroups = combineGroups(graph, memberOf, varsFiles);
      groupLayers.set(key, fromGroups);
    }
    hosts.set(node.name, resolveHost(node, memberOf, fromGroups, varsFiles, graph.behaviour));
  }
  return { files, hosts, asWritten: [...graph.hosts.keys()], groups, warnings: [...warnings, ...varsFiles.problems] };
}

/**
 * Group variables, from weak to strong: of `all` inline, of groups inline, `group_vars/all` beside the inventories and in the
 * playbook folder, `group_vars/*` beside the inventories and in the playbook folder.
 */
function combineGroups(
  { all, behaviour }: GroupGraph,
  memberOf: readonly GroupNode[],
  varsFiles: VarsFiles,
): Variables {
  const names = memberOf.map((group) => group.name);
  const layers = [
    all.vars,
    combine(
      memberOf.map((group) => group.vars),
      behaviour,
    ),
    varsFiles.beside('group_vars', ['all']),
    varsFiles.inPlaybookFolder('group_vars', ['all']),
    varsFiles.beside('group_vars', names),
    varsFiles.inPlaybookFolder('group_vars', names),
  ];
  return combine(layers, behaviour);
}

function resolveHost(
  node: HostNode,
  memberOf: readonly GroupNode[],
  fromGroups: Variables,
  varsFiles: VarsFiles,
  behaviour: HashBehaviour,
): InventoryHost {
  const groups = memberOf.map((group) => group.name).sort(compareText);
  // The files are read now, so that their problems are known; merging is done on demand.
  const fromFiles = [varsFiles.beside('host_vars', [node.name]), varsFiles.inPlaybookFolder('host_vars', [node.name])];
  let merged: Variables | null = null;
  const variables = (): Variables => {
    merged ??= combine([fromGroups, node.vars, ...fromFiles, ownVariables(node, groups)], behaviour);
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

/** Reads the files of variables of every group and host, for what is wrong with them. */
export function readAllVarsFiles(graph: GroupGraph, varsFiles: VarsFiles): void {
  for (const [kind, names] of [
    ['group_vars', [...graph.groups.keys()]],
    ['host_vars', [...graph.hosts.keys()]],
  ] as const) {
    varsFiles.beside(kind, names);
    varsFiles.inPlaybookFolder(kind, names);
  }
}
