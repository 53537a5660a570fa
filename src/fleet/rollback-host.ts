import type { Failure } from '../core/failure.ts';
import { GENERATION_ID } from '../host/rehearsal-answer.ts';
import { newGenerationId } from './apply-host.ts';
import type { HostOutcome } from './events.ts';
import {
  failedOnHost,
  type GuardedRun,
  giveUp,
  guardOf,
  noteUnwritten,
  settledByHost,
  standstill,
  startRun,
  unexpected,
} from './guarded-run.ts';
import { ask, connect, withConnection } from './host-session.ts';
import { judgeRollback } from './judge-rollback.ts';
import type { HostJob, RunContext } from './operations.ts';
import { auditOf } from './run-journal.ts';

/** The assumed reload time of a rollback, before it is measured. */
const RELOAD_SECONDS = 10;

/**
 * Returns a host to a generation, under the same guard as an apply: the current state is saved, a rollback to it is armed,
 * and the run is kept only after a fresh connection finds the generation in force.
 *
 * @param generation an id, or `null` for the newest one that differs from the current state
 */
export function rollback(job: HostJob, context: RunContext, generation: string | null): Promise<HostOutcome> {
  return withConnection(
    job,
    context,
    async (connection): Promise<HostOutcome> => {
      if (generation !== null && !GENERATION_ID.test(generation)) {
        const listed = await ask(connection, { operation: 'history' });
        const generations =
          listed.kind === 'answer' && listed.answer.kind === 'history' ? listed.answer.generations : [];
        const why = 'there is no such generation';
        return { kind: 'refused', failure: noGeneration({ why, known: generations.map((item) => item.id) }) };
      }
      const judged = await judgeRollback(job, connection, context, generation);
      if (judged.kind === 'refused') return judged;
      if (judged.kind === 'lost') return { kind: 'unreachable', failure: judged.failure };
      const id = newGenerationId(new Date());
      const what = `rollback to ${judged.generation ?? 'the newest generation that differs'}`;
      context.phase(job.host, 'restoring');
      const run = startRun(job, id, context);
      const asked = await ask(connection, {
        operation: 'rollback',
        id,
        holder: context.holder,
        what,
        generation: judged.generation,
        window: guardOf(context).windowSeconds,
        confirm: 'auto',
        audit: auditOf(context, null),
        reloadSeconds: judged.reloadSeconds,
      });
      if (asked.kind === 'failed') {
        if (asked.mayHaveRun) return giveUp(run, 'restoring', asked.failure);
        return { kind: 'failed', phase: 'restoring', failure: asked.failure, aftermath: { kind: 'untouched' } };
      }
      const { answer } = asked;
      switch (answer.kind) {
        case 'same':
          return { kind: 'rolled-back', generation: answer.generation, hash: answer.hash, changed: false };
        case 'rolled-back':
          if (!answer.whole)
            context.note(
              job.host,
              'warning',
              'files below /etc/firewalld that portfw does not manage have changed since that generation; portfw did not change them',
            );
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
        case 'stopped':
        case 'absent':
          return { kind: 'refused', failure: standstill(answer) };
        case 'failed':
          return failedOnHost(run, 'restoring', answer);
        default:
          return { kind: 'refused', failure: unexpected(answer.kind) };
      }
    },
    RELOAD_SECONDS,
  );
}

function noGeneration(answer: { readonly why: string; readonly known: readonly string[] }): Failure {
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
): Promise<HostOutcome> {
  const { job, context, id } = run;
  context.phase(job.host, 'verifying');
  const fresh = await connect(job, context);
  if (fresh.kind === 'failed') return giveUp(run, 'verifying', fresh.failure);
  const { connection } = fresh;
  try {
    const listed = await ask(connection, { operation: 'history' });
    const current =
      listed.kind === 'answer' &&
      listed.answer.kind === 'history' &&
      listed.answer.generations.some((item) => item.id === restored.generation && item.current);
    if (!current) return await giveUp(run, 'verifying', listed.kind === 'failed' ? listed.failure : NOT_AS_SAVED);
    const outcome: HostOutcome = {
      kind: 'rolled-back',
      generation: restored.generation,
      hash: restored.hash,
      changed: true,
    };
    const kept = await ask(connection, { operation: 'keep', id });
    if (kept.kind === 'failed') return await giveUp(run, 'verifying', kept.failure, outcome);
    if (kept.answer.kind === 'kept') {
      noteUnwritten(kept.answer, run);
      return outcome;
    }
    if (kept.answer.kind === 'settled') return settledByHost(run, 'verifying', kept.answer.aftermath);
    return await giveUp(run, 'verifying', unexpected(kept.answer.kind), outcome);
  } finally {
    await connection.close();
  }
}

const NOT_AS_SAVED: Failure = {
  code: 'not-as-saved',
  what: 'the configuration is not the saved one',
  details: [],
  solve: 'something else changes firewalld on this host: find it, then run again',
};
