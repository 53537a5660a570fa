import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileItself, Problem } from '../../core/problem.ts';
import { compareText } from '../graph/group-graph.ts';

/** One place that hosts come from: a file, or a list of names in place of a file. */
export type SourceName =
  | {
      readonly kind: 'file';
      readonly path: string;
      /** The folder that was named, when the file was found in it; `null` when the file itself was named. */
      readonly folder: string | null;
    }
  | { readonly kind: 'list'; readonly text: string };

/** The sources that the user named, with folders resolved into what they hold. */
export interface ListedSources {
  readonly sources: readonly SourceName[];
  /** The folders beside which `group_vars/` and `host_vars/` are read, in order. */
  readonly bases: readonly string[];
  readonly problems: readonly Problem[];
}

/** Names in an inventory folder that Ansible passes over. */
const IGNORED =
  /^\.|^(?:host_vars|group_vars|vars_plugins)$|~$|\.(?:pyc|pyo|swp|bak|rpm|md|txt|rst|orig|ini|cfg|retry)$/;
const MAX_FOLDER_DEPTH = 16;

/** Tells folders, files and lists of hosts (`a,b,`) apart; what is in a folder comes in the order of names. */
export function listSources(names: readonly string[]): ListedSources {
  const problems: Problem[] = [];
  const bases: string[] = [];
  const sources = names.flatMap((name): readonly SourceName[] => {
    if (name.includes(',') && !existsSync(name)) return [{ kind: 'list', text: name }];
    const folder = isFolder(name);
    bases.push(folder ? name : dirname(name));
    const paths = folder ? filesBelow(name, problems) : [name];
    return paths.map((path) => ({ kind: 'file', path, folder: folder ? name : null }));
  });
  return { sources, bases, problems };
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** The inventory files of a folder and its folders, in the order of their names. */
function filesBelow(folder: string, problems: Problem[], depth = 0): string[] {
  const location = fileItself(folder);
  const error = (code: string, what: string, solve: string): string[] => {
    problems.push(new Problem({ severity: 'error', code, what, solve, location }));
    return [];
  };
  if (depth > MAX_FOLDER_DEPTH) {
    const what = `folders are nested more than ${MAX_FOLDER_DEPTH} deep`;
    return error('nesting-too-deep', what, 'Does a link lead back to a folder above it?');
  }
  let entries: string[];
  try {
    entries = readdirSync(folder).sort(compareText);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'unknown error';
    return error(
      'folder-unreadable',
      code === 'EACCES' || code === 'EPERM' ? 'permission denied' : `the folder cannot be read (${code})`,
      'Check its owner and mode',
    );
  }
  const kept = entries.filter((entry) => !IGNORED.test(entry));
  const found = kept.flatMap((entry) => {
    const path = join(folder, entry);
    return isFolder(path) ? filesBelow(path, problems, depth + 1) : [path];
  });
  if (found.length === 0 && depth === 0) problems.push(emptyFolder(folder));
  return found;
}

/** A folder without an inventory is an error; files that a folder hides from Ansible may be what was meant. */
export function emptyFolder(folder: string): Problem {
  const ini = readdirSync(folder).find((entry) => entry.endsWith('.ini'));
  return new Problem({
    severity: 'error',
    code: 'empty-inventory',
    what: 'there is no inventory in this folder',
    solve:
      ini === undefined
        ? 'Put a file with hosts into it, such as hosts.yaml'
        : `Like Ansible, portfw ignores files in a folder that end in .ini: rename ${JSON.stringify(ini)}, or name that file itself`,
    location: fileItself(folder),
  });
}
