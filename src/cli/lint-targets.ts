import { lstatSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileItself, Problem } from '../core/problem.ts';
import { ENVIRONMENT, kindOf, type RepositoryFile, repositoryFile, strayOf } from './file-kinds.ts';

/** What lint looks at as a whole. An inventory may be several files; everything else is one. */
export type LintTarget =
  | { readonly kind: 'inventory'; readonly sources: string | readonly string[] }
  | { readonly kind: 'playbook' | 'matrix' | 'variables'; readonly file: string };

/** A file in a folder that is nothing to check. */
export interface PassedOver {
  readonly file: string;
  readonly sort: 'playbook' | 'program' | 'other' | 'folder';
  /** What it is: "a playbook of Ansible". */
  readonly seems: string;
}

/** What the arguments of `portfw lint` stand for. */
export interface LintTargets {
  readonly targets: readonly LintTarget[];
  readonly passedOver: readonly PassedOver[];
  readonly problems: readonly Problem[];
}

const VARIABLES = new Set(['group_vars', 'host_vars']);
/** Names in a folder that are no inventory to Ansible either. */
const PASSED_OVER = /^\.|^vars_plugins$|~$|\.(?:pyc|pyo|swp|bak|rpm|md|txt|rst|orig|cfg|ini|retry)$/;
/** The same in a repository, where each .ini file may be an inventory. */
const HIDDEN = /^\.|~$|\.(?:pyc|pyo|swp|bak|rpm|md|txt|rst|orig|cfg|retry)$/;
/** What makes a folder the root of a repository of Ansible, or a part of one. */
const ROOT_SIGNS = new Set([
  ...['.git', 'ansible.cfg', 'roles', 'galaxy.yml', 'requirements.yml', 'requirements.yaml', 'molecule', 'collections'],
  ...['inventory', 'inventories', 'environments', 'playbooks', 'Vagrantfile'],
]);
/** Folders of a repository that hold no inventory for this place: parts of Ansible, tests, and what tools install. */
const NO_INVENTORIES =
  /^(?:group_vars|host_vars|roles|collections|molecule|tasks|handlers|templates|files|vars|defaults|meta|library|module_utils|modules|plugins|\w+_plugins|docs?|node_modules|vendor|venv|env|virtualenv|site-packages|__pycache__|changelogs)$/;
/** Folders of a repository whose inventories are not for real hosts. */
const FOR_TRYING = /^(?:tests?|spec|ci|examples?|samples?)$/;
const INVENTORY_FOLDER = /^(?:inventor(?:y|ies)|hosts|environments?|envs|sites)(?:[-_.].*)?$/i;
const MAX_DEPTH = 8;
/** The most files of a repository that are looked at, and the largest. */
const MAX_FILES = 5000;
const MAX_BYTES = 1024 * 1024;

/**
 * What the arguments of `portfw lint` stand for. A file is an inventory, a playbook, a matrix or, under `group_vars/` or
 * `host_vars/`, a file of variables. A folder is an inventory, as to Ansible; playbooks and matrices that lie in it are
 * looked at for themselves. A folder that holds only folders means each of these. In the root of a repository the
 * inventories are looked for.
 */
export function lintTargets(paths: readonly string[]): LintTargets {
  const search = new Search();
  for (const path of paths) {
    if (isFolder(path)) search.named(path);
    else search.targets.push(fileTarget(path));
  }
  return search;
}

function fileTarget(file: string): LintTarget {
  const folders = dirname(resolve(file)).split('/');
  if (folders.slice(-4).some((folder) => VARIABLES.has(folder))) return { kind: 'variables', file };
  const kind = kindOf(file);
  if (kind === 'ansible-playbook') return { kind: 'playbook', file };
  return kind === 'playbook' || kind === 'matrix' ? { kind, file } : { kind: 'inventory', sources: file };
}

/** Finds what there is to check in folders. */
class Search implements LintTargets {
  readonly targets: LintTarget[] = [];
  readonly passedOver: PassedOver[] = [];
  readonly problems: Problem[] = [];
  private looked = 0;

  /** A folder that was named. */
  named(folder: string): void {
    if (!isRepository(folder)) {
      this.folder(folder, 0);
      return;
    }
    const before = this.targets.length;
    this.repository(folder, 0);
    const error = (severity: Problem['severity'], code: string, what: string, solve: string): void => {
      this.problems.push(new Problem({ severity, code, what, solve, location: fileItself(folder) }));
    };
    if (this.looked > MAX_FILES) {
      const what = `this folder holds more than ${MAX_FILES} files, and the rest is not looked at`;
      error('warning', 'too-many-files', what, 'Name the folders of the inventories');
    }
    if (this.targets.length === before)
      error(
        'error',
        'empty-inventory',
        'there is no inventory, no playbook of portfw and no matrix in this folder',
        'Name the inventory itself, also if it is a program',
      );
  }

  /** A folder that is an inventory, perhaps with playbooks and matrices in it, or that holds only folders. */
  private folder(folder: string, depth: number): void {
    if (depth > MAX_DEPTH) return;
    if (VARIABLES.has(basename(resolve(folder)))) {
      for (const file of filesBelow(folder, depth)) this.targets.push({ kind: 'variables', file });
      return;
    }
    const entries = list(folder).filter((name) => !PASSED_OVER.test(name) && !VARIABLES.has(name));
    const folders = entries.map((name) => join(folder, name)).filter(isFolder);
    const files = entries.map((name) => join(folder, name)).filter((path) => !isFolder(path));
    if (files.length === 0 && folders.length > 0) {
      for (const inner of folders) this.folder(inner, depth + 1);
      return;
    }
    const all = [...files, ...folders.flatMap((inner) => filesBelow(inner, depth + 1))];
    const kinds = all.map((file) => ({
      file,
      kind: /\.(?:ya?ml|json)$/.test(file) ? kindOf(file) : ('inventory' as const),
    }));
    const own = kinds.filter(({ kind }) => kind === 'inventory').map(({ file }) => file);
    if (own.length === all.length) this.targets.push({ kind: 'inventory', sources: folder });
    else this.listed(own);
    for (const { kind, file } of kinds) {
      // A JSON Schema beside the files that it describes is not one of them.
      if (kind === 'playbook' || kind === 'matrix') this.targets.push({ kind, file });
      if (kind === 'ansible-playbook') this.passOver(file, 'playbook', 'a playbook of Ansible');
    }
  }

  /** The files of a folder that are one inventory, beside others; named one by one, those that are none would be errors. */
  private listed(files: readonly string[]): void {
    const sources = files.filter((file) => {
      const seems = strayOf(file);
      if (seems !== null) this.passOver(file, 'other', seems);
      return seems === null;
    });
    if (sources.length > 0) this.targets.push({ kind: 'inventory', sources });
  }

  /** A folder of a repository: each file that is an inventory, a playbook or a matrix, and the folders of inventories. */
  private repository(folder: string, depth: number): void {
    const { files, folders } = this.contents(folder, HIDDEN);
    const found = this.sorted(files, false);
    const companions = found.filter(({ file, hasHosts }) => !hasHosts || basename(file).startsWith('portfw'));
    const whole = found.filter((one) => !companions.includes(one));
    const beside = companions.map(({ file }) => file);
    if (whole.length === 0 && beside.length > 0) this.targets.push({ kind: 'inventory', sources: single(beside) });
    for (const { file } of whole) this.targets.push({ kind: 'inventory', sources: single([file, ...beside]) });
    if (depth < MAX_DEPTH) for (const inner of folders) this.inner(inner, depth + 1);
  }

  private inner(folder: string, depth: number): void {
    const name = basename(folder);
    if (INVENTORY_FOLDER.test(name) && !isLink(folder)) this.inventories(folder, depth);
    else if (FOR_TRYING.test(name)) this.passOver(folder, 'folder', 'a folder of tests or examples');
    else if (this.isOpen(folder)) this.repository(folder, depth);
  }

  /**
   * A folder of inventories in a repository. Its folders are inventories of their own. Its files are one inventory, as to
   * Ansible, unless their names say that each is for another environment; a file that ends in .ini is always one by itself.
   */
  private inventories(folder: string, depth: number): void {
    const { files, folders } = this.contents(folder, HIDDEN);
    const found = this.sorted(files, true).map(({ file }) => file);
    const apart = found.filter((file) => file.endsWith('.ini') || ENVIRONMENT.test(basename(file)));
    const together = found.filter((file) => !apart.includes(file));
    for (const file of apart) this.targets.push({ kind: 'inventory', sources: file });
    if (together.length > 0) this.targets.push({ kind: 'inventory', sources: single(together) });
    if (depth >= MAX_DEPTH) return;
    for (const inner of folders) if (this.isOpen(inner)) this.inventories(inner, depth + 1);
  }

  /** Whether a folder may hold inventories; others are noted, and links are not followed: they may lead anywhere. */
  private isOpen(folder: string): boolean {
    const name = basename(folder);
    if (VARIABLES.has(name)) return false;
    const open = !NO_INVENTORIES.test(name) && !isLink(folder);
    if (!open) this.passOver(folder, 'folder', isLink(folder) ? 'a link to a folder' : 'a folder without inventories');
    return open;
  }

  /** The inventories among files; playbooks and matrices become targets, and all others are noted. */
  private sorted(
    files: readonly string[],
    isAmong: boolean,
  ): readonly { readonly file: string; readonly hasHosts: boolean }[] {
    return files.flatMap((file) => {
      this.looked += 1;
      if (this.looked > MAX_FILES) return [];
      const is: RepositoryFile =
        sizeOf(file) > MAX_BYTES
          ? { kind: 'other', sort: 'other', seems: 'a large file' }
          : repositoryFile(file, isAmong);
      if (is.kind === 'inventory') return [{ file, hasHosts: is.hasHosts }];
      if (is.kind === 'other') this.passOver(file, is.sort, is.seems);
      else this.targets.push({ kind: is.kind, file });
      return [];
    });
  }

  private contents(folder: string, hidden: RegExp): { readonly files: string[]; readonly folders: string[] } {
    const paths = list(folder)
      .filter((name) => !hidden.test(name))
      .map((name) => join(folder, name));
    return { files: paths.filter((path) => !isFolder(path)), folders: paths.filter(isFolder) };
  }

  private passOver(file: string, sort: PassedOver['sort'], seems: string): void {
    this.passedOver.push({ file, sort, seems });
  }
}

/** One file is named as such, so that messages are as if it had been named alone. */
function single(files: readonly string[]): string | readonly string[] {
  return files.length === 1 ? (files[0] ?? files) : files;
}

/** Whether a folder is more than an inventory: the root of a repository, or a folder with playbooks of Ansible. */
function isRepository(folder: string): boolean {
  const entries = list(folder);
  return entries.some(
    (name) => ROOT_SIGNS.has(name) || (/\.ya?ml$/.test(name) && kindOf(join(folder, name)) === 'ansible-playbook'),
  );
}

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
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
