import type { CodedFault } from '../../core/failure.ts';
import type { FilterFacts } from '../../firewalld/filter/facts.ts';
import type { Filter, Refusal } from '../../firewalld/filter/passage.ts';
import type { PolicyNote } from '../../policy/desired.ts';
import type { Filters } from '../before-and-after.ts';
import type { Rehearsal, RehearsedName } from '../rehearsal.ts';
import type { Kernels } from '../rehearsed-kernels.ts';
import type { StepOutcome } from '../steps/step-outcome.ts';
import type { Place, Way, WayFacts } from './proof-ways.ts';
import type { Trials, Tried } from './trials.ts';

export interface LockoutInput {
  readonly facts: WayFacts;
  readonly firewalld: FilterFacts;
  /** What decides who gets in, at each moment. */
  readonly filters: Filters;
  /** What the plan's steps lead to. */
  readonly outcome: StepOutcome;
  /** Whether the plan reloads firewalld, which puts into force what is pending in the files of others. */
  readonly reload: boolean;
  /** Whether the plan starts firewalld: until then everything gets in, and then the files decide. */
  readonly starts?: boolean;
  /** Whether the plan changes anything: one that does not can lock nobody out, and is never refused. */
  readonly changes: boolean;
  /** Who must get in where. */
  readonly ways: readonly Way[];
  readonly trials: Trials;
  /** `null` where the plan was not rehearsed: then firewalld's configuration decides. */
  readonly rehearsal: Rehearsal | null;
  readonly kernels: Kernels | null;
}

/** What the proof came to. */
export interface LockoutVerdict {
  /** Why the plan must not be carried out, each with the rule that would cut SSH and the line to add. */
  readonly refusals: readonly CodedFault[];
  /** What cannot be proved either way, and what would cut SSH with or without the plan. */
  readonly notes: readonly PolicyNote[];
  /** The ways that nothing was found against, at any moment. */
  readonly proved: readonly Way[];
}

/** A moment at which SSH must get in, beside what it was before. */
export interface Stage {
  readonly when: '' | ' after a reload or reboot' | ' after a rollback' | ' while the plan is carried out';
  readonly after: Filter;
  /** `null`: nothing was filtered. */
  readonly before: Filter | null;
  /** The rehearsed state whose packets say more. */
  readonly state: RehearsedName;
}

/** One finding: a rule that keeps some sources of a way out at one stage. */
export interface Finding {
  readonly way: Way;
  readonly stage: Stage;
  readonly refusal: Refusal & { readonly place: Place };
  /** What real packets of these sources said, where they were tried. */
  readonly tried: readonly Tried[];
}
