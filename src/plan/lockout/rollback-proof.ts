import type { CodedFault } from '../../core/failure.ts';
import type { ObservedFirewalld } from '../../firewalld/observed.ts';
import type { PolicyNote } from '../../policy/desired.ts';
import { filtersOf } from '../before-and-after.ts';
import { doesNotLoad, rehearsalRefusals } from '../notes/rehearsal-refusals.ts';
import type { Rehearsal } from '../rehearsal.ts';
import { readKernels } from '../rehearsed-kernels.ts';
import { lockout } from './lockout.ts';
import type { LockoutInput } from './lockout-types.ts';

/** What a rollback is judged by. */
export type RollbackInput = Pick<LockoutInput, 'facts' | 'firewalld' | 'ways' | 'trials'> & {
  readonly observed: ObservedFirewalld;
  readonly rehearsal: Extract<Rehearsal, { kind: 'rehearsed' }>;
  readonly generation: string;
  readonly windowSeconds: number;
};

/** Why a host must not return to a generation. */
export interface RollbackVerdict {
  /** It does not load, or not in time. */
  readonly refusals: readonly CodedFault[];
  /** Required SSH access would be cut. */
  readonly lockouts: readonly CodedFault[];
  readonly notes: readonly PolicyNote[];
  /** How long the reload takes. */
  readonly seconds: number;
}

/**
 * The proof of a rollback: whether the saved configuration loads, and who gets in then, by the kernel's rules and real packets.
 * The rehearsal has the states `disk` (the host as it is) and `boot` (what the rollback leaves). Pure.
 */
export function rollbackProof({ rehearsal, generation, windowSeconds, ...rest }: RollbackInput): RollbackVerdict {
  const state = rehearsal.states.find(({ name }) => name === 'boot');
  if (state === undefined || !state.loads) {
    const why = state === undefined ? 'the host gave no reason' : state.why;
    // A rollback does not change foreign files: one that does not load today blocks every generation.
    const today = rehearsal.states.find(({ name }) => name === 'disk');
    if (today !== undefined && !today.loads)
      return { refusals: [doesNotLoad(today)], lockouts: [], notes: [], seconds: 0 };
    const cannot = state?.slow === true ? 'takes too long to load' : 'cannot load';
    return {
      refusals: [
        {
          code: 'would-not-load',
          what: `firewalld ${cannot} the files of generation ${generation}: ${why}`,
          solve: 'choose another generation with --to; `portfw history` lists them',
        },
      ],
      lockouts: [],
      notes: [],
      seconds: 0,
    };
  }
  // What a rollback leaves is in force at once, and after a reboot as well.
  const states = [...rehearsal.states, { ...state, name: 'running' as const }];
  const { facts, firewalld, observed, ways, trials } = rest;
  const refusals = rehearsalRefusals({ ...rehearsal, states: [state] }, windowSeconds, true);
  const said = { ...rehearsal, states };
  const { kernels, notes } = readKernels(said, facts);
  if (kernels === null) {
    const text = `whether SSH gets in after the rollback is not known: ${notes.map((note) => note.text).join('; ')}`;
    return {
      refusals,
      lockouts: [],
      notes: [{ severity: 'warning', code: 'not-rehearsed', text }],
      seconds: state.seconds,
    };
  }
  const verdict = lockout({
    facts,
    firewalld,
    filters: filtersOf({ firewalld, observed, outcome: observed, kernels }),
    // Names for what the kernel's rules refuse.
    outcome: observed,
    reload: false,
    changes: true,
    ways,
    trials,
    rehearsal: said,
    kernels,
  });
  return {
    refusals,
    lockouts: verdict.refusals.map(({ code, what }) => ({
      code,
      what: `generation ${generation}: ${what}`,
      solve: 'choose another generation with --to, or run `portfw apply`; --accept-lockout HOST rolls back anyway',
    })),
    notes: [...notes, ...verdict.notes],
    seconds: state.seconds,
  };
}
