import type { Failure } from '../core/failure.ts';
import { type RollbackRequest, reloadSeconds } from '../host/requests.ts';
import type { RollbackPlan } from '../plan/plan.ts';
import type { Connection } from '../transport/connection.ts';
import { newGenerationId } from './apply-host.ts';
import type { HostOutcome } from './events.ts';
import {
  askFirst,
  failedOnHost,
  type GuardedRun,
  giveUp,
  guardOf,
  provedRun,
  standstill,
  startRun,
  unexpected,
} from './guarded-run.ts';
import { ask, connect } from './host-session.ts';
import type { HostJob, Proved, RunContext } from './operations.ts';
import { auditOf } from './run-journal.ts';

/**
 * Rolls a host back as planned, under the same guard as an apply: the current state is saved, a rollback to it is armed, and
 * a fresh connection must find the generation in force. A verified run waits for the decision.
 *
 * @param how `bound`: whether the host must still be as planned; `left`: whether dead runs were left on the host, which it ends
 *   first, and which may already restore the generation
 */
export function rollbackAsPlanned(
  job: HostJob,
  plan: RollbackPlan,
  first: Connection,
  context: RunContext,
  { bound, left }: { readonly bound: boolean; readonly left: boolean },
): Promise<HostOutcome | Proved> {
  const { id: generation, permanentHash } = plan.generation;
  const observedHash = bound ? plan.observedHash : null;
  const chosen = { generation, observedHash, permanentHash, reloadSeconds: reloadSeconds(plan) };
  return restore({ job, context, plan }, first, chosen, left);
}

/** What a rollback request says besides who sends it. */
type Chosen = Pick<RollbackRequest, 'generation' | 'observedHash' | 'permanentHash' | 'reloadSeconds'>;

interface Planned {
  readonly job: HostJob;
  readonly context: RunContext;
  readonly plan: RollbackPlan;
}

async function restore(
  { job, context, plan }: Planned,
  first: Connection,
  chosen: Chosen,
  left: boolean,
): Promise<HostOutcome | Proved> {
  const id = newGenerationId(new Date());
  context.phase(job.host, 'restoring');
  const run = startRun(job, id, context);
  const sent = await askFirst(run, first, {
    operation: 'rollback',
    id,
    holder: context.holder,
    what: `rollback to ${chosen.generation}`,
    ...chosen,
    window: guardOf(context).windowSeconds,
    confirm: 'auto',
    audit: auditOf(context, plan),
  });
  if (sent.kind === 'unreachable') return sent;
  const { asked } = sent;
  if (asked.kind === 'failed') {
    if (asked.mayHaveRun) return giveUp(run, 'restoring', asked.failure);
    return { kind: 'failed', phase: 'restoring', failure: asked.failure, aftermath: { kind: 'untouched' } };
  }
  const { answer } = asked;
  switch (answer.kind) {
    case 'same':
      return { kind: 'rolled-back', generation: answer.generation, hash: answer.hash, changed: left };
    case 'rolled-back':
      if (!answer.runtime)
        context.note(
          job.host,
          'info',
          'the permanent configuration is the saved one; the runtime differs: runtime-only settings that portfw does not manage were lost or have changed',
        );
      return prove(run, answer);
    case 'no-generation':
      return { kind: 'refused', failure: noGeneration(answer) };
    case 'locked':
    case 'drifted':
    case 'stopped':
    case 'absent':
      return { kind: 'refused', failure: standstill(answer) };
    case 'failed':
      return failedOnHost(run, 'restoring', answer);
    default:
      return { kind: 'refused', failure: unexpected(answer.kind) };
  }
}

/** The refusal for a generation that the host does not have, or cannot return to. */
export function noGeneration(answer: { readonly why: string; readonly known: readonly string[] }): Failure {
  const has = answer.known.length === 0 ? 'the host has none' : `the host has ${answer.known.slice(-10).join(', ')}`;
  return {
    code: 'no-generation',
    what: answer.why,
    details: [has],
    solve: 'choose one that `portfw history` lists',
  };
}

/** The host has the old configuration again: a fresh connection must verify it before it is kept. */
async function prove(
  run: GuardedRun,
  restored: { readonly generation: string; readonly hash: string },
): Promise<HostOutcome | Proved> {
  const { job, context, id } = run;
  const { generation, hash } = restored;
  context.phase(job.host, 'verifying');
  const fresh = await connect(job, context);
  if (fresh.kind === 'failed') return giveUp(run, 'verifying', fresh.failure);
  const { connection } = fresh;
  const listed = await ask(connection, { operation: 'history' });
  const current =
    listed.kind === 'answer' &&
    listed.answer.kind === 'history' &&
    listed.answer.generations.some((item) => item.id === generation && item.current);
  if (!current) {
    await connection.close();
    return giveUp(run, 'verifying', listed.kind === 'failed' ? listed.failure : NOT_AS_SAVED);
  }
  const kept: HostOutcome = { kind: 'rolled-back', generation, hash, changed: true, saved: id };
  return provedRun(run, connection, { kept, phase: 'verifying' });
}

const NOT_AS_SAVED: Failure = {
  code: 'not-as-saved',
  what: 'the configuration is not the saved one',
  details: [],
  solve: 'something else changes firewalld on this host: find it, then run again',
};
