import { type AddressRanges, intersect, networksOf, subtract, uniteAll } from '../core/address-ranges.ts';
import { type Approach, type Flow, type Setting, type Stage, settingOf, type Translation } from './flow.ts';
import { isLocal } from './match.ts';
import type { BaseChain, Chain, Hook, Ruleset, Table } from './ruleset.ts';
import { SetContents } from './sets.ts';
import { merge, sourcesOf } from './split.ts';
import { ENDLESS, nameOf, type Refusal, Walk } from './walk.ts';

/** Flows that a NAT rule sends to another destination or port. */
export interface Translated {
  readonly ranges: AddressRanges;
  /** Those of them that get through to the new destination. */
  readonly accepted: AddressRanges;
  /** Addresses, networks or ranges: `192.0.2.7`. */
  readonly destination: readonly string[];
  /** `null` when it is not one port. */
  readonly port: number | null;
  /** Whether the new destination is the host itself; `null` when unknown. */
  readonly local: boolean | null;
  readonly table: string;
  readonly chain: string;
  readonly rule: string;
}

/** The result for an approach's sources: each is in `accepted`, in one of `refused`, or in one of `translated`. */
export interface Passage {
  /** Those that reach the destination and port of the approach. */
  readonly accepted: AddressRanges;
  readonly refused: readonly Refusal[];
  readonly translated: readonly Translated[];
  /** Expressions on the path that were not understood. */
  readonly unknown: readonly string[];
}

/** Evaluates the rules in force, for as many approaches as there are questions. */
export class Evaluator {
  readonly ruleset: Ruleset;
  readonly #sets = new SetContents();
  readonly #places = new Map<string, readonly Place[]>();
  /** The rules jump to each other without end: evaluating them takes a second, so it is done once, not for each of thousands of sockets. */
  #isEndless = false;

  constructor(ruleset: Ruleset) {
    this.ruleset = ruleset;
  }

  /**
   * Sends an approach through the rules, as the kernel would: `prerouting`, and then `input`, or `forward` and
   * `postrouting`; at each hook all chains of all tables in the order of their priorities.
   *
   * Assumed: packets are complete and valid; they arrive by the interface of the route back to their source; the connection
   * of an established flow has not been translated.
   *
   * @param worst how to treat what cannot be known (rates, MACs, elements that expire, expressions that are not understood):
   *   `true` follows every path that a packet may take, and one refusal on any of them counts; `false` lets no such rule match.
   *   In both cases a permission counts only where it is certain.
   */
  passage(approach: Approach, worst: boolean): Passage {
    if (this.#isEndless) return refusedUnevaluated(approach);
    const setting = settingOf(approach);
    const walk = new Walk(setting, worst);
    const start: Flow = {
      sources: approach.sources,
      gone: [],
      mark: 0n,
      ctMark: approach.state === 'new' ? 0n : null,
      untracked: false,
      masked: false,
      translation: null,
    };
    const arrived = this.#atHook(walk, setting, 'prerouting', '', approach.sources.length === 0 ? [] : [start]);
    const through: Flow[] = [];
    for (const [translation, flows] of byTranslation(arrived)) {
      const local = localOf(translation, setting);
      if (local !== false) through.push(...this.#atHook(walk, setting, 'input', '', flows));
      if (local === true) continue;
      const out = outOf(translation, setting);
      const passed = this.#atHook(walk, setting, 'forward', out, flows);
      through.push(...this.#atHook(walk, setting, 'postrouting', out, passed));
    }
    if (walk.endless) this.#isEndless = true;
    return result(walk, setting, through);
  }

  #atHook(walk: Walk, setting: Setting, hook: Hook, out: string | null, flows: readonly Flow[]): readonly Flow[] {
    let here = flows;
    for (const { table, chain, base } of this.#chainsAt(hook, setting.approach.family)) {
      const stage: Stage = { setting, sets: this.#sets, base, table, out };
      const [evaluated, others] = base.type === 'nat' ? translatable(here, setting, hook) : [here, []];
      if (evaluated.length > 0) here = merge([...others, ...walk.through(chain, stage, evaluated)]);
    }
    return here;
  }

  /** The base chains that see packets of a family at a hook, in their order. */
  #chainsAt(hook: Hook, family: Approach['family']): readonly Place[] {
    const key = `${hook} ${family}`;
    const places = this.#places.get(key) ?? placesAt(this.ruleset, hook, family);
    this.#places.set(key, places);
    return places;
  }
}

function refusedUnevaluated({ sources }: Approach): Passage {
  const refusal: Refusal = {
    ranges: sources,
    verdict: 'drop',
    table: 'any',
    chain: 'any',
    rule: ENDLESS,
    trail: [],
    by: 'rule',
  };
  return { accepted: [], refused: [refusal], translated: [], unknown: [ENDLESS] };
}

function localOf(translation: Translation | null, { approach, local }: Setting): boolean | null {
  if (translation === null || !translation.elsewhere) return approach.direction === 'input';
  const answer = isLocal(translation.destination, local);
  return answer === 'perhaps' ? null : answer === 'yes';
}

function outOf(translation: Translation | null, { approach }: Setting): string | null {
  if (translation === null || !translation.elsewhere) return approach.outInterface;
  const [address, ...others] = networksOf(translation.destination, approach.family);
  return address === undefined || others.length > 0 ? null : (approach.route?.(address) ?? null);
}

function byTranslation(flows: readonly Flow[]): Map<Translation | null, Flow[]> {
  const groups = new Map<Translation | null, Flow[]>();
  for (const flow of flows) {
    const group = groups.get(flow.translation);
    if (group === undefined) groups.set(flow.translation, [flow]);
    else group.push(flow);
  }
  return groups;
}

/** Only the first packet of a connection is translated, and once for each end. */
function translatable(flows: readonly Flow[], { approach }: Setting, hook: Hook): [Flow[], Flow[]] {
  const open = (flow: Flow) =>
    approach.state === 'new' && !flow.untracked && (hook === 'prerouting' ? flow.translation === null : !flow.masked);
  return [flows.filter(open), flows.filter((flow) => !open(flow))];
}

interface Place {
  readonly table: Table;
  readonly chain: Chain;
  readonly base: BaseChain;
}

function placesAt({ tables }: Ruleset, hook: Hook, family: Approach['family']): readonly Place[] {
  return (
    tables
      .filter((table) => !table.dormant && table.family !== (family === 'ipv4' ? 'ip6' : 'ip'))
      .flatMap((table) =>
        [...table.chains.values()].flatMap((chain) =>
          chain.base?.hook === hook ? [{ table, chain, base: chain.base }] : [],
        ),
      )
      // Among equal priorities the kernel calls the newest chain first.
      .reverse()
      .sort((a, b) => calledAt(a.base) - calledAt(b.base) || a.base.priority - b.base.priority)
  );
}

/** Translation happens at one point of each hook; there the chains' priorities only set their order. */
function calledAt({ type, hook, priority }: BaseChain): number {
  if (type !== 'nat') return priority;
  return hook === 'prerouting' || hook === 'output' ? -100 : 100;
}

function result(walk: Walk, setting: Setting, through: readonly Flow[]): Passage {
  const { approach, local } = setting;
  const out = uniteAll(walk.refused.map(({ ranges }) => ranges));
  const elsewhere = walk.diverted.filter(({ translation }) => translation.elsewhere);
  const translated = [...new Set(elsewhere.map(({ translation }) => translation))].map((translation): Translated => {
    const arrived = through.filter((flow) => flow.translation === translation).map(sourcesOf);
    const [port] = translation.port;
    const answer = isLocal(translation.destination, local);
    return {
      ranges: uniteAll(elsewhere.filter((one) => one.translation === translation).map(({ ranges }) => ranges)),
      accepted: without(uniteAll(arrived), out),
      destination: networksOf(translation.destination, approach.family),
      port: port !== undefined && port.first === port.last ? Number(port.first) : null,
      local: answer === 'perhaps' ? null : answer === 'yes',
      table: nameOf(translation.table),
      chain: translation.chain,
      rule: translation.rule.text,
    };
  });
  const away = uniteAll(translated.map(({ ranges }) => ranges));
  const arrived = through.filter(({ translation }) => translation?.elsewhere !== true).map(sourcesOf);
  return {
    accepted: without(without(uniteAll(arrived), out), away),
    refused: walk.refused,
    translated,
    unknown: [...walk.unknown],
  };
}

/** Returns the same set when nothing is taken out of it, so that a large set is in memory once for all ports. */
function without(set: AddressRanges, what: AddressRanges): AddressRanges {
  return intersect(set, what).length === 0 ? set : subtract(set, what);
}
