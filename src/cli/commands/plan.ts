import { runOverFleet } from '../fleet-command.ts';
import { measured } from '../metrics-file.ts';
import { reviewOfRun } from '../review-of-run.ts';
import type { RunFlags } from '../run-flags.ts';
import { planCommand, showReview } from '../show-review.ts';

/** What `plan` and `apply --dry-run` have in common. */
export interface PlanFlags extends RunFlags {
  readonly detailedExitcode?: boolean;
  /** The file to write metrics to. */
  readonly metrics?: string;
  readonly details?: boolean;
}

/** `portfw plan INVENTORY [--details] [--detailed-exitcode] [--metrics FILE]`. */
export function plan(sources: readonly string[], flags: PlanFlags, version: string): Promise<number> {
  return runOverFleet(sources, flags, {
    matrix: 'required',
    detailedExitCode: flags.detailedExitcode === true,
    ...measured(flags.metrics, version),
    show: ({ summary, context }, { terminal }) => {
      const input = reviewOfRun('apply', { plans: [], ended: summary.outcomes }, context);
      if (input.plans.length > 0) showReview(input, flags, terminal, planCommand(sources, flags));
    },
    command: () => ({ kind: 'plan' }),
  });
}
