import { get, isObject, type Json, list, shallow, text } from './json.ts';
import { elementText, valueText } from './nft-text.ts';
import { readRule } from './read-nft-rule.ts';
import { readElement, readField } from './read-nft-values.ts';
import {
  type BaseChain,
  type Chain,
  type DataType,
  HOOKS,
  type Hook,
  type NamedSet,
  type Rule,
  type Ruleset,
  type SetContent,
  type SetElement,
  type Table,
  type TableFamily,
} from './ruleset.ts';

/**
 * Reads what `nft -j list ruleset` printed. It never throws: what it does not understand becomes a problem of the result.
 */
export function readNft(json: string): Ruleset {
  let document: Json;
  try {
    document = JSON.parse(json);
  } catch {
    return { tables: [], notLookedAt: [], problems: ['the list of rules is no JSON'] };
  }
  const entries = get(document, 'nftables');
  if (!Array.isArray(entries)) {
    return { tables: [], notLookedAt: [], problems: ['the list of rules has no list "nftables"'] };
  }
  const reader = new Reader();
  for (const entry of entries) reader.take(entry);
  return reader.result();
}

interface OpenTable extends Table {
  /** The sets that rules add to: older versions do not mark the set itself. */
  readonly added: Set<string>;
  readonly chains: Map<string, OpenChain>;
  readonly sets: Map<string, NamedSet>;
}

interface OpenChain extends Chain {
  readonly rules: Rule[];
}

/** Other objects that nft lists, which decide nothing by themselves. */
const OBJECTS = [
  'metainfo',
  'counter',
  'quota',
  'limit',
  'ct helper',
  'ct timeout',
  'ct expectation',
  'flowtable',
  'secmark',
  'synproxy',
  'tunnel',
];

class Reader {
  readonly #tables = new Map<string, OpenTable>();
  readonly #others = new Set<string>();
  readonly #problems: string[] = [];

  result(): Ruleset {
    for (const { sets, added } of this.#tables.values()) {
      for (const name of added) {
        const set = sets.get(name);
        if (set !== undefined) sets.set(name, { ...set, changing: true });
      }
    }
    return { tables: [...this.#tables.values()], notLookedAt: [...this.#others], problems: this.#problems };
  }

  take(entry: Json): void {
    if (!isObject(entry)) {
      this.#problem('an entry that is not an object');
      return;
    }
    for (const [kind, value] of Object.entries(entry)) {
      if (OBJECTS.includes(kind)) continue;
      if (kind === 'table') this.#table(value);
      else if (kind === 'chain') this.#chain(value);
      else if (kind === 'rule') this.#rule(value);
      else if (kind === 'set' || kind === 'map') this.#set(value, kind === 'map');
      else this.#problem(`an entry of an unknown kind "${kind}"`);
    }
  }

  #problem(text: string): void {
    // A host could send a million problems.
    if (this.#problems.length < 100) this.#problems.push(text);
  }

  #table(value: Json): void {
    const family = text(get(value, 'family'));
    const name = text(get(value, 'name'));
    if (family === null || name === null) {
      this.#problem('a table without family or name');
      return;
    }
    if (family !== 'ip' && family !== 'ip6' && family !== 'inet') {
      this.#others.add(`${family} ${name}`);
      return;
    }
    this.#open(family, name, get(value, 'flags'));
  }

  #open(family: TableFamily, name: string, flags: Json = undefined): OpenTable {
    const key = `${family} ${name}`;
    let table = this.#tables.get(key);
    if (table === undefined) {
      const dormant = flags === 'dormant' || list(flags).includes('dormant');
      table = { family, name, chains: new Map(), sets: new Map(), dormant, added: new Set() };
      this.#tables.set(key, table);
    }
    return table;
  }

  /** The table that a chain, rule or set belongs to; `null` for one that is not evaluated. */
  #tableOf(value: Json, what: string): OpenTable | null {
    const family = text(get(value, 'family'));
    const name = text(get(value, 'table'));
    if (family === null || name === null) {
      this.#problem(`${what} without a table`);
      return null;
    }
    if (family === 'ip' || family === 'ip6' || family === 'inet') return this.#open(family, name);
    this.#others.add(`${family} ${name}`);
    return null;
  }

  #chain(value: Json): void {
    const table = this.#tableOf(value, 'a chain');
    if (table === null) return;
    const name = text(get(value, 'name'));
    if (name === null) {
      this.#problem(`a chain without a name in ${table.family} ${table.name}`);
      return;
    }
    const before = table.chains.get(name);
    table.chains.set(name, {
      name,
      base: this.#base(value, name, `${table.family} ${table.name}`),
      rules: before?.rules ?? [],
    });
  }

  #base(value: Json, name: string, table: string): BaseChain | null {
    const given = get(value, 'hook');
    if (given === undefined) return null;
    const hook = HOOKS.find((one) => one === given);
    if (given === 'ingress' || given === 'egress') {
      // Called before or after all hooks that are evaluated.
      this.#others.add(`${table} chain ${name} (${given})`);
      return null;
    }
    const priority = priorityOf(get(value, 'prio'), hook);
    if (hook === undefined || priority === null) {
      this.#problem(`the chain ${name} is at the hook ${valueShort(given)}, which portfw does not evaluate`);
      return null;
    }
    const policy = get(value, 'policy') === 'drop' ? 'drop' : 'accept';
    return { type: text(get(value, 'type')) ?? 'filter', hook, priority, policy };
  }

  #rule(value: Json): void {
    const table = this.#tableOf(value, 'a rule');
    if (table === null) return;
    const name = text(get(value, 'chain'));
    const expressions = get(value, 'expr');
    if (name === null || !Array.isArray(expressions)) {
      this.#problem(`a rule without a chain or expressions in ${table.family} ${table.name}`);
      return;
    }
    let chain = table.chains.get(name);
    if (chain === undefined) {
      chain = { name, base: null, rules: [] };
      table.chains.set(name, chain);
    }
    chain.rules.push(readRule(expressions, get(value, 'comment')));
    for (const expression of expressions) {
      const set = text(get(get(expression, 'set'), 'set')) ?? text(get(get(expression, 'map'), 'map'));
      if (set !== null) table.added.add(set.replace(/^@/, ''));
    }
  }

  #set(value: Json, map: boolean): void {
    const table = this.#tableOf(value, 'a set');
    if (table === null) return;
    const name = text(get(value, 'name'));
    if (name === null) {
      this.#problem(`a set without a name in ${table.family} ${table.name}`);
      return;
    }
    table.sets.set(name, nftSet(value, name, map));
  }
}

function valueShort(value: Json): string {
  return typeof value === 'string' ? value : 'without a name';
}

/** Names of priorities, which some versions print. */
const PRIORITIES: Readonly<Record<string, number>> = {
  raw: -300,
  mangle: -150,
  dstnat: -100,
  filter: 0,
  security: 50,
  srcnat: 100,
};

function priorityOf(value: Json, hook: Hook | undefined): number | null {
  if (hook === undefined) return null;
  if (typeof value === 'number' && Number.isInteger(value)) return value;
  if (typeof value !== 'string') return null;
  const match = /^([a-z]+)?\s*(?:([+-]?)\s*(\d{1,9}))?$/.exec(value.trim());
  if (match === null || value.trim() === '') return null;
  const [, name, sign, digits = '0'] = match;
  const base = name === undefined ? 0 : Object.hasOwn(PRIORITIES, name) ? PRIORITIES[name]! : null;
  return base === null ? null : base + (sign === '-' ? -1 : 1) * Number(digits);
}

/** Types to which nft gives other names. */
const TYPES: Readonly<Record<string, DataType>> = {
  ipv4_addr: 'ipv4_addr',
  ipv6_addr: 'ipv6_addr',
  inet_service: 'inet_service',
  inet_proto: 'inet_proto',
  nf_proto: 'nf_proto',
  ether_type: 'ether_type',
  ifname: 'ifname',
  iface_index: 'ifname',
  mark: 'mark',
  ct_state: 'ct_state',
  ct_status: 'ct_status',
  ct_dir: 'ct_dir',
  pkt_type: 'pkt_type',
  fib_addrtype: 'fib_addrtype',
  tcp_flag: 'tcp_flag',
  icmp_type: 'icmp_type',
  icmpv6_type: 'icmpv6_type',
};

function typesOf(type: Json): readonly DataType[] {
  if (Array.isArray(type)) return type.flatMap(typesOf);
  if (typeof type === 'string') return [Object.hasOwn(TYPES, type) ? TYPES[type]! : 'unknown'];
  const like = get(type, 'typeof');
  if (like === undefined) return ['unknown'];
  const parts = get(like, 'concat');
  return (Array.isArray(parts) ? parts : [like]).map((part) => readField(part).type);
}

/** No real set contains it: its elements would be nested. */
const NESTED = 'elements that are nested too deeply';

function nftSet(value: Json, name: string, map: boolean): NamedSet {
  const flags = list(get(value, 'flags'));
  const expires = flags.includes('timeout') || get(value, 'timeout') !== undefined;
  const type = get(value, 'type');
  const elements = list(get(value, 'elem'));
  const sound = shallow(type) && shallow(elements);
  const types = sound ? typesOf(type) : (['unknown'] as const);
  let content: SetContent | null = null;
  return {
    name,
    types,
    // Only `dynamic` means that rules may add; with just a timeout only programs do.
    changing: flags.includes('dynamic') || get(value, 'flags') === 'dynamic',
    elements() {
      content ??= sound
        ? read(elements, types, expires && get(value, 'timeout') !== undefined)
        : { elements: [], unknown: [NESTED] };
      return content;
    },
    lines() {
      if (!sound) return [`${map ? 'map' : 'set'} ${name}: ${NESTED}`];
      const kept = ['type', 'map', 'policy', 'flags', 'timeout', 'gc-interval', 'size', 'auto-merge']
        .filter((key) => get(value, key) !== undefined)
        .map((key) => ` ${key} ${valueText(get(value, key))}`);
      return [`${map ? 'map' : 'set'} ${name}${kept.join('')}`, ...elements.map(elementText).sort()];
    },
  };
}

function read(elements: readonly Json[], types: readonly DataType[], expires: boolean): SetContent {
  const known: SetElement[] = [];
  const unknown: string[] = [];
  for (const element of elements) {
    const found = readElement(element, types, expires);
    if (found !== null) known.push(found);
    else unknown.push(elementText(element));
  }
  return { elements: known, unknown };
}
