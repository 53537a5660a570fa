import type { Failure } from '../core/failure.ts';
import { decideRollback, type RollbackDecision, rollbackGround } from '../decide/decide-rollback.ts';
import { otherRun } from '../decide/other-runs.ts';
import { GENERATION_ID } from '../host/rehearsal-answer.ts';
import { probeInput } from '../roles/wanted.ts';
import type { Connection } from '../transport/connection.ts';
import { dialledOf } from './decide-with-host.ts';
import type { HostOutcome } from './events.ts';
import { standstill, unexpected } from './guarded-run.ts';
import { ask, notLearned, rehearseRollback, see } from './host-session.ts';
import type { HostJob, PlannedHost, RunContext } from './operations.ts';
import { endLeft } from './pending-runs.ts';
import { noGeneration, rollbackAsPlanned } from './rollback-host.ts';
import { checkSaved, lookOf, refusedAnew, withoutPlan } from './saved-check.ts';

/** The assumed reload time of a rollback, before it is measured. */
const RELOAD_SECONDS = 10;

/**
 * Plans a rollback: what it would change, what that does, and whether the controller and `portfw_management` get in
 * afterwards, by the host's rehearsal. Nothing is changed on the host, also nothing that another run has left there.
 *
 * @param generation an id, or `null` for the newest one that differs from the current state
 */
export function planRollback(job: HostJob, context: RunContext, generation: string | null): Promise<PlannedHost> {
  return planned(job, context, generation, true);
}

/**
 * Rolls a host back without a review, because the run that changed it is rolled back as a whole. What others change while it
 * is planned does not stop it.
 */
export async function rollback(job: HostJob, context: RunContext, generation: string): Promise<HostOutcome> {
  // Whoever has signed the plan of the run has not signed this.
  const { plannedBy: _signed, ...unsigned } = context;
  const ready = await planned(job, unsigned, generation, false);
  if (ready.kind === 'finished') {
    const { outcome } = ready;
    if (outcome.kind !== 'unchanged' || outcome.plan.kind !== 'rollback') return outcome;
    const { id, permanentHash } = outcome.plan.generation;
    return { kind: 'rolled-back', generation: id, hash: permanentHash, changed: false };
  }
  for (const { severity, text } of ready.plan.notes) context.note(job.host, severity, text);
  const applied = await ready.apply();
  return applied.kind === 'proved' ? applied.keep() : applied;
}

/** @param bound whether the host must still be as planned when it is rolled back */
async function planned(
  job: HostJob,
  context: RunContext,
  generation: string | null,
  bound: boolean,
): Promise<PlannedHost> {
  const saved = (bound ? context.saved?.get(job.host) : undefined) ?? null;
  if (saved?.kind === 'without') return { kind: 'finished', outcome: withoutPlan(saved) };
  const wanted = saved?.plan.kind === 'rollback' ? saved.plan.generation.id : generation;
  const seen = await see(job, context, probeInput([]), RELOAD_SECONDS);
  if (seen.kind === 'ended') return { kind: 'finished', outcome: seen.outcome };
  const { connection, facts, finish } = seen;
  const decision = await decideWithGeneration(job, facts, connection, context, wanted);
  if (decision.kind === 'failed') return finish(notLearned(decision.failure, decision.lost, 'planning'));
  const other = otherRun(facts);
  const unsettled = other === null ? {} : { unsettled: other };
  const look = lookOf(job, connection, facts);
  if (decision.kind === 'refused') {
    const { failure } = decision;
    return finish({ kind: 'refused', failure: saved === null ? failure : refusedAnew(failure, saved, look, context) });
  }
  context.look?.(job.host, look);
  let { plan } = decision;
  let nothing = decision.kind === 'same';
  if (saved !== null) {
    const verdict = checkSaved(saved, look, plan, context);
    if (verdict.kind === 'stale') return finish({ kind: 'refused', failure: verdict.failure });
    if (verdict.kind === 'applied') context.note(job.host, 'info', 'the saved plan is already applied');
    else if (saved.plan.kind === 'rollback') {
      // A saved plan that does nothing still does nothing, although a new one of this generation would load its files again.
      nothing ||= saved.plan.disruption.kind === 'none';
      // What was saved and reviewed is shown and sent; only how long a reload takes is what was measured now.
      plan = nothing ? saved.plan : { ...saved.plan, disruption: plan.disruption };
    }
  }
  const left = other?.kind === 'left' ? other.runs : [];
  if (nothing && left.length === 0) return finish({ kind: 'unchanged', plan, ...unsettled });
  return {
    kind: 'pending',
    plan,
    roles: facts.remembered?.roles ?? job.settings.roles ?? [],
    ...unsettled,
    apply: async () => {
      try {
        if (nothing) return await endLeft(job, left, plan, connection, context);
        return await rollbackAsPlanned(job, plan, connection, context, { bound, left: left.length > 0 });
      } finally {
        await connection.close();
      }
    },
    discard: () => connection.close(),
  };
}

/** A plan, or why there is none. `lost`: the connection was lost. */
async function decideWithGeneration(
  job: HostJob,
  facts: Parameters<typeof rollbackGround>[0],
  connection: Connection,
  context: RunContext,
  generation: string | null,
): Promise<RollbackDecision | { readonly kind: 'failed'; readonly failure: Failure; readonly lost: boolean }> {
  const ground = rollbackGround(facts);
  if (ground.kind === 'refused') return ground;
  context.phase(job.host, 'planning');
  if (generation !== null && !GENERATION_ID.test(generation))
    return { kind: 'refused', failure: await noSuchGeneration(connection) };
  const asked = await ask(connection, { operation: 'look-rollback', generation });
  // Reading changes nothing, so it does not matter whether the request has run.
  if (asked.kind === 'failed')
    return { kind: 'failed', failure: asked.failure, lost: asked.failure.code === 'command-lost' };
  const { answer } = asked;
  switch (answer.kind) {
    case 'generation':
      break;
    case 'no-generation':
      return { kind: 'refused', failure: noGeneration(answer) };
    case 'stopped':
    case 'absent':
      return { kind: 'refused', failure: standstill(answer) };
    default:
      return { kind: 'refused', failure: unexpected(answer.kind) };
  }
  const { look } = answer;
  if (generation !== null && look.generation.id !== generation)
    return { kind: 'refused', failure: unexpected('another generation') };
  const decision = decideRollback(job, { facts, ground, look }, context, dialledOf(connection));
  if (decision.kind !== 'to-rehearse') return decision;
  context.phase(job.host, 'rehearsing');
  const { packets } = decision;
  const rehearsed = await rehearseRollback(
    connection,
    { operation: 'rehearse-rollback', generation: decision.generation, ...packets },
    context.signal,
  );
  if (rehearsed.kind === 'failed') {
    if (rehearsed.lost) return rehearsed;
    return decision.decide({ kind: 'not-rehearsed', why: rehearsed.failure.what });
  }
  const { found } = rehearsed;
  if (found === null) return decision.decide({ kind: 'not-rehearsed', why: 'the host has nothing to rehearse' });
  if (found.rehearsal.kind === 'rehearsed' && found.generation !== decision.generation)
    return decision.decide({ kind: 'not-rehearsed', why: 'the host answered about another generation' });
  return decision.decide(found.rehearsal);
}

/** The refusal of a text that is no generation's id, with the generations that the host has. */
async function noSuchGeneration(connection: Connection): Promise<Failure> {
  const listed = await ask(connection, { operation: 'history' });
  const generations = listed.kind === 'answer' && listed.answer.kind === 'history' ? listed.answer.generations : [];
  return noGeneration({ why: 'there is no such generation', known: generations.map((item) => item.id) });
}
