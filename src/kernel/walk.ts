import { type AddressRange, type AddressRanges, intersect, subtract, unite } from '../core/address-ranges.ts';
import { type Flow, type Setting, type Stage, type Translation, tracked } from './flow.ts';
import { keyed, matched, namesNothing } from './match.ts';
import type { Chain, Destination, MarkValue, Rule, Statement, Table, Target, Verdict } from './ruleset.ts';
import { groupsOf } from './sets.ts';

/** Packets that do not get through, and what stops them. */
export interface Refusal {
  readonly ranges: AddressRanges;
  readonly verdict: 'drop' | 'reject';
  /** `inet firewalld` */
  readonly table: string;
  readonly chain: string;
  /** The rule on one line; of a policy `policy drop`. */
  readonly rule: string;
  /** The chains gone through, the innermost last. */
  readonly trail: readonly string[];
  readonly by: 'rule' | 'policy';
}

/** Packets that a rule sends to another destination, wherever they end. */
export interface Diverted {
  readonly ranges: AddressRanges;
  readonly translation: Translation;
}

/** Where flows are after a chain. */
interface Ends {
  /** Decided by nothing: they return to the caller. */
  readonly back: Flow[];
  readonly accepted: Flow[];
}

/** Where flows are after a rule. */
interface Outcome extends Ends {
  readonly on: Flow[];
}

/** The kernel lets no rules in that jump deeper than 16, and none that jump in circles. */
const DEEPEST = 256;

/** So many rules are asked for one approach; a host whose chains fork without end would keep us for ever. */
const MOST_RULES = 3_000_000;

/** Sends flows through chains, split by each match into those that it is true for and the others. */
export class Walk {
  readonly refused: Refusal[] = [];
  readonly diverted: Diverted[] = [];
  readonly unknown = new Set<string>();
  readonly #setting: Setting;
  readonly #worst: boolean;
  readonly #translations = new Map<Rule, Map<string, Translation>>();
  readonly #trail: string[] = [];
  #asked = 0;
  #translated = 0;

  constructor(setting: Setting, worst: boolean) {
    this.#setting = setting;
    this.#worst = worst;
  }

  /** Sends flows through a base chain: what it lets on. */
  through(chain: Chain, stage: Stage, flows: readonly Flow[]): Flow[] {
    const { back, accepted } = this.#run(chain, stage, flows);
    if (stage.base.policy === 'accept') return merge([...accepted, ...back]);
    for (const { sources } of back) {
      this.refused.push({
        ranges: sources,
        verdict: 'drop',
        table: nameOf(stage.table),
        chain: chain.name,
        rule: 'policy drop',
        trail: [chain.name],
        by: 'policy',
      });
    }
    return merge(accepted);
  }

  #run(chain: Chain, stage: Stage, flows: readonly Flow[]): Ends {
    const ends: Ends = { back: [], accepted: [] };
    this.#trail.push(chain.name);
    let here = flows;
    for (const rule of chain.rules) {
      if (here.length === 0) break;
      const outcome: Outcome = { ...ends, on: [] };
      for (const flow of here) this.#rule(rule, 0, stage, flow, flow.sources, flow.sources, outcome);
      here = merge(outcome.on);
    }
    this.#trail.pop();
    ends.back.push(...here);
    return { back: merge(ends.back), accepted: merge(ends.accepted) };
  }

  /** @param must the sources for which all matches before `from` were true; `may`: perhaps */
  #rule(
    rule: Rule,
    from: number,
    stage: Stage,
    flow: Flow,
    must: AddressRanges,
    may: AddressRanges,
    outcome: Outcome,
  ): void {
    if (from === 0) {
      this.#asked += 1;
      if (this.#asked > MOST_RULES) {
        this.#giveUp(flow, stage);
        return;
      }
    }
    let certain = must;
    let perhaps = may;
    for (let index = from; index < rule.parts.length; index += 1) {
      const part = rule.parts[index]!;
      switch (part.kind) {
        case 'match':
        case 'chance':
        case 'unknown': {
          const found = matched(part, flow, stage);
          if (part.kind === 'unknown' || namesNothing(part, stage)) this.#note(part.text, rule);
          certain = intersect(certain, found.must);
          perhaps = intersect(perhaps, found.may);
          if ((this.#worst ? perhaps : certain).length === 0) {
            outcome.on.push(flow);
            return;
          }
          break;
        }
        case 'aside':
          break;
        case 'set-mark':
        case 'untrack': {
          // What stands before a match that fails has happened.
          const sources = this.#worst ? perhaps : certain;
          const rest = subtract(flow.sources, certain);
          if (rest.length > 0) outcome.on.push({ ...flow, sources: rest });
          const changed = changedBy(part, { ...flow, sources }, stage);
          this.#rule(rule, index + 1, stage, changed, sources, sources, outcome);
          return;
        }
        case 'verdict-map': {
          const groups = groupsOf(part.map, stage.table, part.fields.length, ({ verdict }) => verdict);
          if (groups === null) {
            this.#unknownStatement(rule, rule.text, stage, flow, perhaps, outcome);
            return;
          }
          let rest = flow.sources;
          for (const { value, keys } of groups) {
            const found = keyed(keys, part.fields, flow, stage);
            const inside = intersect(certain, found.must);
            const gone = this.#verdict(value, rule, stage, flow, inside, intersect(perhaps, found.may), outcome);
            rest = subtract(rest, gone);
          }
          if (rest.length > 0) outcome.on.push(rest === flow.sources ? flow : { ...flow, sources: rest });
          return;
        }
        case 'unknown-statement':
          this.#unknownStatement(rule, part.text, stage, flow, perhaps, outcome);
          return;
        case 'queue':
          this.unknown.add(part.text);
          this.#decide({ kind: 'drop' }, rule, stage, flow, certain, perhaps, outcome);
          return;
        case 'verdict':
          if (part.verdict.kind === 'continue') break;
          this.#decide(part.verdict, rule, stage, flow, certain, perhaps, outcome);
          return;
        case 'translate-source':
          this.#split(flow, certain, outcome);
          this.#accept({ ...flow, masked: true }, this.#worst ? perhaps : certain, outcome);
          return;
        case 'translate-destination':
          this.#translate(part.to, rule, stage, flow, certain, perhaps, outcome);
          return;
      }
    }
    outcome.on.push(flow);
  }

  #decide(
    verdict: Verdict,
    rule: Rule,
    stage: Stage,
    flow: Flow,
    must: AddressRanges,
    may: AddressRanges,
    outcome: Outcome,
  ): void {
    this.#split(flow, this.#verdict(verdict, rule, stage, flow, must, may, outcome), outcome);
  }

  /** What is not gone asks the next rule. */
  #split(flow: Flow, gone: AddressRanges, outcome: Outcome): void {
    const sources = cut(flow.sources, gone);
    if (sources.length > 0) outcome.on.push(sources === flow.sources ? flow : { ...flow, sources });
  }

  #accept(flow: Flow, sources: AddressRanges, outcome: Outcome): void {
    if (sources.length > 0) outcome.accepted.push({ ...flow, sources });
  }

  /** @returns the sources that do not ask the next rule; a chain that is jumped to gives its own back by itself */
  #verdict(
    verdict: Verdict,
    rule: Rule,
    stage: Stage,
    flow: Flow,
    must: AddressRanges,
    may: AddressRanges,
    outcome: Outcome,
  ): AddressRanges {
    // What perhaps is treated so goes both ways.
    const sources = this.#worst ? may : must;
    if (sources.length === 0) return [];
    switch (verdict.kind) {
      case 'accept':
        this.#accept(flow, sources, outcome);
        return must;
      case 'drop':
      case 'reject':
        this.#refuse(sources, verdict.kind, rule.text, stage);
        return sources;
      case 'return':
        outcome.back.push({ ...flow, sources });
        return must;
      case 'continue':
        return [];
      case 'jump':
      case 'goto': {
        const chain = stage.table.chains.get(verdict.target);
        if (chain === undefined || this.#trail.length > DEEPEST) {
          this.unknown.add(rule.text);
          this.#refuse(sources, 'drop', rule.text, stage);
          return sources;
        }
        const { back, accepted } = this.#run(chain, stage, [{ ...flow, sources }]);
        outcome.accepted.push(...accepted);
        (verdict.kind === 'jump' ? outcome.on : outcome.back).push(...back);
        return must;
      }
    }
  }

  #refuse(ranges: AddressRanges, verdict: 'drop' | 'reject', rule: string, stage: Stage): void {
    this.refused.push({
      ranges,
      verdict,
      table: nameOf(stage.table),
      chain: this.#trail.at(-1) ?? '',
      rule,
      trail: [...this.#trail],
      by: 'rule',
    });
  }

  /** What nobody understands may do anything, so nothing behind it in the rule is a permission. */
  #unknownStatement(
    rule: Rule,
    text: string,
    stage: Stage,
    flow: Flow,
    perhaps: AddressRanges,
    outcome: Outcome,
  ): void {
    this.unknown.add(text);
    if (this.#worst) this.#refuse(perhaps, 'drop', rule.text, stage);
    outcome.on.push(flow);
  }

  #giveUp(flow: Flow, stage: Stage): void {
    const text = 'rules that jump to each other without end';
    this.unknown.add(text);
    this.#refuse(flow.sources, 'drop', text, stage);
  }

  #note(text: string, rule: Rule): void {
    if (rule.parts.some(decides)) this.unknown.add(text);
  }

  #translate(
    to: Target,
    rule: Rule,
    stage: Stage,
    flow: Flow,
    must: AddressRanges,
    may: AddressRanges,
    outcome: Outcome,
  ): void {
    const { approach } = this.#setting;
    if (to.family !== null && to.family !== approach.family) {
      outcome.on.push(flow);
      return;
    }
    const send = (destination: Destination | Target, sure: AddressRanges, sources: AddressRanges): AddressRanges => {
      const translation = this.#translation(rule, stage, flow, destination, to);
      const all = this.#worst ? sources : sure;
      if (all.length > 0) this.diverted.push({ ranges: all, translation });
      this.#accept({ ...flow, translation }, all, outcome);
      return sure;
    };
    if (to.map === null) {
      this.#split(flow, send(to, must, may), outcome);
      return;
    }
    const { fields, data } = to.map;
    const groups = groupsOf(data, stage.table, fields.length, (element) => element.destination);
    if (groups === null) {
      this.unknown.add(rule.text);
      this.#split(flow, send({ address: null, port: null }, must, may), outcome);
      return;
    }
    let gone: AddressRanges = [];
    for (const { value, keys } of groups) {
      const found = keyed(keys, fields, flow, stage);
      gone = unite(gone, send(value, intersect(must, found.must), intersect(may, found.may)));
    }
    this.#split(flow, gone, outcome);
  }

  /** The same one for the same rule and destination, so that flows stay together. */
  #translation(rule: Rule, stage: Stage, flow: Flow, to: Destination | Target, target: Target): Translation {
    const { approach, destination, port, own, every } = this.#setting;
    const address = to.address === 'same' && target.address === 'here' ? 'here' : to.address;
    const newPort = to.port === 'same' ? target.port : to.port;
    const before = flow.translation;
    const destinations =
      address === 'same'
        ? (before?.destination ?? destination)
        : address === 'here'
          ? own
          : address === null
            ? every
            : [address];
    const ports = newPort === 'same' ? (before?.port ?? port) : newPort === null ? ANY_PORT : [newPort];
    const key = `${rangeText(destinations[0])} ${destinations.length} ${rangeText(ports[0])}`;
    const ofRule = this.#translations.get(rule) ?? new Map<string, Translation>();
    this.#translations.set(rule, ofRule);
    let translation = ofRule.get(key);
    if (translation === undefined) {
      const stays = address === 'here' ? approach.direction === 'input' : same(destinations, destination);
      this.#translated += 1;
      translation = {
        id: this.#translated,
        destination: destinations,
        port: ports,
        elsewhere: !stays || !same(ports, port),
        table: stage.table,
        chain: this.#trail.at(-1) ?? '',
        rule,
      };
      ofRule.set(key, translation);
    }
    return translation;
  }
}

const ANY_PORT: AddressRanges = [{ first: 0n, last: 65535n }];

function rangeText(range: AddressRange | undefined): string {
  return range === undefined ? '' : `${range.first}-${range.last}`;
}

function same(left: AddressRanges, right: AddressRanges): boolean {
  const [one] = left;
  const [other] = right;
  return (
    left.length === 1 &&
    right.length === 1 &&
    one!.first === one!.last &&
    one!.first === other!.first &&
    one!.last === other!.last
  );
}

/** What a rule takes away is mostly few: a list that is cut a thousand times is not remembered each time. */
function cut(from: AddressRanges, what: AddressRanges): AddressRanges {
  return subtract(from, what);
}

function decides(part: Rule['parts'][number]): boolean {
  return part.kind !== 'match' && part.kind !== 'chance' && part.kind !== 'unknown' && part.kind !== 'aside';
}

export function nameOf(table: Table): string {
  return `${table.family} ${table.name}`;
}

function changedBy(part: Statement & { readonly kind: 'set-mark' | 'untrack' }, flow: Flow, stage: Stage): Flow {
  if (part.kind === 'untrack') return tracked(stage) ? flow : { ...flow, untracked: true };
  const value = markOf(part.to, flow);
  return part.of === 'mark' ? { ...flow, mark: value } : { ...flow, ctMark: value };
}

function markOf(value: MarkValue, flow: Flow): bigint | null {
  if (value === null) return null;
  const before = value.from === 'mark' ? flow.mark : value.from === 'ct mark' ? flow.ctMark : 0n;
  return before === null ? (value.and === 0n ? value.xor : null) : (before & value.and) ^ value.xor;
}

/** Flows that nothing tells apart any more are one again. */
export function merge(flows: readonly Flow[]): Flow[] {
  if (flows.length < 2) return [...flows];
  const together = new Map<string, Flow>();
  for (const flow of flows) {
    const key = `${flow.mark} ${flow.ctMark} ${flow.untracked} ${flow.masked} ${flow.translation?.id}`;
    const before = together.get(key);
    together.set(key, before === undefined ? flow : { ...before, sources: unite(before.sources, flow.sources) });
  }
  return [...together.values()];
}
