import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { InputError } from '../core/problem.ts';
import { readYamlFile } from '../documents/read-file.ts';

/** What lint looks at as a whole. An inventory may be several files; everything else is one. */
export type LintTarget =
  | { readonly kind: 'inventory'; readonly sources: string | readonly string[] }
  | { readonly kind: 'playbook' | 'matrix' | 'variables'; readonly file: string };

const VARIABLES = new Set(['group_vars', 'host_vars']);
/** Names in a folder that are no inventory to Ansible either. */
const PASSED_OVER = /^\.|^vars_plugins$|~$|\.(?:pyc|pyo|swp|bak|rpm|md|txt|rst|orig|cfg|ini|retry)$/;
const MAX_DEPTH = 8;

/**
 * What the arguments of `portfw lint` stand for. A file is an inventory, a playbook, a matrix or, under `group_vars/` or
 * `host_vars/`, a file of variables. A folder is an inventory, as to Ansible; playbooks and matrices that lie in it are
 * looked at for themselves. A folder that holds only folders means each of these.
 */
export function lintTargets(paths: readonly string[]): readonly LintTarget[] {
  return paths.flatMap((path) => (isFolder(path) ? folderTargets(path, 0) : [fileTarget(path)]));
}

function fileTarget(file: string): LintTarget {
  const folders = dirname(resolve(file)).split('/');
  if (folders.slice(-4).some((folder) => VARIABLES.has(folder))) return { kind: 'variables', file };
  const kind = kindOf(file);
  return kind === 'playbook' || kind === 'matrix' ? { kind, file } : { kind: 'inventory', sources: file };
}

function folderTargets(folder: string, depth: number): readonly LintTarget[] {
  if (depth > MAX_DEPTH) return [];
  if (VARIABLES.has(basename(resolve(folder)))) {
    return filesBelow(folder, depth).map((file) => ({ kind: 'variables', file }));
  }
  const entries = list(folder).filter((name) => !PASSED_OVER.test(name) && !VARIABLES.has(name));
  const folders = entries.map((name) => join(folder, name)).filter(isFolder);
  const files = entries.map((name) => join(folder, name)).filter((path) => !isFolder(path));
  if (files.length === 0 && folders.length > 0) return folders.flatMap((inner) => folderTargets(inner, depth + 1));
  const all = [...files, ...folders.flatMap((inner) => filesBelow(inner, depth + 1))];
  const kinds = all.map((file) => ({
    file,
    kind: /\.(?:ya?ml|json)$/.test(file) ? kindOf(file) : ('inventory' as const),
  }));
  // A JSON Schema beside the files that it describes is not one of them.
  const others = kinds.flatMap(({ kind, file }): LintTarget[] =>
    kind === 'playbook' || kind === 'matrix' ? [{ kind, file }] : [],
  );
  if (kinds.every(({ kind }) => kind === 'inventory')) return [{ kind: 'inventory', sources: folder }];
  const own = kinds.filter(({ kind }) => kind === 'inventory').map(({ file }) => file);
  return own.length === 0 ? others : [{ kind: 'inventory', sources: own }, ...others];
}

function filesBelow(folder: string, depth: number): readonly string[] {
  if (depth > MAX_DEPTH) return [];
  return list(folder)
    .filter((name) => !PASSED_OVER.test(name))
    .flatMap((name) => {
      const path = join(folder, name);
      return isFolder(path) ? filesBelow(path, depth + 1) : [path];
    });
}

/** What a file is, from its outermost value: a playbook is a list, a matrix says its own name, the rest are inventories. */
function kindOf(file: string): 'inventory' | 'playbook' | 'matrix' | 'schema' {
  let value: unknown;
  try {
    ({ value } = readYamlFile(file));
  } catch (error) {
    // Not YAML, or broken: reading it as an inventory says what is wrong.
    if (error instanceof InputError) return 'inventory';
    throw error;
  }
  if (Array.isArray(value)) return 'playbook';
  if (typeof value === 'object' && value !== null && '$schema' in value) return 'schema';
  const matrixLike =
    typeof value === 'object' &&
    value !== null &&
    (('matrix' in value && typeof value.matrix === 'string') ||
      'print' in value ||
      ('extends' in value && typeof value.extends === 'string'));
  return matrixLike ? 'matrix' : 'inventory';
}

/** The entries of a folder, in the order of their names; none when it cannot be read, which reading it will say. */
function list(folder: string): readonly string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** The folder beside whose inventory files `group_vars/` and `host_vars/` lie. */
export function baseOf(source: string): string {
  return isFolder(source) ? source : dirname(source);
}

/** The group_vars/ and host_vars/ files beside an inventory, each with the name that it is for. */
export function variableFiles(
  base: string,
): readonly { readonly file: string; readonly name: string; readonly kind: 'group' | 'host' }[] {
  return (['group', 'host'] as const).flatMap((kind) =>
    list(join(base, `${kind}_vars`))
      .filter((entry) => !PASSED_OVER.test(entry))
      .map((entry) => ({
        file: join(base, `${kind}_vars`, entry),
        name: entry.replace(/\.(?:ya?ml|json)$/, ''),
        kind,
      })),
  );
}
