import { runOverFleet } from '../fleet-command.ts';
import type { RunFlags } from '../run-flags.ts';

interface ConfirmFlags extends RunFlags {
  readonly revert?: boolean;
}

/** `portfw confirm INVENTORY [--revert]`. The command itself is the confirmation, so it does not ask. */
export function confirmRuns(sources: readonly string[], flags: ConfirmFlags): Promise<number> {
  const verdict = flags.revert === true ? 'revert' : 'keep';
  return runOverFleet(sources, flags, {
    matrix: 'optional',
    journaledAs: flags.revert === true ? 'confirm --revert' : 'confirm',
    command: () => ({ kind: 'confirm', verdict }),
  });
}
