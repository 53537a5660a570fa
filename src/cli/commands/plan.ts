import { runOverFleet } from '../fleet-command.ts';
import type { RunFlags } from '../run-flags.ts';
import { type SaveFlags, savingOptions } from '../saving.ts';

/** What `plan` and `apply --dry-run` have in common. */
export interface PlanFlags extends RunFlags {
  readonly detailedExitcode?: boolean;
}

/**
 * `portfw plan INVENTORY [--detailed-exitcode] [--out FILE [--sign KEY]]`.
 *
 * @param version of portfw, for the saved plan
 */
export function plan(sources: readonly string[], flags: PlanFlags & SaveFlags, version: string): Promise<number> {
  return runOverFleet(sources, flags, {
    matrix: 'required',
    detailedExitCode: flags.detailedExitcode === true,
    command: () => ({ kind: 'plan' }),
    ...savingOptions('apply', sources, flags, version),
  });
}
