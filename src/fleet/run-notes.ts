import type { HostFacts, RunEnd } from '../facts/facts.ts';
import type { PolicyNote } from '../policy/desired.ts';

/** What other runs on the host mean for this one: a run under way, and a last one that was put back. */
export function runNotes({ lock, lastRun }: Pick<HostFacts, 'lock' | 'lastRun'>): PolicyNote[] {
  const notes: PolicyNote[] = [];
  if (lock !== null)
    notes.push({
      severity: 'warning',
      code: 'locked',
      text: `${lock.holder} has been changing this host since ${lock.since}: what is planned now may be half of that, and apply would be refused`,
    });
  if (lastRun?.outcome === 'reverted')
    notes.push({
      severity: 'warning',
      code: 'last-run-reverted',
      text: `the last run did not last: ${endText(lastRun)}`,
    });
  return notes;
}

/** How a run ended, in one line: who decided, when and why. */
export function endText(end: RunEnd): string {
  const what = `${end.what} by ${end.holder}`;
  if (end.outcome === 'kept') return `${what} was kept at ${end.at}`;
  return `${what} was put back at ${end.at} by ${byText(end.by)}${end.why === '' ? '' : `: ${end.why}`}`;
}

/** Who decided, in words. */
export function byText(by: string): string {
  switch (by) {
    case 'timer':
      return 'the host itself, when its window was over';
    case 'boot':
      return 'the host itself, after a boot';
    case 'the host':
      return 'the host itself, where a step had failed';
    default:
      return by;
  }
}
