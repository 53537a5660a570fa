import { InputError, type Problem } from '../../core/problem.ts';
import { readYamlFile } from '../../core/yaml-file.ts';
import { readMatrix } from '../../matrix/load-matrix.ts';
import { readPlaybook } from '../../matrix/load-playbook.ts';
import { counted } from '../../report/layout.ts';
import { jsonLine } from '../../report/ndjson.ts';
import { problemsText } from '../../report/problems-text.ts';
import { createTarget } from '../../transport/target.ts';
import { EXIT } from '../exit-codes.ts';
import { readFiles } from '../read-files.ts';
import { openTerminal } from '../terminal.ts';

interface LintFlags {
  readonly playbook?: string;
  readonly json?: boolean;
  readonly color: boolean;
}

/** `portfw lint FILE…`: everything wrong with inventories, playbooks and matrices, at once. Exit code 4 for errors. */
export async function lint(files: readonly string[], flags: LintFlags): Promise<number> {
  const terminal = openTerminal(flags.color);
  const found: Problem[] = [];
  for (const file of files) found.push(...(await lintFile(file, flags.playbook ?? null)));
  const problems = unique(found);
  if (flags.json === true) terminal.out(problems.map((problem) => `${jsonLine(problem)}\n`).join(''));
  else if (problems.length > 0) terminal.out(problemsText(problems, terminal.style));
  else terminal.out(`${counted(files.length, 'file')} checked: nothing is wrong\n`);
  return problems.some((problem) => problem.severity === 'error') ? EXIT.usage : EXIT.done;
}

async function lintFile(file: string, playbook: string | null): Promise<readonly Problem[]> {
  switch (kindOf(file)) {
    case 'playbook':
      return readPlaybook(pathOf(file)).problems;
    case 'matrix':
      return readMatrix(pathOf(file)).problems;
    case 'inventory':
      return lintInventory(file, playbook);
  }
}

/** What a file is, from its outermost value: a playbook is a list, a matrix says its own name, the rest are inventories. */
function kindOf(file: string): 'inventory' | 'playbook' | 'matrix' {
  let value: unknown;
  try {
    ({ value } = readYamlFile(file));
  } catch (error) {
    // A folder, or a file that is not YAML: reading it as an inventory says what is wrong.
    if (error instanceof InputError) return 'inventory';
    throw error;
  }
  if (Array.isArray(value)) return 'playbook';
  const matrixLike =
    typeof value === 'object' && value !== null && ('matrix' in value || 'print' in value || 'extends' in value);
  return matrixLike ? 'matrix' : 'inventory';
}

/** A bare name would stand for one that ships with portfw; here it is always a file. */
function pathOf(file: string): string {
  return file.includes('/') ? file : `./${file}`;
}

async function lintInventory(file: string, playbook: string | null): Promise<readonly Problem[]> {
  const { settings, problems } = await readFiles(file, playbook, 'required');
  const managed = [...settings.values()].filter((host) => host.managed);
  // How each host would be reached: its SSH arguments may ask for what cannot be had.
  const options = {
    acceptNewHostKeys: false,
    becomePassword: null,
    sshPassword: null,
    agentSocket: null,
    localUser: 'root',
  };
  return [...problems, ...managed.flatMap((host) => createTarget(host, options).problems)];
}

function unique(problems: readonly Problem[]): readonly Problem[] {
  return [...new Map(problems.map((problem) => [JSON.stringify(problem), problem])).values()];
}
