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
  /** Whether the plan reloads firewalld, which puts into force what is pending in the foreign files. */
  readonly reload: boolean;
  /** Whether the plan starts firewalld: before that everything gets in, after that the files decide. */
  readonly starts?: boolean;
  /** Whether the plan changes anything: without a change there is no lockout and no refusal. */
  readonly changes: boolean;
  /** Who must get in where. */
  readonly ways: readonly Way[];
  readonly trials: Trials;
  /** `null` if the plan was not rehearsed: then firewalld's configuration decides. */
  readonly rehearsal: Rehearsal | null;
  readonly kernels: Kernels | null;
}

/** The result of the proof. */
export interface LockoutVerdict {
  /** Why the plan must not be carried out, each with the rule that would cut SSH and the line to add. */
  readonly refusals: readonly CodedFault[];
  /** What can be neither proved nor disproved, and what would cut SSH with or without the plan. */
  readonly notes: readonly PolicyNote[];
  /** The ways without a finding at any moment. */
  readonly proved: readonly Way[];
}

/** A moment at which SSH must get in, with the filter before it. */
export interface Stage {
  readonly when: '' | ' after a reload or reboot' | ' after a rollback' | ' while the plan is carried out';
  readonly after: Filter;
  /** `null`: nothing was filtered. */
  readonly before: Filter | null;
  /** The rehearsed state whose packets are also considered. */
  readonly state: RehearsedName;
}

/** One finding: a rule that blocks some sources of a way at one stage. */
export interface Finding {
  readonly way: Way;
  readonly stage: Stage;
  readonly refusal: Refusal & { readonly place: Place };
  /** The results of real packets from these sources, if tried. */
  readonly tried: readonly Tried[];
}
