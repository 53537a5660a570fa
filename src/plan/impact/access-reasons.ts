import type { DesiredFirewalld, DesiredZone, Reason } from '../../policy/desired.ts';
import type { Change } from '../plan.ts';
import type { Opener } from './access-openers.ts';

/** Why ports are open after a plan, and why they are taken away. Gathers the reasons, each once. */
export class AccessReasons {
  readonly #desired: DesiredFirewalld;
  readonly #changes: readonly Change[];
  readonly #byText = new Map<string, number>();
  readonly #held: Reason[] = [];
  readonly #given = new Map<string, Given>();

  constructor(desired: DesiredFirewalld, changes: readonly Change[]) {
    this.#desired = desired;
    this.#changes = changes.filter((change) => 'reasons' in change && change.reasons.length > 0);
  }

  /** In the order in which they were first asked for. */
  get all(): readonly Reason[] {
    return this.#held;
  }

  /** Why the desired zones have these. What others wrote has no reason that portfw knows. */
  ofOpen(openers: readonly Opener[]): readonly number[] {
    return this.#places(
      openers.flatMap(({ zone, service, rule }) => {
        const given = zone === null ? null : this.#givenBy(zone);
        if (given === null) return [];
        return (rule === null ? given.services.get(service ?? '') : given.rules.get(rule.text)) ?? [];
      }),
    );
  }

  /**
   * Why some no longer get in.
   *
   * @param before what named the port
   * @param after what names it once the plan is applied
   */
  ofTaken(name: string, before: readonly Opener[], after: readonly Opener[]): readonly number[] {
    if (this.#changes.length === 0) return [];
    const stays = new Set(after.map(keyOf));
    const gone = before.filter((opener) => !stays.has(keyOf(opener)));
    const sets = new Set([...before, ...after].flatMap(({ rule }) => rule?.sourceIpset ?? []));
    return this.#places(this.#changes.flatMap((change) => reasonsOfTaking(change, { name, gone, sets })));
  }

  #places(reasons: readonly Reason[]): readonly number[] {
    const found = new Set<number>();
    for (const reason of reasons) {
      const text = JSON.stringify(reason);
      let place = this.#byText.get(text);
      if (place === undefined) {
        place = this.#held.push(reason) - 1;
        this.#byText.set(text, place);
      }
      found.add(place);
    }
    return [...found];
  }

  #givenBy(name: string): Given | null {
    const zone = this.#desired.zones.get(name);
    if (zone === undefined) return null;
    let given = this.#given.get(name);
    if (given === undefined) {
      given = givenOf(zone);
      this.#given.set(name, given);
    }
    return given;
  }
}

/** The reasons that a desired zone gives, by service and by the text of a rule. */
interface Given {
  readonly services: ReadonlyMap<string, readonly Reason[]>;
  readonly rules: ReadonlyMap<string, readonly Reason[]>;
}

function givenOf({ services, richRules }: DesiredZone): Given {
  return {
    services: new Map(services.map(({ value, reasons }) => [value, reasons])),
    rules: new Map(richRules.map(({ value, reasons }) => [value.text, reasons])),
  };
}

/** What an interface loses. */
interface Taken {
  readonly name: string;
  /** What names the port now, and no longer does after the plan. */
  readonly gone: readonly Opener[];
  /** The ipsets of the rules that name it. */
  readonly sets: ReadonlySet<string>;
}

/** The reasons of a change, if it takes that away; else none. */
function reasonsOfTaking(change: Change, { name, gone, sets }: Taken): readonly Reason[] {
  switch (change.kind) {
    case 'interface':
      return change.interface === name ? change.reasons : [];
    case 'zone-service':
    case 'rich-rule':
      return change.action === 'remove' && gone.some((opener) => isOf(opener, change)) ? change.reasons : [];
    case 'definition':
      return change.object === 'service' && gone.some(({ service }) => service === change.name) ? change.reasons : [];
    case 'ipset-entries':
      return change.remove.length > 0 && sets.has(change.ipset) ? change.reasons : [];
    case 'stray':
    case 'remember':
    case 'ensure-firewalld':
      return [];
  }
}

function keyOf({ zone, name, rule }: Opener): string {
  return JSON.stringify([zone, rule?.text ?? name]);
}

function isOf(
  { zone, service, rule }: Opener,
  change: Extract<Change, { kind: 'zone-service' | 'rich-rule' }>,
): boolean {
  if (zone !== change.zone) return false;
  return change.kind === 'rich-rule' ? rule?.text === change.rule : rule === null && service === change.service;
}
