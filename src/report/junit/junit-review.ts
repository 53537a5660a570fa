import { counted } from '../../core/lists.ts';
import type { ReviewedPlan } from '../../plan/plan.ts';
import type { PlanGroup } from '../plan-view.ts';
import type { Review } from '../review.ts';
import type { HostWithoutPlan } from '../review-input.ts';
import { groupLines } from '../terminal/plan-text.ts';
import { PLAIN_STYLE } from '../terminal/style.ts';
import { junitXml, type TestCase, type TestResult } from './junit-xml.ts';

/**
 * A review as JUnit XML: a host is a test case that says "no drift". Pending changes are its failure, and a host without a plan
 * is an error. Warnings stand in `system-out`.
 */
export function junitReview({ input, plans }: Review): string {
  const lines = new Map(plans.groups.flatMap((group) => linesOf(group)));
  const suite = input.action === 'apply' ? 'portfw plan' : 'portfw rollback';
  return junitXml(suite, [
    ...input.plans.map((plan) => planCase(suite, plan, lines.get(plan.host) ?? [])),
    ...input.without.map((host) => withoutCase(suite, host)),
  ]);
}

/** What the details say of each host of a group. */
function linesOf(group: PlanGroup): readonly (readonly [string, readonly string[]])[] {
  const lines = groupLines(group, PLAIN_STYLE).slice(1);
  return group.hosts.map((host) => [host, lines]);
}

function planCase(classname: string, plan: ReviewedPlan, lines: readonly string[]): TestCase {
  const { host, changes, notes } = plan;
  const warnings = notes.filter(({ severity }) => severity === 'warning');
  const result: TestResult =
    changes.length === 0
      ? { kind: 'passed' }
      : {
          kind: 'failure',
          type: plan.kind === 'apply' ? 'drift' : 'rollback',
          message: `${counted(changes.length, 'change')} pending`,
          lines,
        };
  return { classname, name: host, result, out: warnings.map(({ code, text }) => `warning: ${code}: ${text}`) };
}

function withoutCase(classname: string, { host, kind, failure }: HostWithoutPlan): TestCase {
  const { code, what, details, solve } = failure;
  const result: TestResult =
    kind === 'skipped'
      ? { kind, message: what }
      : { kind: 'error', type: code, message: `${kind}: ${what}`, lines: [...details, solve] };
  return { classname, name: host, result, out: [] };
}
