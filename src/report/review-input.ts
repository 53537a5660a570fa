import type { Failure } from '../core/failure.ts';
import type { ReviewedPlan } from '../plan/plan.ts';

/** A host that has no plan, and why. */
export interface HostWithoutPlan {
  readonly host: string;
  readonly kind: 'refused' | 'unreachable' | 'failed' | 'skipped';
  readonly failure: Failure;
}

/**
 * What is reviewed: the plans of a run, or of a file that holds them. All outputs of a review are made of this alone, so a
 * saved plan is shown as the run showed it.
 */
export interface ReviewInput {
  readonly action: 'apply' | 'rollback';
  /** In the order of the inventory; plans that change nothing too. */
  readonly plans: readonly ReviewedPlan[];
  readonly without: readonly HostWithoutPlan[];
  /** The groups of the inventory that each host is in. */
  readonly groups: ReadonlyMap<string, readonly string[]>;
  /** The digest of the saved plan; `null` if it is not saved. */
  readonly digest: string | null;
  /** Where the inventory first names each host, with paths relative to the working folder; absent for a saved plan. */
  readonly places?: ReadonlyMap<string, WrittenPlace>;
}

/** A place in a file of the user's; lines and columns count from 1. */
export interface WrittenPlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}
