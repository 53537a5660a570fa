import { terminalLine } from '../core/terminal-text.ts';
import type { HostOutcome } from './events.ts';

/** Whether a host failed, was refused or could not be reached: what counts for `max_fail_percentage` and `on_failure`. */
export function wentWrong(outcome: HostOutcome): boolean {
  return outcome.kind === 'failed' || outcome.kind === 'refused' || outcome.kind === 'unreachable';
}

/** `sip2 failed`, in words that fit its outcome. */
export function blame(host: string, outcome: HostOutcome): string {
  const name = terminalLine(host);
  switch (outcome.kind) {
    case 'refused':
      return `${name} was refused`;
    case 'unreachable':
      return `${name} could not be reached`;
    default:
      return `${name} failed`;
  }
}

/** The outcome of a proved host that was told to revert: `reverted` where that worked. */
export function afterRevert(outcome: HostOutcome, because: string): HostOutcome {
  if (outcome.kind === 'failed' && outcome.aftermath.kind === 'restored')
    return { kind: 'reverted', because, generation: outcome.aftermath.generation };
  return outcome;
}

/**
 * The outcome of a host whose change had been kept and that was rolled back with the others.
 *
 * @param generation the one that it was to return to
 */
export function afterRollback(host: string, outcome: HostOutcome, generation: string, because: string): HostOutcome {
  switch (outcome.kind) {
    case 'rolled-back':
      return { kind: 'reverted', because, generation: outcome.generation };
    case 'failed': {
      const { aftermath } = outcome;
      // Whatever a rollback that failed has restored is the configuration that it was to take back.
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
      what: `it was to be put back because ${because}, and could not: ${failure.what}`,
      solve: `${failure.solve}; then \`portfw rollback --limit ${terminalLine(host)} --to ${generation}\` puts it back`,
    },
    aftermath: { kind: 'still-changed', generation },
  };
}
