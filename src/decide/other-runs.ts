import { durationText } from '../core/duration.ts';
import type { Failure } from '../core/failure.ts';
import type { HeldRollback, HostFacts, LockFacts, PendingRun } from '../facts/facts.ts';

/** Another run on the host that has not ended. */
export type OtherRun =
  /** It is in progress, waits for confirmation, or is being rolled back; `run` is `null` if it has only just taken the lock. */
  | { readonly kind: 'alive'; readonly lock: LockFacts; readonly run: PendingRun | null }
  /** Only the next run ends these: it rolls them back first. */
  | { readonly kind: 'left'; readonly runs: readonly PendingRun[] };

/**
 * The other run because of which the observed state may still change: one that waits for confirmation, is in progress, is
 * being rolled back, or was left unfinished. `null` if the state is stable: a kept run changes nothing any more, and a run
 * that died before its rollback was armed has written nothing.
 */
export function otherRun({ lock, unfinished }: Pick<HostFacts, 'lock' | 'unfinished'>): OtherRun | null {
  const open = unfinished.runs.filter((run) => run.decision !== 'keep');
  const alive = open.find((run) => run.alive);
  if (alive !== undefined) return { kind: 'alive', lock: lockOf(alive), run: alive };
  if (open.length > 0) return { kind: 'left', runs: open };
  // The lock is taken before the record is written; in between, a step is running.
  const begins = lock !== null && unfinished.busy && unfinished.runs.length === 0;
  return begins ? { kind: 'alive', lock, run: null } : null;
}

function lockOf({ holder, since, id }: PendingRun): LockFacts {
  return { holder, since, id };
}

/** The state of the other run, in one line. */
export function otherRunText(other: OtherRun): string {
  switch (other.kind) {
    case 'alive': {
      const { lock, run } = other;
      const by = `${lock.holder} has been changing this host since ${lock.since}`;
      return run === null ? by : `${by} (${run.what}): ${pendingText(run)}`;
    }
    case 'left':
      return other.runs
        .map((run) => `${run.what} by ${run.holder} since ${run.since} was left unfinished: ${pendingText(run)}`)
        .join('; ');
  }
}

/** The state of a pending run, in one line. */
export function pendingText(pending: PendingRun): string {
  if (pending.held !== undefined) return heldText(pending.held);
  if (!pending.alive && pending.decision !== 'keep')
    return 'its window is over; the next apply or rollback, or `portfw confirm --revert`, rolls it back first';
  switch (pending.decision) {
    case 'keep':
      return 'it was kept, and is being cleaned up';
    case 'revert':
      return 'it is being rolled back';
    case 'open': {
      const step = pending.step === '' ? '' : ` (${pending.step})`;
      const waits = pending.proved ? 'it is verified and waits for `portfw confirm`' : `it is in progress${step}`;
      return `${waits}; the host rolls back in ${durationText(pending.secondsLeft)} unless it is kept`;
    }
  }
}

function heldText({ why, since, inForce }: HeldRollback): string {
  const rules = inForce
    ? 'meanwhile the kernel has the previous rules'
    : 'THE PREVIOUS RULES COULD NOT BE RESTORED: check the host now';
  return `its rollback has been waiting for firewalld since ${since}: ${why}; ${rules}; the host tries again`;
}

/** The code of a refusal because another run has the lock. */
export const LOCKED = 'locked';

/** Why a host refuses a change while another run has the lock, and what to do. */
export function lockedBy(lock: LockFacts, pending: PendingRun | null): Failure {
  return {
    code: LOCKED,
    what: `${lock.holder} has been changing this host since ${lock.since}`,
    details: [`run ${lock.id}`, ...(pending === null ? [] : [`${pending.what}: ${pendingText(pending)}`])],
    solve: solution(pending),
  };
}

function solution(pending: PendingRun | null): string {
  if (pending?.decision === 'revert')
    return 'wait until the rollback has ended, then run again; if it does not end, `portfw confirm --revert` tries once more';
  if (pending?.confirm === 'manual')
    return 'confirm that run with `portfw confirm`, or roll it back with `portfw confirm --revert`; then run again';
  return 'wait for that run to end, then run again: if it has died, the host rolls it back and releases the lock';
}
