import { type AddressRange, type AddressRanges, intersect } from '../core/address-ranges.ts';
import { type Flow, type Setting, type Stage, type Translation, tracked } from './flow.ts';
import { keyed, matched, namesNothing } from './match.ts';
import type { Chain, Destination, Field, MarkValue, Rule, Statement, Table, Target, Verdict } from './ruleset.ts';
import type { Group } from './sets.ts';
import { isAll, merge, part, rest, sourcesOf } from './split.ts';

/** Refused packets, and what refuses them. */
export interface Refusal {
  readonly ranges: AddressRanges;
  readonly verdict: 'drop' | 'reject';
  /** `inet firewalld` */
  readonly table: string;
  readonly chain: string;
  /** The rule on one line; `policy drop` for a policy. */
  readonly rule: string;
  /** The chains on the path, the innermost last. */
  readonly trail: readonly string[];
  readonly by: 'rule' | 'policy';
}

/** Packets that a rule sends to another destination, accepted there or not. */
export interface Diverted {
  readonly ranges: AddressRanges;
  readonly translation: Translation;
}

/** The flows after a chain. */
interface Ends {
  /** Not decided: they return to the calling chain. */
  readonly back: readonly Flow[];
  readonly accepted: readonly Flow[];
}

/** The flows after a rule. */
interface Outcome {
  readonly back: Flow[];
  readonly accepted: Flow[];
  /** Those for which the next rule is evaluated. */
  readonly on: Flow[];
}

/** A rule under evaluation, and the sources for which all its parts so far matched: certainly, and possibly. */
interface Aim {
  readonly rule: Rule;
  readonly stage: Stage;
  readonly flow: Flow;
  readonly must: AddressRanges;
  readonly may: AddressRanges;
}

/** The kernel itself refuses jumps deeper than 16, and loops. */
const DEEPEST = 256;

/** At most this many rules are evaluated for one approach: a host's chains could branch exponentially. */
const MOST_RULES = 3_000_000;

/** The text for such rules. */
export const ENDLESS = 'rules that jump to each other endlessly';

/** Sends flows through chains; each match splits them into those for which it is true and the others. */
export class Walk {
  readonly refused: Refusal[] = [];
  readonly diverted: Diverted[] = [];
  readonly unknown = new Set<string>();
  readonly #setting: Setting;
  readonly #worst: boolean;
  readonly #translations = new Map<Rule, Map<string, Translation>>();
  readonly #trail: string[] = [];
  #evaluated = 0;
  #translated = 0;

  /** Whether more rules were evaluated than on any real host. */
  get endless(): boolean {
    return this.#evaluated > MOST_RULES;
  }

  constructor(setting: Setting, worst: boolean) {
    this.#setting = setting;
    this.#worst = worst;
  }

  /** Sends flows through a base chain; returns those that it accepts. */
  through(chain: Chain, stage: Stage, flows: readonly Flow[]): readonly Flow[] {
    const { back, accepted } = this.#run(chain, stage, flows);
    if (stage.base.policy === 'accept') return merge([...accepted, ...back]);
    for (const flow of back)
      this.#refuse(flow, 'drop', stage, { rule: 'policy drop', trail: [chain.name], by: 'policy' });
    return merge(accepted);
  }

  #run(chain: Chain, stage: Stage, flows: readonly Flow[]): Ends {
    const back: Flow[] = [];
    const accepted: Flow[] = [];
    this.#trail.push(chain.name);
    let here = flows;
    for (const rule of chain.rules) {
      if (here.length === 0) break;
      const outcome: Outcome = { back, accepted, on: [] };
      for (const flow of here) this.#evaluate(rule, stage, flow, outcome);
      here = merge(outcome.on);
    }
    this.#trail.pop();
    back.push(...here);
    return { back: merge(back), accepted: merge(accepted) };
  }

  #evaluate(rule: Rule, stage: Stage, flow: Flow, outcome: Outcome): void {
    this.#evaluated += 1;
    if (this.#evaluated <= MOST_RULES) this.#rule(rule, 0, stage, flow, outcome);
    else {
      this.unknown.add(ENDLESS);
      this.#refuse(flow, 'drop', stage, { rule: ENDLESS });
    }
  }

  /** @param from the first part of the rule to evaluate */
  #rule(rule: Rule, from: number, stage: Stage, flow: Flow, outcome: Outcome): void {
    const { every } = this.#setting;
    /** The sources for which all matches so far are true: certainly, and possibly. */
    let must = every;
    let may = every;
    for (let index = from; index < rule.parts.length; index += 1) {
      const item = rule.parts[index]!;
      switch (item.kind) {
        case 'match':
        case 'chance':
        case 'unknown': {
          const found = matched(item, flow, stage);
          if (item.kind === 'unknown' || namesNothing(item, stage))
            this.#note(item.text, { rule, stage, flow, must, may });
          must = intersect(must, found.must);
          may = intersect(may, found.may);
          if ((this.#worst ? may : must).length === 0) {
            outcome.on.push(flow);
            return;
          }
          break;
        }
        case 'aside':
          break;
        case 'set-mark':
        case 'untrack': {
          // Statements before a failed match have been executed.
          this.#leave(rest(flow, part(flow, must, every)), outcome);
          const hit = part(flow, this.#worst ? may : must, every);
          if (hit !== null) this.#rule(rule, index + 1, stage, changedBy(item, hit, stage), outcome);
          return;
        }
        case 'verdict-map': {
          const aim: Aim = { rule, stage, flow, must, may };
          const groups = stage.sets.groupsOf(item.map, stage.table, item.fields.length, ({ verdict }) => verdict);
          if (groups === null) this.#unknownStatement(rule.text, aim, outcome);
          else this.#map(groups, item.fields, aim, outcome, (verdict, one) => this.#verdict(verdict, one, outcome));
          return;
        }
        case 'unknown-statement':
          this.#unknownStatement(item.text, { rule, stage, flow, must, may }, outcome);
          return;
        case 'queue':
          this.unknown.add(item.text);
          this.#leave(rest(flow, this.#verdict({ kind: 'drop' }, { rule, stage, flow, must, may }, outcome)), outcome);
          return;
        case 'verdict':
          if (item.verdict.kind === 'continue') break;
          this.#leave(rest(flow, this.#verdict(item.verdict, { rule, stage, flow, must, may }, outcome)), outcome);
          return;
        case 'translate-source': {
          const hit = part(flow, this.#worst ? may : must, every);
          if (hit !== null) outcome.accepted.push({ ...hit, masked: true });
          this.#leave(rest(flow, part(flow, must, every)), outcome);
          return;
        }
        case 'translate-destination':
          this.#translate(item.to, { rule, stage, flow, must, may }, outcome);
          return;
      }
    }
    outcome.on.push(flow);
  }

  /** The next rule is evaluated for the rest. */
  #leave(flow: Flow | null, outcome: Outcome): void {
    if (flow !== null) outcome.on.push(flow);
  }

  /** Applies a map's verdicts to the sources that match its keys. */
  #map<T>(
    groups: readonly Group<T>[],
    fields: readonly Field[],
    aim: Aim,
    outcome: Outcome,
    treat: (value: T, aim: Aim) => Flow | null,
  ): void {
    const { flow, stage } = aim;
    let left: Flow | null = flow;
    for (const { value, keys } of groups) {
      const found = keyed(keys, fields, flow, stage);
      const taken = treat(value, { ...aim, must: intersect(aim.must, found.must), may: intersect(aim.may, found.may) });
      if (left !== null) left = taken === flow ? null : rest(left, taken);
    }
    this.#leave(left, outcome);
  }

  /** @returns those for which the next rule is not evaluated; a called chain returns its own */
  #verdict(verdict: Verdict, aim: Aim, outcome: Outcome): Flow | null {
    const { flow, stage, rule } = aim;
    const { every } = this.#setting;
    // Possible matches follow both paths.
    const hit = part(flow, this.#worst ? aim.may : aim.must, every);
    if (hit === null) return null;
    switch (verdict.kind) {
      case 'accept':
        outcome.accepted.push(hit);
        break;
      case 'drop':
      case 'reject':
        this.#refuse(hit, verdict.kind, stage, { rule: rule.text });
        return hit;
      case 'return':
        outcome.back.push(hit);
        break;
      case 'continue':
        return null;
      case 'jump':
      case 'goto': {
        const chain = stage.table.chains.get(verdict.target);
        if (chain === undefined || this.#trail.length > DEEPEST) {
          this.unknown.add(rule.text);
          this.#refuse(hit, 'drop', stage, { rule: rule.text });
          return hit;
        }
        const { back, accepted } = this.#run(chain, stage, [hit]);
        outcome.accepted.push(...accepted);
        (verdict.kind === 'jump' ? outcome.on : outcome.back).push(...back);
        break;
      }
    }
    return isAll(aim.must, every) ? hit : part(flow, aim.must, every);
  }

  #refuse(
    flow: Flow,
    verdict: 'drop' | 'reject',
    stage: Stage,
    by: { readonly rule: string } & Partial<Pick<Refusal, 'trail' | 'by'>>,
  ): void {
    const ranges = sourcesOf(flow);
    if (ranges.length === 0) return;
    const { rule, trail = [...this.#trail] } = by;
    const chain = trail.at(-1) ?? '';
    this.refused.push({ ranges, verdict, table: nameOf(stage.table), chain, rule, trail, by: by.by ?? 'rule' });
  }

  /** An unknown part may do anything, so no later part of the rule counts as a permission. */
  #unknownStatement(text: string, { rule, stage, flow, may }: Aim, outcome: Outcome): void {
    const hit = part(flow, may, this.#setting.every);
    if (hit !== null) {
      this.unknown.add(text);
      if (this.#worst) this.#refuse(hit, 'drop', stage, { rule: rule.text });
    }
    outcome.on.push(flow);
  }

  #note(text: string, { rule, flow, may }: Aim): void {
    if (rule.parts.some(decides) && part(flow, may, this.#setting.every) !== null) this.unknown.add(text);
  }

  #translate(to: Target, aim: Aim, outcome: Outcome): void {
    const { rule, stage, flow } = aim;
    const { approach, every } = this.#setting;
    if (to.family !== null && to.family !== approach.family) {
      outcome.on.push(flow);
      return;
    }
    const send = (destination: Destination | Target, { must, may }: Aim): Flow | null => {
      const hit = part(flow, this.#worst ? may : must, every);
      if (hit === null) return null;
      const translation = this.#translation(rule, stage, flow, destination, to);
      this.diverted.push({ ranges: sourcesOf(hit), translation });
      outcome.accepted.push({ ...hit, translation });
      return part(flow, must, every);
    };
    const groups =
      to.map === null
        ? null
        : stage.sets.groupsOf(to.map.data, stage.table, to.map.fields.length, (element) => element.destination);
    if (to.map !== null && groups !== null) this.#map(groups, to.map.fields, aim, outcome, send);
    else {
      if (to.map !== null) this.unknown.add(rule.text);
      this.#leave(rest(flow, send(to.map === null ? to : { address: null, port: null }, aim)), outcome);
    }
  }

  /** The same object for the same rule and destination, so that flows can be merged. */
  #translation(rule: Rule, stage: Stage, flow: Flow, to: Destination | Target, target: Target): Translation {
    const { approach, destination, port, here, every } = this.#setting;
    const address = to.address === 'same' && target.address === 'here' ? 'here' : to.address;
    const newPort = to.port === 'same' ? target.port : to.port;
    const before = flow.translation;
    const destinations =
      address === 'same'
        ? (before?.destination ?? destination)
        : address === 'here'
          ? here
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
        changes: changes(destinations, destination, ports, port),
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
  return one(left) !== null && one(left) === one(right);
}

/** The only value of a set. */
function one([range, ...others]: AddressRanges): bigint | null {
  return range !== undefined && others.length === 0 && range.first === range.last ? range.first : null;
}

function changes(
  to: AddressRanges,
  from: AddressRanges,
  port: AddressRanges,
  before: AddressRanges,
): 'yes' | 'no' | 'perhaps' {
  if (intersect(to, from).length === 0 || intersect(port, before).length === 0) return 'yes';
  return same(to, from) && (port === before || same(port, before)) ? 'no' : 'perhaps';
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
