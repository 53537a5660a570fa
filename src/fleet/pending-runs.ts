import type { Failure } from '../core/failure.ts';
import { lockedBy } from '../decide/other-runs.ts';
import { endText } from '../decide/run-notes.ts';
import type { PendingRun, RunEnd } from '../facts/facts.ts';
import type { ReviewedPlan } from '../plan/plan.ts';
import type { Connection } from '../transport/connection.ts';
import type { Aftermath, HostOutcome } from './events.ts';
import { noteUnwritten, unexpected } from './guarded-run.ts';
import { ask, withConnection } from './host-session.ts';
import type { HostJob, RunContext } from './operations.ts';

/** What is pending on a host, who holds its lock, and how the last run on it ended. */
export function status(job: HostJob, context: RunContext): Promise<HostOutcome> {
  return withConnection(job, context, async (connection): Promise<HostOutcome> => {
    context.phase(job.host, 'reading status');
    const asked = await ask(connection, { operation: 'status' });
    if (asked.kind === 'failed')
      return { kind: 'failed', phase: 'reading status', failure: asked.failure, aftermath: { kind: 'untouched' } };
    const { answer } = asked;
    if (answer.kind === 'status')
      return { kind: 'status', lock: answer.lock, pending: answer.pending, last: answer.last };
    if (answer.kind === 'absent') return { kind: 'status', lock: null, pending: [], last: null };
    return { kind: 'refused', failure: unexpected(answer.kind) };
  });
}

/**
 * A person's decision on a waiting run. The connection is a fresh one, so it checks again that the host can be reached.
 *
 * @param id the run to roll back, which may have ended by now; by default the pending one
 */
export async function confirm(
  job: HostJob,
  context: RunContext,
  verdict: 'keep' | 'revert',
  id?: string,
): Promise<HostOutcome> {
  return withConnection(job, context, async (connection): Promise<HostOutcome> => {
    context.phase(job.host, 'confirming');
    const seen = verdict === 'revert' && id === undefined ? await ask(connection, { operation: 'status' }) : null;
    const pending = seen?.kind === 'answer' && seen.answer.kind === 'status' ? seen.answer.pending[0]?.id : undefined;
    if (seen?.kind === 'answer' && seen.answer.kind === 'status' && pending === undefined)
      return { kind: 'nothing-pending', last: seen.answer.last };
    const waiting = verdict === 'revert' ? (id ?? pending) : undefined;
    const asked =
      waiting === undefined
        ? (seen ?? (await ask(connection, { operation: 'confirm', id: null, holder: context.holder })))
        : await ask(connection, { operation: 'settle', id: waiting, why: `${context.holder} rolled it back` });
    if (asked.kind === 'failed')
      return {
        kind: 'failed',
        phase: 'confirming',
        failure: asked.failure,
        aftermath: SEE_STATUS,
      };
    const { answer } = asked;
    switch (answer.kind) {
      case 'kept':
        noteUnwritten(answer, { job, context });
        return { kind: 'confirmed', generation: answer.generation ?? '', drifted: answer.drifted };
      case 'nothing-pending':
        // The user wants the run kept: the answer must not look as if it was.
        if (verdict === 'keep' && answer.last?.outcome === 'reverted')
          return { kind: 'refused', failure: rolledBackBefore(answer.last) };
        return { kind: 'nothing-pending', last: answer.last };
      case 'locked':
        return {
          kind: 'refused',
          failure: {
            code: 'not-proved-yet',
            what: `the run of ${answer.lock.holder} is not ready to be confirmed`,
            details: lockedBy(answer.lock, answer.pending).details,
            solve: 'wait until it is verified, and confirm again',
          },
        };
      case 'settled':
        return settledText(answer.aftermath);
      default:
        return { kind: 'refused', failure: unexpected(answer.kind) };
    }
  });
}

/**
 * Ends dead runs on a host that otherwise matches the plan: that state belongs to them, and their rollback removes it.
 *
 * @returns `unchanged` if nothing had to be rolled back, else why the plan is no longer valid
 */
export async function endLeft(
  job: HostJob,
  runs: readonly PendingRun[],
  plan: ReviewedPlan,
  connection: Connection,
  context: RunContext,
): Promise<HostOutcome> {
  context.phase(job.host, 'restoring');
  let rolledBack: PendingRun | null = null;
  for (const run of runs) {
    const asked = await ask(connection, {
      operation: 'settle',
      id: run.id,
      why: 'its window was over and it had not ended',
    });
    if (asked.kind === 'failed')
      return { kind: 'failed', phase: 'restoring', failure: asked.failure, aftermath: SEE_STATUS };
    if (asked.answer.kind !== 'settled') return { kind: 'refused', failure: unexpected(asked.answer.kind) };
    const { aftermath } = asked.answer;
    if (aftermath.kind === 'restore-failed')
      return { kind: 'failed', phase: 'restoring', failure: NOT_PUT_BACK, aftermath };
    if (aftermath.kind === 'restored') rolledBack = run;
  }
  if (rolledBack === null) return { kind: 'unchanged', plan };
  return {
    kind: 'refused',
    failure: {
      code: 'drifted',
      what: `${rolledBack.what} by ${rolledBack.holder} was left unfinished and has now been rolled back: the host has changed since the plan was made`,
      details: [],
      solve: 'run again: a new plan is made from the current state',
    },
  };
}

const SEE_STATUS: Aftermath = { kind: 'unknown', why: 'see `portfw status`' };

function rolledBackBefore(last: RunEnd): Failure {
  return {
    code: 'already-rolled-back',
    what: `there is nothing to confirm: ${endText(last)}`,
    details: [],
    solve: 'run again, with a longer --revert-after where the confirmation needs more time',
  };
}

const NOT_PUT_BACK: Failure = {
  code: 'not-put-back',
  what: 'the host could not be rolled back yet',
  details: [],
  solve: 'the host tries again; see `portfw status`',
};

function settledText(
  aftermath: Extract<
    Extract<Awaited<ReturnType<typeof ask>>, { kind: 'answer' }>['answer'],
    { kind: 'settled' }
  >['aftermath'],
): HostOutcome {
  switch (aftermath.kind) {
    case 'restored':
      return { kind: 'reverted', because: 'it was not confirmed', generation: aftermath.generation };
    case 'kept':
      return { kind: 'confirmed', generation: aftermath.generation, drifted: false };
    case 'untouched':
      return { kind: 'nothing-pending', last: null };
    case 'restore-failed':
      return { kind: 'failed', phase: 'confirming', failure: NOT_PUT_BACK, aftermath };
  }
}
