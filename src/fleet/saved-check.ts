import type { Failure } from '../core/failure.ts';
import { counted } from '../core/lists.ts';
import { terminalLine } from '../core/terminal-text.ts';
import { usableFirewalld } from '../decide/usable-firewalld.ts';
import type { HostFacts } from '../facts/facts.ts';
import type { ReviewedPlan } from '../plan/plan.ts';
import { driftOf, identityDrift, isAlreadyApplied } from '../saved/drift.ts';
import type { HostLook, SavedHostPlan, SavedWithoutPlan } from '../saved/saved-plan.ts';
import { seenLines } from '../saved/seen.ts';
import type { Connection } from '../transport/connection.ts';
import type { HostOutcome } from './events.ts';
import type { HostJob, RunContext } from './operations.ts';

/** The code of a host whose saved plan is not right any more. */
export const STALE = 'plan-stale';

const SAVE_AGAIN =
  'save the plan again (portfw plan --out) and have it reviewed; or apply it to the other hosts with --only-current';

/** What a host's plan is made of, as far as a saved plan is bound to it. */
export function lookOf({ settings }: HostJob, { hostKey }: Connection, facts: HostFacts): HostLook {
  const usable = usableFirewalld(facts, settings.ensureFirewalld);
  const { firewalld } = facts;
  const version = firewalld.kind === 'absent' || firewalld.version === '' ? null : firewalld.version;
  if (usable.kind === 'refused' || usable.ensure === 'install')
    return { identity: hostKey, firewalld: version, seen: [] };
  return { identity: hostKey, firewalld: version, seen: seenLines(usable.firewalld, usable.observed) };
}

/** Whether the host of a connection is the one that a saved plan is for; the failure says both keys if it is not. */
export function strangeHost({ host }: HostJob, { hostKey }: Connection, context: RunContext): Failure | null {
  const saved = context.saved?.get(host);
  if (saved === undefined || saved.kind === 'without') return null;
  const drift = identityDrift(saved.identity, hostKey);
  if (drift.length === 0) return null;
  return {
    code: STALE,
    what: 'this is not the host that the saved plan is for: it shows another host key',
    details: drift,
    solve:
      'find out why: a host that was installed anew needs a new plan. If the host has several keys, record in known_hosts the one that the plan names',
  };
}

/** How a saved plan and a host that was planned anew go together. */
export type SavedVerdict =
  /** The saved plan is what would be planned now. */
  | { readonly kind: 'current' }
  /** The host is as the plan would leave it. */
  | { readonly kind: 'applied' }
  | { readonly kind: 'stale'; readonly failure: Failure };

/**
 * Compares a saved plan with the host as it is now.
 *
 * @param now the plan that was made anew, for the same options and the real day
 */
export function checkSaved(
  saved: SavedHostPlan,
  look: HostLook,
  now: ReviewedPlan,
  { changedInputs = [] }: RunContext,
): SavedVerdict {
  if (isAlreadyApplied(saved.plan, now)) return { kind: 'applied' };
  const drift = [...changedInputs, ...driftOf(saved, look, now)];
  if (drift.length === 0) return { kind: 'current' };
  const same = changedInputs.length === drift.length;
  return {
    kind: 'stale',
    failure: {
      code: STALE,
      what: same
        ? 'the saved plan was made from other files; a plan made now would have the same changes'
        : 'the host, or what the plan was made from, is not as it was when the plan was saved',
      details: drift.map((line) => terminalLine(line, 400)),
      solve: SAVE_AGAIN,
    },
  };
}

/** A refusal of the plan that was made anew, with what has changed since the plan was saved. */
export function refusedAnew(
  failure: Failure,
  saved: SavedHostPlan,
  look: HostLook,
  { changedInputs = [] }: RunContext,
): Failure {
  const drift = [...changedInputs, ...driftOf(saved, look, null)].map((line) => terminalLine(line, 400));
  const since = drift.length === 0 ? [] : ['since the plan was saved:', ...drift];
  return { ...failure, details: [...failure.details, ...since] };
}

/** How a host ends that had no plan when the others were saved. It is not contacted, and counts as it did then. */
export function withoutPlan({ without }: SavedWithoutPlan): HostOutcome {
  const { kind, code, what, details, solve } = without;
  const failure = { code, what: `it had no plan when the plan was saved: ${what}`, details, solve };
  switch (kind) {
    case 'refused':
    case 'unreachable':
      return { kind, failure };
    case 'failed':
      return { kind, phase: 'planning', failure, aftermath: { kind: 'untouched' } };
    case 'skipped':
      return { kind: 'refused', failure };
  }
}

/**
 * Why a run with saved plans changes nothing: a host that had a plan cannot get it as it was saved, and `--only-current` was not
 * given. `null` if the run goes on.
 */
export function stopsSavedRun(
  { saved, onlyCurrent }: RunContext,
  outcomes: ReadonlyMap<string, HostOutcome>,
): string | null {
  if (saved === undefined || onlyCurrent === true) return null;
  const lost = [...saved.values()].filter((one) => {
    const outcome = outcomes.get(one.host);
    return one.kind === 'plan' && outcome !== undefined && outcome.kind !== 'unchanged';
  });
  const [first] = lost;
  if (first === undefined) return null;
  const others = lost.length === 1 ? '' : ` and ${counted(lost.length - 1, 'other host')}`;
  return `the saved plan cannot be applied to ${terminalLine(first.host)}${others}, and without --only-current it is applied to all hosts of this run or to none`;
}
