import { terminalLine } from '../core/terminal-text.ts';
import { LOCKED } from '../decide/other-runs.ts';
import type { HostOutcome } from './events.ts';
import type { HostJob, HostOperations, RunContext } from './operations.ts';

/** Whether a host failed, was refused or could not be reached: what counts for `max_fail_percentage` and `on_failure`. */
export function wentWrong(outcome: HostOutcome): boolean {
  return outcome.kind === 'failed' || outcome.kind === 'refused' || outcome.kind === 'unreachable';
}

/** `sip2 failed`, in words that fit its outcome. */
export function blame(host: string, outcome: HostOutcome): string {
  const name = terminalLine(host);
  switch (outcome.kind) {
    case 'refused':
      return outcome.failure.code === LOCKED ? `another run is changing ${name}` : `${name} was refused`;
    case 'unreachable':
      return `${name} could not be reached`;
    default:
      return `${name} failed`;
  }
}

/** A host on which the new configuration is in force: kept, waiting for `portfw confirm`, or rolled back by this run. */
export type InForce =
  | Extract<HostOutcome, { kind: 'changed' | 'awaiting' }>
  | (Extract<HostOutcome, { kind: 'rolled-back' }> & { readonly saved: string });

/** See {@link InForce}. */
export function isInForce(outcome: HostOutcome): outcome is InForce {
  if (outcome.kind === 'rolled-back') return outcome.saved !== undefined;
  return outcome.kind === 'changed' || outcome.kind === 'awaiting';
}

/**
 * Rolls back a change that is in force, because of another host: a run that waits for confirmation is ended with
 * `revert`, a kept one is rolled back to the generation that it saved.
 *
 * @returns `reverted`, or `failed` with the state of the host
 */
export async function revertHost(
  job: HostJob,
  was: InForce,
  because: string,
  context: RunContext,
  operations: HostOperations,
): Promise<HostOutcome> {
  const generation = was.kind === 'rolled-back' ? was.saved : was.generation;
  if (was.kind === 'awaiting') {
    // Only this run: another controller's run may be in progress by now.
    const answered = await operations.confirm(job, context, 'revert', generation);
    const itself =
      answered.kind === 'nothing-pending' && answered.last?.id === generation && answered.last.outcome === 'reverted';
    if (answered.kind === 'reverted' || itself) return { kind: 'reverted', because, generation };
    // It may have been confirmed in the meantime.
    if (answered.kind !== 'nothing-pending' && answered.kind !== 'confirmed')
      return ended(job.host, answered, generation, because);
  }
  return ended(job.host, await operations.rollback(job, context, generation), generation, because);
}

function ended(host: string, outcome: HostOutcome, generation: string, because: string): HostOutcome {
  switch (outcome.kind) {
    case 'rolled-back':
      return { kind: 'reverted', because, generation: outcome.generation };
    case 'failed': {
      const { aftermath } = outcome;
      // A failed rollback restores the configuration that should have been rolled back.
      if (aftermath.kind !== 'untouched' && aftermath.kind !== 'restored') return outcome;
      return stillChanged(host, outcome, generation, because);
    }
    case 'refused':
    case 'unreachable':
      return stillChanged(host, outcome, generation, because);
    default:
      return outcome;
  }
}

function stillChanged(
  host: string,
  outcome: Extract<HostOutcome, { kind: 'failed' | 'refused' | 'unreachable' }>,
  generation: string,
  because: string,
): HostOutcome {
  const { failure } = outcome;
  return {
    kind: 'failed',
    phase: 'restoring',
    failure: {
      ...failure,
      what: `it should have been rolled back because ${because}, but could not: ${failure.what}`,
      solve: `${failure.solve}; then run \`portfw rollback --limit ${terminalLine(host)} --to ${generation}\``,
    },
    aftermath: { kind: 'still-changed', generation },
  };
}
