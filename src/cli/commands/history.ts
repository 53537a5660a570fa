import { runOverFleet } from '../fleet-command.ts';
import type { RunFlags } from '../run-flags.ts';

/** `portfw history INVENTORY`. */
export function history(file: string, flags: RunFlags): Promise<number> {
  return runOverFleet(file, flags, { matrix: 'optional', command: () => ({ kind: 'history' }) });
}
