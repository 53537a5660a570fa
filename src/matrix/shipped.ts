import { readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expandHome } from '../core/home.ts';
import { Problem, type SourceLocation } from '../core/problem.ts';
import { shown } from '../core/shown.ts';
import { closest } from '../core/suggest.ts';

/** The folders of shipped playbooks and of the matrices that they use. */
export type ShippedKind = 'playbook' | 'matrix';

// Two folders up, both from src/matrix and from dist/matrix.
const PLAYBOOKS = fileURLToPath(new URL('../../playbooks/', import.meta.url));

function folderOf(kind: ShippedKind): string {
  return kind === 'playbook' ? PLAYBOOKS : path.join(PLAYBOOKS, 'matrices');
}

/** The names of the playbooks or matrices that ship with portfw, sorted. */
export function shippedNames(kind: ShippedKind): readonly string[] {
  return readdirSync(folderOf(kind))
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => file.slice(0, -'.yaml'.length))
    .sort();
}

/** The names of the JSON Schemas that ship with portfw, sorted. */
export function shippedSchemaNames(): readonly string[] {
  return readdirSync(path.join(PLAYBOOKS, 'schemas'))
    .filter((file) => file.endsWith('.schema.json'))
    .map((file) => file.slice(0, -'.schema.json'.length))
    .sort();
}

/** The path of the JSON Schema of that name. */
export function shippedSchemaFile(name: string): string {
  return path.join(PLAYBOOKS, 'schemas', `${name}.schema.json`);
}

/** A file's path as messages show it: relative to the working directory when it is in it. */
export function displayPath(file: string): string {
  const relative = path.relative(process.cwd(), file);
  return relative === '' || relative.startsWith('..') || path.isAbsolute(relative) ? file : relative;
}

/** How a file that ships with portfw is called wherever portfw is installed: `portfw:matrices/…`; `null` for other files. */
export function shippedName(file: string): string | null {
  const relative = path.relative(PLAYBOOKS, path.resolve(file));
  return relative.startsWith('..') || path.isAbsolute(relative) ? null : `portfw:${relative}`;
}

/** Whether a reference is a path (it has a slash or a YAML ending) and not the name of something that ships. */
export function isPath(reference: string): boolean {
  return reference.includes('/') || /\.ya?ml$/i.test(reference);
}

/**
 * Finds a playbook or a matrix by a shipped one's name, or by a path relative to `directory`.
 *
 * @param location where the reference was written; `null` for the command line
 * @returns the absolute path of the file (which, for a path, need not exist), or the problem with the reference
 */
export function resolveReference(
  kind: ShippedKind,
  reference: string,
  directory: string,
  location: SourceLocation | null,
): string | Problem {
  if (isPath(reference)) {
    return path.resolve(directory, expandHome(reference));
  }
  const names = shippedNames(kind);
  if (names.includes(reference)) return path.join(folderOf(kind), `${reference}.yaml`);
  const near = closest(reference, names);
  const own = 'give your own as a path that ends in .yaml';
  return new Problem({
    severity: 'error',
    code: `unknown-${kind}`,
    what: `no ${kind} named ${shown(reference)} ships with portfw`,
    solve: near === null ? `There are ${names.join(', ')}; ${own}` : `Did you mean "${near}"? Otherwise, ${own}`,
    location,
  });
}
