import type { Failure } from '../core/failure.ts';
import { failureOf } from '../core/failure.ts';
import type { HostFacts, RunningFirewalld } from '../facts/facts.ts';
import { type ObservedFirewalld, observedFirewalld } from '../firewalld/observed.ts';
import {
  draftRollback,
  type MadeRollback,
  type RollbackInput,
  withRollbackConsequences,
} from '../plan/build-rollback.ts';
import type { GenerationLook } from '../plan/generation-look.ts';
import { DEFAULT_GUARD } from '../plan/guard-settings.ts';
import { type Dialled, sshPorts, type Way } from '../plan/lockout/proof-ways.ts';
import { rollbackProof } from '../plan/lockout/rollback-proof.ts';
import { type Trials, trialsOf } from '../plan/lockout/trials.ts';
import { waysOf } from '../plan/lockout/ways.ts';
import { reloadNotes } from '../plan/notes/reload-notes.ts';
import type { RollbackPlan } from '../plan/plan.ts';
import type { Rehearsal, TrialWay } from '../plan/rehearsal.ts';
import { readKernels } from '../plan/rehearsed-kernels.ts';
import type { PolicyNote } from '../policy/desired.ts';
import { mapInterfaces } from '../policy/interfaces.ts';
import { hostPeers } from '../settings/addresses-of-hosts.ts';
import { boundInterfaces, type DecideContext, type DecidedHost } from './decide.ts';
import { runNotes } from './run-notes.ts';
import { usableFirewalld } from './usable-firewalld.ts';

/** A rollback's plan, or why the host must not be rolled back. */
export type RollbackDecision =
  | { readonly kind: 'refused'; readonly failure: Failure }
  /** The host has nothing to return to: its state is that of the generation. */
  | { readonly kind: 'same'; readonly plan: RollbackPlan }
  | { readonly kind: 'planned'; readonly plan: RollbackPlan };

/** The same, or a rollback that the host must rehearse first. */
export type FirstRollbackDecision =
  | RollbackDecision
  | {
      readonly kind: 'to-rehearse';
      readonly generation: string;
      readonly packets: { readonly ways: readonly TrialWay[]; readonly listen: readonly number[] };
      readonly decide: (rehearsal: Rehearsal) => RollbackDecision;
    };

/** Why a host cannot be rolled back, as far as its facts say so; else its firewalld, and a warning if it is in a bad state. */
export type RollbackGround =
  | { readonly kind: 'refused'; readonly failure: Failure }
  | {
      readonly kind: 'ground';
      readonly firewalld: RunningFirewalld;
      readonly observed: ObservedFirewalld;
      /** What is wrong with firewalld; `null` if nothing is. */
      readonly trouble: string | null;
    };

/**
 * Whether a rollback can be planned. A firewalld that runs, but that no apply is planned for (it has failed, say), may be
 * what the rollback is to repair: it is planned without a proof.
 */
export function rollbackGround(facts: HostFacts): RollbackGround {
  if (!facts.root) return { kind: 'refused', failure: NOT_ROOT };
  const { firewalld } = facts;
  const usable = usableFirewalld(facts, null);
  if (usable.kind === 'usable')
    return { kind: 'ground', firewalld: usable.firewalld, observed: usable.observed, trouble: null };
  if (firewalld.kind !== 'running') return { kind: 'refused', failure: failureOf(usable.refusal, []) };
  return { kind: 'ground', firewalld, observed: observedFirewalld(firewalld), trouble: usable.refusal.what };
}

/** What is known of a host before its rollback is decided. */
export interface SeenForRollback {
  readonly facts: HostFacts;
  readonly ground: Extract<RollbackGround, { kind: 'ground' }>;
  readonly look: GenerationLook;
}

/**
 * Facts and a saved generation → the plan of a rollback. Pure.
 *
 * @param dialled the host's end of the connection as seen from here; `null` if there is none
 */
export function decideRollback(
  job: DecidedHost,
  { facts, ground, look }: SeenForRollback,
  context: DecideContext,
  dialled: Dialled | null,
): FirstRollbackDecision {
  const { firewalld, observed, trouble } = ground;
  const classes = classesOf(job, facts, observed);
  const raw = context.raw === true;
  const input: RollbackInput = {
    host: job.host,
    facts,
    firewalld,
    observed,
    look,
    classes,
    notes: runNotes(facts),
    raw,
  };
  const made = draftRollback(input);
  if (look.same) return { kind: 'same', plan: withRollbackConsequences(made, input, null, null) };
  const peers = hostPeers(job.settings, context.inventory, context.settings);
  const management = job.settings.management.map((given) => ({ given, addresses: peers.addressesOf([given]) }));
  const { ways } = waysOf(facts, management, dialled);
  const trials = trialsOf(ways);
  const draft: Draft = { job, input, made, ways, trials, context };
  if (trouble !== null) return unproved(draft, null, trouble);
  return {
    kind: 'to-rehearse',
    generation: look.generation.id,
    packets: { ways: trials.ways, listen: sshPorts(facts) },
    decide: (rehearsal) =>
      rehearsal.kind === 'rehearsed' ? proved(draft, rehearsal) : unproved(draft, rehearsal, rehearsal.why),
  };
}

/** The interface classes, as the inventory maps them now. What it refuses is for an apply to say. */
function classesOf(
  { settings }: DecidedHost,
  facts: HostFacts,
  observed: ObservedFirewalld,
): ReadonlyMap<string, readonly string[]> {
  const { interfaces } = mapInterfaces(settings, facts.interfaces, boundInterfaces(observed));
  return new Map([...interfaces].map(([name, { classes }]) => [name, [...classes].sort()]));
}

interface Draft {
  readonly job: DecidedHost;
  readonly input: RollbackInput;
  readonly made: MadeRollback;
  readonly ways: readonly Way[];
  readonly trials: Trials;
  readonly context: DecideContext;
}

function proved(
  { job, input, made, ways, trials, context }: Draft,
  rehearsal: Extract<Rehearsal, { kind: 'rehearsed' }>,
): RollbackDecision {
  const { facts, firewalld, observed, look } = input;
  const { windowSeconds } = context.guard ?? DEFAULT_GUARD;
  const generation = look.generation.id;
  const proof = rollbackProof({
    facts,
    firewalld,
    observed,
    ways,
    trials,
    rehearsal,
    generation,
    windowSeconds,
  });
  const accepted = context.acceptLockout?.has(job.host) === true;
  const [first, ...more] = [...proof.refusals, ...(accepted ? [] : proof.lockouts)];
  if (first !== undefined) return { kind: 'refused', failure: failureOf(first, more) };
  const { kernels } = readKernels(rehearsal, facts);
  const plan = withRollbackConsequences(made, input, rehearsal, kernels);
  const lockouts = proof.lockouts.map(({ what }): PolicyNote => {
    const text = `${what}; accepted with --accept-lockout: only the automatic rollback restores access`;
    return { severity: 'warning', code: 'lockout-accepted', text };
  });
  return { kind: 'planned', plan: { ...plan, notes: [...plan.notes, ...lockouts, ...proof.notes, ...losses(input)] } };
}

/** A host that cannot rehearse is rolled back under its guard alone, and the plan says so. */
function unproved({ input, made }: Draft, rehearsal: Rehearsal | null, why: string): RollbackDecision {
  const plan = withRollbackConsequences(made, input, rehearsal, null);
  const text = `whether SSH gets in after the rollback was not tested in advance: ${why}`;
  const note: PolicyNote = { severity: 'warning', code: 'not-rehearsed', text };
  return { kind: 'planned', plan: { ...plan, notes: [...plan.notes, ...losses(input), note] } };
}

/** What the reload does to the configuration of others. The rollback binds all interfaces again itself. */
function losses({ facts, firewalld, observed }: RollbackInput): readonly PolicyNote[] {
  return reloadNotes(observed, firewalld, new Set(facts.interfaces.map(({ name }) => name)));
}

const NOT_ROOT: Failure = {
  code: 'not-root',
  what: 'the account has no root rights on the host, and only root may read and change firewalld',
  details: [],
  solve:
    'add --become to this command, or write ansible_become: true into the inventory (the account needs sudo rights); or log in as root',
};
