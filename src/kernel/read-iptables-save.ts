import { splitWords } from './iptables-words.ts';
import type { Ipset } from './read-ipset-save.ts';
import { readIptablesRule } from './read-iptables-rule.ts';
import type { BaseChain, Chain, Hook, NamedSet, Rule, Ruleset, Table } from './ruleset.ts';

/** The chains of iptables' tables that the kernel calls, with their priorities. */
const HOOKS: Readonly<Record<string, Hook>> = {
  PREROUTING: 'prerouting',
  INPUT: 'input',
  FORWARD: 'forward',
  OUTPUT: 'output',
  POSTROUTING: 'postrouting',
};

const PRIORITIES: Readonly<Record<string, number>> = { raw: -300, mangle: -150, nat: -100, filter: 0, security: 50 };

/**
 * Reads what `iptables-save` or `ip6tables-save` printed. It never throws: lines that it does not understand become
 * problems of the result.
 *
 * @param sets what {@link readIpsetSave} made of the host's ipsets
 */
export function readIptablesSave(
  text: string,
  family: 'ip' | 'ip6',
  sets: ReadonlyMap<string, Ipset> = new Map(),
): Ruleset {
  const tables: Table[] = [];
  const problems: string[] = [];
  let table: OpenTable | null = null;
  for (const raw of text.split('\n')) {
    const line = raw.trim().replace(/^\[\d+:\d+\] /, '');
    if (line === '' || line.startsWith('#')) continue;
    const starts = /^\*(\S+)$/.exec(line);
    if (starts !== null) {
      table = openTable(family, starts[1]!, sets);
      tables.push(table);
    } else if (line === 'COMMIT') table = null;
    else if (table === null || !takeLine(line, table, sets))
      problems.push(`a line that iptables does not write: ${line}`);
  }
  return { tables, notLookedAt: [], problems };
}

interface OpenTable extends Table {
  readonly family: 'ip' | 'ip6';
  readonly chains: Map<string, Chain & { readonly rules: Rule[] }>;
  readonly sets: Map<string, NamedSet>;
}

function openTable(family: 'ip' | 'ip6', name: string, sets: ReadonlyMap<string, Ipset>): OpenTable {
  return { family, name, chains: new Map(), sets: new Map(sets), dormant: false };
}

function takeLine(line: string, table: OpenTable, sets: ReadonlyMap<string, Ipset>): boolean {
  const declared = /^:(\S+) (ACCEPT|DROP|-)(?: \[\d+:\d+\])?$/.exec(line);
  if (declared !== null) {
    const [, name = '', policy = ''] = declared;
    table.chains.set(name, { name, base: baseOf(table.name, name, policy), rules: [] });
    return true;
  }
  const added = /^-A (\S+)(?: (.*))?$/.exec(line);
  const chain = added === null ? undefined : table.chains.get(added[1]!);
  if (added === null || chain === undefined) return false;
  const words = splitWords(added[2] ?? '');
  chain.rules.push(readIptablesRule(words, added[2] ?? '', table, sets));
  const changing = words.findIndex((word) => word === '--add-set' || word === '--del-set');
  const set = changing === -1 ? undefined : table.sets.get(words[changing + 1] ?? '');
  // Packets change the set from now on.
  if (set !== undefined) table.sets.set(set.name, { ...set, changing: true });
  return true;
}

function baseOf(table: string, chain: string, policy: string): BaseChain | null {
  const hook = Object.hasOwn(HOOKS, chain) ? HOOKS[chain] : undefined;
  const priority = Object.hasOwn(PRIORITIES, table) ? PRIORITIES[table] : undefined;
  if (policy === '-' || hook === undefined || priority === undefined) return null;
  return {
    type: table === 'nat' ? 'nat' : 'filter',
    hook,
    priority: table === 'nat' && (hook === 'input' || hook === 'postrouting') ? 100 : priority,
    policy: policy === 'DROP' ? 'drop' : 'accept',
  };
}

/**
 * The rules of a host that has both: nft lists tables of iptables with expressions that it cannot show. They are replaced by
 * the output of iptables-save.
 */
export function combine(nft: Ruleset, saved: readonly Ruleset[]): Ruleset {
  const better = saved.flatMap(({ tables }) => tables);
  const replaced = new Set<Table>();
  const tables = nft.tables.map((table) => {
    const own = better.find(({ family, name }) => family === table.family && name === table.name);
    if (own === undefined || !isSame(table, own)) return table;
    replaced.add(own);
    return own;
  });
  return {
    tables: [...tables, ...better.filter((table) => !replaced.has(table))],
    notLookedAt: [...nft.notLookedAt, ...saved.flatMap(({ notLookedAt }) => notLookedAt)],
    problems: [...nft.problems, ...saved.flatMap(({ problems }) => problems)],
  };
}

/**
 * Whether both lists show the same table: its base chains are named after the hooks, and each has the same number of rules
 * in both. A table of the legacy iptables is in force in addition to one of nft with its name.
 */
function isSame({ name, chains }: Table, saved: Table): boolean {
  return (
    Object.hasOwn(PRIORITIES, name) &&
    [...chains.values()].every(
      (chain) =>
        (chain.base === null || HOOKS[chain.name] === chain.base.hook) &&
        chain.rules.length === saved.chains.get(chain.name)?.rules.length,
    )
  );
}
