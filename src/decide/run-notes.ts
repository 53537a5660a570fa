import type { HostFacts, RunEnd } from '../facts/facts.ts';
import type { PolicyNote } from '../policy/desired.ts';
import { otherRun, otherRunText } from './other-runs.ts';

/** Notes on other runs on the host: one that has not ended, a lock that was left, a last run that was rolled back. */
export function runNotes(facts: Pick<HostFacts, 'lock' | 'unfinished' | 'lastRun'>): PolicyNote[] {
  const { lock, lastRun } = facts;
  const notes: PolicyNote[] = [];
  const other = otherRun(facts);
  if (other?.kind === 'alive')
    notes.push({
      severity: 'warning',
      code: 'locked',
      text: `${otherRunText(other)}. This plan may soon be out of date, and apply is refused until that run has ended`,
    });
  else if (other?.kind === 'left')
    notes.push({
      severity: 'warning',
      code: 'run-left',
      text: `${otherRunText(other)}. This plan will be out of date once that run has been rolled back`,
    });
  else if (lock !== null && facts.unfinished.runs.length === 0)
    notes.push({
      severity: 'info',
      code: 'lock-left',
      text: `${lock.holder} took this host's lock at ${lock.since} and wrote nothing; the next run removes the lock`,
    });
  if (lastRun?.outcome === 'reverted')
    notes.push({
      severity: 'warning',
      code: 'last-run-reverted',
      text: `the last run was not kept: ${endText(lastRun)}`,
    });
  return notes;
}

/** How a run ended, in one line: who decided, when and why. */
export function endText(end: RunEnd): string {
  const what = `${end.what} by ${end.holder}`;
  if (end.outcome === 'kept') return `${what} was kept at ${end.at}`;
  return `${what} was rolled back at ${end.at} by ${byText(end.by)}${end.why === '' ? '' : `: ${end.why}`}`;
}

/** Who decided, in words. */
export function byText(by: string): string {
  switch (by) {
    case 'timer':
      return 'the host itself, because the window was over';
    case 'boot':
      return 'the host itself, after a boot';
    case 'the host':
      return 'the host itself, after a step had failed';
    default:
      return by;
  }
}
