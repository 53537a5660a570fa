import { dirname, extname } from 'node:path';
import { fileItself, InputError, Problem, type ProblemFields, type SourceLocation } from '../../core/problem.ts';
import { sortProblems } from '../../core/sort-problems.ts';
import { configName } from './config-name.ts';
import type {
  AnsibleConfig,
  AnsibleSettings,
  ConfigOrigin,
  Configured,
  LookedFile,
  SettingTypes,
} from './config-types.ts';
import type { ConfigWorld } from './config-world.ts';
import { findConfig } from './find-config.ts';
import { findEntry, type IniFile, readIni } from './read-ini.ts';
import { SETTINGS, type Setting } from './setting-table.ts';

/**
 * Reads Ansible's configuration: the first `ansible.cfg` in Ansible's order, and the variables of the environment that win
 * over it. Never throws for what is in the file: what Ansible would refuse comes back as problems.
 */
export function readAnsibleConfig(world: ConfigWorld): AnsibleConfig {
  const { file, looked } = findConfig(world);
  const problems: Problem[] = looked.flatMap((entry) => skipWarning(entry));
  const ini = file === null ? null : readFile(file, world, problems);
  const settings: AnsibleSettings = new SettingReader(world, file, ini, problems).all();
  return { file, looked, settings, problems: sortProblems(problems) };
}

/** Ansible warns of a file that it leaves alone, unless the user names another. */
function skipWarning({ path, outcome }: LookedFile): readonly Problem[] {
  if (outcome !== 'world-writable') return [];
  const what = 'everybody may write into the folder of this ansible.cfg, so it is not read';
  const solve = 'Take the right from others with "chmod o-w", or name the file in ANSIBLE_CONFIG';
  return [new Problem({ severity: 'warning', code: 'ansible-cfg-skipped', what, solve, location: fileItself(path) })];
}

function readFile(file: string, world: ConfigWorld, problems: Problem[]): IniFile | null {
  const ending = extname(file);
  if (ending !== '.cfg' && ending !== '.ini') {
    const what = 'the name of a file for Ansible\'s settings ends in ".cfg" or ".ini"';
    problems.push(error('bad-ansible-cfg', what, 'Rename it, or correct ANSIBLE_CONFIG', fileItself(file)));
    return null;
  }
  try {
    // Ansible takes bytes that are no UTF-8, in a comment say. A value with such bytes is refused where it is used.
    const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(world.read(file));
    const ini = readIni(text, file);
    problems.push(...ini.problems);
    return ini.problems.length === 0 ? ini : null;
  } catch (thrown) {
    if (!(thrown instanceof InputError)) throw thrown;
    problems.push(...thrown.problems);
    return null;
  }
}

/** The text that counts for a setting. */
interface Written {
  readonly text: string;
  readonly origin: ConfigOrigin;
}

class SettingReader {
  readonly #world: ConfigWorld;
  readonly #file: string | null;
  readonly #ini: IniFile | null;
  readonly #problems: Problem[];

  constructor(world: ConfigWorld, file: string | null, ini: IniFile | null, problems: Problem[]) {
    this.#world = world;
    this.#file = file;
    this.#ini = ini;
    this.#problems = problems;
  }

  all(): AnsibleSettings {
    const names = Object.keys(SETTINGS) as (keyof SettingTypes)[];
    return Object.fromEntries(names.map((name) => [name, this.#read<unknown>(SETTINGS[name])])) as AnsibleSettings;
  }

  #read<T>(setting: Setting<T>): Configured<T> | null {
    const written = this.#written(setting);
    if (written === null) return null;
    const { text, origin } = written;
    const currentFolder = this.#world.currentFolder ?? '/';
    const base = origin.kind === 'file' && this.#file !== null ? dirname(this.#file) : currentFolder;
    if (text.includes('\uFFFD')) {
      this.#refuse(origin, 'not-utf8', 'is not UTF-8', 'Save the file as UTF-8');
      return null;
    }
    const { environment, home } = this.#world;
    const read = setting.read(text, {
      base,
      currentFolder,
      environment,
      home,
      isVariable: origin.kind === 'environment',
    });
    if ('value' in read) return read.value === null ? null : { value: read.value, origin };
    this.#refuse(origin, 'bad-ansible-setting', read.fault, read.solve);
    return null;
  }

  #written({ variables, entries }: Pick<Setting<unknown>, 'variables' | 'entries'>): Written | null {
    for (const name of variables.toReversed()) {
      const text = this.#world.environment[name];
      if (text !== undefined) return { text, origin: { kind: 'environment', name } };
    }
    for (const [section, key] of entries.toReversed()) {
      const entry = this.#ini === null ? null : findEntry(this.#ini, section, key);
      if (entry !== null)
        return { text: entry.value, origin: { kind: 'file', location: entry.location, section, key } };
    }
    return null;
  }

  #refuse(origin: ConfigOrigin, code: string, fault: string, solve: string): void {
    const location = origin.kind === 'file' ? origin.location : null;
    this.#problems.push(error(code, `${configName(origin)} ${fault}`, solve, location));
  }
}

function error(code: string, what: string, solve: string, location: SourceLocation | null): Problem {
  return new Problem({ severity: 'error', code, what, solve, location } satisfies ProblemFields);
}
