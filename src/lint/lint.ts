import { Problem } from '../core/problem.ts';
import { sortProblems } from '../core/sort-problems.ts';
import { EXCEPTION_CHECKS } from './lint-exceptions.ts';
import { FLEET_CHECKS } from './lint-fleet.ts';
import { INTERFACE_CHECKS } from './lint-interfaces.ts';
import { OPENNESS_CHECKS } from './lint-openness.ts';
import { SOURCE_CHECKS } from './lint-sources.ts';
import { TARGET_CHECKS } from './lint-targets.ts';
import { type LintCheck, type LintInput, LintWorld } from './lint-world.ts';

/** Every check for doubts; docs/reference/lint.md has a section on each. */
export const LINT_CHECKS: readonly LintCheck[] = [
  ...SOURCE_CHECKS,
  ...OPENNESS_CHECKS,
  ...EXCEPTION_CHECKS,
  ...INTERFACE_CHECKS,
  ...TARGET_CHECKS,
  ...FLEET_CHECKS,
];

/** What is doubtful about an inventory and what it leads to: warnings, in reading order. Pure. */
export function doubts(input: LintInput): Problem[] {
  const world = new LintWorld(input);
  return sortProblems(
    LINT_CHECKS.flatMap(({ code, find }) =>
      find(world).map((finding) => new Problem({ severity: 'warning', code, ...finding })),
    ),
  );
}
