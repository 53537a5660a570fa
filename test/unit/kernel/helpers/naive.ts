import type { AddressRange } from '../../../../src/core/address-ranges.ts';
import type { Chain, Field, Match, Part, Rule, Ruleset, Table, Verdict } from '../../../../src/kernel/ruleset.ts';
import { interfaceNumber } from '../../../../src/kernel/values.ts';

/** One packet, with everything that the rules of these tests look at. */
export interface Packet {
  readonly source: bigint;
  readonly destination: bigint;
  readonly port: bigint;
  readonly interface: string;
  /** `null`: nobody knows. */
  readonly out: string | null;
  readonly direction: 'input' | 'forward';
  readonly local: readonly bigint[];
}

export type End = 'accepted' | 'refused';

export interface Way {
  readonly end: End;
  /** Whether a rule has sent it to another place. */
  readonly away: boolean;
}

interface State {
  destination: bigint;
  port: bigint;
  mark: bigint;
  ctMark: bigint;
  translated: boolean;
  untracked: boolean;
  masked: boolean;
  hook: string;
  priority: number;
  out: string | null;
}

/** Which of two ways is gone where nobody knows. */
type Choose = () => boolean;

/** Everything that can become of one packet, by going each way that it may take. At most so many; `null` for more. */
export function everyWay(ruleset: Ruleset, packet: Packet, most: number): readonly Way[] | null {
  const ways: Way[] = [];
  let plan: boolean[] | null = [];
  while (plan !== null) {
    const taken: boolean[] = [];
    const given: readonly boolean[] = plan;
    ways.push(
      run(ruleset, packet, () => {
        const choice = given[taken.length] ?? false;
        taken.push(choice);
        return choice;
      }),
    );
    if (ways.length > most) return null;
    while (taken.at(-1) === true) taken.pop();
    plan = taken.length === 0 ? null : [...taken.slice(0, -1), true];
  }
  return ways;
}

/** What becomes of a packet when no rule matches of which nobody knows whether it does. */
export function certainWay(ruleset: Ruleset, packet: Packet): Way {
  return run(ruleset, packet, () => false);
}

function run(ruleset: Ruleset, packet: Packet, choose: Choose): Way {
  const state: State = {
    destination: packet.destination,
    port: packet.port,
    mark: 0n,
    ctMark: 0n,
    translated: false,
    untracked: false,
    masked: false,
    hook: '',
    priority: 0,
    out: '',
  };
  if (!hook(ruleset, 'prerouting', packet, state, choose)) return { end: 'refused', away: isAway(packet, state) };
  const away = isAway(packet, state);
  const here = away ? packet.local.includes(state.destination) : packet.direction === 'input';
  const hooks = here ? ['input'] : ['forward', 'postrouting'];
  for (const name of hooks) {
    state.out = here ? '' : away ? null : packet.out;
    if (!hook(ruleset, name, packet, state, choose)) return { end: 'refused', away };
  }
  return { end: 'accepted', away };
}

function isAway(packet: Packet, state: State): boolean {
  return state.destination !== packet.destination || state.port !== packet.port;
}

function hook(ruleset: Ruleset, name: string, packet: Packet, state: State, choose: Choose): boolean {
  const called: { table: Table; chain: Chain; at: number; priority: number; order: number }[] = [];
  for (const table of ruleset.tables) {
    if (table.dormant || table.family === 'ip6') continue;
    for (const chain of table.chains.values()) {
      if (chain.base?.hook !== name) continue;
      const { type, priority } = chain.base;
      const at = type === 'nat' ? (name === 'prerouting' ? -100 : 100) : priority;
      called.push({ table, chain, at, priority, order: -called.length });
    }
  }
  called.sort((a, b) => a.at - b.at || a.priority - b.priority || a.order - b.order);
  for (const { table, chain } of called) {
    const base = chain.base!;
    if (base.type === 'nat' && (state.untracked || (name === 'prerouting' ? state.translated : state.masked))) continue;
    state.hook = name;
    state.priority = base.priority;
    const verdict = walk(chain, table, packet, state, choose);
    if (verdict === 'refuse' || (verdict === 'end' && base.policy === 'drop')) return false;
  }
  return true;
}

type Result = 'accept' | 'refuse' | 'end' | 'next';

function walk(chain: Chain, table: Table, packet: Packet, state: State, choose: Choose): Result {
  for (const rule of chain.rules) {
    const result = one(rule, table, packet, state, choose);
    if (result !== 'next') return result;
  }
  return 'end';
}

function one(rule: Rule, table: Table, packet: Packet, state: State, choose: Choose): Result {
  for (const part of rule.parts) {
    const result = step(part, table, packet, state, choose);
    if (result === 'fails') return 'next';
    if (result !== 'goes on') return result;
  }
  return 'next';
}

function step(part: Part, table: Table, packet: Packet, state: State, choose: Choose): Result | 'fails' | 'goes on' {
  switch (part.kind) {
    case 'match': {
      const answer = asked(part, table, packet, state);
      return (answer ?? choose()) ? 'goes on' : 'fails';
    }
    case 'chance':
    case 'unknown':
      return choose() ? 'goes on' : 'fails';
    case 'aside':
      return 'goes on';
    case 'set-mark': {
      const { to } = part;
      if (to === null) throw new Error('no such mark in these tests');
      const from = to.from === 'mark' ? state.mark : to.from === 'ct mark' ? state.ctMark : 0n;
      const value = (from & to.and) ^ to.xor;
      if (part.of === 'mark') state.mark = value;
      else state.ctMark = value;
      return 'goes on';
    }
    case 'untrack':
      if (state.hook === 'prerouting' && state.priority < -200) state.untracked = true;
      return 'goes on';
    case 'translate-source':
      state.masked = true;
      return 'accept';
    case 'translate-destination':
      state.translated = true;
      if (typeof part.to.address === 'object' && part.to.address !== null) state.destination = part.to.address.first;
      if (typeof part.to.port === 'object' && part.to.port !== null) state.port = part.to.port.first;
      return 'accept';
    case 'verdict':
      return follow(part.verdict, table, packet, state, choose);
    case 'verdict-map': {
      const entries =
        part.map.kind === 'inline'
          ? part.map.entries.map((entry) => ({ box: entry.box, verdict: entry.value, lasting: true }))
          : table.sets.get(part.map.name)!.elements().elements;
      for (const { box, verdict, lasting } of entries) {
        const inside = inBox(part.fields, box, packet, state);
        if (inside === false) continue;
        if ((inside === null || !lasting) && !choose()) continue;
        const result = follow(verdict!, table, packet, state, choose);
        return result === 'goes on' ? 'next' : result;
      }
      return 'fails';
    }
    default:
      throw new Error(`no ${part.kind} in these tests`);
  }
}

function follow(verdict: Verdict, table: Table, packet: Packet, state: State, choose: Choose): Result | 'goes on' {
  switch (verdict.kind) {
    case 'accept':
      return 'accept';
    case 'drop':
    case 'reject':
      return 'refuse';
    case 'return':
      return 'end';
    case 'continue':
      return 'goes on';
    case 'jump':
    case 'goto': {
      const result = walk(table.chains.get(verdict.target)!, table, packet, state, choose);
      return result === 'end' && verdict.kind === 'jump' ? 'next' : result;
    }
  }
}

/** `null` when nobody knows. */
function asked(match: Match & { readonly kind: 'match' }, table: Table, packet: Packet, state: State): boolean | null {
  const { fields, mask, test, values } = match;
  if (fields.some((field) => valueIn(field, packet, state) === undefined)) return false;
  if (test === 'any-bit' || test === 'no-bit' || mask !== null) {
    const value = valueIn(fields[0]!, packet, state);
    if (value === null || value === undefined || values.kind !== 'ranges') return null;
    const number = mask === null ? value : value & mask;
    if (test === 'any-bit' || test === 'no-bit') {
      return ((number & values.ranges[0]!.first) !== 0n) === (test === 'any-bit');
    }
    return values.ranges.some((range) => lies(number, range)) === (test === 'in');
  }
  let inside: boolean | null = false;
  const boxes =
    values.kind === 'ranges'
      ? values.ranges.map((range) => ({ box: [range], lasting: true }))
      : values.kind === 'boxes'
        ? values.boxes.map((box) => ({ box, lasting: true }))
        : table.sets.get(values.name)!.elements().elements;
  for (const { box, lasting } of boxes) {
    const one = inBox(fields, box, packet, state);
    if (one === true && lasting) inside = true;
    else if (one !== false && inside === false) inside = null;
  }
  return inside === null ? null : inside === (test === 'in');
}

function inBox(fields: readonly Field[], box: readonly AddressRange[], packet: Packet, state: State): boolean | null {
  let answer: boolean | null = true;
  for (const [index, field] of fields.entries()) {
    const value = valueIn(field, packet, state);
    if (value === null) answer = null;
    else if (value === undefined || !lies(value, box[index]!)) return false;
  }
  return answer;
}

function lies(value: bigint, { first, last }: AddressRange): boolean {
  return first <= value && value <= last;
}

/** `null`: nobody knows. `undefined`: it has no such field. */
function valueIn(field: Field, packet: Packet, state: State): bigint | null | undefined {
  if (field.family === 'ipv6') return undefined;
  if (field.protocols !== null && !field.protocols.includes(6)) return undefined;
  const known = state.hook !== 'prerouting' || state.priority >= -200;
  switch (field.name) {
    case 'saddr':
      return state.masked ? null : packet.source;
    case 'daddr':
      return state.destination;
    case 'dport':
      return state.port;
    case 'l4proto':
      return 6n;
    case 'iifname':
      return state.hook === 'postrouting' ? null : interfaceNumber(packet.interface);
    case 'oifname':
      return state.out === null ? null : interfaceNumber(state.out);
    case 'mark':
      return state.mark;
    case 'ct mark':
      return !known || state.untracked ? undefined : state.ctMark;
    case 'ct state':
      return state.untracked ? 64n : known ? 8n : 1n;
    case 'ct status':
      // What is translated to where it wanted to go is not translated.
      return !known || state.untracked ? undefined : isAway(packet, state) ? 32n : 0n;
    case 'fib daddr type':
      return packet.local.includes(state.destination) ? 2n : 1n;
    default:
      throw new Error(`no ${field.name} in these tests`);
  }
}
