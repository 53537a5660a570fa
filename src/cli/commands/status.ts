import { runOverFleet } from '../fleet-command.ts';
import type { RunFlags } from '../run-flags.ts';

/** `portfw status INVENTORY`. */
export function status(sources: readonly string[], flags: RunFlags): Promise<number> {
  return runOverFleet(sources, flags, { matrix: 'optional', command: () => ({ kind: 'status' }) });
}
