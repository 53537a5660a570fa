import { terminalLine } from '../core/terminal-text.ts';
import type { HostOutcome } from '../fleet/events.ts';
import { pendingText } from '../fleet/guarded-run.ts';
import type { RunEnd } from '../host/answers.ts';
import { oneLine } from './change-text.ts';
import type { Style } from './style.ts';

type Status = Extract<HostOutcome, { kind: 'status' }>;

/** What is pending on a host, who holds its lock, and how its last run ended. */
export function statusText(host: string, status: Status, style: Style): string {
  const lines = status.pending.map(
    (run) =>
      `  ${style.yellow(oneLine(run.what))} by ${oneLine(run.holder)} since ${oneLine(run.since)}: ${pendingText(run)}`,
  );
  if (status.pending.length === 0 && status.lock !== null)
    lines.push(`  ${oneLine(status.lock.holder)} has held the lock since ${oneLine(status.lock.since)}`);
  if (lines.length === 0) lines.push('  nothing is pending');
  if (status.last !== null) lines.push(`  the last run: ${endText(status.last)}`);
  return `${style.bold(terminalLine(host))}\n${lines.join('\n')}\n`;
}

/** How a run ended, in one line: who decided, when and why. */
export function endText(end: RunEnd): string {
  const what = `${oneLine(end.what)} by ${oneLine(end.holder)}`;
  if (end.outcome === 'kept') return `${what} was kept at ${oneLine(end.at)}`;
  const why = end.why === '' ? '' : `: ${oneLine(end.why)}`;
  return `${what} was put back at ${oneLine(end.at)} by ${byText(end.by)}${why}`;
}

/** Who decided, in words. */
export function byText(by: string): string {
  switch (by) {
    case 'timer':
      return 'the host itself, when its window was over';
    case 'boot':
      return 'the host itself, after a boot';
    default:
      return oneLine(by);
  }
}
