import type { Failure } from '../core/failure.ts';
import { setByText } from '../core/set-by.ts';
import { rolesOf } from '../decide/decide.ts';
import type { OtherRun } from '../decide/other-runs.ts';
import { otherRun, otherRunText } from '../decide/other-runs.ts';
import type { HostJournal } from '../host/answers.ts';
import { probeInput } from '../roles/wanted.ts';
import { setByOf } from '../settings/set-by.ts';
import type { Connection } from '../transport/connection.ts';
import { userText } from '../transport/set-options.ts';
import { applyHost } from './apply-host.ts';
import { cuttingRevoked } from './cut-revoked.ts';
import { decideWithHost } from './decide-with-host.ts';
import type { HostOutcome } from './events.ts';
import { unexpected } from './guarded-run.ts';
import { ask, notLearned, probe, see, withConnection } from './host-session.ts';
import { withFirewalldInstalled } from './install-firewalld.ts';
import { planRollback, rollback } from './look-rollback.ts';
import type { HostJob, HostOperations, PlannedHost, RunContext } from './operations.ts';
import { confirm, endLeft, status } from './pending-runs.ts';
import { checkSaved, lookOf, refusedAnew, withoutPlan } from './saved-check.ts';

/** The operations on real hosts. */
export function createHostOperations(): HostOperations {
  return { facts, detect, plan, planRollback, history, rollback, status, confirm };
}

function wanted(job: HostJob, { lookFor = [] }: RunContext): string {
  return probeInput([...(job.play === null ? [] : [job.play.matrix]), ...lookFor]);
}

function facts(job: HostJob, context: RunContext): Promise<HostOutcome> {
  return withConnection(job, context, async (connection): Promise<HostOutcome> => {
    context.phase(job.host, 'gathering facts');
    const seen = await probe(connection, wanted(job, context), job, context, context.signal);
    return seen.kind === 'failed'
      ? notLearned(seen.failure, seen.lost, 'gathering facts')
      : { kind: 'facts', facts: seen.facts };
  });
}

function detect(job: HostJob, context: RunContext): Promise<HostOutcome> {
  return withConnection(job, context, async (connection): Promise<HostOutcome> => {
    context.phase(job.host, 'gathering facts');
    const seen = await probe(connection, wanted(job, context), job, context, context.signal);
    if (seen.kind === 'failed') return notLearned(seen.failure, seen.lost, 'gathering facts');
    if (job.play === null) return { kind: 'refused', failure: noPlay(job) };
    return { kind: 'roles', facts: seen.facts, findings: rolesOf(job, job.play, seen.facts) };
  });
}

async function plan(job: HostJob, context: RunContext): Promise<PlannedHost> {
  const { play } = job;
  if (play === null) return { kind: 'finished', outcome: { kind: 'refused', failure: noPlay(job) } };
  const saved = context.saved?.get(job.host) ?? null;
  if (saved?.kind === 'without') return { kind: 'finished', outcome: withoutPlan(saved) };
  const seen = await see(job, context, wanted(job, context));
  if (seen.kind === 'ended') return { kind: 'finished', outcome: seen.outcome };
  const { connection, finish } = seen;
  context.phase(job.host, 'planning');
  const decision = await decideWithHost(job, play, seen.facts, connection, context);
  if (decision.kind === 'failed') return finish(notLearned(decision.failure, decision.lost, 'rehearsing'));
  const other = otherRun(seen.facts);
  const unsettled = other === null ? {} : { unsettled: other };
  const look = lookOf(job, connection, seen.facts);
  if (decision.kind === 'refused') {
    const failure = rootless(beside(decision.failure, other), job, context);
    return finish({ kind: 'refused', failure: saved === null ? failure : refusedAnew(failure, saved, look, context) });
  }
  context.look?.(job.host, look);
  let ready = decision.plan;
  if (saved !== null) {
    const verdict = checkSaved(saved, look, decision.plan, context);
    if (verdict.kind === 'stale') return finish({ kind: 'refused', failure: verdict.failure });
    if (verdict.kind === 'applied') context.note(job.host, 'info', 'the saved plan is already applied');
    // What was saved and reviewed is shown and sent; only how long a reload takes is what was measured now.
    else if (saved.plan.kind === 'apply') ready = { ...saved.plan, disruption: decision.plan.disruption };
  }
  const nothing = ready.changes.length === 0;
  if (nothing && other?.kind !== 'left') return finish({ kind: 'unchanged', plan: ready, ...unsettled });
  return {
    kind: 'pending',
    plan: ready,
    roles: decision.plan.roles.map(({ role }) => role),
    ...unsettled,
    apply: async () => {
      try {
        if (nothing && other?.kind === 'left') return await endLeft(job, other.runs, ready, connection, context);
        const installed = await withFirewalldInstalled(job, play, ready, connection, context);
        if (installed.kind === 'refused') return { kind: 'refused', failure: installed.failure };
        return cuttingRevoked(job, await applyHost(job, installed.plan, connection, context), context);
      } finally {
        await connection.close();
      }
    },
    discard: () => connection.close(),
  };
}

/** A refusal that may be caused by the unfinished changes of another run. */
function beside(failure: Failure, other: OtherRun | null): Failure {
  if (other === null) return failure;
  return { ...failure, details: [...failure.details, `another run has not ended: ${otherRunText(other)}`] };
}

/** A refusal for want of root says which account it was and why it did not become root. */
function rootless(failure: Failure, { target, settings }: HostJob, { looked = [] }: RunContext): Failure {
  if (failure.code !== 'not-root') return failure;
  const { what, solve } = failure;
  const set = settings.become.sources?.enabled ?? null;
  const become = `become is off: ${set === null ? 'nothing turns it on' : setByText(setByOf(set.origin))}`;
  const details = [...failure.details, userText(target), ...(settings.become.enabled ? [] : [become]), ...looked];
  return { ...failure, details, shared: { what, own: '', solve } };
}

function history(job: HostJob, context: RunContext, withJournal = false): Promise<HostOutcome> {
  return withConnection(job, context, async (connection): Promise<HostOutcome> => {
    context.phase(job.host, 'reading history');
    const asked = await ask(connection, { operation: 'history' });
    if (asked.kind === 'failed')
      return { kind: 'failed', phase: 'reading history', failure: asked.failure, aftermath: { kind: 'untouched' } };
    const { answer } = asked;
    const read = withJournal ? await journalOf(connection) : null;
    if (read?.kind === 'failed')
      return { kind: 'failed', phase: 'reading history', failure: read.failure, aftermath: { kind: 'untouched' } };
    const journal = read === null ? {} : { journal: read.journal };
    if (answer.kind === 'history')
      return { kind: 'history', generations: answer.generations, pending: answer.pending, ...journal };
    if (answer.kind === 'absent') return { kind: 'history', generations: [], pending: [], ...journal };
    return { kind: 'refused', failure: unexpected(answer.kind) };
  });
}

async function journalOf(
  connection: Connection,
): Promise<
  { readonly kind: 'read'; readonly journal: HostJournal } | { readonly kind: 'failed'; readonly failure: Failure }
> {
  const asked = await ask(connection, { operation: 'journal' });
  if (asked.kind === 'failed') return { kind: 'failed', failure: asked.failure };
  const { answer } = asked;
  if (answer.kind === 'journal') return { kind: 'read', journal: answer.journal };
  if (answer.kind !== 'absent') return { kind: 'failed', failure: unexpected(answer.kind) };
  const trouble = ['without firewalld it cannot be read'];
  return { kind: 'read', journal: { texts: [], head: null, trouble } };
}

function noPlay(job: HostJob): Failure {
  return {
    code: 'no-play',
    what: `no play of a playbook covers ${job.host}`,
    details: [],
    solve: 'set portfw_playbook for it, or name one with --playbook',
  };
}
