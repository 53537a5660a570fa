import { type AddressRanges, intersect } from '../../core/address-ranges.ts';
import type { Evaluator } from '../../kernel/evaluate.ts';
import { dispatched, type Filter, type Refusal, unopened } from './dispatch.ts';
import type { Approach } from './rules.ts';

export type { Filter, Refusal } from './dispatch.ts';

/** Sources that a translation sends elsewhere. */
export interface Diverted {
  readonly ranges: AddressRanges;
  /** Those that get in where they are sent. */
  readonly accepted: AddressRanges;
  /** `null` when it is not one port. */
  readonly port: number | null;
  /** Whether that is the host itself, for certain. */
  readonly local: boolean;
}

/** What becomes of an approach's sources: each of them is in `accepted`, in one of `refused`, or in one of `diverted`. */
export interface Passage {
  readonly accepted: AddressRanges;
  readonly refused: readonly Refusal[];
  readonly diverted: readonly Diverted[];
  /** Expressions of the kernel's rules that were met and are not understood. */
  readonly unknown: readonly string[];
}

/**
 * Sends an approach through a filter: through the kernel's rules where they are known, else as firewalld's own order has it.
 *
 * @param worst what cannot be known beforehand (MACs, rates, expressions that are not understood) is followed both ways, and
 *   one refusal counts; else no such rule matches. A permission counts where it is certain, either way
 */
export function passage(filter: Filter, approach: Approach, worst: boolean): Passage {
  const { kernel } = filter;
  if (kernel === undefined) return { ...dispatched(filter, approach, worst), diverted: [], unknown: [] };
  const found = kernel.rules.passage(
    {
      direction: approach.outInterface === undefined ? 'input' : 'forward',
      interface: approach.interface,
      outInterface: approach.outInterface ?? null,
      family: approach.family,
      protocol: approach.protocol ?? 'tcp',
      port: approach.port,
      sourcePort: approach.sourcePort ?? null,
      sources: approach.sources,
      destination: approach.destination,
      state: 'new',
      local: kernel.addresses,
      ...kernel.redirectedTo(approach.interface, approach.family),
      route: kernel.route,
    },
    worst,
  );
  return {
    accepted: found.accepted,
    refused: found.refused.flatMap((refusal) => named(filter, approach, refusal)),
    diverted: found.translated.map(({ ranges, accepted, port, local }) => ({
      ranges,
      accepted,
      port,
      local: local === true,
    })),
    unknown: found.unknown,
  };
}

type KernelRefusal = ReturnType<Evaluator['passage']>['refused'][number];

/** Chains of firewalld's for packets that come to the host, by the zone or policy that they are about; all versions and backends. */
const OWN_CHAIN = /^(?:filter_|mangle_|raw_|nat_)?(?:IN|FWD|FWDI|FWDO|PRE|FWD_IN|FWD_OUT)_(policy_)?(.+)$/;
const PART = /_(?:pre|log|deny|allow|post)$/;

/** A refusal by the kernel's rules, in firewalld's words. */
function named(filter: Filter, approach: Approach, refusal: KernelRefusal): Refusal[] {
  const { table, chain, rule, verdict, ranges } = refusal;
  const said = `its rule "${rule}" ${verdict === 'drop' ? 'drops' : 'rejects'} it`;
  if (!/(?:^| )firewalld$/.test(table) && !OWN_CHAIN.test(chain))
    return [{ ranges, kind: 'rule', owner: `table ${table}, chain ${chain}`, what: said }];
  const [, isPolicy, rest = ''] = OWN_CHAIN.exec(chain) ?? [];
  if (rest === '') return unopened(filter, approach, ranges);
  const known =
    isPolicy === undefined ? filter.config.zones : new Map(filter.policies.map((policy) => [policy.name, policy]));
  const owner = known.has(rest) ? rest : rest.replace(PART, '');
  const kind = isPolicy === undefined ? 'zone' : 'policy';
  // Rules in the zone's own chain, not in one of its sub-chains, are the end of the zone.
  const target = known.get(owner)?.target ?? 'default';
  if (chain.endsWith(`_${owner}`))
    return [
      {
        ranges,
        kind,
        owner,
        what: `${notOpened(approach)}${target === 'default' ? '' : `, and its target is ${target === 'DROP' ? 'DROP' : 'REJECT'}`}`,
      },
    ];
  return [{ ranges, kind, owner, what: said }];
}

function notOpened({ port, protocol = 'tcp' }: Approach): string {
  return `it does not open ${port}/${protocol}`;
}

/** Sources that get in at the port that they ask for, or that are translated to one of these ports of the host. */
export function letIn(found: Passage, ports: readonly number[], sources: AddressRanges): AddressRanges[] {
  const led = found.diverted.filter(({ local, port }) => local && port !== null && ports.includes(port));
  return [found.accepted, ...led.map(({ accepted }) => intersect(accepted, sources))];
}
