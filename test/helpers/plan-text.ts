import type { z } from 'zod';
import { PLAN_FORMAT, type ReviewedPlan } from '../../src/plan/plan.ts';
import { lostSteps, reviewedPlanSchema } from '../../src/plan/plan-file.ts';

/** A plan that was read, or why the text holds none: each problem with its place in the document. */
export type PlanReading =
  | { readonly kind: 'plan'; readonly plan: ReviewedPlan }
  | { readonly kind: 'unreadable'; readonly problems: readonly string[] };

/** A type without `readonly`, as the schema has it. */
type Mutable<T> = T extends object ? { -readonly [K in keyof T]: Mutable<T[K]> } : T;

/** Does not compile when a plan may hold what the schema does not know. */
function documentOf(plan: Mutable<ReviewedPlan>): z.infer<typeof reviewedPlanSchema> {
  return plan;
}

/** A plan as JSON, which {@link readPlan} reads back equal. */
export function writePlan(plan: ReviewedPlan): string {
  return `${JSON.stringify(documentOf(plan as Mutable<ReviewedPlan>))}\n`;
}

/**
 * Reads a plan of either kind from JSON. The text may come from anybody: every part is checked, a key that is not known is a problem, and so
 * is a step that names no change of the plan.
 */
export function readPlan(text: string): PlanReading {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { kind: 'unreadable', problems: [`it is not JSON: ${(error as Error).message}`] };
  }
  const format = typeof value === 'object' && value !== null && 'format' in value ? value.format : undefined;
  if (format !== PLAN_FORMAT)
    return {
      kind: 'unreadable',
      problems: [
        typeof format === 'number'
          ? `its format is ${format}, and this portfw reads format ${PLAN_FORMAT}: make the plan again`
          : 'it has no format: it is not a plan of portfw',
      ],
    };
  const read = reviewedPlanSchema.safeParse(value);
  if (!read.success)
    return {
      kind: 'unreadable',
      problems: read.error.issues.map(({ path, message }) => `${path.map(String).join('.')}: ${message}`),
    };
  const { data: plan } = read;
  const lost = plan.kind === 'rollback' ? [] : lostSteps(plan);
  const problems = lost.map((index) => `steps.${index}: it names a change that is not there`);
  return problems.length > 0 ? { kind: 'unreadable', problems } : { kind: 'plan', plan };
}
