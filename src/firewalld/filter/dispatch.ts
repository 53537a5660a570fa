import {
  type AddressRanges,
  addressRanges,
  EVERY_ADDRESS,
  intersect,
  subtract,
  unite,
  uniteAll,
} from '../../core/address-ranges.ts';
import type { AddressFamily } from '../../core/addresses.ts';
import type { Evaluator } from '../../kernel/evaluate.ts';
import type { FirewalldConfig } from '../kinds/kinds.ts';
import type { PolicyConfig } from '../kinds/policy.ts';
import { coversInterface, EMPTY_ZONE, type ZoneConfig } from '../kinds/zone.ts';
import { type Dispatch, stockZone } from '../stock.ts';
import { IpsetRanges, type Matched } from './ipset-ranges.ts';
import { type Approach, diversionsOf, type RuleHolder, type Step, stepsOf } from './rules.ts';

/** What a filter is made of. */
export interface FilterParts {
  readonly config: FirewalldConfig;
  readonly policies: readonly PolicyConfig[];
  readonly defaultZone: string;
  readonly dispatch: Dispatch;
  /** The kernel's own rules for it, where they are known: then these decide, and the rest is for names. */
  readonly kernel?: KernelFilter;
}

/** Everything of one host's firewalld, at one moment, that decides about flows to the host itself. */
export interface Filter extends FilterParts {
  readonly bindings: Bindings;
  readonly sets: IpsetRanges;
}

/** Builds a filter. @param sets given where several filters of one host hold the same ipsets */
export function filterOf(parts: FilterParts, sets: IpsetRanges = new IpsetRanges()): Filter {
  return { ...parts, bindings: new Bindings(parts.config), sets };
}

/** The rules of a kernel, and what they depend on. */
export interface KernelFilter {
  readonly rules: Evaluator;
  /** The host's own addresses. */
  readonly addresses: readonly string[];
  /** The interface by which the host sends to an address. */
  readonly route: (destination: string) => string | null;
  /** The first address of an interface, to which the kernel redirects; nothing where it has none. */
  readonly redirectedTo: (name: string, family: AddressFamily) => { readonly redirectedTo?: string };
}

/** Sources that do not get in, and what keeps them out. */
export interface Refusal {
  readonly ranges: AddressRanges;
  /** `rule`: one that is not firewalld's, or of its direct interface. */
  readonly kind: 'zone' | 'policy' | 'rule';
  readonly owner: string;
  /** The end of a sentence that is about the owner: `it does not open 22/tcp`. */
  readonly what: string;
}

/** What becomes of an approach's sources: each of them is in `accepted` or in one of `refused`. */
interface Dispatched {
  readonly accepted: AddressRanges;
  readonly refused: readonly Refusal[];
}

/** A rule that decides, and the zone or policy that it belongs to. */
interface Decide {
  readonly kind: 'step';
  readonly step: Step;
  readonly holder: Refusal['kind'];
  readonly owner: string;
}

/** A rule that sends sources to another chain. Those that it does not decide about come back; after a `goto`, to the end of this chain. */
interface Branch extends Matched {
  readonly kind: 'jump' | 'goto';
  readonly chain: Chain;
}

type Chain = readonly (Decide | Branch)[];

/**
 * Sends an approach through a filter as firewalld would.
 *
 * @param worst how to take what facts leave open (MACs, rates, the order of rules of one priority): `true` follows every way
 *   that a packet may take, and one refusal on any of them counts; `false` lets no such rule match. A permission counts
 *   where it is certain, either way.
 */
export function dispatched(filter: Filter, approach: Approach, worst: boolean): Dispatched {
  const built = new Chains(filter, approach, worst);
  const refused: Refusal[] = [];
  // The translation of destinations comes before all filtering.
  const left = follow(built.translation(), approach.sources, worst, refused);
  const nobodyOpened = follow(built.filtering(), left, worst, refused);
  refused.push(...built.unopened(nobodyOpened));
  const out = uniteAll(refused.map((item) => item.ranges));
  return { accepted: subtract(approach.sources, out), refused };
}

/** The refusals of what nothing lets in, by the zone that is evaluated last. */
export function unopened(filter: Filter, approach: Approach, ranges: AddressRanges): Refusal[] {
  return new Chains(filter, approach, false).unopened(ranges);
}

/** @returns the sources that come out at the chain's end */
function follow(chain: Chain, sources: AddressRanges, worst: boolean, refused: Refusal[]): AddressRanges {
  let here = sources;
  let back: AddressRanges = [];
  for (const node of chain) {
    if (here.length === 0) break;
    if (node.kind === 'step') {
      const { step } = node;
      const hit = intersect(here, step.verdict === 'refuse' && worst ? step.may : step.must);
      if (hit.length === 0) continue;
      here = subtract(here, hit);
      if (step.verdict === 'refuse')
        refused.push({ ranges: hit, kind: node.holder, owner: node.owner, what: step.what });
      continue;
    }
    const hit = intersect(here, node.must);
    // Sources that may or may not be sent there are followed both ways.
    const perhaps = worst ? subtract(intersect(here, node.may), hit) : [];
    const left = unite(
      hit.length === 0 ? [] : follow(node.chain, hit, worst, refused),
      perhaps.length === 0 ? [] : follow(node.chain, perhaps, worst, refused),
    );
    here = subtract(here, hit);
    if (node.kind === 'jump') here = unite(here, left);
    else back = unite(back, left);
  }
  return unite(back, here);
}

/** A zone that is evaluated for some sources, in the host's order. */
interface Asked extends Matched {
  readonly zone: ZoneConfig;
  readonly bySource: boolean;
}

class Chains {
  readonly #filter: Filter;
  readonly #approach: Approach;
  readonly #worst: boolean;
  readonly #asked: readonly Asked[];

  constructor(filter: Filter, approach: Approach, worst: boolean) {
    this.#filter = filter;
    this.#approach = approach;
    this.#worst = worst;
    this.#asked = askedZones(filter, approach);
  }

  translation(): Chain {
    const { policies } = this.#filter;
    const diversions = (holder: RuleHolder, kind: Refusal['kind'], owner: string): Chain =>
      diversionsOf(holder, this.#filter, this.#approach).map((step) => ({ kind: 'step', step, holder: kind, owner }));
    return [
      // It is not known whether a policy's translation reaches this host: only what it may take away counts.
      ...policies.map((policy): Branch => {
        const chain = diversions(policy, 'policy', policy.name).filter(
          (node) => node.kind === 'step' && node.step.verdict === 'refuse',
        );
        return { kind: 'jump', ...this.#reach(policy, null), chain };
      }),
      ...this.#dispatch((zone) => diversions(zone, 'zone', zone.name)),
    ];
  }

  filtering(): Chain {
    const { dispatch } = this.#filter;
    const outside = dispatch === 'drifting' || dispatch === '0';
    const zones = this.#dispatch((zone) => this.#zone(zone));
    if (!outside) return zones;
    return [...this.#policies((priority) => priority < 0), ...zones, ...this.#policies((priority) => priority >= 0)];
  }

  /** One zone is evaluated and no other; with zone drifting, first the one bound to the source, then the interface's. */
  #dispatch(chainOf: (zone: ZoneConfig) => Chain): Chain {
    const every = EVERY_ADDRESS[this.#approach.family];
    const branches = (asked: readonly Asked[]): Branch => ({
      kind: 'jump',
      must: every,
      may: every,
      chain: asked.map(({ zone, must, may }) => ({ kind: 'goto', must, may, chain: chainOf(zone) })),
    });
    if (this.#filter.dispatch !== 'drifting') return [branches(this.#asked)];
    return [
      branches(this.#asked.filter(({ bySource }) => bySource)),
      branches(this.#asked.filter(({ bySource }) => !bySource)),
    ];
  }

  #zone(zone: ZoneConfig): Chain {
    const steps = this.#steps(zone, 'zone', zone.name);
    const { dispatch } = this.#filter;
    const target = this.#target(zone.target, 'zone', zone.name);
    if (dispatch === 'drifting' || dispatch === '0') return [...steps, ...target];
    return [
      ...this.#policies((priority) => priority < 0, zone),
      ...steps,
      ...this.#policies((priority) => priority >= 0, zone),
      ...target,
      ...(zone.target === 'default' ? [this.#refuseAll('zone', zone.name, this.#notOpened())] : []),
    ];
  }

  #steps(holder: RuleHolder, kind: Refusal['kind'], owner: string): Chain {
    return stepsOf(holder, this.#filter, this.#approach, this.#worst).map((step) => ({
      kind: 'step',
      step,
      holder: kind,
      owner,
    }));
  }

  #target(target: string, kind: Refusal['kind'], owner: string): Chain {
    const every = EVERY_ADDRESS[this.#approach.family];
    if (target === 'default' || target === 'CONTINUE') return [];
    if (target === 'ACCEPT')
      return [{ kind: 'step', step: { verdict: 'accept', must: every, may: every, what: '' }, holder: kind, owner }];
    const word = target === 'DROP' ? 'DROP' : 'REJECT';
    return [this.#refuseAll(kind, owner, `${this.#notOpened()}, and its target is ${word}`)];
  }

  #refuseAll(holder: Refusal['kind'], owner: string, what: string): Decide {
    const every = EVERY_ADDRESS[this.#approach.family];
    return { kind: 'step', step: { verdict: 'refuse', must: every, may: every, what }, holder, owner };
  }

  #notOpened(): string {
    return `it does not open ${this.#approach.port}/${this.#approach.protocol ?? 'tcp'}`;
  }

  /** The policies towards this host in their order, of a priority that fits. */
  #policies(fits: (priority: number) => boolean, zone: ZoneConfig | null = null): Chain {
    const found = this.#filter.policies
      .filter((policy) => policy.egressZones.includes('HOST') && fits(policy.priority))
      .sort((a, b) => a.priority - b.priority)
      .map((policy) => {
        const chain = [
          ...this.#steps(policy, 'policy', policy.name),
          ...this.#target(policy.target, 'policy', policy.name),
        ];
        return { priority: policy.priority, branch: { kind: 'jump', ...this.#reach(policy, zone), chain } as const };
      });
    return found.flatMap(({ priority, branch }, index) => {
      const same = found.filter((other) => other.priority === priority);
      // Policies of one priority have no order: what each of them refuses if it comes first counts as well.
      const early = this.#worst && same.length > 1 && found[index - 1]?.priority !== priority ? same : [];
      return [...early.map((other) => ({ ...other.branch, must: [] })), branch];
    });
  }

  /** From which of the sources flows come to a policy, on this interface and, from 2.0 on, out of this zone. */
  #reach(policy: PolicyConfig, zone: ZoneConfig | null): Matched {
    const every = EVERY_ADDRESS[this.#approach.family];
    const all = { must: every, may: every };
    const none = { must: [], may: [] };
    if (policy.ingressZones.includes('ANY')) return all;
    if (this.#filter.dispatch === '2') {
      if (zone === null) return { must: [], may: every };
      return policy.ingressZones.includes(zone.name) ? all : none;
    }
    const zones = policy.ingressZones.flatMap((name) => this.#filter.config.zones.get(name) ?? []);
    // Before 2.0, packets that only fall to the default zone reach no policy: only bindings count.
    if (zones.some(({ interfaces }) => interfaces.some((name) => coversInterface(name, this.#approach.interface))))
      return all;
    const bound = zones
      .flatMap(({ sources }) => sources)
      .map((source) => sourceRanges(source, this.#filter, this.#approach));
    return { must: uniteAll(bound.map(({ must }) => must)), may: uniteAll(bound.map(({ may }) => may)) };
  }

  /** What reaches the end of all chains is rejected; this names the zone that does not let it in. */
  unopened(ranges: AddressRanges): Refusal[] {
    const found: Refusal[] = [];
    let left = ranges;
    for (const { zone, must, bySource } of this.#asked) {
      if (bySource && this.#filter.dispatch === 'drifting') continue;
      const hit = intersect(left, must);
      if (hit.length > 0) found.push({ ranges: hit, kind: 'zone', owner: zone.name, what: this.#notOpened() });
      left = subtract(left, hit);
    }
    return found;
  }
}

/** The zones that are evaluated for an approach, in order; the first that decides wins. */
function askedZones(filter: Filter, approach: Approach): Asked[] {
  const { config, dispatch, bindings } = filter;
  const every = EVERY_ADDRESS[approach.family];
  const bySource = bindings.bySource.flatMap((zone) =>
    zone.sources.map((source): Asked => ({ zone, bySource: true, ...sourceRanges(source, filter, approach) })),
  );
  const named = bindings.of(approach.interface).sort((a, b) => (a.name < b.name ? -1 : 1));
  // Before 2.0 nothing orders a zone with the interface's name and one with a pattern for it: either may be evaluated.
  const exact = (zone: ZoneConfig) => (zone.interfaces.includes(approach.interface) ? 1 : 0);
  const byInterface = [...named]
    .sort((a, b) => (dispatch === '2' ? 0 : exact(a) - exact(b)))
    .map((zone, index): Asked => {
      const certain = dispatch === '2' || index === named.length - 1;
      return { zone, bySource: false, must: certain ? every : [], may: every };
    });
  // A zone that names the interface is evaluated for certain: then the default zone is not.
  const fallback =
    named.length > 0 ? [] : [{ zone: zoneNamed(filter.defaultZone, config), bySource: false, must: every, may: every }];
  if (dispatch !== '2') return [...bySource, ...byInterface, ...fallback];
  const ranked = [...bySource, ...byInterface].sort(
    (a, b) => (a.zone.ingressPriority ?? 0) - (b.zone.ingressPriority ?? 0) || Number(b.bySource) - Number(a.bySource),
  );
  return [...ranked, ...fallback];
}

/** The zones and policies whose rules may decide about what comes in by an interface: the default zone only if it is in no other. */
export function holdersAt(filter: Filter, name: string): readonly RuleHolder[] {
  const { bindings, config, defaultZone, policies } = filter;
  const named = bindings.of(name);
  const zones = named.length > 0 ? named : [zoneNamed(defaultZone, config)];
  return [...new Set([...zones, ...bindings.bySource, ...policies])];
}

/** A zone of the configuration, or the one that firewalld has under that name by itself. */
export function zoneNamed(name: string, config: FirewalldConfig): ZoneConfig {
  return config.zones.get(name) ?? stockZone(name) ?? { ...EMPTY_ZONE, name, short: '', description: '' };
}

/** What is bound to which zone, worked out once for a filter: hosts have hundreds of interfaces and zones. */
class Bindings {
  /** Zones with sources, by name. */
  readonly bySource: readonly ZoneConfig[];
  readonly #order = new Map<ZoneConfig, number>();
  readonly #exact = new Map<string, ZoneConfig[]>();
  readonly #patterns: ZoneConfig[] = [];

  constructor(config: FirewalldConfig) {
    const zones = [...config.zones.values()];
    this.bySource = zones.filter(({ sources }) => sources.length > 0).sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const zone of zones) {
      this.#order.set(zone, this.#order.size);
      if (zone.interfaces.some((name) => name.endsWith('+'))) this.#patterns.push(zone);
      for (const name of zone.interfaces) {
        const held = this.#exact.get(name);
        if (held === undefined) this.#exact.set(name, [zone]);
        else held.push(zone);
      }
    }
  }

  /** The zones that name an interface or have a pattern for it, in the configuration's order. */
  of(name: string): ZoneConfig[] {
    const fits = (zone: ZoneConfig) => zone.interfaces.some((pattern) => coversInterface(pattern, name));
    const found = new Set([...(this.#exact.get(name) ?? []), ...this.#patterns].filter(fits));
    return [...found].sort((a, b) => this.#order.get(a)! - this.#order.get(b)!);
  }
}

/** The addresses that a zone's source binding is about; of a MAC that is not known. */
function sourceRanges(source: string, { config, sets }: Filter, approach: Approach): Matched {
  if (source.startsWith('ipset:'))
    return sets.members(config.ipsets.get(source.slice('ipset:'.length)), approach.family);
  const ranges = addressRanges([source], approach.family);
  return ranges === null ? { must: [], may: EVERY_ADDRESS[approach.family] } : { must: ranges, may: ranges };
}

/** The zone that an interface is in, without regard to sources; used in texts. */
export function zoneOfInterface(filter: Filter, name: string): string {
  return filter.bindings.of(name)[0]?.name ?? filter.defaultZone;
}
