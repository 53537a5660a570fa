import { type ObservedFirewalld, observedFirewalld } from '../../../../src/firewalld/observed.ts';
import type { PlanInput } from '../../../../src/plan/build-plan.ts';
import type { HostPlan } from '../../../../src/plan/plan.ts';
import type { DesiredFirewalld } from '../../../../src/policy/desired.ts';
import { makePlan } from '../../../helpers/make-plan.ts';
import type { Firewalld } from './simulator.ts';

/** The plan that brings a simulated host to a desired configuration, with what the host was seen to be. */
export function planOf(
  host: Firewalld,
  desired: DesiredFirewalld,
  more: Partial<PlanInput> = {},
): { readonly plan: HostPlan; readonly observed: ObservedFirewalld } {
  const facts = host.facts();
  const observed = more.observed ?? observedFirewalld(facts);
  const fixed = { host: 'h', matrix: 'm', roles: [], remembered: null, notes: [] };
  const { plan } = makePlan({ ...fixed, facts, observed, desired, ...more });
  return { plan, observed };
}
