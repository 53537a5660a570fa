import { runOverFleet } from '../fleet-command.ts';
import type { RunFlags } from '../run-flags.ts';

/** `portfw detect INVENTORY`. */
export function detect(sources: readonly string[], flags: RunFlags): Promise<number> {
  return runOverFleet(sources, flags, { matrix: 'required', command: () => ({ kind: 'detect' }) });
}
