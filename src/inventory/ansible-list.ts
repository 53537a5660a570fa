import { UnsafeText, VaultValue, YamlFloat, YamlTimestamp } from '../core/yaml-scalars.ts';
import { compareText } from './group-graph.ts';
import type { Inventory } from './inventory.ts';

/** What Ansible sets for itself and leaves out of `ansible-inventory --list`. */
const INTERNAL = new Set([
  'ansible_diff_mode',
  'ansible_config_file',
  'ansible_facts',
  'ansible_forks',
  'ansible_inventory_sources',
  'ansible_limit',
  'ansible_playbook_python',
  'ansible_run_tags',
  'ansible_skip_tags',
  'ansible_verbosity',
  'ansible_version',
  'inventory_dir',
  'inventory_file',
  'inventory_hostname',
  'inventory_hostname_short',
  'groups',
  'group_names',
  'omit',
  'playbook_dir',
]);

/** One group in Ansible's list. */
interface ListedGroup {
  hosts?: readonly string[];
  children?: readonly string[];
}

/** The document that `ansible-inventory --list` prints; variables are exact YAML values (`YamlFloat`, `VaultValue`, …). */
export type AnsibleList = ReadonlyMap<string, unknown>;

/** Builds the document that `ansible-inventory --list` prints for an inventory. */
export function toAnsibleList(inventory: Inventory): AnsibleList {
  const list = new Map<string, unknown>();
  const hostvars = new Map<string, unknown>();
  for (const host of inventory.hosts.values()) {
    const shownVars = [...host.variables].filter(([name]) => !INTERNAL.has(name));
    if (shownVars.length > 0)
      hostvars.set(host.name, new Map(shownVars.map(([name, variable]) => [name, variable.exact])));
  }
  list.set('_meta', new Map([['hostvars', hostvars]]));
  for (const group of inventory.groups.values()) {
    const listed: ListedGroup = {};
    if (group.name !== 'all' && group.hosts.length > 0) listed.hosts = group.hosts;
    if (group.children.length > 0) listed.children = group.children;
    if (Object.keys(listed).length > 0) list.set(group.name, listed);
  }
  return list;
}

/** Writes the list as Ansible does: keys sorted, four blanks of indentation, non-ASCII as it is. */
export function formatAnsibleList(list: AnsibleList): string {
  return format(list, '');
}

function format(value: unknown, indent: string): string {
  if (value === undefined) return 'null';
  if (value instanceof YamlFloat || typeof value === 'bigint') return value.toString();
  if (value instanceof YamlTimestamp) return JSON.stringify(value.iso);
  if (value instanceof UnsafeText) return format({ __ansible_unsafe: value.text }, indent);
  if (value instanceof VaultValue) return format({ __ansible_vault: value.ciphertext }, indent);
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const inner = `${indent}    `;
  if (Array.isArray(value)) {
    if (value.length === 0) return '[]';
    return `[\n${value.map((item) => inner + format(item, inner)).join(',\n')}\n${indent}]`;
  }
  const entries: [string, unknown][] = value instanceof Map ? [...value] : Object.entries(value);
  if (entries.length === 0) return '{}';
  entries.sort(([a], [b]) => compareText(a, b));
  return `{\n${entries.map(([key, item]) => `${inner}${JSON.stringify(key)}: ${format(item, inner)}`).join(',\n')}\n${indent}}`;
}
