import type { RememberedState } from '../facts/facts.ts';
import type { PlannedGeneration } from './plan.ts';

/** What a host says of a generation before a rollback to it: what it would restore. Nothing has been changed for it. */
export interface GenerationLook {
  readonly generation: PlannedGeneration;
  /** Whether the host has nothing to restore. */
  readonly same: boolean;
  /** Whether everything below /etc/firewalld would be as saved: foreign files may have changed since, and are not changed back. */
  readonly whole: boolean;
  /** The files that would be there, of portfw and of the zones in `foreign`. No other file changes. */
  readonly files: readonly { readonly path: string; readonly text: string }[];
  /** Foreign zone files that runs have edited since; paths relative to /etc/firewalld. */
  readonly foreign: readonly string[];
  /** The zone of each interface afterwards. */
  readonly bindings: ReadonlyMap<string, string>;
  /** The zones that NetworkManager connections would name, by UUID; empty for none. */
  readonly connections: ReadonlyMap<string, string>;
  /** The matrix and roles that the host would remember. */
  readonly remembered: Pick<RememberedState, 'matrix' | 'roles'> | null;
}
