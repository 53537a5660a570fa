import { addressRanges, intersect, networksOf } from '../core/address-ranges.ts';
import { formatPortRange } from '../core/ports.ts';
import { listed } from '../core/shown.ts';
import type { HostPeers } from '../inventory/peers.ts';
import type { MatrixRule } from '../matrix/matrix.ts';
import type { Reason } from './desired.ts';
import { slug } from './names.ts';

/** Who may come: anyone, or a named set of addresses. */
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
      readonly reason: Reason;
    };

/** The selector of `portfw_allow_from` that fits a rule best, most specific first. */
export function allowSelector(
  rule: Pick<MatrixRule, 'role' | 'interface' | 'protocol' | 'port'>,
  allowFrom: Readonly<Record<string, readonly string[]>>,
): string | null {
  const port = rule.port.kind === 'range' ? formatPortRange(rule.port.range) : `rpc:${rule.port.program}`;
  const spellings = [
    `${rule.role}/${rule.interface}/${rule.protocol}/${port}`,
    `${rule.role}/${rule.protocol}/${port}`,
    `${rule.role}/${port}`,
    rule.role,
  ];
  return spellings.find((selector) => Object.hasOwn(allowFrom, selector)) ?? null;
}

/** The sources of one rule: what the matrix says, narrowed by `portfw_allow_from`. */
export function sourcesOf(
  rule: MatrixRule,
  role: string | null,
  allowFrom: Readonly<Record<string, readonly string[]>>,
  lookup: HostPeers,
): SourceSet {
  const selector = allowSelector(rule, allowFrom);
  const allowed = selector === null ? null : lookup.addressesOf(allowFrom[selector]!);
  if (rule.from === 'any') {
    if (selector === null || allowed === null) return { kind: 'any' };
    const label = selector === rule.role ? 'allowed' : slug(selector.slice(rule.role.length + 1));
    return {
      kind: 'set',
      label,
      stem: `from-${slug(selector)}`,
      identity: `from ${selector}`,
      addresses: allowed,
      reason: { kind: 'peers', set: selector, from: `portfw_allow_from: ${listed(allowFrom[selector]!)}` },
    };
  }
  const peers = lookup.peerSet(rule.from, role);
  const narrowed = allowed === null ? peers.addresses : intersection(peers.addresses, allowed);
  const suffix =
    selector === null ? '' : `-${selector === rule.role ? 'allowed' : slug(selector.slice(rule.role.length + 1))}`;
  return {
    kind: 'set',
    label: `${rule.from}${suffix}`,
    stem: `peer-${rule.from}${suffix === '' ? '' : `-${slug(selector!)}`}`,
    identity: `peers ${rule.from} ${selector ?? ''}`,
    addresses: narrowed,
    reason: { kind: 'peers', set: rule.from, from: peers.from },
  };
}

/** The addresses that lie in both lists. */
export function intersection(left: readonly string[], right: readonly string[]): string[] {
  return (['ipv4', 'ipv6'] as const).flatMap((family) => {
    const both = intersect(addressRanges(left, family) ?? [], addressRanges(right, family) ?? []);
    return networksOf(both, family);
  });
}
