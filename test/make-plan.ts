import { draftPlan, type MadePlan, type PlanInput, withConsequences } from '../src/plan/build-plan.ts';

/** The whole plan, worked out from facts alone: no rehearsal, no kernel's rules. */
export function makePlan(input: PlanInput): MadePlan {
  const made = draftPlan(input);
  return { ...made, plan: withConsequences(made, input, null, null) };
}
