import { randomBytes } from 'node:crypto';
import type { RunningFirewalld } from '../facts/facts.ts';
import { observedFirewalld } from '../firewalld/observed.ts';
import type { HostAftermath } from '../host/answers.ts';
import { type ApplyInput, beginRequest, permanentRequest } from '../host/requests.ts';
import { buildPlan } from '../plan/build-plan.ts';
import { needsReload } from '../plan/definitions.ts';
import type { Change, HostPlan } from '../plan/plan.ts';
import type { Connection } from '../transport/connection.ts';
import type { Decision } from './decide-host.ts';
import type { Aftermath, Failure, HostOutcome, Phase } from './events.ts';
import { type Asked, ask, connect, probe } from './host-session.ts';
import type { HostJob, RunContext } from './operations.ts';

type Planned = Extract<Decision, { kind: 'planned' }>;

/** How often a host that is to be settled is tried, and how long between. A refused login is never tried again. */
const SETTLE_TRIES = 3;
const SETTLE_PAUSE_MS = 3_000;
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
 * Brings a host to its plan: definitions and behaviour over the connection that is open, proof and permanence over a
 * fresh one. Whatever fails after the first write, the saved generation is put back, or the outcome says that it is not
 * known.
 */
export async function applyHost(
  job: HostJob,
  decision: Planned,
  first: Connection,
  context: RunContext,
): Promise<HostOutcome> {
  const input: ApplyInput = {
    id: newGenerationId(new Date()),
    holder: context.holder,
    plan: decision.plan,
    desired: decision.desired,
    observed: decision.observed,
  };
  context.phase(job.host, 'writing');
  const begun = await begin(job, input, first, context);
  if (begun.kind === 'ended') return begun.outcome;

  context.phase(job.host, 'verifying');
  const fresh = await connect(job, context);
  if (fresh.kind === 'failed') return giveUp(job, input.id, 'verifying', fresh.failure, context);
  try {
    let missing = await lookAtBehaviour(job, decision, fresh.connection, context);
    if (missing?.onlyEntries === true) {
      // From 2.4 on, entries of ipsets may be loaded after the daemon says that it is running.
      await new Promise((resolve) => setTimeout(resolve, ENTRIES_PAUSE_MS));
      missing = await lookAtBehaviour(job, decision, fresh.connection, context);
    }
    if (missing !== null) return await giveUp(job, input.id, 'verifying', missing.failure, context);

    context.phase(job.host, 'making permanent');
    const made = await ask(fresh.connection, permanentRequest(input));
    if (made.kind === 'failed') return await giveUp(job, input.id, 'making permanent', made.failure, context);
    if (made.answer.kind === 'failed') return failedOnHost('making permanent', made.answer);
    if (made.answer.kind !== 'permanent')
      return await giveUp(job, input.id, 'making permanent', unexpected(made), context);
    const rest = permanenceMissing(decision, made.answer.firewalld);
    if (rest !== null) return await giveUp(job, input.id, 'making permanent', rest, context);

    const roles = decision.plan.roles.map((item) => item.role).sort();
    const kept = await ask(fresh.connection, {
      operation: 'keep',
      id: input.id,
      what: `apply ${decision.plan.matrix}`,
      state: decision.plan.changes.some((change) => change.kind === 'remember')
        ? { format: 1, matrix: decision.plan.matrix, roles, generation: input.id, appliedAt: new Date().toISOString() }
        : null,
    });
    const changed: HostOutcome = { kind: 'changed', plan: decision.plan, generation: input.id, reloads: begun.reloads };
    if (kept.kind === 'answer' && kept.answer.kind === 'kept') return changed;
    if (kept.kind === 'answer' && kept.answer.kind === 'failed') return failedOnHost('making permanent', kept.answer);
    return await giveUp(
      job,
      input.id,
      'making permanent',
      kept.kind === 'failed' ? kept.failure : unexpected(kept),
      context,
      changed,
    );
  } finally {
    await fresh.connection.close();
  }
}

type Begun =
  | { readonly kind: 'begun'; readonly reloads: number }
  | { readonly kind: 'ended'; readonly outcome: HostOutcome };

async function begin(job: HostJob, input: ApplyInput, first: Connection, context: RunContext): Promise<Begun> {
  const request = beginRequest(input);
  let asked = await ask(first, request);
  if (asked.kind === 'failed' && !asked.mayHaveRun) {
    // The line may have gone down while the plan was being reviewed: nothing has begun, so once more is safe.
    const again = await connect(job, context);
    if (again.kind === 'failed') return ended({ kind: 'unreachable', failure: again.failure });
    asked = await ask(again.connection, request);
    await again.connection.close();
  }
  if (asked.kind === 'failed') {
    if (!asked.mayHaveRun)
      return ended({ kind: 'failed', phase: 'writing', failure: asked.failure, aftermath: { kind: 'untouched' } });
    return ended(await giveUp(job, input.id, 'writing', asked.failure, context));
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
    case 'failed':
      return ended(failedOnHost(answer.step === 'saving the generation' ? 'saving the generation' : 'writing', answer));
    default:
      return ended(nonsense('writing', asked));
  }
}

function ended(outcome: HostOutcome): Begun {
  return { kind: 'ended', outcome };
}

type Standstill = Extract<Asked, { kind: 'answer' }>['answer'] & {
  readonly kind: 'locked' | 'drifted' | 'stopped' | 'absent';
};

/** Why a host refuses a change before anything was written. */
export function standstill(answer: Standstill): Failure {
  switch (answer.kind) {
    case 'locked':
      return {
        code: 'locked',
        what: `${answer.lock.holder} has been changing this host since ${answer.lock.since}`,
        details: [`run ${answer.lock.id}`],
        solve:
          'wait for that run to end; if it is certainly dead, remove /run/portfw/lock on the host and return with `portfw rollback --to` to the generation of that run, if `portfw history` lists it',
      };
    case 'drifted':
      return {
        code: 'drifted',
        what: 'the host is not as it was when the plan was made',
        details: [],
        solve: 'run again: a new plan is made from what is there now',
      };
    case 'stopped':
      return {
        code: 'firewalld-stopped',
        what: `firewalld does not run any more: ${answer.reason}`,
        details: [],
        solve: 'see `journalctl -u firewalld`',
      };
    case 'absent':
      return {
        code: 'firewalld-absent',
        what: 'firewalld is not installed on the host',
        details: [],
        solve: 'install the package firewalld and start it',
      };
  }
}

function unexpected(asked: Asked): Failure {
  const kind = asked.kind === 'answer' ? asked.answer.kind : asked.kind;
  return {
    code: 'unexpected-answer',
    what: `the host answered "${kind}", which does not fit here`,
    details: [],
    solve: 'run again; report it if it happens twice',
  };
}

function nonsense(phase: Phase, asked: Asked): HostOutcome {
  return {
    kind: 'failed',
    phase,
    failure: unexpected(asked),
    aftermath: { kind: 'unknown', why: 'the host answered nonsense' },
  };
}

/** A step that failed on the host, which has already put the generation back as far as it could. */
export function failedOnHost(
  phase: Phase,
  answer: { readonly step: string; readonly why: string; readonly aftermath: HostAftermath },
): HostOutcome {
  const { aftermath } = answer;
  return {
    kind: 'failed',
    phase,
    failure: {
      code: 'step-failed',
      what: answer.step === phase ? answer.why : `${answer.step}: ${answer.why}`,
      details: [],
      solve:
        aftermath.kind === 'restore-failed'
          ? 'look at the host now: mend what it names, remove /run/portfw/lock there, and run again'
          : 'mend what it names and run again',
    },
    aftermath: aftermath.kind === 'kept' ? { kind: 'unknown', why: 'the host kept the change' } : aftermath,
  };
}

/**
 * Ends a run that went wrong from our side: asks the host, over new connections, to put the generation back.
 *
 * @param kept the outcome when it turns out that the host had decided to keep before the line went down
 */
export async function giveUp(
  job: HostJob,
  id: string,
  phase: Phase,
  failure: Failure,
  context: RunContext,
  kept: HostOutcome | null = null,
): Promise<HostOutcome> {
  context.phase(job.host, 'restoring');
  const settled = await settle(job, id, context);
  if (settled.kind === 'unknown') {
    const solve = `when the host can be reached again: remove /run/portfw/lock there, then \`portfw rollback --limit ${job.host} --to ${id}\` returns it to what it was (if it has no such generation, nothing was written)`;
    return { kind: 'failed', phase, failure: { ...failure, solve }, aftermath: settled };
  }
  if (settled.kind !== 'kept') return { kind: 'failed', phase, failure, aftermath: settled };
  return (
    kept ?? {
      kind: 'failed',
      phase,
      failure,
      aftermath: { kind: 'unknown', why: 'the host says that it kept a change that was not proved' },
    }
  );
}

async function settle(job: HostJob, id: string, context: RunContext): Promise<Aftermath | { readonly kind: 'kept' }> {
  let why = '';
  for (let attempt = 1; attempt <= SETTLE_TRIES; attempt += 1) {
    if (attempt > 1) await new Promise((resolve) => setTimeout(resolve, SETTLE_PAUSE_MS));
    const way = await connect(job, context);
    if (way.kind === 'failed') {
      why = way.failure.what;
      if (way.failure.code === 'unreachable') continue;
      break;
    }
    const asked = await ask(way.connection, { operation: 'settle', id });
    await way.connection.close();
    if (asked.kind === 'answer' && asked.answer.kind === 'settled') {
      const { aftermath } = asked.answer;
      return aftermath.kind === 'kept' ? { kind: 'kept' } : aftermath;
    }
    why = asked.kind === 'failed' ? asked.failure.what : `the host answered "${asked.answer.kind}"`;
  }
  return { kind: 'unknown', why };
}

/** A plan made from what the host is now, against the same desired configuration. */
function planAgain(decision: Planned, firewalld: RunningFirewalld): HostPlan {
  return buildPlan({
    host: decision.plan.host,
    matrix: decision.plan.matrix,
    roles: decision.plan.roles,
    facts: firewalld,
    observed: observedFirewalld(firewalld),
    desired: decision.desired,
    remembered: null,
    notes: [],
  });
}

interface MissingBehaviour {
  readonly failure: Failure;
  readonly onlyEntries: boolean;
}

/** What the fresh connection finds not to be as planned at runtime; `null` when all is. */
async function lookAtBehaviour(
  job: HostJob,
  decision: Planned,
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
  const missing = planAgain(decision, firewalld).changes.filter((change) => {
    if (change.kind === 'definition') return needsReload(change);
    return change.kind !== 'remember' && change.layers.runtime;
  });
  if (missing.length === 0) return null;
  return {
    failure: notAsPlanned('at runtime', missing),
    onlyEntries: missing.every((change) => change.kind === 'ipset-entries'),
  };
}

function permanenceMissing(decision: Planned, firewalld: RunningFirewalld): Failure | null {
  const missing = planAgain(decision, firewalld).changes.filter((change) => change.kind !== 'remember');
  return missing.length === 0 ? null : notAsPlanned('after it was made permanent', missing);
}

function notAsPlanned(when: string, missing: readonly Change[]): Failure {
  return {
    code: 'not-as-planned',
    what: `the host is not as planned ${when}: ${missing.length} difference(s)`,
    details: missing.slice(0, 8).map(describeChange),
    solve:
      'something else changes firewalld on this host, or its version does something that we do not know: report it with `portfw facts --json`',
  };
}

function describeChange(change: Change): string {
  switch (change.kind) {
    case 'definition':
      return `${change.object} ${change.name} (${change.fields.map((field) => `${field.field}: ${field.before ?? 'none'} instead of ${field.after ?? 'none'}`).join('; ')})`;
    case 'interface':
      return `interface ${change.interface} in zone ${change.zone}`;
    case 'zone-service':
      return `${change.action} service ${change.service} in zone ${change.zone}`;
    case 'rich-rule':
      return `${change.action} in zone ${change.zone}: ${change.rule}`;
    case 'stray':
      return `${change.field} ${change.value} in zone ${change.zone}`;
    case 'ipset-entries':
      return `entries of ipset ${change.ipset}: +${change.add.join(' ')} -${change.remove.join(' ')}`;
    case 'remember':
      return 'remembered roles';
  }
}
