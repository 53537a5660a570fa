import { runOverFleet } from '../fleet-command.ts';
import type { RunFlags } from '../run-flags.ts';

/** What `plan` and `apply --dry-run` have in common. */
export interface PlanFlags extends RunFlags {
  readonly detailedExitcode?: boolean;
}

/** `portfw plan INVENTORY [--detailed-exitcode]`. */
export function plan(sources: readonly string[], flags: PlanFlags): Promise<number> {
  const detailedExitCode = flags.detailedExitcode === true;
  return runOverFleet(sources, flags, { matrix: 'required', detailedExitCode, command: () => ({ kind: 'plan' }) });
}
