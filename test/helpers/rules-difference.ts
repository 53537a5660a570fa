import type { BaseChain, Ruleset, Table } from '../../src/kernel/ruleset.ts';

/** The lines that only one of two rulesets has, such as `inet firewalld filter_INPUT: iifname lo accept`. */
export interface RulesDifference {
  readonly missing: readonly string[];
  readonly added: readonly string[];
}

/**
 * Compares rules line by line. The order of rules in a chain counts. The order of chains, tables and elements does not; nor do
 * handles, counters, times of expiry and owners of tables.
 *
 * @returns `null` when they are the same
 */
export function rulesDifference(before: Ruleset, after: Ruleset): RulesDifference | null {
  const old = linesOf(before);
  const young = linesOf(after);
  const missing: string[] = [];
  const added: string[] = [];
  for (const key of new Set([...old.keys(), ...young.keys()])) {
    const from = old.get(key);
    const to = young.get(key);
    if (from === undefined) added.push(key);
    if (to === undefined) missing.push(key);
    const [gone, come] = sequenceDifference(from ?? [], to ?? []);
    missing.push(...gone.map((line) => `${key}: ${line}`));
    added.push(...come.map((line) => `${key}: ${line}`));
  }
  return missing.length + added.length === 0 ? null : { missing, added };
}

/** The lines of each chain and set, by its title. */
function linesOf({ tables }: Ruleset): Map<string, readonly string[]> {
  const lines = new Map<string, readonly string[]>();
  for (const table of tables) {
    const name = `${table.family} ${table.name}${table.dormant ? ' (dormant)' : ''}`;
    lines.set(name, []);
    for (const chain of table.chains.values()) {
      lines.set(
        `${name} ${chain.name}${baseText(chain.base)}`,
        chain.rules.map(({ text }) => text),
      );
    }
    for (const [title, ...elements] of setsOf(table)) lines.set(`${name} ${title}`, elements);
  }
  return lines;
}

function setsOf(table: Table): readonly (readonly string[])[] {
  return [...table.sets.values()].map((set) => set.lines());
}

function baseText(base: BaseChain | null): string {
  return base === null ? '' : ` (${base.type} ${base.hook} ${base.priority} ${base.policy})`;
}

/** The lines that a list loses and gains; if only their order differs, those between the common beginning and end. */
function sequenceDifference(from: readonly string[], to: readonly string[]): [readonly string[], readonly string[]] {
  const gone = without(from, to);
  const come = without(to, from);
  if (gone.length + come.length > 0) return [gone, come];
  let start = 0;
  while (start < from.length && from[start] === to[start]) start += 1;
  let end = from.length;
  while (end > start && from[end - 1] === to[end - 1]) end -= 1;
  return [from.slice(start, end), to.slice(start, end)];
}

/** The lines of a list that another list lacks, or has fewer times. */
function without(lines: readonly string[], others: readonly string[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const line of others) counts.set(line, (counts.get(line) ?? 0) + 1);
  return lines.filter((line) => {
    const count = counts.get(line) ?? 0;
    counts.set(line, count - 1);
    return count <= 0;
  });
}
