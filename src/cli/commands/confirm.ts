import { runOverFleet } from '../fleet-command.ts';
import type { RunFlags } from '../run-flags.ts';

interface ConfirmFlags extends RunFlags {
  readonly revert?: boolean;
}

/** `portfw confirm INVENTORY [--revert]`. Saying yes is the whole command, so it does not ask again. */
export function confirmRuns(sources: readonly string[], flags: ConfirmFlags): Promise<number> {
  const verdict = flags.revert === true ? 'revert' : 'keep';
  return runOverFleet(sources, flags, { matrix: 'optional', command: () => ({ kind: 'confirm', verdict }) });
}
