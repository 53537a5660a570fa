import { terminalLine } from '../../core/terminal-text.ts';
import { pendingText } from '../../decide/other-runs.ts';
import { endText } from '../../decide/run-notes.ts';
import type { PendingRun } from '../../facts/facts.ts';
import type { HostOutcome } from '../../fleet/events.ts';
import { oneLine } from '../clean.ts';
import type { Style } from './style.ts';

type Status = Extract<HostOutcome, { kind: 'status' }>;

/** The pending runs of a host, who holds its lock, and how its last run ended. */
export function statusText(host: string, status: Status, style: Style): string {
  const lines = status.pending.map((run) => `  ${style.yellow(runText(run))}`);
  if (status.pending.length === 0 && status.lock !== null)
    lines.push(`  ${oneLine(status.lock.holder)} has held the lock since ${oneLine(status.lock.since)}`);
  if (lines.length === 0) lines.push('  no run is pending');
  if (status.last !== null) lines.push(`  the last run: ${endText(status.last)}`);
  return `${style.bold(terminalLine(host))}\n${lines.join('\n')}\n`;
}

/** A run that has not ended, on one line: what it does, who started it, when, and what happens next. */
export function runText(run: PendingRun): string {
  return oneLine(`${run.what} by ${run.holder} since ${run.since}: ${pendingText(run)}`);
}
