import { fileItself, InputError, Problem } from '../core/problem.ts';
import { shown } from '../core/shown.ts';
import { sortProblems } from '../core/sort-problems.ts';
import { GroupGraph } from './graph/group-graph.ts';
import type { Inventory } from './graph/inventory-types.ts';
import type { HashBehaviour } from './graph/layers.ts';
import { mergeInventory, readAllVarsFiles } from './graph/merge-inventory.ts';
import type { Decrypt } from './graph/source-text.ts';
import { VarsFiles } from './graph/vars-files.ts';
import {
  absolute,
  type GatheredSource,
  lookAt,
  type NoInventory,
  problem,
  type Unread,
} from './sources/detect-format.ts';
import { readHostList } from './sources/host-list-source.ts';
import { readIniSource } from './sources/ini-source.ts';
import { emptyFolder, listSources, type SourceName } from './sources/list-sources.ts';
import { readScriptSource } from './sources/script-source.ts';
import { readYamlSource } from './sources/yaml-source.ts';

export type { Inventory, InventoryHost } from './graph/inventory-types.ts';

/** An inventory with errors: no run may use it, but the readable part can be checked for more problems. */
export class BrokenInventory extends InputError {
  readonly readable: Inventory;

  constructor(problems: readonly Problem[], readable: Inventory) {
    super(problems);
    this.readable = readable;
  }
}

/** What reading an inventory may need from outside. */
export interface InventoryOptions {
  /** Decrypts files that `ansible-vault` encrypted as a whole; without it such a file is an error. */
  readonly decrypt?: Decrypt;
  /**
   * The folder whose `group_vars/` and `host_vars/` win over those beside the inventories: Ansible's playbook folder, which is
   * the current one when nothing else is said.
   */
  readonly playbookFolder?: string;
  /** How long an inventory program may take, in milliseconds (one minute when not given). */
  readonly programTimeoutMs?: number;
  /** What becomes of mappings that are set more than once; replaced when not given. */
  readonly hashBehaviour?: HashBehaviour;
}

/** How long an inventory program may take, in milliseconds, by default. */
const PROGRAM_TIMEOUT_MS = 60_000;

/**
 * Reads Ansible inventories: YAML, JSON and INI files, lists of hosts (`a,b,`), executables, whatever Ansible has a plugin
 * for, and folders of them, read in the order of names. Later ones add to earlier ones.
 *
 * @throws InputError with every problem found in any of the files, their `group_vars/` and `host_vars/`
 */
export async function loadInventory(
  paths: string | readonly string[],
  options: InventoryOptions = {},
): Promise<Inventory> {
  const gathering = look(paths, options);
  const { problems } = gathering;
  const gathered: GatheredSource[] = [];
  for (const [index, { source }] of gathering.looked.entries()) {
    if (source.kind !== 'program' && source.kind !== 'for-ansible') {
      gathered.push(source);
      continue;
    }
    try {
      const { runForSource } = await import('./sources/inventory-programs.ts');
      const earlier = gathering.looked.slice(0, index).map(({ name }) => absolute(name));
      const { source: found, remarks } = await runForSource(
        source,
        earlier,
        options.programTimeoutMs ?? PROGRAM_TIMEOUT_MS,
      );
      gathered.push(found);
      if (remarks !== '') problems.push(remark(source.file, remarks));
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      problems.push(...explained(error.problems, gathering.members.has(source.file)));
    }
  }
  return buildInventory(gathered, gathering, options);
}

/** The part of {@link loadInventory} that needs no other program: only files. */
export function readInventoryFiles(paths: string | readonly string[], options: InventoryOptions = {}): Inventory {
  const gathering = look(paths, options);
  const gathered = gathering.looked.map(({ source }) => {
    if (source.kind !== 'program' && source.kind !== 'for-ansible') return source;
    throw problem(
      source.file,
      'inventory-program',
      'this inventory needs a program to be run',
      'Read it asynchronously',
    );
  });
  return buildInventory(gathered, gathering, options);
}

/** What is known about sources without running a program. */
interface Gathering {
  readonly looked: readonly { readonly name: SourceName; readonly source: GatheredSource | Unread }[];
  readonly bases: readonly string[];
  /** The files that were found in folders. */
  readonly members: ReadonlySet<string>;
  readonly problems: Problem[];
}

function look(paths: string | readonly string[], options: InventoryOptions): Gathering {
  const listed = listSources(typeof paths === 'string' ? [paths] : paths);
  const problems = [...listed.problems];
  const looked: { name: SourceName; source: GatheredSource | Unread }[] = [];
  // Folders in which nothing has been found yet that is an inventory, or may be one.
  const barren = new Set(listed.sources.flatMap((name) => (name.kind === 'file' ? (name.folder ?? []) : [])));
  for (const name of listed.sources) {
    const folder = name.kind === 'file' ? name.folder : null;
    try {
      const { source, warnings } = lookAt(name, options.decrypt ?? null);
      problems.push(...warnings);
      if (source.kind === 'none') {
        problems.push(...noInventory(source, folder));
        continue;
      }
      looked.push({ name, source });
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      problems.push(...explained(error.problems, folder !== null));
    }
    if (folder !== null) barren.delete(folder);
  }
  problems.push(...[...barren].map(emptyFolder));
  const members = listed.sources.flatMap((name) => (name.kind === 'file' && name.folder !== null ? [name.path] : []));
  return { looked, bases: listed.bases, members: new Set(members), problems };
}

/** What there is to say of a file that is no inventory: in a folder it is passed over, empty ones in silence. */
function noInventory({ stray, location }: NoInventory, folder: string | null): readonly Problem[] {
  if (stray === null) {
    if (folder !== null) return [];
    const what = 'the inventory is empty';
    const solve = 'Begin with "all:" and name hosts below it';
    return [new Problem({ severity: 'error', code: 'empty-inventory', what, solve, location })];
  }
  const what = `this is ${stray.seems}, not an inventory`;
  if (folder === null) {
    const solve = stray.whenNamed ?? 'Name a file with groups and hosts, such as hosts.yaml';
    return [new Problem({ severity: 'error', code: 'not-an-inventory', what, solve, location })];
  }
  return [
    new Problem({
      severity: 'warning',
      code: 'not-an-inventory',
      what: `${what}: it is passed over`,
      solve: stray.inFolder ?? 'Move it out of this folder, or name the inventory files instead of the folder',
      location,
    }),
  ];
}

/**
 * What is wrong with a file that Ansible would leave out with a warning. When the file was found in a folder, it says
 * why that stops everything here: what is open to hosts that are left out would be closed.
 */
function explained(problems: readonly Problem[], isMember: boolean): readonly Problem[] {
  const first = problems.findIndex(({ severity }) => severity === 'error');
  const why = 'A file that may hold hosts is not passed over: move it out of this folder if it holds none';
  return problems.map((one, index) =>
    isMember && index === first ? new Problem({ ...one, solve: `${one.solve}. ${why}` }) : one,
  );
}

/** Ansible shows the error output of programs that succeed; so do we. */
function remark(file: string, text: string): Problem {
  return new Problem({
    severity: 'warning',
    code: 'inventory-program',
    what: `the program wrote to its error output: ${text}`,
    solve: 'It should write there only when something is wrong',
    location: fileItself(file),
  });
}

/** Builds the inventory from what was read; only the files of variables are still read here. */
function buildInventory(
  gathered: readonly GatheredSource[],
  { looked, bases, members, problems }: Gathering,
  options: InventoryOptions,
): Inventory {
  const { decrypt = null, playbookFolder = '.', hashBehaviour = 'replace' } = options;
  const graph = new GroupGraph(hashBehaviour);
  for (const source of gathered) {
    const found = addSource(source, graph);
    // A long text that is no inventory has a problem on every line: too many for the arguments of one call.
    for (const one of explained(found, source.kind === 'ini' && members.has(source.text.file))) problems.push(one);
  }
  for (const group of graph.reconcile()) {
    problems.push(
      new Problem({
        severity: 'error',
        code: 'group-cycle',
        what: `the group "${group.name}" contains "all", which contains every group`,
        solve: 'Remove "all" from its children',
        location: group.location,
      }),
    );
  }
  problems.push(...sharedNames(graph));
  const files = looked.flatMap(({ name }) => (name.kind === 'file' ? [name.path] : []));
  const varsFiles = new VarsFiles(decrypt, bases, playbookFolder, hashBehaviour);
  const broken = problems.some((problem) => problem.severity === 'error');
  const inventory = mergeInventory(graph, files, varsFiles, problems);
  // Broken files of variables are reported together with a broken inventory.
  if (broken) readAllVarsFiles(graph, varsFiles);
  problems.push(...varsFiles.problems);
  if (problems.some((problem) => problem.severity === 'error'))
    throw new BrokenInventory(sortProblems(problems), inventory);
  return inventory;
}

/** A name of both a group and a host, of which Ansible warns too: it takes either for the other. */
function sharedNames(graph: GroupGraph): readonly Problem[] {
  return [...graph.hosts.values()].flatMap(({ name, location }): readonly Problem[] => {
    if (!graph.groups.has(name)) return [];
    const what = `${shown(name)} is the name of a group and of a host`;
    const solve = 'Rename one of them: Ansible gives the variables of the host to the group';
    return [new Problem({ severity: 'warning', code: 'shared-name', what, solve, location })];
  });
}

function addSource(source: GatheredSource, graph: GroupGraph): readonly Problem[] {
  switch (source.kind) {
    case 'list':
      return readHostList(source.text, graph);
    case 'yaml':
      return readYamlSource(source.yaml, graph);
    case 'ini':
      return readIniSource(source.text, graph);
    case 'script':
      return readScriptSource(source.output, graph);
    case 'plugin':
      return readScriptSource(source.output, graph, 'keep-equal');
  }
}
