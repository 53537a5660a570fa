import { readSourceText } from '../../ansible/graph/source-text.ts';
import type { Inventory } from '../../ansible/inventory.ts';
import { Vault } from '../../ansible/vault/vault.ts';
import { counted } from '../../core/lists.ts';
import { fileItself, InputError, Problem } from '../../core/problem.ts';
import { shown } from '../../core/shown.ts';
import { closest } from '../../core/suggest.ts';
import { readYamlFile } from '../../documents/read-file.ts';
import { parseYamlSource } from '../../documents/yaml-document.ts';
import { doubts } from '../../lint/lint.ts';
import { matrixDoubts } from '../../lint/lint-matrix.ts';
import { readMatrix } from '../../matrix/load-matrix.ts';
import { readPlaybook } from '../../matrix/load-playbook.ts';
import { jsonLine } from '../../report/json/json-line.ts';
import { problemsText } from '../../report/terminal/problems-text.ts';
import { wrapped } from '../../report/terminal/wrap.ts';
import { checkVarsFile } from '../../settings/vars-file-check.ts';
import { createTarget, type NamedKeyListener, type SshConfigFiles, sshConfigFiles } from '../../transport/target.ts';
import { EXIT } from '../exit-codes.ts';
import { type LookedAt, problemsTogether } from '../lint-apart.ts';
import { NamedKeys } from '../lint-keys.ts';
import { baseOf, type LintTarget, lintTargets, variableFiles } from '../lint-targets.ts';
import { localUser } from '../local-user.ts';
import { readFiles } from '../read-files.ts';
import { openTerminal } from '../terminal.ts';
import { UsageError } from '../usage-error.ts';
import { type VaultFlags, vaultFrom } from '../vault-flags.ts';

interface LintFlags extends VaultFlags {
  readonly inventory?: readonly string[];
  readonly playbook?: string;
  readonly sshConfig?: string;
  readonly strict?: boolean;
  readonly json?: boolean;
  readonly color: boolean;
}

/**
 * `portfw lint FILE…`: everything wrong with inventories, playbooks and matrices, at once, and what is doubtful. Exit code 4
 * for errors, and with `--strict` for warnings.
 */
export async function lint(files: readonly string[], flags: LintFlags): Promise<number> {
  const terminal = openTerminal(flags.color);
  const today = new Date().toISOString().slice(0, 10);
  const sshConfig = sshConfigFiles(flags.sshConfig ?? null);
  const vault = await vaultFrom(flags);
  const together = flags.inventory ?? [];
  if (files.length + together.length === 0)
    throw new UsageError('nothing is named to check', 'Name files or folders: portfw lint inventory.yaml');
  const playbook = flags.playbook ?? null;
  const { problems, checked } = await lintFiles(files, { playbook, today, sshConfig, vault, together });
  if (flags.json === true) terminal.out(problems.map((problem) => `${jsonLine(jsonForm(problem))}\n`).join(''));
  else if (problems.length > 0) terminal.out(wrapped(problemsText(problems, terminal.style), terminal.width));
  else terminal.out(`${counted(checked, 'file')} checked: nothing is wrong\n`);
  const failing = problems.some((problem) => flags.strict === true || problem.severity === 'error');
  return failing ? EXIT.usage : EXIT.done;
}

/** A problem as `--json` has it; the names of its fields are published. */
function jsonForm({ severity, code, what, solve, location }: Problem): object {
  const place = location === null ? null : { file: location.file, line: location.line, column: location.column };
  return { severity, code, message: what, hint: solve, location: place };
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

/** Everything wrong and doubtful with files or folders. */
export async function lintFiles(
  paths: readonly string[],
  options: LintOptions,
): Promise<{ readonly problems: readonly Problem[]; readonly checked: number }> {
  const { playbook = null, today, sshConfig = sshConfigFiles('none'), vault = new Vault([]), together = [] } = options;
  const looked: LookedAt[] = [];
  let checked = 0;
  const joined: LintTarget[] = together.length === 0 ? [] : [{ kind: 'inventory', sources: together }];
  for (const target of [...lintTargets(paths), ...joined]) {
    checked += target.kind === 'inventory' && typeof target.sources !== 'string' ? target.sources.length : 1;
    looked.push({ target, problems: await lintTarget(target, playbook, today, sshConfig, vault) });
  }
  const found = await problemsTogether(looked, [...paths, ...together], vault, (sources) =>
    lintInventory(sources, playbook, today, sshConfig, vault),
  );
  return { problems: unique(found), checked };
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
      return readPlaybook(pathOf(target.file)).problems;
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
  return [...problems, ...found, ...bases.flatMap((base) => misnamedFiles(inventory, base))];
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
