import type { HostFacts, RunningFirewalld } from '../facts/facts.ts';
import { type OurLayer, perOurKind } from '../firewalld/kinds/kinds.ts';
import type { OurZoneConfig } from '../firewalld/kinds/zone.ts';
import { isOurs } from '../firewalld/model.ts';
import type { ObservedFirewalld } from '../firewalld/observed.ts';
import { type PolicyNote, type Reason, withoutReasons } from '../policy/desired.ts';
import { accessOf } from './access.ts';
import { NO_ACCESS } from './access-types.ts';
import { filtersOf } from './before-and-after.ts';
import { differences } from './diff/diff.ts';
import type { GenerationLook } from './generation-look.ts';
import { disruptionOf, holdMs, reloadHoldMs, ruleCount } from './impact/disruption.ts';
import { impactOf } from './impact/impact.ts';
import { ReachPair } from './impact/reach-pair.ts';
import { NO_IMPACT } from './impact-types.ts';
import { type Change, PLAN_FORMAT, type RollbackPlan } from './plan.ts';
import { restoredRawFiles } from './raw-files.ts';
import type { Rehearsal } from './rehearsal.ts';
import type { Kernels } from './rehearsed-kernels.ts';
import { type Restored, restoredFirewalld } from './restored.ts';
import { withRestoredMoves } from './restored-moves.ts';

export interface RollbackInput {
  readonly host: string;
  readonly facts: HostFacts;
  readonly firewalld: RunningFirewalld;
  readonly observed: ObservedFirewalld;
  readonly look: GenerationLook;
  /** The interface classes that interfaces serve, by the inventory. */
  readonly classes: ReadonlyMap<string, readonly string[]>;
  readonly notes: readonly PolicyNote[];
  /** Whether the plan holds the files that change. */
  readonly raw?: boolean;
}

/** The plan of a rollback, with the host as it will be. */
export interface MadeRollback {
  readonly plan: RollbackPlan;
  readonly restored: Restored;
}

/** What the host remembers if it remembers nothing. */
const NOTHING = 'nothing';

/** The changes from the observed firewalld to that of a generation; the impact is not known yet. Pure. */
export function draftRollback(input: RollbackInput): MadeRollback {
  const { host, firewalld, look } = input;
  const restored = restoredFirewalld(firewalld, look);
  const changes = look.same ? [] : changesOf(input, restored);
  const plan: RollbackPlan = {
    kind: 'rollback',
    format: PLAN_FORMAT,
    host,
    observedHash: firewalld.hash,
    generation: look.generation,
    changes,
    disruption: { kind: 'none' },
    impact: NO_IMPACT,
    access: NO_ACCESS,
    notes: [...input.notes, ...lookNotes(look)],
    nothingBecause: changes.length > 0 ? null : nothingBecause(look),
    ...(input.raw === true
      ? { raw: look.same ? [] : restoredRawFiles(firewalld.files, restored.firewalld.files) }
      : {}),
  };
  return { plan, restored };
}

/**
 * The same plan with who gets in where, its impact, and how long the reload holds new flows.
 *
 * @param rehearsal the host's rehearsal; `null` without one
 */
export function withRollbackConsequences(
  { plan, restored }: MadeRollback,
  { facts, firewalld, observed, look, classes }: RollbackInput,
  rehearsal: Rehearsal | null,
  kernels: Kernels | null,
): RollbackPlan {
  const before = filtersOf({ firewalld, observed, outcome: observed, kernels }).now.before;
  // What a rollback leaves is in force at once, so it is the state of the files too.
  const boot = kernels?.boot;
  const after = filtersOf({
    firewalld: restored.firewalld,
    observed: restored.observed,
    outcome: restored.observed,
    kernels: boot === undefined ? null : { now: boot },
  }).now.before;
  const estimate = reloadHoldMs(firewalld.version, ruleCount(after.config));
  const pair = new ReachPair(before, look.same ? before : after);
  const found = accessOf({ facts, pair, desired: withoutReasons(ours(restored)), changes: plan.changes });
  const sides = found.sides.map((side) => ({ ...side, classes: classes.get(side.interface) ?? side.classes }));
  const access = { ...found, sides };
  if (look.same) return { ...plan, access };
  return {
    ...plan,
    disruption: disruptionOf(plan.changes, 'the saved files are loaded', holdMs(rehearsal, 'boot', estimate)),
    impact: impactOf(facts, pair),
    access,
  };
}

function changesOf({ facts, firewalld, observed, look }: RollbackInput, restored: Restored): readonly Change[] {
  const reasons: readonly Reason[] = [{ kind: 'generation', id: look.generation.id, savedAt: look.generation.savedAt }];
  const found = differences({
    desired: withoutReasons(ours(restored)),
    observed,
    facts: firewalld,
    restored: restored.observed.permanent,
  });
  const changes = found.map((change) => ('reasons' in change ? { ...change, reasons } : change));
  const moved = withRestoredMoves(changes, { firewalld, observed, restored, look, reasons });
  return [...moved, ...rememberChanges(facts, look)];
}

/** The portfw objects that the generation has. */
function ours({ observed: { permanent } }: Restored): OurLayer {
  const layer = perOurKind<OurLayer>(() => new Map());
  // A generation may hold what somebody had made of a zone of portfw: it is shown as it is.
  for (const [name, zone] of permanent.zones) if (isOurs(name)) layer.zones.set(name, zone as OurZoneConfig);
  for (const [name, service] of permanent.services) if (isOurs(name)) layer.services.set(name, service);
  for (const [name, ipset] of permanent.ipsets) if (isOurs(name)) layer.ipsets.set(name, ipset);
  return layer;
}

function rememberChanges({ remembered }: HostFacts, look: GenerationLook): readonly Change[] {
  const text = (state: GenerationLook['remembered']) =>
    state === null ? null : `${state.matrix}: ${[...state.roles].sort().join(', ')}`;
  const [before, after] = [text(remembered), text(look.remembered) ?? NOTHING];
  return (before ?? NOTHING) === after ? [] : [{ kind: 'remember', before, after }];
}

function nothingBecause({ generation: { id, savedAt }, same }: GenerationLook): string {
  return same
    ? `the host is as generation ${id}, saved ${savedAt}, has it: there is nothing to return to`
    : `what is of portfw is as generation ${id}, saved ${savedAt}, has it; the saved files are loaded again because the runtime, or a file that portfw has edited, differs`;
}

function lookNotes({ generation: { before }, same, whole }: GenerationLook): PolicyNote[] {
  const notes: PolicyNote[] = [];
  if (undoesRollback(before) && !same)
    notes.push({
      severity: 'info',
      code: 'undoes-rollback',
      text: `this generation was saved by a rollback (${before}): returning to it undoes that rollback`,
    });
  if (!whole && !same)
    notes.push({
      severity: 'warning',
      code: 'foreign-changed',
      text: 'files below /etc/firewalld that portfw does not manage have changed since that generation; portfw does not change them back',
    });
  return notes;
}

/** Whether a generation was saved before a rollback, by what it says was done then: going to it goes forward again. */
export function undoesRollback(before: string): boolean {
  return before.startsWith('rollback ');
}
