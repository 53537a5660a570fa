import { addressRanges, intersect, networksOf } from '../core/address-ranges.ts';
import { listed } from '../core/lists.ts';
import type { Matrix, MatrixRole, MatrixRule } from '../matrix/matrix.ts';
import { formatRulePort } from '../matrix/rules.ts';
import { ruleSelectors } from '../matrix/selectors.ts';
import { type HostPeers, meansAnyone } from '../settings/addresses-of-hosts.ts';
import type { HostSettings, InterfaceClass, PrivateMode } from '../settings/settings-types.ts';
import type { Reason } from './desired.ts';
import { slug } from './names.ts';

/** What the inventory takes from those who may connect. */
export interface Narrowed {
  /** The variable, or the extra rule. */
  readonly by: string;
  /** What it says. */
  readonly to: string;
  /** Those who may connect without it; `null` for anyone. */
  readonly wide: readonly string[] | null;
}

/** Who may connect: anyone, or a named set of addresses. */
export type SourceSet =
  | { readonly kind: 'any' }
  | {
      readonly kind: 'set';
      /** What tells this set from others in names of services and ipsets. */
      readonly label: string;
      /** The ipset's name stem. */
      readonly stem: string;
      /** What the set is, without the losses of a name. */
      readonly identity: string;
      readonly addresses: readonly string[];
      readonly narrowed: Narrowed | null;
      readonly reason: Reason;
    };

/** A rule on one host: its class, and who may connect before the inventory narrows it. */
export interface StandingRule {
  readonly rule: MatrixRule;
  readonly interface: InterfaceClass;
}

/**
 * Finds where a rule applies on a host: on the class that `portfw_role_interfaces` chooses, with the senders that the
 * matrix has for that side. A private side that is trusted as a whole lets everybody there in, so what the matrix has for
 * the site's servers or for administration changes nothing on it.
 */
export function standingRule(
  rule: MatrixRule,
  role: Pick<MatrixRole, 'name' | 'interfaceChoices'>,
  matrix: Pick<Matrix, 'peers'>,
  settings: Pick<HostSettings, 'roleInterfaces'>,
  mode: PrivateMode,
): StandingRule {
  const chosen = settings.roleInterfaces[role.name];
  const side = chosen !== undefined && role.interfaceChoices.includes(chosen) ? chosen : rule.interface;
  const from = isPublicSide(side) ? (rule.fromPublic ?? rule.from) : rule.from;
  if (side !== 'private' || mode !== 'trusted') return { rule: { ...rule, from }, interface: side };
  const ofSite = matrix.peers.get(from)?.site === true;
  return { rule: { ...rule, from: ofSite ? 'any' : from, administration: false }, interface: side };
}

/** The classes that strangers reach: a virtual address is there for them, too. */
export function isPublicSide(side: InterfaceClass): boolean {
  return side === 'public' || side === 'vip';
}

/** The selector of `portfw_allow_from` that fits a rule best, most specific first. */
export function allowSelector(
  rule: Pick<MatrixRule, 'role' | 'interface' | 'protocol' | 'port'>,
  allowFrom: Readonly<Record<string, readonly string[]>>,
): string | null {
  return ruleSelectors(rule).find((selector) => Object.hasOwn(allowFrom, selector)) ?? null;
}

/**
 * The sources of one rule: what the matrix says, narrowed by `portfw_allow_from`; without an entry there, a port of the
 * administration by `portfw_management`.
 *
 * @param rule as {@link standingRule} has it
 */
export function sourcesOf(
  rule: MatrixRule,
  matrix: Pick<Matrix, 'peers'>,
  { allowFrom, management }: Pick<HostSettings, 'allowFrom' | 'management'>,
  lookup: HostPeers,
): SourceSet {
  const selector = allowSelector(rule, allowFrom);
  const allowed =
    selector === null || meansAnyone(allowFrom[selector]!) ? null : lookup.addressesOf(allowFrom[selector]!);
  const set = matrix.peers.get(rule.from);
  if (set === undefined) {
    if (selector === null && rule.administration) return managers(management, lookup);
    if (selector === null || allowed === null) return { kind: 'any' };
    const label = selector === rule.role ? 'allowed' : slug(selector.slice(rule.role.length + 1));
    return {
      kind: 'set',
      label,
      stem: `from-${slug(selector)}`,
      identity: `from ${selector}`,
      addresses: allowed,
      narrowed: { ...narrowedTo(selector, allowFrom), wide: null },
      reason: { kind: 'peers', set: selector, from: `portfw_allow_from: ${listed(allowFrom[selector]!)}` },
    };
  }
  const peers = lookup.peerSet(set);
  const narrowed = allowed === null ? peers.addresses : intersection(peers.addresses, allowed);
  const suffix =
    selector === null || allowed === null
      ? ''
      : `-${selector === rule.role ? 'allowed' : slug(selector.slice(rule.role.length + 1))}`;
  return {
    kind: 'set',
    label: `${rule.from}${suffix}`,
    stem: `peer-${rule.from}${suffix === '' ? '' : `-${slug(selector!)}`}`,
    identity: `peers ${rule.from} ${suffix === '' ? '' : selector}`,
    addresses: narrowed,
    narrowed:
      selector === null || allowed === null ? null : { ...narrowedTo(selector, allowFrom), wide: peers.addresses },
    reason: { kind: 'peers', set: rule.from, from: peers.from },
  };
}

function narrowedTo(selector: string, allowFrom: Readonly<Record<string, readonly string[]>>): Omit<Narrowed, 'wide'> {
  return { by: 'portfw_allow_from', to: `${selector}: ${listed(allowFrom[selector]!)}` };
}

/** How the inventory narrows what opens a port. */
export interface Narrowing {
  /** The line that narrows it. */
  readonly line: string;
  /** The line that says that anyone may connect. */
  readonly anyone: string;
  /** Whether that line is there. */
  readonly said: boolean;
}

/** How the inventory narrows a rule, as {@link standingRule} has it. */
export function narrowingOf(rule: MatrixRule, allowFrom: Readonly<Record<string, readonly string[]>>): Narrowing {
  const given = allowSelector(rule, allowFrom);
  const selector = given ?? `${rule.role}/${rule.protocol}/${formatRulePort(rule.port)}`;
  const allow = (who: string): string => `portfw_allow_from: { ${selector}: [${who}] }`;
  const said = given !== null && meansAnyone(allowFrom[given]!);
  const managed = given === null && rule.from === 'any' && rule.administration;
  return { line: managed ? 'portfw_management: [NETWORKS]' : allow('NETWORKS'), anyone: allow('any'), said };
}

/** Those who administer the hosts. Anyone, while none of their addresses is known: a name without an address must lock nobody out. */
function managers(management: readonly string[], lookup: HostPeers): SourceSet {
  const addresses = lookup.addressesOf(management);
  if (addresses.length === 0) return { kind: 'any' };
  return {
    kind: 'set',
    label: 'management',
    stem: 'management',
    identity: 'portfw_management',
    addresses,
    narrowed: { by: 'portfw_management', to: listed(management), wide: null },
    reason: { kind: 'peers', set: 'management', from: `portfw_management: ${management.join(', ')}` },
  };
}

/** The addresses that lie in both lists. */
export function intersection(left: readonly string[], right: readonly string[]): string[] {
  return (['ipv4', 'ipv6'] as const).flatMap((family) => {
    const both = intersect(addressRanges(left, family) ?? [], addressRanges(right, family) ?? []);
    return networksOf(both, family);
  });
}
