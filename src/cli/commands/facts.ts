import { runOverFleet } from '../fleet-command.ts';
import type { RunFlags } from '../run-flags.ts';

/** `portfw facts INVENTORY`. */
export function facts(file: string, flags: RunFlags): Promise<number> {
  return runOverFleet(file, flags, { matrix: 'optional', command: () => ({ kind: 'facts' }) });
}
