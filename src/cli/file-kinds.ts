import { basename, dirname, extname } from 'node:path';
import { GroupGraph } from '../ansible/graph/group-graph.ts';
import { type GatheredSource, type LookedAt, lookAt } from '../ansible/sources/detect-format.ts';
import { readIniSource } from '../ansible/sources/ini-source.ts';
import { readYamlSource } from '../ansible/sources/yaml-source.ts';
import { isMapping } from '../core/mapping.ts';
import { InputError } from '../core/problem.ts';
import { readTextFile, readYamlFile } from '../documents/read-file.ts';

/** What a file of YAML or JSON is. */
export type FileKind = 'inventory' | 'playbook' | 'ansible-playbook' | 'matrix' | 'schema';

/** What a file in a repository is: something to check, or something else, in words. */
export type RepositoryFile =
  | { readonly kind: 'playbook' | 'matrix' }
  | {
      readonly kind: 'inventory';
      /** Without hosts of its own it adds to the inventories beside it. */
      readonly hasHosts: boolean;
    }
  | { readonly kind: 'other'; readonly sort: 'playbook' | 'program' | 'other'; readonly seems: string };

/** What can be read without running a program. */
type ReadSource = Extract<GatheredSource, { kind: 'yaml' | 'ini' }>;

/** Keys of a play that only Ansible knows. */
const ANSIBLE_KEYS = [
  ...['tasks', 'roles', 'pre_tasks', 'post_tasks', 'handlers', 'vars', 'vars_files', 'vars_prompt', 'gather_facts'],
  ...['import_playbook', 'ansible.builtin.import_playbook', 'include', 'become', 'become_user', 'remote_user', 'user'],
  ...['connection', 'environment', 'strategy', 'collections', 'tags', 'any_errors_fatal', 'order', 'sudo'],
];

/** The words without one of which a file is no inventory, no playbook and no matrix. */
const OURS = /\b(?:hosts|children|import_playbook|matrix|print|extends)\b/;

/** Names of inventories for one environment each, of which no two are meant together. */
export const ENVIRONMENT =
  /^(?:prod(?:uction)?|stag(?:e|ing)|dev(?:el(?:opment)?)?|test(?:ing)?|qa|uat|pre-?prod(?:uction)?|live|demo|lab|local(?:host)?|vagrant|docker|sandbox|integration|ci)(?:\.(?:ya?ml|json|ini|inv|hosts|inventory))?$/i;
const NAMED_INVENTORY = /^(?:hosts?|inventor(?:y|ies))(?:[-_.]\w+)?(?:\.\w+)?$/i;

/**
 * What a file is, from its outermost value: a playbook is a list, a matrix says its own name, the rest are inventories.
 * A list of plays without `matrix` in any, but with keys that only Ansible knows, is one of Ansible's.
 */
export function kindOf(file: string): FileKind {
  let value: unknown;
  try {
    ({ value } = readYamlFile(file));
  } catch (error) {
    // Not YAML, or broken: reading it as an inventory says what is wrong.
    if (error instanceof InputError) return 'inventory';
    throw error;
  }
  if (Array.isArray(value)) {
    const has = (keys: readonly string[]): boolean =>
      value.some((entry) => isMapping(entry) && keys.some((key) => Object.hasOwn(entry, key)));
    return !has(['matrix']) && has(ANSIBLE_KEYS) ? 'ansible-playbook' : 'playbook';
  }
  if (!isMapping(value)) return 'inventory';
  if ('$schema' in value) return 'schema';
  const isMatrix = typeof value['matrix'] === 'string' || 'print' in value || typeof value['extends'] === 'string';
  return isMatrix ? 'matrix' : 'inventory';
}

/** The key by which a playbook with plays of portfw holds plays of Ansible too; `null` for all other values. */
export function ansibleKeyIn(value: unknown): string | null {
  const plays = Array.isArray(value) ? value.filter(isMapping) : [];
  if (!plays.some((play) => Object.hasOwn(play, 'matrix'))) return null;
  return ANSIBLE_KEYS.find((key) => plays.some((play) => Object.hasOwn(play, key))) ?? null;
}

/**
 * What a file in a repository is, where most files are neither inventories nor ours. What is no inventory for certain
 * is one only if its name or its folder says so: then it is read, and what is wrong with it is said.
 *
 * @param isAmong whether it is in a folder of inventories
 */
export function repositoryFile(file: string, isAmong: boolean): RepositoryFile {
  const name = basename(file);
  // A list of hosts for another program may have such a name too, and is then JSON.
  const isNamed =
    (NAMED_INVENTORY.test(name) && extname(name) !== '.json') || (ENVIRONMENT.test(name) && extname(name) === '');
  let looked: LookedAt;
  try {
    // Most YAML of a repository is something else; parsing thousands of files would take its time.
    if (!isNamed && !isAmong && /\.(?:ya?ml|json)$/.test(name) && !OURS.test(readTextFile(file)))
      return other('no inventory');
    looked = lookAt({ kind: 'file', path: file, folder: dirname(file) }, null);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const encrypted = error.problems.some(({ code }) => code === 'vault-file');
    if ((isNamed || isAmong) && !encrypted) return { kind: 'inventory', hasHosts: true };
    return other(encrypted ? 'an encrypted file' : 'a file that cannot be read');
  }
  const { source } = looked;
  switch (source.kind) {
    case 'none':
      return source.stray === null ? other('an empty file') : strayFile(file, source.stray.seems);
    case 'program':
      return { kind: 'other', sort: 'program', seems: 'a program, which is run only when it is named' };
    case 'for-ansible':
      return { kind: 'other', sort: 'program', seems: 'a source for Ansible, which is run only when it is named' };
    case 'yaml':
    case 'ini':
      return inventoryFile(file, source, isNamed, isAmong);
    default:
      return other('something else');
  }
}

/** What a file in a folder of inventories is when it is none; `null` when it is one, or may be. */
export function strayOf(file: string): string | null {
  try {
    const { source } = lookAt({ kind: 'file', path: file, folder: dirname(file) }, null);
    return source.kind === 'none' ? (source.stray?.seems ?? 'an empty file') : null;
  } catch (error) {
    if (error instanceof InputError) return null;
    throw error;
  }
}

function other(seems: string): RepositoryFile {
  return { kind: 'other', sort: 'other', seems };
}

function strayFile(file: string, seems: string): RepositoryFile {
  if (!/\.(?:ya?ml|json)$/.test(file)) return other(seems);
  const kind = kindOf(file);
  if (kind === 'matrix') return { kind };
  // Lists are playbooks to portfw; in a repository those without a play are something else.
  if (kind === 'playbook' && seems === 'a playbook') return { kind };
  return kind === 'ansible-playbook' && seems === 'a playbook'
    ? { kind: 'other', sort: 'playbook', seems: 'a playbook of Ansible' }
    : other(seems);
}

/** A file that can be read as an inventory: it is one if its name says so, or if it has hosts or groups of groups. */
function inventoryFile(file: string, source: ReadSource, isNamed: boolean, isAmong: boolean): RepositoryFile {
  const graph = new GroupGraph();
  const problems = source.kind === 'yaml' ? readYamlSource(source.yaml, graph) : readIniSource(source.text, graph);
  const hasHosts = graph.hosts.size > 0;
  const isOne =
    source.kind === 'yaml'
      ? hasGroups(source.yaml.value, isAmong)
      : isAmong ||
        (['', '.ini'].includes(extname(file)) &&
          hasHosts &&
          /^\[/m.test(source.text.text) &&
          problems.every(({ code }) => code === 'unknown-group'));
  return isOne || isNamed ? { kind: 'inventory', hasHosts } : other('no inventory');
}

/** Whether a mapping has a group with hosts or with groups, or in a folder of inventories with variables. */
function hasGroups(value: unknown, isAmong: boolean): boolean {
  if (!isMapping(value)) return false;
  const sections = isAmong ? ['hosts', 'children', 'vars'] : ['hosts', 'children'];
  const isGroup = (group: unknown): boolean =>
    isMapping(group) && sections.some((section) => isMapping(group[section]));
  return 'all' in value || Object.values(value).some(isGroup);
}
