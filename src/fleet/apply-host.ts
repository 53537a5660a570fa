import { randomBytes } from 'node:crypto';
import type { Failure } from '../core/failure.ts';
import type { RunningFirewalld } from '../facts/facts.ts';
import { observedFirewalld } from '../firewalld/observed.ts';
import { type ApplyInput, firstRequest, permanentRequest } from '../host/requests.ts';
import { describeChange } from '../plan/change-words.ts';
import { concernsRuntime, differences } from '../plan/diff/diff.ts';
import type { Change, HostPlan } from '../plan/plan.ts';
import { stateAsDesired } from '../plan/steps/planned-state.ts';
import type { Connection } from '../transport/connection.ts';
import type { HostOutcome } from './events.ts';
import {
  askFirst,
  failedOnHost,
  type GuardedRun,
  giveUp,
  guardOf,
  provedRun,
  settledByHost,
  standstill,
  startRun,
  unexpected,
} from './guarded-run.ts';
import { ask, connect, probe } from './host-session.ts';
import type { HostJob, Proved, RunContext } from './operations.ts';
import { runProbes } from './probes.ts';
import { auditOf } from './run-journal.ts';

const ENTRIES_PAUSE_MS = 1_000;

/** A run's identity on one host, which also names the generation that it saves: UTC time and a random tail. */
export function newGenerationId(now: Date): string {
  const stamp = now
    .toISOString()
    .replace(/[-:]/g, '')
    .replace(/\.\d+Z$/, 'Z');
  return `${stamp}-${randomBytes(3).toString('hex')}`;
}

/**
 * Applies a plan to a host: the rollback is armed, definitions and behaviour use the open connection, proof and
 * permanence a fresh one. A verified run waits for the decision. After any failure before that, the saved generation is
 * restored, or the outcome says that the state is unknown.
 */
export async function applyHost(
  job: HostJob,
  plan: HostPlan,
  first: Connection,
  context: RunContext,
): Promise<HostOutcome | Proved> {
  const now = new Date();
  const input: ApplyInput = {
    id: newGenerationId(now),
    holder: context.holder,
    plan,
    guard: guardOf(context),
    at: now.toISOString(),
    audit: auditOf(context, plan),
  };
  const fails = await runProbes(job, context, 'before');
  if (fails !== null) return { kind: 'refused', failure: fails };

  context.phase(job.host, 'writing');
  const run = startRun(job, input.id, context);
  const begun = await begin(run, input, first);
  if (begun.kind === 'ended') return begun.outcome;

  context.phase(job.host, 'verifying');
  const fresh = await connect(job, context);
  if (fresh.kind === 'failed') return giveUp(run, 'verifying', shutOut(fresh.failure));
  const { connection } = fresh;
  const ended = await prove(run, input, connection);
  if (ended !== null) {
    await connection.close();
    return ended;
  }
  const { reloads } = begun;
  return provedRun(run, connection, {
    kept: { kind: 'changed', plan, generation: run.id, reloads },
    held: (pending) => ({ kind: 'awaiting', plan, generation: run.id, pending, reloads }),
    phase: 'making permanent',
  });
}

/** No new connection is possible after the change: the change is the likely cause, not the inventory. */
function shutOut(failure: Failure): Failure {
  if (failure.code !== 'unreachable') return failure;
  return {
    ...failure,
    solve:
      'the change may block SSH: compare the plan with the path of this connection, and check other filters on that path',
  };
}

/** Over the fresh connection: checks the behaviour, then makes it permanent. `null` on success, else the end of the run. */
async function prove(run: GuardedRun, input: ApplyInput, connection: Connection): Promise<HostOutcome | null> {
  const { job, context } = run;
  const { plan } = input;
  let missing = await lookAtBehaviour(job, plan, connection, context);
  if (missing?.onlyEntries === true) {
    // From 2.4 on, entries of ipsets may be loaded after the daemon says that it is running.
    await new Promise((resolve) => setTimeout(resolve, ENTRIES_PAUSE_MS));
    missing = await lookAtBehaviour(job, plan, connection, context);
  }
  if (missing !== null) return giveUp(run, 'verifying', missing.failure);
  const fails = await runProbes(job, context, 'after');
  if (fails !== null) return giveUp(run, 'probing', fails);

  context.phase(job.host, 'making permanent');
  const made = await ask(connection, permanentRequest(input));
  if (made.kind === 'failed') return giveUp(run, 'making permanent', made.failure);
  if (made.answer.kind === 'failed') return failedOnHost(run, 'making permanent', made.answer);
  if (made.answer.kind === 'settled') return settledByHost(run, 'making permanent', made.answer.aftermath);
  if (made.answer.kind !== 'permanent') return giveUp(run, 'making permanent', unexpected(made.answer.kind));
  const rest = permanenceMissing(plan, made.answer.firewalld);
  return rest === null ? null : giveUp(run, 'making permanent', rest);
}

type Begun =
  | { readonly kind: 'begun'; readonly reloads: number }
  | { readonly kind: 'ended'; readonly outcome: HostOutcome };

async function begin(run: GuardedRun, input: ApplyInput, first: Connection): Promise<Begun> {
  const sent = await askFirst(run, first, firstRequest(input));
  if (sent.kind === 'unreachable') return ended(sent);
  const { asked } = sent;
  if (asked.kind === 'failed') {
    if (!asked.mayHaveRun)
      return ended({ kind: 'failed', phase: 'writing', failure: asked.failure, aftermath: { kind: 'untouched' } });
    return ended(await giveUp(run, 'writing', asked.failure));
  }
  const { answer } = asked;
  switch (answer.kind) {
    case 'begun':
      return { kind: 'begun', reloads: answer.reloads };
    case 'locked':
    case 'drifted':
    case 'stopped':
    case 'absent':
      return ended({ kind: 'refused', failure: standstill(answer) });
    case 'failed': {
      const saving = answer.step === 'saving the generation' || answer.step === 'arming the rollback';
      return ended(await failedOnHost(run, saving ? 'saving the generation' : 'writing', answer));
    }
    default:
      return ended(await giveUp(run, 'writing', unexpected(answer.kind)));
  }
}

function ended(outcome: HostOutcome): Begun {
  return { kind: 'ended', outcome };
}

/** The changes of a plan that a host still lacks. */
function stillMissing({ result }: HostPlan, firewalld: RunningFirewalld): readonly Change[] {
  return differences({ desired: stateAsDesired(result), observed: observedFirewalld(firewalld), facts: firewalld });
}

interface MissingBehaviour {
  readonly failure: Failure;
  readonly onlyEntries: boolean;
}

/** What differs from the plan at runtime, seen over the fresh connection; `null` if nothing does. */
async function lookAtBehaviour(
  job: HostJob,
  plan: HostPlan,
  connection: Connection,
  context: RunContext,
): Promise<MissingBehaviour | null> {
  const seen = await probe(connection, '', job, context);
  if (seen.kind === 'failed') return { failure: seen.failure, onlyEntries: false };
  const { firewalld } = seen.facts;
  if (firewalld.kind !== 'running' || firewalld.state !== 'RUNNING') {
    const state = firewalld.kind === 'running' ? firewalld.state : firewalld.kind;
    const failure: Failure = {
      code: 'firewalld-not-running',
      what: `firewalld is ${state} after the change`,
      details: [],
      solve: 'see `journalctl -u firewalld` on the host',
    };
    return { failure, onlyEntries: false };
  }
  const missing = stillMissing(plan, firewalld).filter(concernsRuntime);
  if (missing.length === 0) return null;
  return {
    failure: notAsPlanned('at runtime', missing),
    onlyEntries: missing.every((change) => change.kind === 'ipset-entries'),
  };
}

function permanenceMissing(plan: HostPlan, firewalld: RunningFirewalld): Failure | null {
  const missing = stillMissing(plan, firewalld);
  return missing.length === 0 ? null : notAsPlanned('after it was made permanent', missing);
}

function notAsPlanned(when: string, missing: readonly Change[]): Failure {
  return {
    code: 'not-as-planned',
    what: `the host is not as planned ${when}: ${missing.length} difference(s)`,
    details: missing.slice(0, 8).map(describeChange),
    solve:
      'something else changes firewalld on this host, or this version does something that portfw does not know: report it with the output of `portfw facts --json`',
  };
}
