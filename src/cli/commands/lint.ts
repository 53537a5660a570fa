import { readSourceText } from '../../ansible/graph/source-text.ts';
import type { Inventory } from '../../ansible/inventory.ts';
import { Vault } from '../../ansible/vault/vault.ts';
import { counted } from '../../core/lists.ts';
import { fileItself, InputError, Problem } from '../../core/problem.ts';
import { safeText, shown } from '../../core/shown.ts';
import { closest } from '../../core/suggest.ts';
import { readYamlFile } from '../../documents/read-file.ts';
import { parseYamlSource } from '../../documents/yaml-document.ts';
import { doubts } from '../../lint/lint.ts';
import { matrixDoubts } from '../../lint/lint-matrix.ts';
import { readMatrix } from '../../matrix/load-matrix.ts';
import { readPlaybook } from '../../matrix/load-playbook.ts';
import { jsonLine } from '../../report/json/json-line.ts';
import { publishedProblem } from '../../report/json/lint-document.ts';
import { problemsText } from '../../report/terminal/problems-text.ts';
import { checkVarsFile } from '../../settings/vars-file-check.ts';
import { createTarget, type NamedKeyListener, type SshConfigFiles, sshConfigFiles } from '../../transport/target.ts';
import { ansibleConfig, usableConfig } from '../ansible-config.ts';
import { EXIT } from '../exit-codes.ts';
import { ansibleKeyIn, kindOf } from '../file-kinds.ts';
import { hostKeyWarnings } from '../host-key-checking.ts';
import { type LookedAt, problemsTogether } from '../lint-apart.ts';
import { type LintFormat, lintIn } from '../lint-formats.ts';
import { NamedKeys } from '../lint-keys.ts';
import { baseOf, type LintTarget, lintTargets, type PassedOver, variableFiles } from '../lint-targets.ts';
import { localUser } from '../local-user.ts';
import { readFiles } from '../read-files.ts';
import { requireOneFormat } from '../review-formats.ts';
import { openTerminal, toWidth } from '../terminal.ts';
import { UsageError } from '../usage-error.ts';
import { type VaultFlags, vaultFrom } from '../vault-flags.ts';

const LINT_JSON = 'Use --format json for one document, or --json for one object per problem';

interface LintFlags extends VaultFlags {
  readonly inventory?: readonly string[];
  readonly playbook?: string;
  readonly sshConfig?: string;
  readonly strict?: boolean;
  readonly json?: boolean;
  readonly format?: LintFormat;
  readonly verbose?: boolean;
  readonly color: boolean;
}

/**
 * `portfw lint FILE…`: everything wrong with inventories, playbooks and matrices, at once, and what is doubtful. Exit code 4
 * for errors, and with `--strict` for warnings.
 */
export async function lint(files: readonly string[], flags: LintFlags): Promise<number> {
  requireOneFormat(flags, LINT_JSON);
  const terminal = openTerminal(flags.color);
  const today = new Date().toISOString().slice(0, 10);
  const sshConfig = sshConfigFiles(flags.sshConfig ?? null);
  const vault = await vaultFrom(flags);
  const together = flags.inventory ?? (files.length > 0 ? [] : (usableConfig().settings.inventory?.value ?? []));
  if (files.length + together.length === 0)
    throw new UsageError('nothing is named to check', 'Name files or folders: portfw lint inventory.yaml');
  const playbook = flags.playbook ?? null;
  const { problems, checked, passedOver } = await lintFiles(files, { playbook, today, sshConfig, vault, together });
  const { format = 'text', strict = false } = flags;
  const asText = flags.json !== true && format === 'text';
  if (flags.json === true) terminal.out(problems.map((problem) => `${jsonLine(publishedProblem(problem))}\n`).join(''));
  else if (format !== 'text') terminal.out(await lintIn(format, { problems, checked }, strict));
  else if (problems.length > 0) terminal.out(await toWidth(problemsText(problems, terminal.style), terminal.width));
  else terminal.out(`${counted(checked, 'file')} checked: nothing is wrong\n`);
  if (asText && passedOver.length > 0) terminal.out(passedOverText(passedOver, flags.verbose === true));
  const failing = problems.some((problem) => strict || problem.severity === 'error');
  return failing ? EXIT.usage : EXIT.done;
}

/** In one line how much in the folders was nothing to check; with `-v` each file. */
function passedOverText(passedOver: readonly PassedOver[], verbose: boolean): string {
  const count = (sort: PassedOver['sort'], singular: string, plural: string): readonly string[] => {
    const found = passedOver.filter((one) => one.sort === sort).length;
    return found === 0 ? [] : [counted(found, singular, plural)];
  };
  const counts = [
    ...count('playbook', 'playbook of Ansible', 'playbooks of Ansible'),
    ...count('program', 'program', 'programs'),
    ...count('other', 'other file', 'other files'),
    ...count('folder', 'folder', 'folders'),
  ].join(', ');
  const files = passedOver.map(({ file, seems }) => `    ${safeText(file)}: ${seems}\n`);
  return verbose ? `passed over: ${counts}\n${files.join('')}` : `passed over: ${counts} (-v lists them)\n`;
}

/** How files are looked at. */
interface LintOptions {
  /** `--playbook`. */
  readonly playbook?: string | null;
  /** `YYYY-MM-DD`: which exceptions have expired. */
  readonly today: string;
  /** The ssh_config files that hosts are reached by; none unless they are given. */
  readonly sshConfig?: SshConfigFiles;
  /** Decrypts what is encrypted. */
  readonly vault?: Vault;
  /** Inventories that are one (`-i`), besides the paths, of which each is looked at by itself. */
  readonly together?: readonly string[];
}

/** What came of a look at files and folders. */
interface LintResult {
  readonly problems: readonly Problem[];
  /** How many files and folders were looked at. */
  readonly checked: number;
  /** What lies in the folders and is nothing to check. */
  readonly passedOver: readonly PassedOver[];
}

/** Everything wrong and doubtful with files or folders. */
export async function lintFiles(paths: readonly string[], options: LintOptions): Promise<LintResult> {
  const { playbook = null, today, sshConfig = sshConfigFiles('none'), vault = new Vault([]), together = [] } = options;
  const { targets, passedOver, problems } = lintTargets(paths);
  const looked: LookedAt[] = [];
  let checked = 0;
  const joined: LintTarget[] = together.length === 0 ? [] : [{ kind: 'inventory', sources: together }];
  for (const target of [...targets, ...joined]) {
    checked += target.kind === 'inventory' && typeof target.sources !== 'string' ? target.sources.length : 1;
    looked.push({ target, problems: await lintTarget(target, playbook, today, sshConfig, vault) });
  }
  const found = await problemsTogether(looked, [...paths, ...together], vault, (sources) =>
    lintInventory(sources, playbook, today, sshConfig, vault),
  );
  return { problems: unique([...problems, ...found]), checked, passedOver };
}

async function lintTarget(
  target: LintTarget,
  playbook: string | null,
  today: string,
  sshConfig: SshConfigFiles,
  vault: Vault,
): Promise<readonly Problem[]> {
  switch (target.kind) {
    case 'playbook':
      return lintPlaybook(target.file);
    case 'matrix':
      return lintMatrix(target.file);
    case 'variables':
      return lintVariables(target.file, vault);
    case 'inventory':
      return lintInventory(target.sources, playbook, today, sshConfig, vault);
  }
}

/** Without a slash it would be the name of a shipped one; here it is always a file. */
function pathOf(file: string): string {
  return file.includes('/') ? file : `./${file}`;
}

function lintPlaybook(file: string): readonly Problem[] {
  const error = (code: string, what: string, solve: string): Problem =>
    new Problem({ severity: 'error', code, what, solve, location: fileItself(file) });
  if (kindOf(file) === 'ansible-playbook') {
    const solve = 'Name a playbook of portfw: each of its plays has "hosts" and "matrix"';
    return [error('not-a-playbook', 'this is a playbook of Ansible: no play in it names a matrix', solve)];
  }
  const { playbook, problems } = readPlaybook(pathOf(file));
  // Keys of Ansible are errors, so a playbook that can be used has none.
  const mixed = playbook === null ? mixedPlays(file) : null;
  if (mixed === null) return problems;
  const what = `this playbook mixes plays of portfw ("matrix") with plays of Ansible (${shown(mixed.key)})`;
  const own = problems.filter(({ location }) => location === null || !mixed.isTheirs(location.line));
  return [error('mixed-playbook', what, 'Keep the plays with "matrix" in a file of their own'), ...own];
}

/** A key of Ansible beside plays of portfw, and which lines are of plays without a matrix. */
function mixedPlays(file: string): { readonly key: string; readonly isTheirs: (line: number) => boolean } | null {
  try {
    const view = readYamlFile(file);
    const key = ansibleKeyIn(view.value);
    const plays = Array.isArray(view.value) ? view.value : [];
    const starts = plays.map((_play, index) => view.locate([index]).line);
    const isTheirs = (line: number): boolean => {
      const at = starts.findLastIndex((start) => start <= line);
      return at >= 0 && !isMappingWith(plays[at], 'matrix');
    };
    return key === null ? null : { key, isTheirs };
  } catch (error) {
    if (error instanceof InputError) return null;
    throw error;
  }
}

function isMappingWith(value: unknown, key: string): boolean {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key);
}

function lintMatrix(file: string): readonly Problem[] {
  const { matrix, problems } = readMatrix(pathOf(file));
  return matrix === null ? problems : [...problems, ...matrixDoubts(matrix, readYamlFile(file))];
}

function lintVariables(file: string, vault: Vault): readonly Problem[] {
  try {
    return checkVarsFile(parseYamlSource(readSourceText(file, vault.decryptFile.bind(vault))));
  } catch (error) {
    if (error instanceof InputError) return error.problems;
    throw error;
  }
}

async function lintInventory(
  sources: string | readonly string[],
  playbook: string | null,
  today: string,
  sshConfig: SshConfigFiles,
  vault: Vault,
): Promise<readonly Problem[]> {
  const { inventory, settings, partial, plays, problems } = await readFiles(sources, playbook, 'required', vault);
  const bases = [...new Set((typeof sources === 'string' ? [sources] : sources).map(baseOf))];
  // A file that cannot be read does not hide problems of other files.
  if (inventory === null) {
    const beside = bases.flatMap((base) => variableFiles(base).flatMap(({ file }) => looseVariables(file, vault)));
    return [...problems, ...beside];
  }
  const managed = [...settings.values()].filter((host) => host.managed);
  // How each host would be reached: its SSH arguments and ssh_config may ask for what cannot be had.
  const options = {
    acceptNewHostKeys: false,
    becomePassword: null,
    sshPassword: null,
    agentSocket: null,
    localUser: localUser(),
    sshConfig,
  };
  const keys = new NamedKeys();
  const targetProblems = managed.flatMap((host) => {
    const onNamedKey: NamedKeyListener = (file, location) => {
      if (host.connection.kind === 'ssh') keys.add(file, location, host.name);
    };
    return createTarget(host, { ...options, onNamedKey }).problems;
  });
  const found = [...targetProblems, ...keys.problems(), ...doubts({ inventory, settings, partial, plays, today })];
  return [
    ...hostKeyWarnings(ansibleConfig().settings),
    ...problems,
    ...found,
    ...bases.flatMap((base) => misnamedFiles(inventory, base)),
  ];
}

/** A file of variables by itself; a folder of them is left to a look at the inventory, once that can be read. */
function looseVariables(file: string, vault: Vault): readonly Problem[] {
  return /\.(?:ya?ml|json)$/.test(file) ? lintVariables(file, vault) : [];
}

/** Files of variables whose name is almost that of a group or a host: Ansible passes over them in silence. */
function misnamedFiles(inventory: Inventory, base: string): readonly Problem[] {
  return variableFiles(base).flatMap(({ file, name, kind }): Problem[] => {
    const known = kind === 'group' ? inventory.groups : inventory.hosts;
    const near = known.has(name) ? null : closest(name, known.keys());
    if (near === null) return [];
    return [
      new Problem({
        severity: 'warning',
        code: 'unread-variables',
        what: `no ${kind} is named ${shown(name)}: nothing reads this file`,
        solve: `Did you mean "${near}"?`,
        location: fileItself(file),
      }),
    ];
  });
}

function unique(problems: readonly Problem[]): readonly Problem[] {
  return [...new Map(problems.map((problem) => [JSON.stringify(problem), problem])).values()];
}
