import type { Failure } from '../core/failure.ts';
import { lockedBy } from '../decide/other-runs.ts';
import type { PendingRun } from '../facts/facts.ts';
import type { Answer, HostAftermath } from '../host/answers.ts';
import type { Request } from '../host/requests.ts';
import type { GuardSettings } from '../plan/guard-settings.ts';
import { DEFAULT_GUARD } from '../plan/guard-settings.ts';
import type { Connection } from '../transport/connection.ts';
import type { Aftermath, HostOutcome, Phase } from './events.ts';
import { type Asked, ask, connect, reloadSecondsOf } from './host-session.ts';
import type { HostJob, Proved, RunContext } from './operations.ts';

/** How long a host may take to roll back, once its window is over. */
const PUT_BACK_MS = 10_000;
const PAUSE_MS = 2_000;
/** Connection failures that may go away once the host has rolled back, or sshd is up again. Not a refused login. */
const TRY_AGAIN: ReadonlySet<string> = new Set(['unreachable', 'turned-away', 'protocol-failed']);

/** How long hosts of this run wait for a decision, and who decides. */
export function guardOf(context: RunContext): GuardSettings {
  return context.guard ?? DEFAULT_GUARD;
}

/** One run on one host, with its rollback armed or about to be armed. */
export interface GuardedRun {
  readonly id: string;
  readonly job: HostJob;
  readonly context: RunContext;
  /** The `performance.now()` by which the host has certainly decided by itself. */
  readonly decidedBy: number;
}

/** Call it right before the request that arms the rollback. */
export function startRun(job: HostJob, id: string, context: RunContext): GuardedRun {
  const decidedBy = performance.now() + guardOf(context).windowSeconds * 1000 + PUT_BACK_MS;
  return { id, job, context, decidedBy };
}

/** A reload up to this long does not make a connection look dead. */
const QUIET_SECONDS = 1;

/**
 * Sends the request that begins a run over the connection that planned it, or over a new one: where a reload takes long, the
 * connection must be one that may be silent for as long; and the first one may have been lost during the review. Nothing has
 * begun then, so a second attempt is safe.
 */
export async function askFirst(
  run: GuardedRun,
  first: Connection,
  request: Request,
): Promise<{ readonly kind: 'asked'; readonly asked: Asked } | Extract<HostOutcome, { kind: 'unreachable' }>> {
  const seconds = reloadSecondsOf(request);
  const asked = seconds > QUIET_SECONDS ? null : await ask(first, request);
  if (asked !== null && (asked.kind === 'answer' || asked.mayHaveRun)) return { kind: 'asked', asked };
  const again = await connect(run.job, run.context, undefined, seconds);
  if (again.kind === 'failed') return { kind: 'unreachable', failure: again.failure };
  try {
    return { kind: 'asked', asked: await ask(again.connection, request) };
  } finally {
    await again.connection.close();
  }
}

/** How a verified run ends if it is kept. */
export interface Done {
  readonly kept: HostOutcome;
  /** How it ends with `--confirm manual`; without it the run is always kept at once. */
  readonly held?: (pending: PendingRun) => HostOutcome;
  /** What a failure of the decision is part of. */
  readonly phase: Phase;
}

/** A run that is verified and permanent: it waits for `keep` or `revert`, on the connection that verified it. */
export function provedRun(run: GuardedRun, connection: Connection, { kept, held, phase }: Done): Proved {
  const { id, job, context } = run;
  const manual = held !== undefined && guardOf(context).confirm === 'manual';
  return {
    kind: 'proved',
    keep: () =>
      lastly(connection, async () => {
        const asked = await askAgain(run, connection, { operation: manual ? 'hold' : 'keep', id });
        if (asked.kind === 'failed') return giveUp(run, phase, asked.failure, kept);
        const { answer } = asked;
        if (answer.kind === 'kept') {
          noteUnwritten(answer, run);
          return kept;
        }
        if (answer.kind === 'held' && held !== undefined) return held(answer.pending);
        if (answer.kind === 'failed') return failedOnHost(run, phase, answer);
        if (answer.kind === 'settled') return settledByHost(run, phase, answer.aftermath);
        return giveUp(run, phase, unexpected(answer.kind), kept);
      }),
    revert: (because) =>
      lastly(connection, async () => {
        context.phase(job.host, 'restoring');
        const aftermath = await settle(run, because, connection);
        switch (aftermath.kind) {
          case 'restored':
          case 'untouched':
            return { kind: 'reverted', because, generation: id };
          case 'kept':
            return failed('restoring', notReverted(because), { kind: 'still-changed', generation: id });
          case 'restore-failed':
          case 'still-changed':
          case 'unknown':
            return failed('restoring', notReverted(because), aftermath);
        }
      }),
  };
}

async function lastly(connection: Connection, use: () => Promise<HostOutcome>): Promise<HostOutcome> {
  try {
    return await use();
  } finally {
    await connection.close();
  }
}

/** Says that a kept run is not in the host's journal: the run itself is as it should be. */
export function noteUnwritten(
  { unwritten }: Extract<Answer, { kind: 'kept' }>,
  { job, context }: Pick<GuardedRun, 'job' | 'context'>,
): void {
  if (unwritten !== null)
    context.note(job.host, 'warning', `the change is in force, but not in the host's journal: ${unwritten}`);
}

function notReverted(because: string): Failure {
  return {
    code: 'not-put-back',
    what: `the host should have been rolled back because ${because}`,
    details: [],
    solve: 'see `portfw status` and `portfw history`',
  };
}

function failed(phase: Phase, failure: Failure, aftermath: Aftermath): HostOutcome {
  return { kind: 'failed', phase, failure, aftermath };
}

/** Asks over a connection that may have been lost meanwhile; a request that certainly did not run is sent again. */
async function askAgain(
  run: GuardedRun,
  connection: Connection,
  request: Parameters<typeof ask>[1],
): Promise<Awaited<ReturnType<typeof ask>>> {
  const asked = await ask(connection, request);
  if (asked.kind === 'answer' || asked.mayHaveRun) return asked;
  const fresh = await connect(run.job, run.context);
  if (fresh.kind === 'failed') return { kind: 'failed', failure: fresh.failure, mayHaveRun: false };
  try {
    return await ask(fresh.connection, request);
  } finally {
    await fresh.connection.close();
  }
}

type Standstill = Extract<Answer, { kind: 'locked' | 'drifted' | 'stopped' | 'absent' }>;

/** Why a host refuses a change before anything was written. */
export function standstill(answer: Standstill): Failure {
  switch (answer.kind) {
    case 'locked':
      return lockedBy(answer.lock, answer.pending);
    case 'drifted':
      return {
        code: 'drifted',
        what: 'the host has changed since the plan was made',
        details: [],
        solve: 'run again: a new plan is made from the current state',
      };
    case 'stopped':
      return {
        code: 'firewalld-stopped',
        what: `firewalld no longer runs: ${answer.reason}`,
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

/** A host whose answer does not fit the request. */
export function unexpected(kind: string): Failure {
  return {
    code: 'unexpected-answer',
    what: `the host gave the unexpected answer "${kind}"`,
    details: [],
    solve: 'run again; report it if it happens twice',
  };
}

/** The run had already ended: the host had decided by itself. */
export function settledByHost(run: GuardedRun, phase: Phase, aftermath: HostAftermath): HostOutcome {
  const failure: Failure = {
    code: 'window-over',
    what: `the host has rolled back: the run was not kept within ${guardOf(run.context).windowSeconds} s`,
    details: [],
    solve: 'run again, with a longer --revert-after where the host or its operators need more time',
  };
  return failed(phase, failure, withoutKept(aftermath));
}

function withoutKept(aftermath: HostAftermath): Aftermath {
  return aftermath.kind === 'kept' ? { kind: 'still-changed', generation: aftermath.generation } : aftermath;
}

/** A step that failed on the host, which has rolled back, or still tries to. */
export async function failedOnHost(
  run: GuardedRun,
  phase: Phase,
  answer: { readonly step: string; readonly why: string; readonly aftermath: HostAftermath },
): Promise<HostOutcome> {
  const failure: Failure = {
    code: 'step-failed',
    what: answer.step === phase ? answer.why : `${answer.step}: ${answer.why}`,
    details: [],
    solve: 'fix the error above and run again',
  };
  if (answer.aftermath.kind === 'restore-failed') return giveUp(run, phase, failure);
  return failed(phase, failure, withoutKept(answer.aftermath));
}

/**
 * Ends a failed run: asks the host, over new connections, to roll back, and reads its state. A host that cannot be reached
 * rolls back by itself when its window is over, so it is asked until then.
 *
 * @param kept the outcome if the host had already decided to keep before the connection was lost
 */
export async function giveUp(
  run: GuardedRun,
  phase: Phase,
  failure: Failure,
  kept: HostOutcome | null = null,
): Promise<HostOutcome> {
  const { job, context } = run;
  context.phase(job.host, 'restoring');
  const settled = await settle(run, failure.what);
  switch (settled.kind) {
    case 'kept':
      return kept ?? failed(phase, failure, { kind: 'still-changed', generation: run.id });
    case 'unknown': {
      const solve = `the host rolls back when its window is over; when it can be reached again, see \`portfw status --limit ${job.host}\``;
      return failed(phase, { ...failure, solve }, settled);
    }
    case 'restore-failed': {
      const solve = `fix what prevents the rollback; the host tries again; see \`portfw status --limit ${job.host}\``;
      return failed(phase, { ...failure, solve }, settled);
    }
    case 'restored':
      // When the window is over, the rollback kills a running step: that is not an error of the step.
      if (settled.by === 'timer' && failure.code === 'answer-unreadable') return settledByHost(run, phase, settled);
      return failed(phase, failure, settled);
    case 'still-changed':
    case 'untouched':
      return failed(phase, failure, settled);
  }
}

type Settled = Aftermath | { readonly kind: 'kept' };

/** @param open a connection to try first */
async function settle(run: GuardedRun, why: string, open: Connection | null = null): Promise<Settled> {
  let last: Settled = { kind: 'unknown', why: '' };
  // An open connection may have been lost meanwhile: then a new one is always tried.
  const sure = open === null ? 1 : 2;
  for (let attempt = 1; attempt <= sure || performance.now() < run.decidedBy; attempt += 1) {
    if (attempt > sure) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    const tried = await settleOnce(run, why, attempt === 1 ? open : null);
    if (tried.settled.kind !== 'unknown' && tried.settled.kind !== 'restore-failed') return tried.settled;
    last = tried.settled;
    if (!tried.again) break;
  }
  return last;
}

/** `again` says whether another attempt may succeed; a refused login is never tried again. */
async function settleOnce(
  run: GuardedRun,
  why: string,
  open: Connection | null,
): Promise<{ readonly settled: Settled; readonly again: boolean }> {
  const unknown = (what: string, again: boolean) => ({ settled: { kind: 'unknown' as const, why: what }, again });
  let connection = open;
  if (connection === null) {
    const way = await connect(run.job, run.context);
    if (way.kind === 'failed') return unknown(way.failure.what, TRY_AGAIN.has(way.failure.code));
    connection = way.connection;
  }
  const asked = await ask(connection, { operation: 'settle', id: run.id, why });
  if (open === null) await connection.close();
  if (asked.kind === 'failed') return unknown(asked.failure.what, true);
  if (asked.answer.kind !== 'settled') return unknown(`the host answered "${asked.answer.kind}"`, true);
  const { aftermath } = asked.answer;
  return { settled: aftermath.kind === 'kept' ? { kind: 'kept' } : aftermath, again: true };
}
