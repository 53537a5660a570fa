import { filtersOf } from '../../src/plan/before-and-after.ts';
import { draftPlan, type MadePlan, type PlanInput, withConsequences } from '../../src/plan/build-plan.ts';

/** The whole plan, worked out from facts alone: no rehearsal, no kernel's rules. */
export function makePlan(input: PlanInput): MadePlan {
  const made = draftPlan(input);
  const { observed, facts: firewalld } = input;
  const filters = filtersOf({ outcome: made.outcome, observed, firewalld, kernels: null });
  return { ...made, plan: withConsequences(made, input, null, filters) };
}
