import { runOverFleet } from '../fleet-command.ts';
import type { RunFlags } from '../run-flags.ts';

/** `portfw status INVENTORY`. */
export function status(file: string, flags: RunFlags): Promise<number> {
  return runOverFleet(file, flags, { matrix: 'optional', command: () => ({ kind: 'status' }) });
}
