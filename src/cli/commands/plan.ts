import { type FleetCommandOptions, runOverFleet } from '../fleet-command.ts';
import { measured } from '../metrics-file.ts';
import { requireOneFormat } from '../review-formats.ts';
import { reviewOfRun } from '../review-of-run.ts';
import type { RunFlags } from '../run-flags.ts';
import { type SaveFlags, savingOptions } from '../saving.ts';
import { planCommand, showReview } from '../show-review.ts';

/** What `plan` and `apply --dry-run` have in common. */
export interface PlanFlags extends RunFlags {
  readonly detailedExitcode?: boolean;
  /** The file to write metrics to. */
  readonly metrics?: string;
  readonly details?: boolean;
  /** Add the differences of the files. */
  readonly raw?: boolean;
}

/** What a saved plan adds to a run. */
export interface OfSavedPlan extends Required<Pick<FleetCommandOptions, 'context' | 'prepared'>> {
  /** The command that shows it. */
  readonly shownBy: string;
  /** Milliseconds since 1970. */
  readonly plannedAt: number;
}

/**
 * `portfw plan INVENTORY [--details] [--detailed-exitcode] [--format FORMAT] [--raw] [--metrics FILE]
 * [--out FILE [--sign KEY]]`.
 *
 * @param saved the saved plan that is compared with the hosts, for `apply FILE --dry-run`
 */
export function plan(
  sources: readonly string[],
  flags: PlanFlags & SaveFlags,
  version: string,
  saved: OfSavedPlan | null = null,
): Promise<number> {
  requireOneFormat(flags);
  const more: Pick<FleetCommandOptions, 'context' | 'prepared' | 'after'> =
    saved === null
      ? savingOptions('apply', sources, flags, version)
      : { context: saved.context, prepared: saved.prepared };
  return runOverFleet(sources, flags, {
    matrix: 'required',
    detailedExitCode: flags.detailedExitcode === true,
    ...measured(flags.metrics, version, saved?.plannedAt ?? null),
    show: async ({ summary, context }, { terminal }) => {
      const input = reviewOfRun('apply', { plans: [], ended: summary.outcomes }, context);
      const command = saved?.shownBy ?? planCommand(sources, flags);
      if (input.plans.length > 0 || flags.format !== undefined) await showReview(input, flags, terminal, command);
    },
    command: () => ({ kind: 'plan' }),
    ...more,
    context: { ...more.context, raw: flags.raw === true },
  });
}
