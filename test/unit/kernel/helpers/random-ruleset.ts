import type { AddressRange } from '../../../../src/core/address-ranges.ts';
import type {
  BaseChain,
  Box,
  Chain,
  DataType,
  Field,
  FieldName,
  NamedSet,
  Part,
  Rule,
  Ruleset,
  SetElement,
  Table,
  Verdict,
} from '../../../../src/kernel/ruleset.ts';
import { interfaceNumber, one } from '../../../../src/kernel/values.ts';

/** The first of sixteen addresses: 198.51.100.0. */
export const BASE = 0xc6336400n;
export const HOST = 0xc6336440n;
export const HOST_TOO = 0xc6336441n;
export const BEHIND = 0xc6336480n;

const PORTS = [80n, 81n, 82n, 443n];

interface Shape {
  readonly name: FieldName;
  readonly type: DataType;
  readonly values: readonly bigint[];
}

const SHAPES: readonly Shape[] = [
  { name: 'saddr', type: 'ipv4_addr', values: Array.from({ length: 16 }, (_, index) => BASE + BigInt(index)) },
  { name: 'daddr', type: 'ipv4_addr', values: [HOST, HOST_TOO, BEHIND] },
  { name: 'dport', type: 'inet_service', values: PORTS },
  { name: 'l4proto', type: 'inet_proto', values: [6n, 17n] },
  { name: 'iifname', type: 'ifname', values: [interfaceNumber('eth0'), interfaceNumber('eth1')] },
  { name: 'oifname', type: 'ifname', values: [interfaceNumber('eth0'), interfaceNumber('eth1'), 0n] },
  { name: 'mark', type: 'mark', values: [0n, 1n, 2n, 3n] },
  { name: 'ct mark', type: 'mark', values: [0n, 1n, 2n] },
  { name: 'ct state', type: 'ct_state', values: [1n, 2n, 8n, 64n] },
  { name: 'fib daddr type', type: 'fib_addrtype', values: [1n, 2n] },
];

/** Rules of all kinds that the evaluator knows, at random. */
export class RandomRuleset {
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  make(): Ruleset {
    const tables = [this.#table('inet', 'one'), this.#table(this.#chance(0.5) ? 'ip' : 'inet', 'two')];
    return { tables, notLookedAt: [], problems: [] };
  }

  #chance(of: number): boolean {
    return this.#random() < of;
  }

  #number(from: number, to: number): number {
    return from + Math.floor(this.#random() * (to - from + 1));
  }

  pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.#random() * items.length)]!;
  }

  #table(family: 'ip' | 'inet', name: string): Table {
    const sets = new Map<string, NamedSet>();
    const inner = ['a', 'b', 'c', 'd'];
    for (const set of ['plain', 'leaving']) sets.set(set, this.#set(set, [SHAPES[0]!], set === 'leaving', null));
    sets.set('pairs', this.#set('pairs', [SHAPES[0]!, SHAPES[2]!], this.#chance(0.1), null));
    sets.set('decided', this.#set('decided', [SHAPES[0]!], false, ['b', 'c', 'd']));
    const chains = new Map<string, Chain>();
    const add = (chain: string, base: BaseChain | null, targets: readonly string[], nat = false) => {
      const rules = Array.from({ length: this.#number(0, base === null ? 4 : 5) }, () => this.#rule(targets, nat));
      chains.set(chain, { name: chain, base, rules });
    };
    for (const [index, chain] of inner.entries()) add(chain, null, inner.slice(index + 1));
    const policy = () => (this.#chance(0.15) ? 'drop' : 'accept');
    const base = (hook: BaseChain['hook'], priority: number, type = 'filter'): BaseChain => ({
      type,
      hook,
      priority,
      policy: policy(),
    });
    if (this.#chance(0.6)) add('early', base('prerouting', this.pick([-300, -150, -90, 10])), inner);
    // A table's own jumps decide nothing in the chains that translate: those translate, too.
    if (this.#chance(0.6)) {
      add('translate', { ...base('prerouting', this.pick([-110, -100, -90]), 'nat'), policy: 'accept' }, [], true);
    }
    add('input', base('input', this.pick([0, 10])), inner);
    if (this.#chance(0.4)) add('input2', base('input', this.pick([-5, 10, 20])), inner);
    add('forward', base('forward', this.pick([0, 10])), inner);
    if (this.#chance(0.4)) add('mask', { ...base('postrouting', 100, 'nat'), policy: 'accept' }, []);
    if (this.#chance(0.4)) add('late', base('postrouting', this.pick([0, 150])), inner);
    return { family, name, chains, sets, dormant: this.#chance(0.03) };
  }

  #set(name: string, shapes: readonly Shape[], leaving: boolean, targets: readonly string[] | null): NamedSet {
    const elements = Array.from({ length: this.#number(0, 5) }, (_, index): SetElement => {
      const box = shapes.map((shape) => this.#range(shape));
      // The keys of a map are apart from each other.
      const own = targets === null ? box : [one(BASE + BigInt(index * 3))];
      return {
        box: own,
        lasting: !leaving || this.#chance(0.5),
        verdict: targets === null ? null : this.#verdict(targets),
        destination: null,
      };
    });
    const types = shapes.map(({ type }) => type);
    return { name, types, changing: false, elements: () => ({ elements, unknown: [] }), lines: () => [] };
  }

  #range({ values }: Shape): AddressRange {
    const first = this.#number(0, values.length - 1);
    const last = this.#chance(0.4) ? Math.min(values.length - 1, first + this.#number(1, 6)) : first;
    const [low = 0n, high = 0n] = [values[first]!, values[last]!].sort((a, b) => (a < b ? -1 : 1));
    return { first: low, last: high };
  }

  #field({ name, type }: Shape): Field {
    const protocols = name === 'dport' ? this.pick([[6], [6, 17], [17], null]) : null;
    return { name, type, family: name === 'saddr' ? this.pick(['ipv4', null, null]) : null, protocols };
  }

  #match(): Part {
    const kind = this.#number(0, 19);
    const test = this.#chance(0.3) ? 'not-in' : 'in';
    if (kind === 0) return { kind: 'chance', text: 'limit' };
    if (kind === 1) {
      const field = this.#field(SHAPES[0]!);
      const name = this.pick(['plain', 'leaving']);
      return { kind: 'match', fields: [field], mask: null, test, values: { kind: 'set', name }, text: '' };
    }
    if (kind === 2 || kind === 3) {
      const shapes = [SHAPES[0]!, SHAPES[2]!];
      const boxes: Box[] = Array.from({ length: 3 }, () => shapes.map((shape) => this.#range(shape)));
      const values = kind === 2 ? ({ kind: 'set', name: 'pairs' } as const) : ({ kind: 'boxes', boxes } as const);
      const fields = shapes.map((shape) => this.#field(shape));
      return { kind: 'match', fields, mask: null, test, values, text: '' };
    }
    if (kind === 4) {
      const field: Field = { name: 'ct status', type: 'ct_status', family: null, protocols: null };
      const values = { kind: 'ranges', ranges: [one(32)] } as const;
      return { kind: 'match', fields: [field], mask: null, test: this.pick(['any-bit', 'no-bit']), values, text: '' };
    }
    const shape = kind < 11 ? SHAPES[0]! : this.pick(SHAPES);
    const mask = shape.name === 'mark' && this.#chance(0.4) ? this.pick([1n, 2n]) : null;
    const values = { kind: 'ranges', ranges: [this.#range(shape)] } as const;
    return { kind: 'match', fields: [this.#field(shape)], mask, test, values, text: '' };
  }

  #verdict(targets: readonly string[]): Verdict {
    if (targets.length > 0 && this.#chance(0.4)) {
      return { kind: this.pick(['jump', 'jump', 'goto']), target: this.pick(targets) };
    }
    return { kind: this.pick(['accept', 'accept', 'drop', 'reject', 'return', 'continue']) };
  }

  #mark(): Part {
    const of = this.pick(['mark', 'ct mark'] as const);
    const from = this.pick(['mark', 'ct mark', 'nothing'] as const);
    const and = from === 'nothing' ? 0n : this.pick([3n, 1n, 0xffffffffn]);
    return { kind: 'set-mark', of, to: { from, and, xor: this.pick([0n, 1n, 2n]) } };
  }

  #rule(targets: readonly string[], nat: boolean): Rule {
    const parts: Part[] = Array.from({ length: this.#number(0, 2) }, () => this.#match());
    if (this.#chance(0.2)) parts.splice(this.#number(0, parts.length), 0, this.#mark());
    if (this.#chance(0.1)) parts.push({ kind: 'aside' });
    if (this.#chance(0.03)) parts.push({ kind: 'untrack' });
    const kind = this.#random();
    if (nat && kind < 0.6) {
      const address = this.pick(['same', one(HOST_TOO), one(BEHIND)] as const);
      const port = this.pick(['same', one(81), one(443)] as const);
      parts.push({ kind: 'translate-destination', to: { family: null, address, port, map: null } });
    } else if (targets.length === 0 && !nat && kind < 0.3) parts.push({ kind: 'translate-source' });
    else if (kind < 0.1 && targets.length === 4) {
      parts.push({
        kind: 'verdict-map',
        fields: [this.#field(SHAPES[0]!)],
        map: { kind: 'named', name: 'decided' },
      });
    } else if (kind < 0.2 && targets.length > 0) {
      const entries = PORTS.slice(0, 3).map((port) => ({ box: [one(port)], value: this.#verdict(targets) }));
      parts.push({ kind: 'verdict-map', fields: [this.#field(SHAPES[2]!)], map: { kind: 'inline', entries } });
    } else if (kind < 0.95) parts.push({ kind: 'verdict', verdict: this.#verdict(nat ? [] : targets) });
    return { parts, text: JSON.stringify(parts, (_, value) => (typeof value === 'bigint' ? String(value) : value)) };
  }
}
