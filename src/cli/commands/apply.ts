import { counted } from '../../core/lists.ts';
import { plansText } from '../../report/terminal/plan-text.ts';
import { wrapped } from '../../report/terminal/wrap.ts';
import { confirm } from '../confirm.ts';
import { type FleetCommandOptions, requireConsent, runOverFleet } from '../fleet-command.ts';
import { type GuardFlags, guardSettings } from '../guard-flags.ts';
import { UsageError } from '../usage-error.ts';
import type { PlanFlags } from './plan.ts';

export interface ApplyFlags extends PlanFlags, GuardFlags {
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly cutRevoked?: boolean;
}

/**
 * `portfw apply INVENTORY [--yes | --dry-run]`.
 *
 * @param beyond what a saved plan adds
 */
export async function apply(
  sources: readonly string[],
  flags: ApplyFlags,
  beyond: Pick<FleetCommandOptions, 'context' | 'prepared'> = {},
): Promise<number> {
  if (flags.dryRun === true)
    return runOverFleet(sources, flags, {
      ...beyond,
      matrix: 'required',
      detailedExitCode: flags.detailedExitcode === true,
      command: () => ({ kind: 'plan' }),
    });
  requireConsent(flags, 'apply');
  const guard = guardSettings(flags);
  if (flags.cutRevoked === true && guard.confirm === 'manual')
    throw new UsageError(
      '--cut-revoked cannot be used with --confirm manual',
      'Flows can be ended only after the confirmation, which is a separate run: leave out one of the two flags',
    );
  return runOverFleet(sources, flags, {
    ...beyond,
    matrix: 'required',
    context: { ...beyond.context, guard, cutRevoked: flags.cutRevoked === true },
    command: ({ terminal, report, interruption }) => ({
      kind: 'apply',
      review: async ({ plans }) => {
        if (flags.json === true) return true;
        await report.rest();
        const text = plansText(plans, { style: terminal.style, verbosity: flags.verbose });
        terminal.out(`\n${wrapped(text, terminal.width)}\n`);
        if (flags.yes === true) return true;
        return confirm(`Apply this to ${counted(plans.length, 'host')}? Type "yes" to continue: `, interruption);
      },
    }),
  });
}
