import { type Protocol, parsePortRange } from '../../core/ports.ts';
import type { DesiredFirewalld, DesiredZone, Reason } from '../../policy/desired.ts';
import type { Change } from '../plan.ts';
import type { Entrance, Opener } from './access-openers.ts';

/** Why ports are open after a plan, and why they are taken away. Gathers the reasons, each once. */
export class AccessReasons {
  readonly #desired: DesiredFirewalld;
  readonly #changes: readonly Change[];
  /** Equal reasons have one number, whether or not anything asked for them. */
  readonly #numbers = new Map<Reason, number>();
  readonly #byText = new Map<string, number>();
  readonly #places = new Map<number, number>();
  readonly #held: Reason[] = [];
  readonly #given = new Map<string, Given>();
  /** By opener and port: both families ask. */
  readonly #open = new Map<Opener, Map<string, readonly Reason[]>>();

  constructor(desired: DesiredFirewalld, changes: readonly Change[]) {
    this.#desired = desired;
    this.#changes = changes.filter((change) => 'reasons' in change && change.reasons.length > 0);
  }

  /** In the order in which they were first asked for. */
  get all(): readonly Reason[] {
    return this.#held;
  }

  /** Why the desired zones have these for a port. What others wrote has no reason that portfw knows. */
  ofOpen(openers: readonly Opener[], port: number, protocol: Protocol): readonly number[] {
    const place = `${port}/${protocol}`;
    return this.#placesOf(
      openers.flatMap((opener) => {
        const known = this.#open.get(opener) ?? new Map<string, readonly Reason[]>();
        this.#open.set(opener, known);
        const reasons = known.get(place) ?? this.#reasonsOf(opener, port, protocol);
        known.set(place, reasons);
        return reasons;
      }),
    );
  }

  #reasonsOf({ zone, service: name, rule }: Opener, port: number, protocol: Protocol): readonly Reason[] {
    const given = zone === null ? null : this.#givenBy(zone);
    if (given === null) return [];
    const reasons = (rule === null ? given.services.get(name ?? '') : given.rules.get(rule.text)) ?? [];
    const service = name === null ? undefined : this.#desired.services.get(name);
    if (service?.ports === undefined) return reasons;
    const ofPort = service.ports
      .filter(({ value: { protocol: own, range } }) => own === protocol && range.first <= port && port <= range.last)
      .flatMap((item) => item.reasons);
    // Of the service's reasons, those for this port; a rule's others say for whom.
    return rule === null ? ofPort : [...ofPort, ...this.#without(reasons, service.reasons)];
  }

  /**
   * Why some no longer get in.
   *
   * @param before what named the port
   * @param after what names it once the plan is applied
   */
  ofTaken(
    { interface: name, port, protocol }: Pick<Entrance, 'interface' | 'port' | 'protocol'>,
    before: readonly Opener[],
    after: readonly Opener[],
  ): readonly number[] {
    if (this.#changes.length === 0) return [];
    const stays = new Set(after.map(keyOf));
    const gone = before.filter((opener) => !stays.has(keyOf(opener)));
    const sets = new Set([...before, ...after].flatMap(({ rule }) => rule?.sourceIpset ?? []));
    return this.#placesOf(
      this.#changes.flatMap((change) => {
        const reasons = reasonsOfTaking(change, { name, gone, sets }).filter((reason) =>
          concerns(reason, port, protocol),
        );
        // What is edited also says why it is there.
        const kept = change.kind === 'definition' ? this.#desired.services.get(change.name)?.reasons : undefined;
        return kept === undefined ? reasons : this.#without(reasons, kept);
      }),
    );
  }

  #placesOf(reasons: readonly Reason[]): readonly number[] {
    const found = new Set<number>();
    for (const reason of reasons) {
      const number = this.#numberOf(reason);
      let place = this.#places.get(number);
      if (place === undefined) {
        place = this.#held.push(reason) - 1;
        this.#places.set(number, place);
      }
      found.add(place);
    }
    return [...found];
  }

  #without(reasons: readonly Reason[], others: readonly Reason[]): readonly Reason[] {
    const numbers = new Set(others.map((reason) => this.#numberOf(reason)));
    return reasons.filter((reason) => !numbers.has(this.#numberOf(reason)));
  }

  #numberOf(reason: Reason): number {
    let number = this.#numbers.get(reason);
    if (number === undefined) {
      const text = JSON.stringify(reason);
      number = this.#byText.get(text) ?? this.#byText.size;
      this.#byText.set(text, number);
      this.#numbers.set(reason, number);
    }
    return number;
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
      return change.interface === name && change.layers.runtime ? change.reasons : [];
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

/** Whether a reason that lists ports lists this one. A service may lose each of its ports for another reason. */
function concerns(reason: Reason, port: number, protocol: Protocol): boolean {
  if (reason.kind !== 'row-gone' && reason.kind !== 'feature-off' && reason.kind !== 'extra-rule-changed') return true;
  if (reason.ports.length === 0) return true;
  return reason.ports.some((text) => {
    // `8442-8449/tcp`, or with its sources: `8442/tcp from peers`.
    const [ports = '', own] = text.split(' ', 1)[0]!.split('/');
    const range = parsePortRange(ports);
    return own === protocol && typeof range !== 'string' && range.first <= port && port <= range.last;
  });
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
