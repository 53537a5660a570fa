import { counted } from '../../core/lists.ts';
import { totalsLines } from '../../report/terminal/summary-text.ts';
import { confirm } from '../confirm.ts';
import { requireConsent, runOverFleet } from '../fleet-command.ts';
import { type GuardFlags, guardSettings } from '../guard-flags.ts';
import { measured } from '../metrics-file.ts';
import { reviewOfRun } from '../review-of-run.ts';
import { planCommand, showReview, wantsDetails } from '../show-review.ts';
import { UsageError } from '../usage-error.ts';
import { type OfSavedPlan, type PlanFlags, plan } from './plan.ts';

export interface ApplyFlags extends PlanFlags, GuardFlags {
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly cutRevoked?: boolean;
}

/**
 * `portfw apply INVENTORY [--yes | --dry-run]`.
 *
 * @param saved what is applied, where it is a saved plan
 */
export async function apply(
  sources: readonly string[],
  flags: ApplyFlags,
  version: string,
  saved: OfSavedPlan | null = null,
): Promise<number> {
  if (flags.dryRun === true) return plan(sources, flags, version, saved);
  if (flags.format !== undefined)
    throw new UsageError(
      '--format is for plans, and apply makes changes',
      'Add --dry-run; or use --json for the events of the run as they come',
    );
  requireConsent(flags, 'apply');
  const guard = guardSettings(flags);
  if (flags.cutRevoked === true && guard.confirm === 'manual')
    throw new UsageError(
      '--cut-revoked cannot be used with --confirm manual',
      'Flows can be ended only after the confirmation, which is a separate run: leave out one of the two flags',
    );
  const hint = saved?.shownBy ?? planCommand(sources, flags);
  const digest = saved?.context.plannedBy?.digest ?? null;
  let reviewed = false;
  return runOverFleet(sources, flags, {
    ...(saved === null ? {} : { prepared: saved.prepared }),
    matrix: 'required',
    journaledAs: 'apply',
    ...measured(flags.metrics, version, saved?.plannedAt ?? null),
    context: { ...saved?.context, guard, cutRevoked: flags.cutRevoked === true, raw: flags.raw === true },
    // Where no host has changes, nothing was reviewed.
    show: async ({ summary, context }, { terminal }) => {
      const input = reviewOfRun('apply', { plans: [], ended: summary.outcomes }, context);
      if (!reviewed && input.plans.length > 0) await showReview(input, flags, terminal, hint);
    },
    command: ({ terminal, report, interruption }, context) => ({
      kind: 'apply',
      review: async (planned) => {
        reviewed = true;
        if (flags.json === true) return true;
        await report.rest();
        const review = { ...reviewOfRun('apply', planned, context), digest };
        const { summary } = await showReview(review, flags, terminal, hint);
        terminal.out('\n');
        if (flags.yes === true) return true;
        // The question stands below the numbers, also where the details are between them and the summary.
        if (wantsDetails(flags)) terminal.out(totalsLines(summary, terminal));
        return confirm(
          `Apply this to ${counted(planned.plans.length, 'host')}? Type "yes" to continue: `,
          interruption,
        );
      },
    }),
  });
}
