import { exactKeys, keyText } from '../documents/exact-keys.ts';
import { UnsafeText, VaultValue, YamlFloat, YamlTimestamp } from '../documents/yaml-scalars.ts';
import { compareText } from './graph/group-graph.ts';
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

/** Builds the document that `ansible-inventory --list` prints for an inventory, in the order in which Ansible builds it. */
export function toAnsibleList(inventory: Inventory): AnsibleList {
  const list = new Map<string, unknown>();
  const seen = new Set<string>();
  const addGroup = (name: string): void => {
    const group = inventory.groups.get(name);
    if (group === undefined || seen.has(name)) return;
    seen.add(name);
    const listed: ListedGroup = {};
    if (name !== 'all' && group.hosts.length > 0) listed.hosts = group.hosts;
    if (group.children.length > 0) listed.children = group.children;
    if (Object.keys(listed).length > 0) list.set(name, listed);
    for (const child of group.children) addGroup(child);
  };
  addGroup('all');
  const hostvars = new Map<string, unknown>();
  for (const host of inventory.hosts.values()) {
    const shownVars = [...host.variables].filter(([name]) => !INTERNAL.has(name));
    if (shownVars.length > 0)
      hostvars.set(host.name, new Map(shownVars.map(([name, variable]) => [name, variable.exact])));
  }
  list.set('_meta', new Map([['hostvars', hostvars]]));
  return list;
}

/**
 * Writes the list as Ansible does: keys sorted, four blanks of indentation, non-ASCII as it is. Python cannot sort keys
 * of different kinds (text and numbers, say): if one mapping has them, nothing is sorted.
 */
export function formatAnsibleList(list: AnsibleList): string {
  try {
    return format(list, '', true);
  } catch (error) {
    if (error instanceof Unsortable) return format(list, '', false);
    throw error;
  }
}

class Unsortable extends Error {}

function format(value: unknown, indent: string, sorted: boolean): string {
  if (value === undefined) return 'null';
  if (value instanceof YamlFloat || typeof value === 'bigint') return value.toString();
  if (value instanceof YamlTimestamp) return JSON.stringify(value.iso);
  if (value instanceof UnsafeText) return format({ __ansible_unsafe: value.text }, indent, sorted);
  if (value instanceof VaultValue) return format({ __ansible_vault: value.ciphertext }, indent, sorted);
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const inner = `${indent}    `;
  if (Array.isArray(value)) {
    if (value.length === 0) return '[]';
    return `[\n${value.map((item) => inner + format(item, inner, sorted)).join(',\n')}\n${indent}]`;
  }
  const entries = entriesOf(value);
  if (entries.length === 0) return '{}';
  if (sorted && entries.length > 1) entries.sort(([a], [b]) => compareKeys(a, b));
  const lines = entries.map(([key, item]) => `${inner}${JSON.stringify(keyText(key))}: ${format(item, inner, sorted)}`);
  return `{\n${lines.join(',\n')}\n${indent}}`;
}

function entriesOf(value: object): [unknown, unknown][] {
  if (value instanceof Map) return [...value];
  return exactKeys(value).map((key) => [key, (value as Record<string, unknown>)[keyText(key)]]);
}

/** Python's order of keys. */
function compareKeys(a: unknown, b: unknown): number {
  if (typeof a === 'string' && typeof b === 'string') return compareText(a, b);
  const [one, other] = [numberOf(a), numberOf(b)];
  if (one === null || other === null) throw new Unsortable();
  return one < other ? -1 : one > other ? 1 : 0;
}

function numberOf(key: unknown): number | bigint | null {
  if (key instanceof YamlFloat) return key.value;
  if (typeof key === 'boolean') return Number(key);
  return typeof key === 'number' || typeof key === 'bigint' ? key : null;
}
