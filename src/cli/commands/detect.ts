import { runOverFleet } from '../fleet-command.ts';
import type { RunFlags } from '../run-flags.ts';

/** `portfw detect INVENTORY`. */
export function detect(file: string, flags: RunFlags): Promise<number> {
  return runOverFleet(file, flags, { matrix: 'required', command: () => ({ kind: 'detect' }) });
}
