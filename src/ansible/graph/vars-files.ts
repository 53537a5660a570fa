import { readdirSync, statSync } from 'node:fs';
import { extname, join, resolve } from 'node:path';
import { fileItself, InputError, Problem, type SourceLocation } from '../../core/problem.ts';
import { shown } from '../../core/shown.ts';
import { startOf } from '../../documents/source-text.ts';
import { parseYamlSource } from '../../documents/yaml-document.ts';
import { compareText } from './group-graph.ts';
import { combine, type HashBehaviour } from './layers.ts';
import { type Decrypt, readSourceText } from './source-text.ts';
import { fileVariables, type Variables } from './variables.ts';

const EXTENSIONS = ['', '.yml', '.yaml', '.json'];
const MAX_FOLDER_DEPTH = 16;
const NONE: Variables = new Map();

type VarsKind = 'group_vars' | 'host_vars';

/**
 * Reads `group_vars/` and `host_vars/` beside inventories and in the playbook folder.
 *
 * For each name Ansible takes the first that exists of `NAME` (a folder or a file), `NAME.yml`, `NAME.yaml`, `NAME.json`,
 * and of a folder every file in it, in the order of names.
 */
export class VarsFiles {
  readonly problems: Problem[] = [];
  private readonly cache = new Map<string, Variables>();
  private readonly listings = new Map<string, ReadonlySet<string>>();
  private readonly decrypt: Decrypt | null;
  private readonly bases: readonly string[];
  private readonly playbookFolder: string;
  private readonly behaviour: HashBehaviour;

  /**
   * @param bases the folders of the inventories, in order
   * @param playbookFolder Ansible's playbook folder
   * @param behaviour what becomes of mappings that are set again
   */
  constructor(
    decrypt: Decrypt | null,
    bases: readonly string[],
    playbookFolder: string,
    behaviour: HashBehaviour = 'replace',
  ) {
    this.decrypt = decrypt;
    this.bases = bases;
    this.behaviour = behaviour;
    // One folder has one name, so that nothing is read or reported twice.
    this.playbookFolder = bases.find((base) => resolve(base) === resolve(playbookFolder)) ?? playbookFolder;
  }

  /** What the files beside the inventories set. */
  beside(kind: VarsKind, names: readonly string[]): Variables {
    return this.layered(this.bases.map((base) => this.ofNames(base, kind, names)));
  }

  /** What the files in the playbook folder set. */
  inPlaybookFolder(kind: VarsKind, names: readonly string[]): Variables {
    return this.ofNames(this.playbookFolder, kind, names);
  }

  /** A later name is stronger. */
  private ofNames(base: string, kind: VarsKind, names: readonly string[]): Variables {
    return this.layered(names.map((name) => this.read(base, kind, name)));
  }

  private layered(layers: readonly Variables[]): Variables {
    const filled = layers.filter((layer) => layer.size > 0);
    return filled.length === 1 ? filled[0]! : combine(filled, this.behaviour);
  }

  /** The variables that the files of `base/kind/` set for a group or host. */
  private read(base: string, kind: VarsKind, name: string): Variables {
    const folder = join(base, kind);
    if (this.list(folder).size === 0) return NONE;
    const key = join(folder, name);
    const known = this.cache.get(key);
    if (known !== undefined) return known;
    const variables = this.find(folder, name);
    this.cache.set(key, variables);
    return variables;
  }

  private find(folder: string, name: string): Variables {
    const present = this.list(folder);
    for (const extension of EXTENSIONS) {
      const entry = `${name}${extension}`;
      if (!present.has(entry)) continue;
      const path = join(folder, entry);
      const kind = kindOf(path);
      // A link that leads nowhere does not exist for Ansible either.
      if (kind === null) continue;
      return kind === 'folder' ? this.readFolder(path, 0) : this.readFile(path);
    }
    return NONE;
  }

  private list(folder: string): ReadonlySet<string> {
    let names = this.listings.get(folder);
    if (names === undefined) {
      names = new Set(this.variablesFolder(folder));
      this.listings.set(folder, names);
    }
    return names;
  }

  /** The entries of `group_vars/` or `host_vars/`, if there is such a folder. */
  private variablesFolder(folder: string): string[] {
    const kind = kindOf(folder);
    if (kind === 'folder') return this.entries(folder);
    if (kind === 'file') {
      this.problems.push(
        new Problem({
          severity: 'warning',
          code: 'not-a-folder',
          what: 'this should be a folder of variables, but is a file',
          solve: 'Make it a folder, or rename it; it is not read',
          location: fileItself(folder),
        }),
      );
    }
    return [];
  }

  private entries(folder: string): string[] {
    try {
      return readdirSync(folder).sort(compareText);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
      this.error(
        fileItself(folder),
        'folder-unreadable',
        code === 'EACCES' || code === 'EPERM' ? 'permission denied' : `the folder cannot be read (${code})`,
        'Check its owner and mode',
      );
      return [];
    }
  }

  private readFolder(folder: string, depth: number): Variables {
    if (depth > MAX_FOLDER_DEPTH) {
      const what = `folders of variables are nested more than ${MAX_FOLDER_DEPTH} deep`;
      this.error(fileItself(folder), 'nesting-too-deep', what, 'Does a symbolic link lead back to a folder above it?');
      return NONE;
    }
    const layers: Variables[] = [];
    for (const entry of this.entries(folder)) {
      if (entry.startsWith('.') || entry.endsWith('~')) continue;
      const path = join(folder, entry);
      const extension = extname(entry);
      const kind = kindOf(path);
      if (kind === 'folder' && extension === '') layers.push(this.readFolder(path, depth + 1));
      else if (kind === 'file' && EXTENSIONS.includes(extension)) layers.push(this.readFile(path));
    }
    return this.layered(layers);
  }

  private readFile(path: string): Variables {
    try {
      const source = readSourceText(path, this.decrypt);
      const yaml = parseYamlSource(source);
      if (yaml.value === null) return NONE;
      if (typeof yaml.value !== 'object' || Array.isArray(yaml.value)) {
        this.error(
          startOf(source),
          'wrong-type',
          `a file of variables is a mapping, not ${shown(yaml.value)}`,
          'Write "name: value" lines',
        );
        return NONE;
      }
      return fileVariables(yaml, []);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      this.problems.push(...error.problems);
      return NONE;
    }
  }

  private error(location: SourceLocation, code: string, what: string, solve: string): void {
    this.problems.push(new Problem({ severity: 'error', code, what, solve, location }));
  }
}

/** What a path leads to, through links; `file` is anything that is no folder, and reading it will tell; `null` is nothing. */
function kindOf(path: string): 'folder' | 'file' | null {
  try {
    return statSync(path).isDirectory() ? 'folder' : 'file';
  } catch {
    return null;
  }
}
