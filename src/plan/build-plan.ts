import { counted } from '../core/lists.ts';
import type { RememberedState, RunningFirewalld } from '../facts/facts.ts';
import { eachOurKind } from '../firewalld/kinds/kinds.ts';
import type { ObservedFirewalld } from '../firewalld/observed.ts';
import { keepsOnReload } from '../firewalld/stock.ts';
import type { DesiredFirewalld, PolicyNote } from '../policy/desired.ts';
import type { Losses } from '../policy/losses.ts';
import type { RoleAssignment } from '../roles/findings.ts';
import { accessOf } from './access.ts';
import { NO_ACCESS } from './access-types.ts';
import { type Filters, unfiltered } from './before-and-after.ts';
import { differences } from './diff/diff.ts';
import { disruptionOf, holdMs, reloadHoldMs, ruleCount } from './impact/disruption.ts';
import { type ImpactFacts, impactOf } from './impact/impact.ts';
import { ReachPair } from './impact/reach-pair.ts';
import { NO_IMPACT } from './impact-types.ts';
import { reloadNotes } from './notes/reload-notes.ts';
import { type Change, type HostPlan, PLAN_FORMAT } from './plan.ts';
import type { Rehearsal } from './rehearsal.ts';
import { stepsFor } from './steps/build-steps.ts';
import { plannedState } from './steps/planned-state.ts';
import { outcomeOf, type StepOutcome } from './steps/step-outcome.ts';
import { reloadOf } from './steps.ts';

export interface PlanInput {
  readonly host: string;
  readonly matrix: string;
  readonly roles: readonly RoleAssignment[];
  readonly facts: RunningFirewalld;
  readonly observed: ObservedFirewalld;
  readonly desired: DesiredFirewalld;
  readonly remembered: RememberedState | null;
  readonly notes: readonly PolicyNote[];
  /** Says why something goes. */
  readonly losses?: Losses;
  /** The live state of the host; without it the plan has no impact. */
  readonly live?: ImpactFacts;
  /** What must be done first if firewalld does not run; `observed.runtime` is then a host that lets everything in. */
  readonly ensure?: Extract<Change, { kind: 'ensure-firewalld' }>['action'];
}

/** A plan with the resulting state of its steps, for the lockout proof. */
export interface MadePlan {
  readonly plan: HostPlan;
  readonly outcome: StepOutcome;
}

/** The changes from the observed to the desired firewalld, and their steps; the impact is not known yet. Pure. */
export function draftPlan(input: PlanInput): MadePlan {
  const { ensure, observed, desired } = input;
  const changes: Change[] = [
    ...(ensure === undefined ? [] : [{ kind: 'ensure-firewalld', action: ensure } as const]),
    ...differences(input),
  ];
  const roles = input.roles.map((item) => item.role).sort();
  const remember = rememberChange(input, roles);
  if (remember !== null) changes.push(remember);
  const keeps = keepsOnReload(input.facts.files);
  const steps = stepsFor({ changes, desired, observed, keeps, remembers: { matrix: input.matrix, roles } });
  const reload = reloadOf(steps);
  const notes = [...input.notes];
  if (reload !== null) {
    // NetworkManager binds its interfaces again after the reload.
    const bound = [
      ...[...desired.zones.values()].flatMap((zone) => zone.config.interfaces),
      ...input.facts.networkManager.flatMap((connection) => connection.interfaces),
    ];
    notes.push(...reloadNotes(observed, input.facts, new Set(bound)));
  }
  const plan: HostPlan = {
    kind: 'apply',
    format: PLAN_FORMAT,
    host: input.host,
    matrix: input.matrix,
    roles: input.roles,
    observedHash: input.facts.hash,
    changes,
    steps,
    result: plannedState(desired),
    disruption: { kind: 'none' },
    impact: NO_IMPACT,
    access: NO_ACCESS,
    notes,
    nothingBecause: changes.length > 0 ? null : nothingBecause(input),
  };
  return { plan, outcome: outcomeOf(steps, observed, keeps) };
}

/**
 * The same plan with who gets in where before and after it, its impact on listening sockets and live traffic, and how long a
 * reload holds new flows.
 *
 * @param rehearsal the host's rehearsal; `null` without one
 * @param filters decide about flows before and after the plan
 */
export function withConsequences(
  { plan }: MadePlan,
  input: PlanInput,
  rehearsal: Rehearsal | null,
  { now, boot, reloaded }: Filters,
): HostPlan {
  const { desired, ensure, live } = input;
  const { changes } = plan;
  const reload = reloadOf(plan.steps);
  const after = ensure !== undefined ? boot.after : reload === null ? now.after : (reloaded ?? boot.after);
  const estimate = reloadHoldMs(input.facts.version, ruleCount(after.config));
  const disruption =
    ensure === undefined
      ? disruptionOf(changes, reload, holdMs(rehearsal, 'reload', estimate))
      : ({ kind: 'firewalld-starts' } as const);
  if (live === undefined) return { ...plan, disruption };
  // The kernel's own rules are known if the host rehearsed the start: others may have written some.
  const before = ensure !== undefined && now.before.kernel === undefined ? unfiltered(now.before) : now.before;
  const pair = new ReachPair(before, changes.length === 0 ? before : after);
  return {
    ...plan,
    disruption,
    impact: changes.length === 0 ? NO_IMPACT : impactOf(live, pair),
    access: accessOf({ facts: live, pair, desired, changes }),
  };
}

function rememberChange(input: PlanInput, roles: readonly string[]): Change | null {
  const describe = (matrix: string, names: readonly string[]) => `${matrix}: ${[...names].sort().join(', ')}`;
  const before = input.remembered === null ? null : describe(input.remembered.matrix, input.remembered.roles);
  const after = describe(input.matrix, roles);
  return before === after ? null : { kind: 'remember', before, after };
}

function nothingBecause(input: PlanInput): string {
  const counts = eachOurKind(({ object }, folder) => {
    const { size } = input.desired[folder];
    // Every host has zones and services; it may have no objects of the other kinds.
    return size === 0 && folder !== 'zones' && folder !== 'services' ? [] : [counted(size, object)];
  });
  return `${counts.flat().join(', ')} already match matrix ${input.matrix}, in the permanent configuration and at runtime`;
}
