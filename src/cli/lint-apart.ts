import { loadInventory } from '../ansible/inventory.ts';
import type { Vault } from '../ansible/vault/vault.ts';
import { listed } from '../core/lists.ts';
import { InputError, Problem } from '../core/problem.ts';
import { shellWord } from '../core/shell-word.ts';
import { shown } from '../core/shown.ts';
import { terminalLine } from '../core/terminal-text.ts';
import { inventoryOptions } from './inventory-options.ts';
import type { LintTarget } from './lint-targets.ts';

/** One target of lint, and what is wrong with it by itself. */
export interface LookedAt {
  readonly target: LintTarget;
  readonly problems: readonly Problem[];
}

interface Apart extends LookedAt {
  readonly sources: readonly string[];
}

/**
 * All problems of the targets. Plain arguments are inventories by themselves, but other commands read them as one: where one
 * of them only adds to the hosts of the others (as the file of `portfw init --from` does), they are looked at as one, and an
 * error says how to name them.
 *
 * @param given the arguments, and the inventories of `-i`
 * @param lintTogether looks at several sources as one inventory
 */
export async function problemsTogether(
  looked: readonly LookedAt[],
  given: readonly string[],
  vault: Vault,
  lintTogether: (sources: readonly string[]) => Promise<readonly Problem[]>,
): Promise<readonly Problem[]> {
  const everything = looked.flatMap(({ problems }) => problems);
  const apart = looked.flatMap((one): Apart[] => {
    if (one.target.kind !== 'inventory') return [];
    const { sources } = one.target;
    const all = typeof sources === 'string' ? [sources] : sources;
    return all.every((source) => given.includes(source)) ? [{ ...one, sources: all }] : [];
  });
  if (apart.length < 2 || everything.length === 0) return everything;
  const hosts = await Promise.all(apart.map(({ sources }) => hostNames(sources, vault)));
  const addition = apart.find((_, index) => addsOnly(hosts, index));
  if (addition === undefined) return everything;
  const sources = apart.flatMap((one) => one.sources);
  const together = await lintTogether(sources);
  const before = apart.flatMap(({ problems }) => problems);
  const empty = hosts[apart.indexOf(addition)]?.size === 0;
  if (!empty && errors(together) >= errors(before)) return everything;
  const others = looked.filter((one) => !apart.some(({ target }) => target === one.target));
  return [apartProblem(addition, sources), ...together, ...others.flatMap(({ problems }) => problems)];
}

function apartProblem(addition: Apart, sources: readonly string[]): Problem {
  const others = sources.filter((source) => !addition.sources.includes(source));
  const words = sources.map((source) => `-i ${shellWord(source)}`).join(' ');
  return new Problem({
    severity: 'error',
    code: 'inventories-apart',
    what: `${listed(addition.sources.map(shown))} only adds to the hosts of ${listed(others.map(shown))}, and lint takes each argument as an inventory of its own`,
    solve: `Name them as one inventory: portfw lint ${terminalLine(words, 4000)}`,
    location: null,
  });
}

/** Whether an inventory has only hosts that others of the line have as well. */
function addsOnly(hosts: readonly (ReadonlySet<string> | null)[], index: number): boolean {
  const own = hosts[index] ?? null;
  const others = hosts.filter((_, at) => at !== index);
  const known = new Set(others.flatMap((names) => [...(names ?? [])]));
  return own !== null && known.size > 0 && own.size <= known.size && [...own].every((name) => known.has(name));
}

async function hostNames(sources: readonly string[], vault: Vault): Promise<ReadonlySet<string> | null> {
  try {
    const options = { ...inventoryOptions(), decrypt: vault.decryptFile.bind(vault) };
    return new Set((await loadInventory(sources, options)).hosts.keys());
  } catch (error) {
    if (error instanceof InputError) return null;
    throw error;
  }
}

function errors(problems: readonly Problem[]): number {
  return problems.filter(({ severity }) => severity === 'error').length;
}
