import { accessSync, constants, existsSync, readlinkSync } from 'node:fs';
import { extname, resolve } from 'node:path';
import { fileItself, InputError, Problem, type SourceLocation } from '../../core/problem.ts';
import { safeText, shown } from '../../core/shown.ts';
import { readFileHead } from '../../documents/read-file.ts';
import { type SourceText, startOf } from '../../documents/source-text.ts';
import { parseYamlSource } from '../../documents/yaml-document.ts';
import type { YamlFile } from '../../documents/yaml-view.ts';
import { GroupGraph } from '../graph/group-graph.ts';
import { isSingleHostName } from '../graph/host-names.ts';
import { type Decrypt, readSourceText } from '../graph/source-text.ts';
import { readIniSource } from './ini-source.ts';
import type { SourceName } from './list-sources.ts';
import type { ScriptOutput } from './script-source.ts';
import { namedAside, type Stray, strayByEnding, strayByName, strayByText, strayByValue } from './stray-files.ts';

/** A source with everything that is needed to build the inventory from it. */
export type GatheredSource =
  | { readonly kind: 'list'; readonly text: string }
  | { readonly kind: 'yaml'; readonly yaml: YamlFile }
  | { readonly kind: 'ini'; readonly text: SourceText }
  | { readonly kind: 'script'; readonly output: ScriptOutput }
  /** What `ansible-inventory` made of a plugin's configuration. */
  | { readonly kind: 'plugin'; readonly output: ScriptOutput };

/** A source that a program must be run for. */
export type Unread =
  | { readonly kind: 'program'; readonly file: string }
  | {
      readonly kind: 'for-ansible';
      readonly file: string;
      /** What Ansible is needed for, in words. */
      readonly need: string;
      /** The plugin works on the hosts of the sources before it. */
      readonly takesEarlier: boolean;
      readonly location: SourceLocation;
    };

/** A file that is no inventory; `null` for its kind when it is empty. */
export interface NoInventory {
  readonly kind: 'none';
  readonly stray: Stray | null;
  readonly location: SourceLocation;
}

/** A source that was looked at, with what is doubtful about it. */
export interface LookedAt {
  readonly source: GatheredSource | Unread | NoInventory;
  readonly warnings: readonly Problem[];
}

/** The endings of files that Ansible tries as YAML (and JSON). */
const YAML_ENDINGS: ReadonlySet<string> = new Set(['', '.yaml', '.yml', '.json']);
const INI_SECTION = /^\[[^\]\s]+\][ \t]*(?:[#;].*)?\r?$/m;

/**
 * Reads a source and decides what it is, in Ansible's order of plugins: a list of hosts, a program, a plugin's configuration,
 * YAML, INI, TOML. Where Ansible would try the next kind after an error, we do so only when that kind understands the file.
 *
 * @throws InputError with everything that is wrong with it
 */
export function lookAt(name: SourceName, decrypt: Decrypt | null): LookedAt {
  if (name.kind === 'list') return plain(name);
  const file = name.path;
  if (name.folder !== null && !existsSync(file)) {
    const target = deadLink(file);
    if (target !== null)
      return none({ seems: `a link to nothing (${shown(target)} does not exist)` }, fileItself(file));
  }
  const head = headOf(file);
  const byName = strayByName(file);
  if (byName !== null) return none(head.length === 0 ? null : byName, fileItself(file));
  const hasShebang = head.toString('latin1').startsWith('#!');
  const executable = isExecutable(file);
  if (executable && (hasShebang || isBinary(head))) return plain({ kind: 'program', file });
  let text: SourceText;
  try {
    text = readSourceText(file, decrypt);
  } catch (error) {
    const stray = error instanceof InputError && isNoText(error) ? strayByEnding(file) : null;
    if (stray === null) throw error;
    return none(stray, fileItself(file));
  }
  const looked = hasShebang && !executable ? readIdleProgram(text, name.folder) : readOrStray(text);
  const aside = name.folder !== null && looked.source.kind !== 'none' && namedAside(file);
  return aside ? { ...looked, warnings: [...looked.warnings, asideWarning(text)] } : looked;
}

function plain(source: LookedAt['source']): LookedAt {
  return { source, warnings: [] };
}

function strayOr(source: GatheredSource, stray: Stray | null, location: SourceLocation): LookedAt {
  return stray === null ? plain(source) : none(stray, location);
}

function none(stray: Stray | null, location: SourceLocation): LookedAt {
  return plain({ kind: 'none', stray, location });
}

/** Where a symbolic link leads, when that does not exist; `null` for anything else. */
function deadLink(file: string): string | null {
  try {
    return readlinkSync(file);
  } catch {
    return null;
  }
}

function isNoText(error: InputError): boolean {
  return error.problems.some(({ code }) => ['binary-file', 'not-utf8', 'file-too-big'].includes(code));
}

const IDLE_PROGRAM = 'Make it executable if it prints an inventory; otherwise move it out of this folder';

/** A file with `#!` that is not executable: an inventory all the same, a program to list one, or another program. */
function readIdleProgram(text: SourceText, folder: string | null): LookedAt {
  try {
    const looked = readText(text);
    if (looked.source.kind !== 'ini' || isIni(text)) return looked;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
  }
  if (folder !== null && !text.text.includes('--list'))
    return none({ seems: 'a program', inFolder: IDLE_PROGRAM }, startOf(text));
  throw problem(
    text.file,
    'not-executable',
    'this looks like an inventory program, but it is not executable',
    'Make it executable with "chmod +x"',
  );
}

/** A text as the inventory that it is; what cannot be read as one may be known as something else. */
function readOrStray(text: SourceText): LookedAt {
  let looked: LookedAt;
  try {
    looked = readText(text);
  } catch (error) {
    const stray = error instanceof InputError ? strayByText(text.file, text.text) : null;
    if (stray === null) throw error;
    return none(stray, startOf(text));
  }
  const { source } = looked;
  const readable =
    source.kind === 'ini' ? isIni(text) : source.kind !== 'yaml' || typeof source.yaml.value === 'object';
  const stray = readable ? null : strayByText(text.file, text.text);
  return stray === null ? looked : none(stray, startOf(text));
}

/** An example that Ansible reads like any other file: its hosts are hosts of the inventory. */
function asideWarning(text: SourceText): Problem {
  return new Problem({
    severity: 'warning',
    code: 'example-inventory',
    what: 'by its name this is an example or an old copy, and its hosts are read like all others, as with Ansible',
    solve: 'Move it out of this folder, or rename it if its hosts are meant',
    location: startOf(text),
  });
}

/** The first bytes of a file; if it does not exist and does not look like a file, the message says how to name a host. */
function headOf(file: string): Buffer {
  try {
    return readFileHead(file, 4);
  } catch (error) {
    const isName =
      isSingleHostName(file) && file.length < 254 && !/\.(?:ya?ml|json|ini|toml|cfg|txt|sh|py)$/.test(file);
    if (!isName || !(error instanceof InputError)) throw error;
    throw new InputError(
      error.problems.map((one) =>
        one.code === 'file-not-found'
          ? new Problem({
              ...one,
              solve: `Check the path; a host in the place of a file has a comma after it: "${safeText(file)},"`,
            })
          : one,
      ),
    );
  }
}

function readText(text: SourceText): LookedAt {
  const { file } = text;
  const ending = extname(file);
  if (!YAML_ENDINGS.has(ending)) {
    if (ending !== '.toml' || isIni(text)) return plain({ kind: 'ini', text });
    return plain({
      kind: 'for-ansible',
      file,
      need: 'to read TOML',
      takesEarlier: false,
      location: startOf(text),
    });
  }
  let yaml: YamlFile;
  try {
    yaml = parseYamlSource(text);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const instead = readAsIni(text, ending);
    if (instead !== null) return instead;
    throw error;
  }
  const root = yaml.value;
  if (root === null) return none(null, yaml.locate([]));
  if (typeof root !== 'object' || Array.isArray(root))
    return readAsIni(text, ending) ?? strayOr({ kind: 'yaml', yaml }, strayByValue(file, root), yaml.locate([]));
  const plugin = (root as Record<string, unknown>)['plugin'];
  if (plugin === undefined || plugin === null || typeof plugin === 'object')
    return strayOr({ kind: 'yaml', yaml }, strayByValue(file, root), yaml.locate([]));
  const location = yaml.locate(['plugin']);
  if (typeof plugin !== 'string' || plugin === '') {
    const what = `the name of an inventory plugin is text, not ${shown(plugin)}`;
    throw new InputError([
      new Problem({ severity: 'error', code: 'wrong-type', what, solve: 'Name the plugin', location }),
    ]);
  }
  if (ending !== '.yaml' && ending !== '.yml') {
    throw new InputError([
      new Problem({
        severity: 'error',
        code: 'inventory-plugin',
        what: `this configures the inventory plugin ${shown(plugin)}, which Ansible reads only from .yml and .yaml files`,
        solve: 'Rename the file; the plugin may need a certain name, such as aws_ec2.yml',
        location,
      }),
    ]);
  }
  return plain({
    kind: 'for-ansible',
    file,
    need: `to run the inventory plugin ${shown(plugin)}`,
    takesEarlier: /(?:^|\.)constructed$/.test(plugin),
    location,
  });
}

/** A text that is not a YAML mapping may still be an INI inventory; then its mistakes are reported as those of INI. */
function readAsIni(text: SourceText, ending: string): LookedAt | null {
  if (!INI_SECTION.test(text.text) && !isIni(text)) return null;
  const source = { kind: 'ini', text } as const;
  if (ending === '') return { source, warnings: [] };
  const what = `the file ends in ${ending}, but holds an INI inventory`;
  const location = startOf(text);
  return {
    source,
    warnings: [
      new Problem({
        severity: 'warning',
        code: 'ini-inventory',
        what,
        solve: 'Rename it, for example to "hosts.ini"',
        location,
      }),
    ],
  };
}

/** Whether text can be read as an INI inventory; groups may be declared by other sources. */
function isIni(text: SourceText): boolean {
  return readIniSource(text, new GroupGraph()).every((one) => one.code === 'unknown-group');
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Whether a file begins as programs do that need no interpreter: ELF, or the three forms of Mach-O. */
function isBinary(head: Buffer): boolean {
  return ['7f454c46', 'feedfacf', 'cffaedfe', 'cafebabe'].includes(head.toString('hex'));
}

/** The source as a program or as `ansible-inventory` names it, whatever folder it runs in. */
export function absolute(source: SourceName): string {
  return source.kind === 'list' ? source.text : resolve(source.path);
}

/** One problem with a whole file. */
export function problem(file: string, code: string, what: string, solve: string): InputError {
  return new InputError([new Problem({ severity: 'error', code, what, solve, location: fileItself(file) })]);
}
