import { probeInput } from '../roles/wanted.ts';
import type { Connection } from '../transport/connection.ts';
import { applyHost, failedOnHost, giveUp, newGenerationId, standstill } from './apply-host.ts';
import { decide, rolesOf } from './decide-host.ts';
import type { Failure, HostOutcome } from './events.ts';
import { ask, connect, probe } from './host-session.ts';
import type { HostJob, HostOperations, PlannedHost, RunContext } from './operations.ts';

/** The operations on real hosts. */
export function createHostOperations(): HostOperations {
  return { facts, detect, plan, history, rollback };
}

async function withConnection<T>(
  job: HostJob,
  context: RunContext,
  use: (connection: Connection) => Promise<T>,
): Promise<T | Extract<HostOutcome, { kind: 'unreachable' }>> {
  context.phase(job.host, 'connecting');
  const connected = await connect(job, context, context.signal);
  if (connected.kind === 'failed') return { kind: 'unreachable', failure: connected.failure };
  try {
    return await use(connected.connection);
  } finally {
    await connected.connection.close();
  }
}

function wanted(job: HostJob): string {
  return probeInput(job.play === null ? [] : [job.play.matrix]);
}

function notGathered(failure: Failure, lost: boolean): HostOutcome {
  return lost
    ? { kind: 'unreachable', failure }
    : { kind: 'failed', phase: 'gathering facts', failure, aftermath: { kind: 'untouched' } };
}

function facts(job: HostJob, context: RunContext): Promise<HostOutcome> {
  return withConnection(job, context, async (connection): Promise<HostOutcome> => {
    context.phase(job.host, 'gathering facts');
    const seen = await probe(connection, wanted(job), job, context, context.signal);
    return seen.kind === 'failed' ? notGathered(seen.failure, seen.lost) : { kind: 'facts', facts: seen.facts };
  });
}

function detect(job: HostJob, context: RunContext): Promise<HostOutcome> {
  return withConnection(job, context, async (connection): Promise<HostOutcome> => {
    context.phase(job.host, 'gathering facts');
    const seen = await probe(connection, wanted(job), job, context, context.signal);
    if (seen.kind === 'failed') return notGathered(seen.failure, seen.lost);
    if (job.play === null) return { kind: 'refused', failure: noPlay(job) };
    return { kind: 'roles', facts: seen.facts, findings: rolesOf(job, job.play, seen.facts) };
  });
}

async function plan(job: HostJob, context: RunContext): Promise<PlannedHost> {
  const { play } = job;
  if (play === null) return { kind: 'finished', outcome: { kind: 'refused', failure: noPlay(job) } };
  context.phase(job.host, 'connecting');
  const connected = await connect(job, context, context.signal);
  if (connected.kind === 'failed')
    return { kind: 'finished', outcome: { kind: 'unreachable', failure: connected.failure } };
  const { connection } = connected;
  const finish = async (outcome: HostOutcome): Promise<PlannedHost> => {
    await connection.close();
    return { kind: 'finished', outcome };
  };
  context.phase(job.host, 'gathering facts');
  const seen = await probe(connection, wanted(job), job, context, context.signal);
  if (seen.kind === 'failed') return finish(notGathered(seen.failure, seen.lost));
  context.phase(job.host, 'planning');
  const decision = decide(job, play, seen.facts, context);
  if (decision.kind === 'refused') return finish({ kind: 'refused', failure: decision.failure });
  if (decision.plan.changes.length === 0) return finish({ kind: 'unchanged', plan: decision.plan });
  return {
    kind: 'pending',
    plan: decision.plan,
    apply: async () => {
      try {
        return await applyHost(job, decision, connection, context);
      } finally {
        await connection.close();
      }
    },
    discard: () => connection.close(),
  };
}

function history(job: HostJob, context: RunContext): Promise<HostOutcome> {
  return withConnection(job, context, async (connection): Promise<HostOutcome> => {
    context.phase(job.host, 'reading history');
    const asked = await ask(connection, { operation: 'history' });
    if (asked.kind === 'failed')
      return { kind: 'failed', phase: 'reading history', failure: asked.failure, aftermath: { kind: 'untouched' } };
    const { answer } = asked;
    if (answer.kind === 'history') return { kind: 'history', generations: answer.generations };
    if (answer.kind === 'absent') return { kind: 'history', generations: [] };
    return answer.kind === 'failed'
      ? failedOnHost('reading history', answer)
      : { kind: 'refused', failure: puzzled(answer.kind) };
  });
}

function rollback(job: HostJob, context: RunContext, generation: string | null): Promise<HostOutcome> {
  return withConnection(job, context, async (connection): Promise<HostOutcome> => {
    const id = newGenerationId(new Date());
    const what = `rollback to ${generation ?? 'the newest generation that differs'}`;
    context.phase(job.host, 'restoring');
    const asked = await ask(connection, { operation: 'rollback', id, holder: context.holder, what, generation });
    if (asked.kind === 'failed') {
      if (asked.mayHaveRun) return giveUp(job, id, 'restoring', asked.failure, context);
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
            'files below /etc/firewalld that are not ours have changed since that generation; they were left as they are',
          );
        if (!answer.runtime)
          context.note(
            job.host,
            'info',
            'the permanent configuration is the saved one; at runtime the host differs from then: settings that others had made at runtime only are gone, or theirs have changed',
          );
        return proveRollback(job, id, answer, context);
      case 'no-generation':
        return {
          kind: 'refused',
          failure: {
            code: 'no-generation',
            what: answer.why,
            details:
              answer.known.length === 0
                ? ['the host has none']
                : [`the host has ${answer.known.slice(-10).join(', ')}`],
            solve: 'name one that `portfw history` lists',
          },
        };
      case 'locked':
      case 'stopped':
      case 'absent':
        return { kind: 'refused', failure: standstill(answer) };
      case 'failed':
        return failedOnHost('restoring', answer);
      default:
        return { kind: 'refused', failure: puzzled(answer.kind) };
    }
  });
}

/** The host has the old configuration again: a fresh connection must find it so before it is kept. */
async function proveRollback(
  job: HostJob,
  id: string,
  restored: { readonly generation: string; readonly hash: string },
  context: RunContext,
): Promise<HostOutcome> {
  context.phase(job.host, 'verifying');
  const fresh = await connect(job, context);
  if (fresh.kind === 'failed') return giveUp(job, id, 'verifying', fresh.failure, context);
  try {
    const listed = await ask(fresh.connection, { operation: 'history' });
    const current =
      listed.kind === 'answer' &&
      listed.answer.kind === 'history' &&
      listed.answer.generations.some((item) => item.id === restored.generation && item.current);
    if (!current) {
      const failure =
        listed.kind === 'failed'
          ? listed.failure
          : {
              code: 'not-as-saved',
              what: 'the configuration is not the saved one',
              details: [],
              solve: 'something else changes firewalld on this host: find it, then run again',
            };
      return await giveUp(job, id, 'verifying', failure, context);
    }
    const outcome: HostOutcome = {
      kind: 'rolled-back',
      generation: restored.generation,
      hash: restored.hash,
      changed: true,
    };
    const kept = await ask(fresh.connection, {
      operation: 'keep',
      id,
      what: `rollback to ${restored.generation}`,
      state: null,
    });
    if (kept.kind === 'answer' && kept.answer.kind === 'kept') return outcome;
    return await giveUp(
      job,
      id,
      'verifying',
      kept.kind === 'failed' ? kept.failure : puzzled(kept.answer.kind),
      context,
      outcome,
    );
  } finally {
    await fresh.connection.close();
  }
}

function noPlay(job: HostJob): Failure {
  return {
    code: 'no-play',
    what: `no play of a playbook covers ${job.host}`,
    details: [],
    solve: 'set portfw_playbook for it, or name one with --playbook',
  };
}

function puzzled(kind: string): Failure {
  return {
    code: 'unexpected-answer',
    what: `the host answered "${kind}", which does not fit here`,
    details: [],
    solve: 'run again; report it if it happens twice',
  };
}
