import { carrierWays, leaseWays } from './carrier-ways.ts';
import { type ManagementSource, type ManagementWays, managementWays } from './management-ways.ts';
import { controllerWays, type Dialled, unaskedOwnWay, type WayFacts } from './proof-ways.ts';

/** All sources that must get in, and what SSH depends on, the most important first; and sentences on what cannot be evaluated. */
export function waysOf(
  facts: WayFacts,
  management: readonly ManagementSource[],
  dialled: Dialled | null,
): ManagementWays {
  const { ways, doubts } = managementWays(facts, management);
  const own = [...controllerWays(facts, dialled), ...carrierWays(facts)];
  const unasked = unaskedOwnWay(facts, dialled);
  return {
    ways: [...own, ...leaseWays(facts, [...own, ...ways]), ...ways],
    doubts: [...(unasked === null ? [] : [unasked]), ...doubts.map((text) => `portfw_management: ${text}`)],
  };
}
