import type { BaseChain, Ruleset, Table } from './ruleset.ts';

/** What one ruleset has and another has not: lines such as `inet firewalld filter_INPUT: iifname lo accept`. */
export interface RulesDifference {
  readonly missing: readonly string[];
  readonly added: readonly string[];
}

/**
 * Compares rules line by line. The order of rules in a chain counts; that of chains, tables and elements does not, nor do
 * handles, counted packets, when an element expires, and who owns a table.
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

/** The lines of each chain and set, by a line that says what it is. */
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

/** What a list of lines loses and gains, without what both begin and end with; all between counts, as order does. */
function sequenceDifference(from: readonly string[], to: readonly string[]): [readonly string[], readonly string[]] {
  let start = 0;
  while (start < from.length && start < to.length && from[start] === to[start]) start += 1;
  let end = 0;
  while (end < from.length - start && end < to.length - start && from.at(-1 - end) === to.at(-1 - end)) end += 1;
  return [from.slice(start, from.length - end), to.slice(start, to.length - end)];
}
