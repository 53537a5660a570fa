import { runOverFleet } from '../fleet-command.ts';
import { measured } from '../metrics-file.ts';
import type { RunFlags } from '../run-flags.ts';

/** What `plan` and `apply --dry-run` have in common. */
export interface PlanFlags extends RunFlags {
  readonly detailedExitcode?: boolean;
  /** The file to write metrics to. */
  readonly metrics?: string;
}

/** `portfw plan INVENTORY [--detailed-exitcode] [--metrics FILE]`. */
export function plan(sources: readonly string[], flags: PlanFlags, version: string): Promise<number> {
  return runOverFleet(sources, flags, {
    matrix: 'required',
    detailedExitCode: flags.detailedExitcode === true,
    ...measured(flags.metrics, version),
    command: () => ({ kind: 'plan' }),
  });
}
